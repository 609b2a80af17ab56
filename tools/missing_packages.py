"""Print the Debian packages that Qt and OpenGL still need on this machine.

One line a package; names that differ between releases are given as ``old|new``.
Each library is looked up by trying to load it, so that nothing is asked of a machine
that has it from elsewhere. Only the standard library is used: this runs before
anything is installed.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import sys
from pathlib import Path

__all__ = ["missing_packages"]

LIBRARIES = {
    # what napari draws with
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libOpenGL.so.0": "libopengl0",
    # what QtGui links
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0|libglib2.0-0t64",
    # what Qt's xcb platform plugin links; Qt ships none of these
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
FILES = {
    # software OpenGL: the loader finds it by itself, so it cannot be tried by name
    "libgl1-mesa-dri": ("/usr/lib/*/dri/*swrast_dri.so", "/usr/lib/dri/swrast_dri.so"),
    # without any font Qt draws boxes
    "fonts-dejavu-core": (
        "/usr/share/fonts/**/*.[to]tf",
        "/usr/local/share/fonts/**/*.[to]tf",
    ),
}
VIRTUAL_SCREEN = {"xvfb-run": "xvfb", "xauth": "xauth"}


def missing_packages(*, virtual_screen: bool) -> list[str]:
    """Name the packages that are needed and not there."""
    missing = [pkg for name, pkg in LIBRARIES.items() if not _loads(name)]
    missing += [pkg for pkg, globs in FILES.items() if not any(map(_exists, globs))]
    if virtual_screen:
        missing += [pkg for cmd, pkg in VIRTUAL_SCREEN.items() if not shutil.which(cmd)]
    return missing


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _exists(pattern: str) -> bool:
    return next(Path("/").glob(pattern.removeprefix("/")), None) is not None


def main() -> None:
    """Print what is missing, nothing where the machine has it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--virtual-screen",
        action="store_true",
        help="there is no display: Xvfb is needed as well",
    )
    args = parser.parse_args()
    if sys.platform != "linux":  # elsewhere Qt and OpenGL come with the system
        return
    for package in missing_packages(virtual_screen=args.virtual_screen):
        sys.stdout.write(f"{package}\n")


if __name__ == "__main__":
    main()
