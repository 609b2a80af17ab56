"""JSON read piece by piece, from a stream, without ever holding all of it.

``json.loads`` of 400 MB holds the interpreter for many seconds, in which no
window is drawn, and builds several times the text's size in objects. Here a
window of the text slides along; the items of a long list are decoded some
hundreds at a time and handed on, and other threads run in between.
"""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any, NoReturn

from napari_seespot.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["JsonStream", "excerpt", "writable"]

WINDOW = 1 << 16
"""Characters decoded at a time: some milliseconds, less than a frame."""

LONGEST = 1 << 26
"""Characters that a single value may have; items of long lists are far below."""

TAIL = 16
"""How close to the window's end an error can come of the cut alone: longer than
any number's tail, ``-Infinity`` or an escape of a string."""

_BLANK = " \t\r\n"
_CLOSED = frozenset('}]"')
_LITERALS = ("true", "false", "null", "NaN", "-Infinity")


class JsonStream:
    """One JSON document, read forwards.

    Parameters
    ----------
    chunks : iterable of bytes
        The document in UTF-8, cut anywhere.
    where : str
        The file or address, for messages.
    check : callable, optional
        Called before each new piece is read; may raise to stop.

    Attributes
    ----------
    not_finite : int
        How many NaN and Infinity were met, which JSON does not have and some
        servers write; each is read as null.
    inside : str
        What is being read, for messages.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        where: str,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.where = where
        self.inside = ""
        self.not_finite = 0
        self._chunks = iter(chunks)
        self._check = check or (lambda: None)
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(parse_constant=self._null)
        self._text = ""
        self._at = 0
        self._passed = 0  # characters before the window
        self._ended = False

    @property
    def position(self) -> int:
        """Characters that have been read."""
        return self._passed + self._at

    def peek(self) -> str:
        """Return the next character that is not blank; "" at the end."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in _BLANK:
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._more():
                return ""

    def value(self) -> Any:
        """Return the value that comes next.

        Raises
        ------
        ServerError
            When it is cut off, is not JSON, or is beyond reason.
        """
        self.peek()
        while True:
            found, end = self._decode()
            # A number may go on in the next piece; what is closed may not.
            if end and (
                self._ended
                or end + TAIL <= len(self._text)
                or self._text[end - 1] in _CLOSED
            ):
                self._at = end
                return found
            size = len(self._text) - self._at
            if size > LONGEST:
                self.fail(f"it holds a single value of more than {LONGEST:,} letters")
            self._more(max(size, WINDOW))

    def end(self) -> None:
        """Check that nothing follows.

        Raises
        ------
        ServerError
            When something does.
        """
        if self.peek():
            self.fail(f"after its end follows {self._near()}")

    def each_key(self) -> Iterator[str]:
        """Yield each key of the object that comes next, before its value.

        Whoever takes a key reads its value before the next key.
        """
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            yield self._key()
            if not self._another("}"):
                return

    def items(self) -> Iterator[list[Any]]:
        """Yield the items of the list that comes next, some hundreds at a time."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        more = True
        while more:
            batch = self._slice("[", "]")
            if batch is None:
                batch, more = self._one_by_one(self.value, "]")
            else:
                more = self._another("]")
            yield batch

    def pairs(self) -> Iterator[list[tuple[str, Any]]]:
        """Yield the pairs of the object that comes next, some hundreds at a time.

        A key that comes twice is yielded twice.
        """
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        more = True
        while more:
            found = self._slice("{", "}")
            if found is None:
                batch, more = self._one_by_one(self._pair, "}")
            else:
                batch, more = list(found.items()), self._another("}")
            yield batch

    def fail(self, found: str, *, hint: str | None = None) -> NoReturn:
        """Raise a `ServerError` that says where in the document it happened."""
        inside = f" (in {self.inside!r})" if self.inside else ""
        raise ServerError(
            f"the answer cannot be read: {found}{inside}",
            where=self.where,
            expected="a JSON object as SeeSpot sends it",
            hint=hint or "Ask again; if it stays so, look at the server's log",
        )

    def _slice(self, opening: str, closing: str) -> Any:
        """Decode the whole items in the window, or None where that is not certain.

        The window is cut behind a ``}`` before a comma and decoded in brackets.
        That succeeds only when the cut is between two items: inside an item,
        inside a string, or behind the list's end the brackets do not match.
        """
        if len(self._text) - self._at < WINDOW // 2:
            self._more()
        cut = self._text.rfind("},", self._at, self._at + WINDOW) + 1
        if cut <= self._at:
            return None
        piece = self._text[self._at : cut]
        seen = self.not_finite
        try:
            found = self._json.decode(f"{opening}{piece}{closing}")
        except (ValueError, RecursionError):  # the careful way says what it is
            self.not_finite = seen
            return None
        # A key that came twice would be lost: then braces outnumber the pairs.
        if opening == "{" and len(found) != piece.count("{"):
            self.not_finite = seen
            return None
        self._at = cut
        return found

    def _one_by_one(
        self, read: Callable[[], Any], closing: str
    ) -> tuple[list[Any], bool]:
        """Read items one by one for a while; return them and whether more follow."""
        stop = min(self._passed + len(self._text), self.position + WINDOW)
        batch = [read()]
        while self._another(closing):
            if self.position >= stop:
                return batch, True
            batch.append(read())
        return batch, False

    def _pair(self) -> tuple[str, Any]:
        return self._key(), self.value()

    def _key(self) -> str:
        if self.peek() != '"':
            self._fail_at(self._at, "a key in double quotes")
        key: str = self.value()
        self._take(":")
        return key

    def _another(self, closing: str) -> bool:
        """Take a comma, or the closing bracket; return whether an item follows."""
        found = self.peek()
        if found == closing:
            self._at += 1
            return False
        if found != ",":
            self._fail_at(self._at, f"',' or '{closing}'")
        self._at += 1
        return True

    def _take(self, wanted: str) -> None:
        if self.peek() != wanted:
            self._fail_at(self._at, f"'{wanted}'")
        self._at += 1

    def _decode(self) -> tuple[Any, int]:
        """Return the value and its end, or end 0 where the window ends inside it."""
        seen = self.not_finite
        try:
            return self._json.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            self.not_finite = seen
            cut = error.pos >= len(self._text) - TAIL
            if (cut or "Unterminated string" in error.msg) and not self._ended:
                return None, 0
            if "Unterminated string" in error.msg:
                self._fail_truncated()
            self._fail_at(error.pos, "a value" if "value" in error.msg else "JSON")
        except RecursionError:
            self.fail("lists are nested too deeply")
        except ValueError:  # int() of more digits than Python converts
            self.fail("it holds a number of thousands of digits")

    def _fail_at(self, at: int, wanted: str) -> NoReturn:
        rest = self._text[at:].strip(_BLANK)
        # Every literal begins with nothing, so that this holds for no rest too.
        if self._ended and any(word.startswith(rest) for word in _LITERALS):
            self._fail_truncated()
        self.fail(f"{wanted} was expected, and there is {self._near(at)}")

    def _fail_truncated(self) -> NoReturn:
        self.fail(
            f"it ends in the middle, after {self._passed + len(self._text):,} letters",
            hint="The connection was cut, or the file was not written to its end; "
            "ask again",
        )

    def _near(self, at: int | None = None) -> str:
        at = self._at if at is None else at
        return f"{excerpt(self._text[at : at + 40])} at letter {self._passed + at:,}"

    def _null(self, _name: str) -> None:
        self.not_finite += 1

    def _more(self, wanted: int = WINDOW) -> bool:
        """Move the window on; return whether anything came."""
        pieces, got = [self._text[self._at :]], 0
        while got < wanted and not self._ended:
            self._check()
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            try:
                piece = self._utf8.decode(chunk or b"", final=self._ended)
            except UnicodeDecodeError:
                self.fail("it is not text in UTF-8")
            pieces.append(piece)
            got += len(piece)
        self._passed += self._at
        self._text, self._at = "".join(pieces), 0
        return got > 0


def excerpt(text: object, length: int = 200) -> str:
    """Return the beginning of a foreign text, on one line and in quotes."""
    line = " ".join(writable(str(text)).split())
    return repr(line if len(line) <= length else f"{line[:length]}…")


def writable(text: str) -> str:
    """Return a text without halves of characters, which JSON may hold.

    No file, window or column of texts takes them.
    """
    return text.encode("utf-8", "backslashreplace").decode()
