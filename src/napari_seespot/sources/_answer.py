"""A SeeSpot answer, read as a stream into columns.

The two long parts, `spots_data` and `spot_details`, never exist as objects for
each row: some hundreds of rows at a time become columns of numbers. A
million spots (400 MB of JSON) take about as much memory as the columns do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from napari_seespot.errors import ServerError
from napari_seespot.sources._answer_columns import RowColumns
from napari_seespot.sources._json_stream import JsonStream, excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Answer", "answer_of_mapping", "read_answer", "read_object"]

ROWS, DETAILS = "spots_data", "spot_details"
BATCH = 1000

SMALL = (
    "channel_pairs",
    "fused_s3_paths",
    "current_dataset",
    "ratios",
    "summary_stats",
    "sankey_data",
    "no_dataset_selected",
    "message",
    "error",
)
"""The parts that are kept as they are; unknown ones are passed over unread."""


@dataclass(frozen=True)
class Answer:
    """What a server answered to the request for spots.

    Attributes
    ----------
    spots, details : mapping of str to array-like, or None
        The columns of `spots_data` and `spot_details`, each of shape (n,);
        `spot_id` is among them unless there are no rows. None where the answer
        has no such part.
    parts : mapping
        Its other parts that are known, as they came.
    keys : tuple of str
        The names of all its parts.
    not_finite : int
        How many NaN and Infinity it held, which were read as null.
    """

    spots: Mapping[str, Any] | None
    details: Mapping[str, Any] | None
    parts: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    not_finite: int = 0


def read_answer(
    chunks: Iterable[bytes],
    *,
    where: str,
    check: Callable[[], None] | None = None,
    count: Callable[[int], None] | None = None,
) -> Answer:
    """Read an answer from its bytes.

    Parameters
    ----------
    chunks : iterable of bytes
        The body, cut anywhere.
    where : str
        The file or address, for messages.
    check : callable, optional
        Called before each piece; may raise to stop.
    count : callable, optional
        Called with the number of spots read so far.

    Raises
    ------
    ServerError
        When it is not JSON, is cut off, or is no object.
    TableError
        When its rows do not make a table.
    """
    stream = JsonStream(chunks, where=where, check=check)
    _check_object(stream)
    build = _Builder(where, count)
    for key in stream.each_key():
        stream.inside = key
        build.begin(key)
        opening = stream.peek()
        if key == ROWS and opening == "[":
            build.rows(stream.items())
        elif key == DETAILS and opening == "{":
            build.details(stream.pairs())
        elif key in (ROWS, DETAILS, *SMALL) or opening not in ("[", "{"):
            build.part(key, stream.value())
        else:
            for _ in stream.items() if opening == "[" else stream.pairs():
                pass
        stream.inside = ""
    stream.end()
    return build.answer(stream.not_finite)


def answer_of_mapping(content: Mapping[str, Any], *, where: str) -> Answer:
    """Return the answer that was already decoded; see `read_answer`."""
    build = _Builder(where, None)
    for key, value in content.items():
        build.begin(key)
        if key == ROWS and isinstance(value, (list, tuple)):
            build.rows(_batches(value))
        elif key == DETAILS and isinstance(value, Mapping):
            build.details(_batches(value.items()))
        else:
            build.part(key, value)
    return build.answer(0)


def read_object(chunks: Iterable[bytes], *, where: str) -> dict[str, Any]:
    """Return a small answer as a dictionary.

    Raises
    ------
    ServerError
        When it is not JSON, is cut off, or is no object.
    """
    stream = JsonStream(chunks, where=where)
    _check_object(stream)
    found: dict[str, Any] = stream.value()
    stream.end()
    return found


def _check_object(stream: JsonStream) -> None:
    first = stream.peek()
    if first == "{":
        return
    if not first:
        stream.fail("it is empty")
    if first == "<":
        stream.fail(
            "it is HTML, not JSON",
            hint="Check host and port: a proxy, a login page or another program "
            "may answer in SeeSpot's place",
        )
    value = stream.value()
    stream.fail(f"it is {excerpt(value, 40)}, no object")


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


class _Builder:
    """Collects the parts of an answer in whatever order they come."""

    def __init__(self, where: str, count: Callable[[int], None] | None) -> None:
        self._where = where
        self._count = count or (lambda _n: None)
        self._keys: list[str] = []
        self._parts: dict[str, Any] = {}
        self._tables: dict[str, RowColumns] = {}

    def begin(self, key: str) -> None:
        if key in self._keys:
            raise ServerError(
                f"the answer holds {excerpt(key, 40)} twice",
                where=self._where,
                expected="each part once",
                hint="Ask again; if it stays so, look at the server's log",
            )
        self._keys.append(key)

    def rows(self, batches: Iterable[list[Any]]) -> None:
        table = self._tables[ROWS] = RowColumns(ROWS, where=self._where)
        for batch in batches:
            table.add(batch)
            self._count(len(table))

    def details(self, batches: Iterable[list[tuple[str, Any]]]) -> None:
        table = self._tables[DETAILS] = RowColumns(DETAILS, where=self._where)
        for batch in batches:
            table.add([row for _, row in batch], ids=[key for key, _ in batch])
            self._count(len(table))

    def part(self, key: str, value: Any) -> None:
        if key in (ROWS, DETAILS) and value is not None:
            raise ServerError(
                f"{key!r} is {excerpt(value, 40)}",
                where=self._where,
                expected="a list of spots" if key == ROWS else "details by spot_id",
                hint="Check that it is SeeSpot that answers at this address",
            )
        if key in SMALL:
            self._parts[key] = value

    def answer(self, not_finite: int) -> Answer:
        tables = {name: table.columns() for name, table in self._tables.items()}
        return Answer(
            tables.get(ROWS),
            tables.get(DETAILS),
            self._parts,
            tuple(self._keys),
            not_finite,
        )
