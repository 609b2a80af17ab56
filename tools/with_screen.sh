#!/usr/bin/env bash
# with_screen.sh COMMAND...: run it on the user's display, or on a virtual one.
set -eu

if "$(dirname "$0")/has_display.sh"; then
    exec "$@"
fi
# Xvfb has no graphics card: Mesa's software renderer, and Qt's X11 plugin whatever
# the environment says (its offscreen plugin has no OpenGL).
unset WAYLAND_DISPLAY
export LIBGL_ALWAYS_SOFTWARE=1 QT_QPA_PLATFORM=xcb
exec xvfb-run -a -s "-screen 0 1600x1000x24" "$@"
