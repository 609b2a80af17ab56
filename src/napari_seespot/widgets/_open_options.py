"""The parts of the *Open dataset* dock's form, and what they ask for."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from magicgui.widgets import CheckBox, ComboBox, Container, SpinBox
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy

from napari_seespot.sources._server_address import SAMPLING_TYPES

__all__ = [
    "FILE_FILTER",
    "HINTS",
    "KINDS",
    "MinDistChoice",
    "ServerOptions",
    "TextLabel",
    "labelled",
    "row",
    "signed_in",
    "start_folder",
]

KINDS = [
    ("Recent datasets", "recent"),
    ("Folder", "folder"),
    ("File", "file"),
    ("SeeSpot server", "server"),
    ("S3 bucket", "s3"),
    ("Built-in sample", "sample"),
    ("Built-in sample, a million spots", "sample-million"),
]
"""Where datasets come from: what the user reads, and our name."""

HINTS = {
    "recent": "Nothing was opened yet: choose another source.",
    "folder": "Choose a folder with datasets in it, or a dataset's own folder.",
    "file": "A .parquet, .feather or .csv table, or a saved answer .json.",
    "server": "List shows the server's datasets; Open alone takes the one it serves.",
    "s3": "s3://bucket, or s3://bucket/prefix, with datasets in it.",
    "sample": "An invented dataset; it is made once, in some seconds.",
    "sample-million": "Invented spots without images; made once, in some seconds.",
}

FILE_FILTER = (
    "Spots (*.parquet *.feather *.csv *.json);;Tables (*.parquet *.feather *.csv);;"
    "Saved answers (*.json);;All files (*)"
)

_ERROR_COLOR = "#e06c6c"
_SEPARATOR = re.compile(r"[_/\\.-](?=\S)")
_SAMPLING = {"class_balanced": "equal shares of channels", "random": "random"}


class ServerOptions(Container[Any]):
    """Which spots a SeeSpot server is asked for."""

    def __init__(self) -> None:
        self.sample_size = SpinBox(
            label="Spots at most",
            value=5000,
            min=1,
            max=100_000_000,
            step=5000,
            tooltip="The server draws so many of its spots; more take longer",
        )
        self.sampling_type = ComboBox(
            label="Drawn as",
            choices=[(_SAMPLING[name], name) for name in SAMPLING_TYPES],
            tooltip="Equal shares show rare channels; random keeps the proportions",
        )
        self.valid_only = CheckBox(
            text="Only valid spots",
            tooltip="Spots that passed the pipeline's gates: r > 0.25, dist < 1.25 ...",
        )
        self.force_refresh = CheckBox(
            text="Read the server's tables anew",
            tooltip="Slow: the server forgets what it has in memory",
        )
        # No wider than the dock: their longest contents would ask for more.
        self.sample_size.native.setMinimumWidth(90)
        narrow = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.sampling_type.native.setSizeAdjustPolicy(narrow)
        self.sampling_type.native.setMinimumContentsLength(10)
        super().__init__(
            widgets=[
                labelled(self.sample_size),
                labelled(self.sampling_type),
                self.valid_only,
                self.force_refresh,
            ],
            labels=False,
        )
        self.margins = (0, 0, 0, 0)

    @property
    def chosen(self) -> dict[str, Any]:
        """For `open_dataset`."""
        return {
            "sample_size": int(self.sample_size.value),
            "sampling_type": str(self.sampling_type.value),
            "valid_spots_only": bool(self.valid_only.value),
            "force_refresh": bool(self.force_refresh.value),
        }


class MinDistChoice(Container[Any]):
    """Which of several unmixed tables of a folder is opened."""

    def __init__(self) -> None:
        self._found: tuple[str, ...] = ()
        # A function: magicgui asks anew whenever the box changes its place.
        self.box = ComboBox(
            label="minDist",
            choices=self._choices,
            tooltip="De-duplication radius of the unmixed table, in voxels",
        )
        super().__init__(widgets=[labelled(self.box)], labels=False)
        self.margins = (0, 0, 0, 0)

    def _choices(self, _widget: Any = None) -> list[tuple[str, str]]:
        return [
            (f"{radius} (smallest)" if place == 0 else radius, radius)
            for place, radius in enumerate(self._found)
        ]

    def offer(self, found: tuple[str, ...], chosen: str | None = None) -> None:
        """Offer what a folder has; hidden where there is no choice."""
        self._found = found
        self.box.reset_choices()
        if chosen in found:
            self.box.value = chosen
        self.visible = len(found) > 1

    @property
    def chosen(self) -> dict[str, Any]:
        """For `open_dataset`; nothing where there was no choice."""
        return {"min_dist": self.box.value} if len(self._found) > 1 else {}


def signed_in(uri: str, address: str) -> str:
    """Return a server's address with the user and password that were typed.

    What a server lists has none; what is typed is used and never kept.
    """
    try:
        listed, typed = urlsplit(uri), urlsplit(address.strip())
        user, at, host = typed.netloc.rpartition("@")
    except ValueError:
        return uri
    if at and (listed.scheme, listed.netloc) == (typed.scheme, host):
        return listed._replace(netloc=f"{user}@{host}").geturl()
    return uri


def start_folder(address: str) -> str:
    """Return where a file dialog begins: the folder that is typed, or home."""
    path = Path(address.strip()).expanduser() if address.strip() else Path.home()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return str(path)


def labelled(widget: Any) -> Container[Any]:
    """Put a widget's label before it."""
    container = Container(widgets=[widget], labels=True)
    container.margins = (0, 0, 0, 0)
    return container


def row(*widgets: Any) -> Container[Any]:
    """Put widgets beside each other."""
    container = Container(widgets=list(widgets), layout="horizontal", labels=False)
    container.margins = (0, 0, 0, 0)
    return container


class TextLabel(QLabel):
    """A label whose text wraps, also within long names and paths."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        # A long text must wrap, not widen the dock.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.message = ""

    def say(self, text: str, *, bold: str = "", error: bool = False) -> None:
        """Show plain text, then text in bold.

        What is shown has places to wrap inside it, so it is not for copying;
        `message` and the tooltip hold the text as it is.
        """
        self.message = " ".join(part for part in (text, bold) if part)
        shown = _breakable(text) + (f" <b>{_breakable(bold)}</b>" if bold else "")
        color = f' color="{_ERROR_COLOR}"' if error else ""
        self.setText(f"<font{color}>{shown}</font>" if self.message else "")
        self.setToolTip(escape(self.message))
        self.setVisible(bool(self.message))


def _breakable(text: str) -> str:
    """Return HTML that may wrap after each separator in a name."""
    return _SEPARATOR.sub("\\g<0>\u200b", escape(text, quote=False))
