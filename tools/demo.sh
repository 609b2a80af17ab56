#!/usr/bin/env bash
# demo.sh: the sample in napari; without a display, a picture of it.
set -eu
cd "$(dirname "$0")/.."

if tools/has_display.sh; then
    exec .venv/bin/python -m napari_seespot demo
fi
echo "There is no display: drawing the demo on a virtual screen."
tools/with_screen.sh .venv/bin/python -m napari_seespot demo --screenshot demo.png
echo "The demo's picture is $PWD/demo.png"
