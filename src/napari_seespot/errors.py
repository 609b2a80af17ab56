"""Errors that a user can act on.

Every error says what was found, where, what was expected and what to do, in
that order, so that a notification in napari needs no traceback beside it.
"""

from __future__ import annotations

__all__ = [
    "CacheError",
    "CancelledError",
    "ImageError",
    "MissingExtraError",
    "NotFoundError",
    "RatiosError",
    "SeeSpotError",
    "ServerError",
    "StateError",
    "TableError",
    "UnsafePickleError",
]


class SeeSpotError(Exception):
    """The base of all errors that napari-seespot raises on purpose.

    Parameters
    ----------
    found : str
        What was found, in a user's words.
    where : object, optional
        The file or address it is about; leads the message.
    expected : str, optional
        What would have been right.
    hint : str, optional
        What the user can do about it.

    Attributes
    ----------
    found, where, expected, hint
        The parts of the message, for code that presents them apart.
    """

    def __init__(
        self,
        found: str,
        *,
        where: object = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.found = found
        self.where = None if where is None else str(where)
        self.expected = expected
        self.hint = hint
        super().__init__(self._message())

    def _message(self) -> str:
        text = self.found if self.where is None else f"{self.where}: {self.found}"
        parts = [_sentence(text)]
        if self.expected:
            parts.append(_sentence(f"Expected {self.expected}"))
        if self.hint:
            parts.append(_sentence(self.hint))
        return " ".join(parts)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


class NotFoundError(SeeSpotError):
    """A dataset, file, column or spot that was asked for is not there."""


class TableError(SeeSpotError):
    """A spot table was read but does not hold what it must."""


class UnsafePickleError(SeeSpotError):
    """A pickle asks for something that a table of numbers never needs."""


class RatiosError(SeeSpotError):
    """The unmixing ratios do not fit the dataset's channels."""


class ImageError(SeeSpotError):
    """An image channel cannot be opened or read."""


class ServerError(SeeSpotError):
    """A SeeSpot server refused, failed, or answered what it should not."""


class CacheError(SeeSpotError):
    """The cache folder cannot be used."""


class StateError(SeeSpotError):
    """A state was asked for that the dataset cannot show."""


class MissingExtraError(SeeSpotError):
    """An optional package is needed and is not installed."""


class CancelledError(SeeSpotError):
    """The user cancelled a running task; nothing was changed."""
