"""What an answer says, checked: its spots with their details, and its small parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_seespot.columns import channel_name, intensity_channels, intensity_column
from napari_seespot.errors import RatiosError, ServerError, TableError
from napari_seespot.sources._json_stream import excerpt, writable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "check_refusal",
    "distinct",
    "image_paths",
    "join_details",
    "ratio_table",
    "spot_channels",
    "summary_table",
    "text_of",
    "total_spots",
]

COUNTS = ("total_spots", "kept_spots", "reassigned_spots")

_CHANNEL_OF_PATH = re.compile(r"(?:^|[_-])(?:channel|ch)?_?([^/_]+?)(?:\.ome)?\.zarr$")


def check_refusal(parts: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    """Raise when an answer holds no spots, and say why.

    Raises
    ------
    ServerError
    """
    if parts.get("no_dataset_selected"):
        raise ServerError(
            "the server has no active dataset",
            where=where,
            expected="the name of a dataset that it shall serve",
            hint="Choose one of its datasets, or add ?dataset=NAME to the address",
        )
    if parts.get("error"):
        raise ServerError(
            f"the server refuses: {excerpt(parts['error'])}",
            where=where,
            hint="Choose another dataset, or look at the server's log",
        )
    if "spots_data" not in keys:
        held = ", ".join(keys)
        raise ServerError(
            f"the answer holds no 'spots_data', but {excerpt(held or 'nothing')}",
            where=where,
            expected="an answer to /api/real_spots_data",
            hint="Check that it is SeeSpot that answers at this address",
        )


def spot_channels(
    pairs: Any, spots: Mapping[str, Any], where: str
) -> tuple[str, ...] | None:
    """Return the spot channels, sorted; None where the answer tells none.

    They are those of the pairs. A dataset of one channel has no pair: it is then
    told by the columns of intensities.

    Raises
    ------
    ServerError
        When the pairs are no pairs of channels.
    """
    if pairs is None or pairs == []:
        return intensity_channels(spots) or None
    found = set()
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        names = pair if isinstance(pair, list) else [pair]
        known = [text_of(name) for name in names if isinstance(name, (str, int))]
        if len(names) != 2 or len(known) != 2 or None in known:
            raise ServerError(
                f"'channel_pairs' holds {excerpt(pair, 40)}",
                where=where,
                expected='pairs of channels, ["488", "514"]',
                hint="Check that it is SeeSpot that answers at this address",
            )
        found.update(known)
    return intensity_channels(intensity_column(name) for name in found if name)


def text_of(value: Any) -> str | None:
    """Return a channel, a round or a name as text; None where there is none."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        try:
            text = channel_name(value)
        except OverflowError:  # an infinite number
            return None
        return text and writable(text)
    return None


def distinct(
    columns: Mapping[str, Any], table: str, where: str
) -> tuple[dict[str, Any], int]:
    """Return the columns without rows that come again, and how many those were.

    Raises
    ------
    TableError
        When a spot comes twice and its rows differ.
    """
    ids = columns["spot_id"]
    order = np.argsort(ids, kind="stable")
    same = ids[order][1:] == ids[order][:-1]
    if not same.any():
        return dict(columns), 0
    twice = np.zeros(len(ids), bool)
    twice[order[1:][same]] = True
    twice[order[:-1][same]] = True
    rows = np.flatnonzero(twice)
    suspects = pd.DataFrame({name: column[rows] for name, column in columns.items()})
    again = suspects.duplicated().to_numpy()
    rest = suspects[~again]
    odd = rest[rest["spot_id"].duplicated(keep=False)]
    if len(odd):
        first = odd[odd["spot_id"] == odd["spot_id"].iloc[0]]
        differ = ", ".join(c for c in first if first[c].nunique(dropna=False) > 1)
        raise TableError(
            f"{table!r} holds spot {first['spot_id'].iloc[0]} {len(first)} times, with "
            f"different {differ}; so it is with {odd['spot_id'].nunique():,} spots",
            where=where,
            expected="each spot once",
            hint="Ask with force_refresh; if it stays so, its table is damaged",
        )
    keep = np.ones(len(ids), bool)
    keep[rows[again]] = False
    return {name: column[keep] for name, column in columns.items()}, int(again.sum())


