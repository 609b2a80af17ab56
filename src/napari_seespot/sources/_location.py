"""Access to the files of a dataset folder, wherever it lies.

Sources ask a `Location` for names, bytes and fingerprints, and so read a local
folder and a bucket with the same code.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from napari_seespot.errors import NotFoundError

if TYPE_CHECKING:
    from napari_seespot.sources._task import Task

__all__ = ["LocalFolder", "Location"]


class Location(Protocol):
    """A folder with files; paths inside it use ``/``."""

    @property
    def uri(self) -> str:
        """The folder as a user would write it."""

    @property
    def name(self) -> str:
        """The last part of the folder's path."""

    def names(self, folder: str = "") -> tuple[str, ...]:
        """Return the names of files and folders in a folder, sorted; none if absent."""

    def read(self, path: str) -> bytes:
        """Return a small file; `NotFoundError` when it cannot be read."""

    def local_path(self, path: str, task: Task) -> Path:
        """Return a path in the local file system that holds the file."""

    def release(self, path: str) -> None:
        """Let go of what `local_path` made, once the file has been read."""

    def fingerprint(self, path: str) -> str:
        """Return what changes whenever the file does."""

    def uri_of(self, path: str) -> str:
        """Return the address of a file or folder inside."""


class LocalFolder:
    """A folder of the local file system.

    Parameters
    ----------
    folder : path
        Need not exist: it then has no names.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(os.path.abspath(folder))

    def __repr__(self) -> str:
        return f"LocalFolder({str(self._folder)!r})"

    @property
    def uri(self) -> str:
        """The absolute path."""
        return str(self._folder)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self._folder.name

    def names(self, folder: str = "") -> tuple[str, ...]:
        """Return the names in a folder, sorted, hidden ones left out.

        Raises
        ------
        NotFoundError
            When the folder is there and cannot be listed.
        """
        try:
            found = os.listdir(self._folder / folder)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise _unreadable(self._folder / folder, error) from None
        return tuple(sorted(name for name in found if not name.startswith(".")))

    def read(self, path: str) -> bytes:
        """Return a file's bytes."""
        try:
            return (self._folder / path).read_bytes()
        except OSError as error:
            raise _unreadable(self._folder / path, error) from None

    def local_path(self, path: str, task: Task) -> Path:
        """Return the file itself."""
        task.check()
        return self._folder / path

    def release(self, path: str) -> None:
        """Do nothing: the file is the user's."""

    def fingerprint(self, path: str) -> str:
        """Return the time of the last change and the size."""
        try:
            stat = (self._folder / path).stat()
        except OSError as error:
            raise _unreadable(self._folder / path, error) from None
        return f"{stat.st_mtime_ns}-{stat.st_size}"

    def uri_of(self, path: str) -> str:
        """Return the absolute path of a file or folder inside."""
        return str(self._folder / path)


def _unreadable(path: Path, error: OSError) -> NotFoundError:
    return NotFoundError(
        f"it cannot be read: {error.strerror or error}",
        where=path,
        hint="Check that it exists and that you may read it",
    )
