"""One text, list or pattern that means several datasets."""

from __future__ import annotations

import glob
import os
from typing import Any

from napari_seespot.errors import NotFoundError

__all__ = ["SEPARATOR", "expand"]

SEPARATOR = " | "
"""Between the addresses of several datasets, where one text has to hold them."""

_MAGIC = frozenset("*?[")


def expand(uri: Any) -> list[str] | None:
    """Return the addresses that a list, or a text with several or a pattern, means.

    None where it is the address of one dataset.

    Raises
    ------
    NotFoundError
        When the list is empty, or no file or folder is of the pattern.
    """
    if isinstance(uri, (str, os.PathLike)):
        text = os.fspath(uri).strip()
        if SEPARATOR in text:
            return expand(text.split(SEPARATOR))
        return _matching(text)
    found = []
    for item in uri:
        found += expand(item) or [os.fspath(item)]
    if not found:
        raise NotFoundError(
            "an empty list of datasets", expected="the address of at least one"
        )
    return found


def _matching(text: str) -> list[str] | None:
    path = os.path.expanduser(text)
    if not _MAGIC.intersection(path) or "://" in path or os.path.exists(path):
        return None
    found = sorted(glob.glob(path, recursive=True))
    if not found:
        raise NotFoundError("no file or folder has such a name", where=text)
    return found
