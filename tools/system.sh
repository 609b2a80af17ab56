#!/usr/bin/env bash
# system.sh: install the system libraries that Qt and OpenGL need, where missing.
set -euo pipefail
cd "$(dirname "$0")/.."

options=()
if ! tools/has_display.sh; then
    options=(--virtual-screen)
fi

mapfile -t missing < <(.venv/bin/python tools/missing_packages.py "${options[@]}")
if [ "${#missing[@]}" -gt 0 ]; then
    tools/apt_install.sh "${missing[@]}"
fi
