"""A server's answer becomes a `Dataset`, with notes on what it does not tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.columns import intensity_column
from napari_seespot.dataset import Dataset, LazyMapping
from napari_seespot.errors import ServerError, TableError
from napari_seespot.sources._answer_tables import (
    distinct,
    image_paths,
    join_details,
    ratio_table,
    spot_channels,
    summary_table,
    text_of,
    total_spots,
)
from napari_seespot.sources._client import base_of_tile
from napari_seespot.sources._folder_images import Together
from napari_seespot.sources._json_stream import excerpt
from napari_seespot.spots import Spots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from napari_seespot._addresses import StorageOptions
    from napari_seespot.images import ChannelImage
    from napari_seespot.sources._answer import Answer
    from napari_seespot.sources._server_address import SampleOptions

__all__ = ["Asked", "dataset_of"]


@dataclass(frozen=True)
class Asked:
    """What was asked for.

    Attributes
    ----------
    name, uri : str
        What the dataset is called, and what opens it again.
    options : SampleOptions or None
        None where an answer was saved and nobody knows.
    storage : StorageOptions or None
        How the images are reached.
    server : str or None
        The server's address, with a password where it needs one.
    """

    name: str
    uri: str
    options: SampleOptions | None = None
    storage: StorageOptions | None = None
    server: str | None = field(default=None, repr=False)


def dataset_of(answer: Answer, asked: Asked, where: str) -> Dataset:
    """Return the dataset that an answer makes.

    Raises
    ------
    ServerError, TableError, RatiosError
        When a part of the answer is not what it must be.
    """
    parts = answer.parts
    table = answer.spots or {}
    channels = spot_channels(parts.get("channel_pairs"), table, where)
    summary = summary_table(parts.get("summary_stats"), where)
    total = total_spots(parts.get("sankey_data"), summary)
    if not table:
        _check_may_be_empty(channels, total, asked, where)
    _check_columns(table, answer.details or {}, channels or (), where)
    genes = _genes(summary)
    spots, notes = _spots(answer, channels or (), genes, where)
    images, image_notes = _images(answer, spots.channels, genes, asked, where)
    return Dataset(
        name=asked.name,
        uri=asked.uri,
        spots=spots,
        images=images,
        ratios=ratio_table(parts.get("ratios"), spots.channels, where),
        summary=summary,
        round=_only(spots.categories.get("round", ())),
        min_dist=_only(_min_dists(summary)),
        min_dists=_min_dists(summary),
        notes=(
            _sample_note(len(spots), total, asked.options),
            *_removed_notes(answer, spots, summary, asked.options),
            *notes,
            *image_notes,
        ),
        info=MappingProxyType(dict(parts)),
        server=asked.server,
    )


def _check_may_be_empty(
    channels: Sequence[str] | None, total: int | None, asked: Asked, where: str
) -> None:
    if channels and not total:
        return  # a dataset without spots may still have images to look at
    of = "" if total is None else f" of the {total:,} that the dataset has"
    hint = "Ask with force_refresh, or look at the server's log"
    if asked.options is not None and asked.options.valid_spots_only:
        hint = "Ask without valid_spots_only"
    raise ServerError(
        f"the answer holds no spots{of}", where=where, expected="one or more", hint=hint
    )


def _check_columns(
    table: Mapping[str, Any],
    details: Mapping[str, Any],
    channels: Sequence[str],
    where: str,
) -> None:
    needed = ["chan", "unmixed_chan", *map(intensity_column, channels)]
    if not channels:
        needed.append("chan_<channel>_intensity")
    lacks = [("spots_data", [name for name in needed if name not in table])]
    lacks.append(("spot_details", [axis for axis in "zyx" if axis not in details]))
    for part, missing in lacks:
        rows = table if part == "spots_data" else details
        if missing and rows:
            raise TableError(
                f"the rows of {part!r} lack {excerpt(', '.join(missing))}",
                where=where,
                expected="what SeeSpot sends for each spot",
                hint="Check that it is SeeSpot that answers at this address",
            )


def _spots(
    answer: Answer, channels: Sequence[str], genes: Mapping[str, str], where: str
) -> tuple[Spots, list[str]]:
    notes = []
    table: dict[str, Any] = {}
    again = 0
    if answer.spots:
        table, again = distinct(answer.spots, "spots_data", where)
    else:
        table = _empty_table(channels)
    details = dict(answer.details or {})
    if details:
        details, _ = distinct(details, "spot_details", where)
    table = join_details(table, details)
    unknown = np.isnan(table["z"]) | np.isnan(table["y"]) | np.isnan(table["x"])
    if again:
        notes.append(f"{again:,} rows came twice and were dropped")
    if unknown.any():
        notes.append(
            f"{np.count_nonzero(unknown):,} of {len(unknown):,} spots have no details: "
            "their positions are unknown, and they are not on the images"
        )
    if answer.not_finite:
        notes.append(
            f"the answer held NaN or Infinity {answer.not_finite:,} times, which JSON "
            "does not have; those values are unknown"
        )
    if "unmixed_removed" in table:  # null tells nothing; the channel then decides
        table["unmixed_removed"] = table["unmixed_removed"] == 1
    spots = Spots.from_columns(table, channels=channels, genes=genes, where=where)
    return spots, notes


def _empty_table(channels: Sequence[str]) -> dict[str, Any]:
    names = ["chan", "unmixed_chan", "r", "dist", *map(intensity_column, channels)]
    table: dict[str, Any] = {name: np.zeros(0, np.float32) for name in names}
    return {"spot_id": np.zeros(0, np.int64), **table}


def _images(
    answer: Answer,
    channels: Sequence[str],
    genes: Mapping[str, str],
    asked: Asked,
    where: str,
) -> tuple[LazyMapping[ChannelImage], list[str]]:
    paths, useless = image_paths(answer.parts.get("fused_s3_paths"), channels, where)
    notes = []
    if useless:
        notes.append(
            f"{len(useless)} images are left out, their addresses are none of a "
            f"channel: {excerpt(', '.join(useless))}"
        )
    if base_of_tile(asked.name) != asked.name and paths:
        # The server makes the addresses up from the tile's name.
        notes.append("a tile has no fused images")
        return LazyMapping(), notes

    together = Together(paths, genes, asked.storage)
    return LazyMapping(paths, together.open), notes


def _genes(summary: pd.DataFrame | None) -> dict[str, str]:
    if summary is None or "gene" not in summary:
        return {}
    pairs = zip(summary["channel"], map(text_of, summary["gene"]), strict=True)
    return {channel: gene for channel, gene in pairs if gene}


def _min_dists(summary: pd.DataFrame | None) -> tuple[str, ...]:
    if summary is None or "min_dist" not in summary:
        return ()
    texts = map(text_of, summary["min_dist"].drop_duplicates())
    return tuple(text for text in texts if text)


def _only(names: Sequence[str]) -> str | None:
    known = [name for name in names if name]
    return known[0] if len(known) == 1 else None


def _sample_note(n: int, total: int | None, options: SampleOptions | None) -> str:
    how = ""
    if options is not None:
        how = f" ({options.sampling_type.replace('_', ' ')}"
        how += ", valid ones only)" if options.valid_spots_only else ")"
    if total is None:
        return f"a sample: {n:,} spots{how}; the server does not tell of how many"
    if n >= total:
        return f"all {n:,} spots of the dataset"
    return f"a sample: {n:,} of {total:,} spots{how}"


def _removed_notes(
    answer: Answer,
    spots: Spots,
    summary: pd.DataFrame | None,
    options: SampleOptions | None,
) -> list[str]:
    """Say what is known of removed spots where the answer has none.

    The older server, which tells neither `current_dataset` nor `sankey_data`,
    sends only kept spots. With a newer one, none may have been drawn.
    """
    if len(spots) == 0 or spots.flow()["removed"].sum() > 0:
        return []
    if options is not None and options.valid_spots_only:
        return ["removed spots are not shown: only valid spots were asked for"]
    removed = None if summary is None else int(summary["removed_spots"].sum())
    if removed == 0:
        return []
    older = not {"current_dataset", "sankey_data"} & {*answer.keys}
    many = "" if removed is None else f" (the summary counts {removed:,})"
    if older:
        return [f"removed spots are unknown: this server sends only kept ones{many}"]
    return [f"no removed spot is in this sample{many}"]