def join_details(spots: dict[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spots with their details.

    A spot without details has NaN for its position, cell 0 and no round.
    """
    ids = spots["spot_id"]
    known = details.get("spot_id", np.zeros(0, np.int64))
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known[order], ids)
    place[place == len(known)] = 0
    row = order[place] if len(known) else np.zeros(len(ids), np.int64)
    have = known[row] == ids if len(known) else np.zeros(len(ids), bool)
    for name in details:
        if name not in spots:
            spots[name] = _gather(details[name], row, have)
    for axis in "zyx":
        spots.setdefault(axis, np.full(len(ids), np.nan, np.float32))
    return spots


def _gather(column: Any, row: np.ndarray, have: np.ndarray) -> Any:
    if isinstance(column, pd.Categorical):
        codes = np.where(have, column.codes[row], -1)
        return pd.Categorical.from_codes(codes, column.categories)
    blank = np.nan if column.dtype.kind == "f" else 0
    return np.where(have, column[row], column.dtype.type(blank))


def ratio_table(rows: Any, channels: Sequence[str], where: str) -> pd.DataFrame | None:
    """Return the ratios, dyes x channels; None where the answer has none.

    Raises
    ------
    RatiosError
        When they are not a number for each dye and channel.
    """
    if rows is None or rows == []:
        return None
    n = len(channels)
    lists = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    widths = sorted({len(row) for row in rows}) if lists else []
    if not lists or len(rows) != n or widths != [n]:
        shape = f"{len(rows)} x {widths}" if lists else excerpt(rows, 40)
        raise _ratios_error(shape, channels, where)
    values = [value for row in rows for value in row]
    if not all(type(value) in (int, float) for value in values):
        odd = next(value for value in values if type(value) not in (int, float))
        raise _ratios_error(excerpt(odd, 40), channels, where)
    try:
        table = np.array(values, np.float64).reshape(n, n)
    except OverflowError:
        table = np.array([[np.inf]])
    if not np.isfinite(table).all():
        raise _ratios_error("an infinite number", channels, where)
    names = list(channels)
    return pd.DataFrame(
        table,
        index=pd.Index(names, name="dye"),
        columns=pd.Index(names, name="channel"),
    )


def _ratios_error(found: str, channels: Sequence[str], where: str) -> RatiosError:
    n = len(channels)
    return RatiosError(
        f"the answer's 'ratios' are {found}",
        where=where,
        expected=f"{n} rows of {n} numbers, one for each of {', '.join(channels)}",
        hint="Look at the *_ratios.txt that the server reads",
    )


def summary_table(rows: Any, where: str) -> pd.DataFrame | None:
    """Return the summary, a row a channel; None where the answer has none.

    `removed_spots` and `unchanged_spots` are derived where they are not told.

    Raises
    ------
    TableError
        When it is no list of counts by channel.
    """
    if rows is None or rows == []:
        return None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _summary_error(f"is {excerpt(rows, 40)}", where)
    clean = []
    for row in rows:
        channel = text_of(row.get("channel"))
        if channel is None:
            raise _summary_error(f"has the channel {row.get('channel')!r}", where)
        counts = {name: _count(row.get(name), name, where) for name in COUNTS}
        texts = {
            writable(key): writable(value) if isinstance(value, str) else value
            for key, value in row.items()
        }
        clean.append({**texts, **counts, "channel": channel})
    table = pd.DataFrame(clean)
    if "removed_spots" not in table:
        table["removed_spots"] = table["total_spots"] - table["kept_spots"]
    if "unchanged_spots" not in table:
        table["unchanged_spots"] = table["kept_spots"] - table["reassigned_spots"]
    return table


def _count(value: Any, name: str, where: str) -> int:
    if type(value) in (int, float) and 0 <= value < 2**53 and value == int(value):
        return int(value)
    raise _summary_error(f"has {excerpt(value, 40)} for {name}", where)


def _summary_error(found: str, where: str) -> TableError:
    return TableError(
        f"the answer's 'summary_stats' {found}",
        where=where,
        expected=f"rows with channel, {', '.join(COUNTS)}",
        hint="Look at the *_summary_stats.csv that the server reads",
    )


def total_spots(sankey: Any, summary: pd.DataFrame | None) -> int | None:
    """Return how many spots the dataset has, of which a sample came; None: unknown."""
    total = sankey.get("total_spots") if isinstance(sankey, dict) else None
    if type(total) is int and total >= 0:
        return total
    if summary is None:
        return None
    # A row for each min_dist counts the same spots again.
    return int(summary.drop_duplicates("channel")["total_spots"].sum())


def image_paths(
    paths: Any, channels: Sequence[str], where: str
) -> tuple[dict[str, str], list[str]]:
    """Return the images' addresses by channel, and those that are of no use.

    Channels with spots come first.

    Raises
    ------
    ServerError
        When they are no list of texts.
    """
    if paths is None:
        return {}, []
    if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths):
        raise ServerError(
            f"'fused_s3_paths' is {excerpt(paths, 40)}",
            where=where,
            expected="a list of addresses, s3://bucket/.../channel_488.zarr",
            hint="Check that it is SeeSpot that answers at this address",
        )
    found: dict[str, str] = {}
    useless = []
    for path in paths:
        match = _CHANNEL_OF_PATH.search(path.rstrip("/"))
        # A server has no business naming files of the machine that asks it.
        remote = path.startswith(("s3://", "https://", "http://"))
        channel = text_of(match[1]) if match else None
        if channel is None or not remote or channel in found:
            useless.append(path)
        else:
            found[channel] = path
    order = [*(c for c in channels if c in found), *sorted(found.keys() - {*channels})]
    return {channel: found[channel] for channel in order}, useless
