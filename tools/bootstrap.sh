#!/usr/bin/env bash
# bootstrap.sh: make .venv with the package in it.
#
# Needs Python 3.11 or newer and a network. Where Python cannot make virtual
# environments, the Debian package for it is installed if this user may; otherwise the
# line to run is shown. `make` runs this whenever pyproject.toml has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
extras="all,test,lint"

say() { printf '%s\n' "$*" >&2; }

has_pip() { "$venv/bin/python" -m pip --version >/dev/null 2>&1; }

usable() {
    command -v "$1" >/dev/null &&
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# The releases that every dependency is known to have wheels for come first.
candidates() {
    local name
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if usable "$name"; then
            echo "$name"
        fi
    done
}

# Debian splits venv's pip off into python3-venv, and any one Python may lack it: all
# of them are tried before apt is asked.
make_venv() {
    local pythons name version
    mapfile -t pythons < <(candidates)
    if [ "${#pythons[@]}" -eq 0 ]; then
        say "Python 3.11 or newer was not found (tried ${PYTHON:-python3.13, python3.12, python3.11, python3})."
        say "Install one, or name it: make PYTHON=/path/to/python3"
        return 1
    fi
    for name in "${pythons[@]}"; do
        say "Making $venv with $name"
        "$name" -m venv --clear "$venv" >/dev/null 2>&1 && return
    done
    name=${pythons[0]}
    version=$("$name" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    say "$name cannot make virtual environments: its venv module lacks pip."
    tools/apt_install.sh "$version-venv|python3-venv"
    "$name" -m venv --clear "$venv"
}

# A .venv that was moved, copied or left half-made is made anew; one that another tool
# made without pip only gets its pip.
if ! has_pip; then
    usable "$venv/bin/python" && "$venv/bin/python" -m ensurepip >/dev/null 2>&1
    has_pip || make_venv
fi

say "Installing napari-seespot[$extras] into $venv (the first time takes some minutes)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[$extras]"
