"""The command line: ``python -m napari_seespot demo``, ``... view FOLDER``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_seespot.errors import SeeSpotError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except SeeSpotError as error:
        sys.stderr.write(f"napari-seespot: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="napari-seespot", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="open napari on the built-in sample")
    demo.set_defaults(run=_view, source="sample")
    look = commands.add_parser("view", help="open napari on a dataset")
    look.add_argument("source", help="folder, s3://, http:// or table file")
    look.set_defaults(run=_view)
    for command in (demo, look):
        command.add_argument(
            "--screenshot",
            type=Path,
            metavar="FILE",
            help="write a picture of the window to FILE and leave",
        )
        command.add_argument(
            "--size",
            type=_size,
            default=(1500, 900),
            metavar="WxH",
            help="of the window, for --screenshot",
        )
    return parser


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _view(options: argparse.Namespace) -> int:
    import napari

    from napari_seespot.launch import view

    session = view(options.source)
    if options.screenshot is None:
        napari.run()
    else:
        from napari_seespot.widgets._screenshot import screenshot

        path = screenshot(session.viewer, options.screenshot, options.size)
        sys.stdout.write(f"The picture is in {path}\n")
    return 0
