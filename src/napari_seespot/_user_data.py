"""Files that a user makes over weeks: in the data folder, safe against a crash.

A journal is a text file of JSON objects, one a line, that only grows: what a
line says is on disk when `append` returns, and a line that a stop cut short
spoils no other.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_seespot.errors import SeeSpotError, StateError

__all__ = [
    "DATA_ENV",
    "append",
    "data_folder",
    "read_document",
    "read_lines",
    "write_whole",
]

DATA_ENV = "NAPARI_SEESPOT_DATA"
"""The environment variable that says where else to keep such files."""


def data_folder() -> Path:
    """Return the folder; it need not exist yet."""
    chosen = os.environ.get(DATA_ENV, "").strip()
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    from platformdirs import user_data_path

    return user_data_path("napari-seespot", appauthor=False)


def append(path: Path, entry: dict[str, Any], what: str) -> None:
    """Add a line to a journal; it is on disk when this returns.

    Parameters
    ----------
    path : Path
        Made with its folders where it is missing.
    entry : dict
        What JSON can hold.
    what : str
        What it is, for the message: ``"the label"``.

    Raises
    ------
    SeeSpotError
        When it cannot be written.
    """
    line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a line was cut short: not this one too
                    line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SeeSpotError(
            f"{what} cannot be written: {error.strerror}",
            where=path,
            hint=f"Free some space, or set {DATA_ENV} to a folder you may write to",
        ) from error


def read_lines(path: Path, what: str) -> list[dict[str, Any]]:
    """Return a journal's entries, without those that were cut short.

    Raises
    ------
    SeeSpotError
        When the file is there and cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SeeSpotError(
            f"{what} cannot be read: {error.strerror}", where=path
        ) from error
    return [entry for entry in map(_entry, lines) if entry is not None]


def write_whole(
    path: Path, content: dict[str, Any], what: str, *, make_folders: bool = True
) -> Path:
    """Write a JSON file by way of a temporary one: whole, or not at all.

    Parameters
    ----------
    path : Path
    content : dict
    what : str
        What it is, for the message: ``"the gates"``.
    make_folders : bool
        Make folders that are missing; not those that a user typed.

    Raises
    ------
    SeeSpotError
        When it cannot be written; what was there before stays.
    """
    if not path.name:
        raise SeeSpotError(f"{str(path)!r} is no name of a file to write")
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        if make_folders:
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise SeeSpotError(
            f"{what} cannot be written: {error.strerror}",
            where=path,
            hint="Check that the folder exists, and that you may write into it",
        ) from error
    return path


def read_document(path: Path, schema: str, version: int, what: str) -> dict[str, Any]:
    """Return the content of a JSON file that tells its schema and the version of it.

    Parameters
    ----------
    path : Path
    schema : str
        What its ``"schema"`` has to be.
    version : int
        The newest ``"schema_version"`` that can be read.
    what : str
        What it is, for the message: ``"the session"``.

    Raises
    ------
    StateError
        When it cannot be read, is something else, or of a newer version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StateError(f"{what} cannot be read: {error.strerror}", where=path) from (
            error
        )
    except (ValueError, RecursionError) as error:
        raise StateError(f"the file is no JSON: {error}", where=path) from error
    if not isinstance(document, dict) or document.get("schema") != schema:
        raise StateError(
            f"the file does not hold {what}",
            where=path,
            expected=f'"schema": "{schema}"',
        )
    found = document.get("schema_version")
    if not isinstance(found, int) or found > version:
        raise StateError(
            f"the file has schema version {found!r}",
            where=path,
            expected=f"version {version} or older",
            hint="Update napari-seespot to open it",
        )
    return document


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None
