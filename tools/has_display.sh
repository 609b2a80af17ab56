#!/usr/bin/env bash
# has_display.sh: succeeds where a window can be opened.
set -u

case $(uname -s) in
    Linux | *BSD) ;;
    *) exit 0 ;;  # macOS and Windows bring their own
esac

[ -n "${WAYLAND_DISPLAY:-}" ] && exit 0
case ${DISPLAY:-} in
    "") exit 1 ;;
    # a local display that has gone leaves the variable behind, not its socket
    :*) number=${DISPLAY#:} && [ -S "/tmp/.X11-unix/X${number%%.*}" ] ;;
    *) exit 0 ;;
esac
