"""Several datasets opened as one: the rounds of a sample, the parts of a table.

Each is opened as it would be alone, and kept in the cache; their tables are then
merged, in bounded memory, into one cache file that is mapped like any other. So a
hundred million spots feel like eight.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from napari_seespot import settings
from napari_seespot.dataset import Dataset, LazyMapping
from napari_seespot.errors import TableError
from napari_seespot.sources._expand import SEPARATOR
from napari_seespot.sources._external_merge import merge_ordered, new_ids
from napari_seespot.sources._task import Task
from napari_seespot.sources.cache import CacheKey, Imported, spots_through_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from napari_seespot.images import ChannelImage
    from napari_seespot.spots import Spots

__all__ = ["LABEL", "join_datasets"]

LABEL = "dataset"
"""The category that tells which of them a spot is from."""


def join_datasets(
    datasets: Sequence[Dataset], *, cache: bool = True, task: Task | None = None
) -> Dataset:
    """Return several datasets as one.

    Parameters
    ----------
    datasets : sequence of Dataset
        Opened; those of cached tables are not read into memory.
    cache : bool
        Keep the merged table in the user's cache, and take it from there.
    task : Task, optional
        Progress and cancelling.

    Returns
    -------
    Dataset
        Its spots have a category ``"dataset"``. `spot_id` is the dataset's own
        plus a number that the notes tell. The images are those of the first one
        that has any.

    Raises
    ------
    TableError
        When the disk has no room for the merged table.
    """
    task = task or Task()
    tables = [dataset.spots for dataset in datasets]
    names = _distinct(dataset.name for dataset in datasets)
    labels = {LABEL: names}
    rounds = [dataset.round for dataset in datasets]
    if any(rounds) and not any("round" in table.categories for table in tables):
        labels["round"] = tuple(round_ or "" for round_ in rounds)
    uri = SEPARATOR.join(dataset.uri for dataset in datasets)
    merged = spots_through_cache(
        _key(uri, tables, labels),
        lambda: Imported(_merge(tables, labels, task)),
        enabled=cache and all(table.file is not None for table in tables),
    )
    genes = _genes(datasets)
    first = next((d for d in datasets if len(d.images)), datasets[0])
    return Dataset(
        name=_name(names),
        uri=uri,
        spots=merged.spots.replace(genes=genes),
        images=_images(datasets, first, names),
        masks=first.masks,
        ratios=_common_ratios(datasets, merged.spots.channels),
        round=rounds[0] if len(set(rounds)) == 1 else None,
        notes=(*merged.notes, *_notes(datasets, names, first)),
        info={"datasets": [dataset.uri for dataset in datasets]},
    )


def _key(uri: str, tables: Sequence[Spots], labels: dict[str, Any]) -> CacheKey:
    # A cache file's name tells all that it was made of.
    files = {
        f"{place}": table.file.name for place, table in enumerate(tables) if table.file
    }
    return CacheKey(uri=uri, options={"labels": labels}, files=files)


def _merge(tables: Sequence[Spots], labels: dict[str, Any], task: Task) -> Spots:
    folder = _writable(settings.cache_folder())
    try:
        return merge_ordered(tables, labels, folder, task)
    except OSError as error:
        rows = sum(map(len, tables))
        size = sum(table.nbytes for table in tables)
        raise TableError(
            f"{rows:,} spots cannot be merged: {error.strerror or error}",
            where=folder,
            expected=f"about {2 * size / 1e9:.1f} GB of free disk space",
        ) from None


def _writable(folder: Path) -> Path:
    """Return the folder, or the system's own for temporary files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return type(folder)(tempfile.gettempdir())


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    result: list[str] = []
    for name in names:
        number, free = 2, name
        while free in result:
            free, number = f"{name} ({number})", number + 1
        result.append(free)
    return tuple(result)


def _name(names: Sequence[str]) -> str:
    if len(names) <= 2:
        return " + ".join(names)
    return f"{names[0]} + {len(names) - 1} more"


def _genes(datasets: Sequence[Dataset]) -> dict[str, str]:
    """Return each channel's gene, or its genes where rounds have different ones."""
    found: dict[str, dict[str, None]] = {}
    for dataset in datasets:
        for channel, gene in dataset.genes.items():
            found.setdefault(channel, {})[gene] = None
    return {channel: " / ".join(genes) for channel, genes in found.items()}


def _images(
    datasets: Sequence[Dataset], first: Dataset, names: Sequence[str]
) -> LazyMapping[ChannelImage]:
    makers: dict[str, Callable[[], ChannelImage]] = {}
    for dataset, name in zip(datasets, names, strict=True):
        for channel in dataset.images:
            title = channel if dataset is first else f"{channel} ({name})"
            makers[title] = lambda d=dataset, c=channel: d.images[c]  # type: ignore[misc]  # mypy knows no defaults of lambdas
    own = list(first.images)
    order = [*own, *(title for title in makers if title not in own)]
    return LazyMapping(order, lambda title: makers[title]())


def _common_ratios(datasets: Sequence[Dataset], channels: Sequence[str]) -> Any:
    ratios = datasets[0].ratios
    same = ratios is not None and list(ratios.columns) == list(channels)
    for dataset in datasets[1:]:
        same = same and dataset.ratios is not None and ratios.equals(dataset.ratios)  # type: ignore[union-attr]  # not None, as `same` tells
    return ratios if same else None


def _notes(
    datasets: Sequence[Dataset], names: Sequence[str], first: Dataset
) -> list[str]:
    told = f"{len(datasets)} datasets are open together: z, y and x are counted as "
    told += "each of them has them"
    if len(first.images):
        told += f", and the images are those of {names[datasets.index(first)]}"
    notes = [told]
    offsets = new_ids([dataset.spots for dataset in datasets])
    if offsets is None:
        notes.append("spot_id is numbered anew: their own are not counted from 1")
    else:
        added = ", ".join(
            f"{offset:,} ({name})"
            for offset, name in zip(offsets[1:], names[1:], strict=True)
        )
        notes.append(f"spot_id is each dataset's own plus 0 ({names[0]}), {added}")
    for dataset, name in zip(datasets, names, strict=True):
        notes += [f"{name}: {note}" for note in dataset.notes]
    return notes
