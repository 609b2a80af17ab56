"""Plain tables: Parquet, CSV and Feather, read as datasets and written for others.

A table is read that holds the merged columns, as SeeSpot's own cache files do,
or the calibrated unmixing's: there `v3_chan` is the unmixed channel and
`v3_action` says which spots were deleted. Columns with other names are mapped.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.columns import channel_name, factorize, intensity_column
from napari_seespot.dataset import Dataset
from napari_seespot.errors import SeeSpotError, TableError
from napari_seespot.sources._arrow import open_arrow
from napari_seespot.sources._column_names import (
    guess_columns,
    lacks,
    renamed,
    renames,
    to_rename,
)
from napari_seespot.sources._location import LocalFolder
from napari_seespot.sources._task import Task
from napari_seespot.sources._write_table import write_table
from napari_seespot.sources.cache import CacheKey, Imported, spots_through_cache
from napari_seespot.sources.merge import fill_intensities, subtract
from napari_seespot.sources.pickles import Codes
from napari_seespot.spots import Spots

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, MutableMapping

__all__ = [
    "SUFFIXES",
    "guess_columns",
    "open_table",
    "read_columns",
    "table_columns",
    "write_table",
]

SUFFIXES = (".parquet", ".csv", ".feather")
"""The tables that are read and written, told by the end of their name."""

ACTIONS = ("keep", "delete", "reassign")
"""What the calibrated unmixing does with a spot."""

CALIBRATED = "the verdicts are the calibrated unmixing's (v3_action, v3_chan)"


def open_table(
    path: str | os.PathLike[str],
    *,
    column_map: Mapping[str, str | None] | None = None,
    cache: bool = True,
    task: Task | None = None,
) -> Dataset:
    """Open a Parquet, CSV or Feather file of merged or calibrated spots.

    Parameters
    ----------
    path : path
        The file; its end tells what it is.
    column_map : mapping of str to str or None, optional
        Our column name by the file's, where they differ; None leaves a column
        out. `guess_columns` proposes one.
    cache : bool
        Keep the ordered table in the user's cache, and take it from there.
    task : Task, optional
        Progress and cancelling.

    Raises
    ------
    NotFoundError
        When there is no such file, or the mapping names a column that it lacks.
    TableError
        When it is damaged, lacks a column, or a column holds what it must not.
    """
    task = task or Task()
    file = Path(path).absolute()
    task.step(0.0, f"reading {file.name}")
    key = CacheKey(
        uri=str(file),
        options={"column_map": dict(column_map or {})},
        files={file.name: LocalFolder(file.parent).fingerprint(file.name)},
    )

    def build() -> Imported:
        columns = read_columns(file, column_map=column_map)
        task.step(0.6, "ordering the spots")
        return _import(columns, str(file))

    imported = spots_through_cache(key, build, enabled=cache)
    spots = imported.spots
    task.step(1.0, f"{len(spots):,} spots")
    rounds = spots.categories.get("round", ())
    return Dataset(
        name=file.stem,
        uri=str(file),
        spots=spots,
        round=rounds[0] or None if len(rounds) == 1 else None,
        notes=imported.notes,
    )


def table_columns(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of a table's columns, to be mapped.

    Raises
    ------
    NotFoundError, TableError
        As `open_table`.
    """
    file = Path(path).absolute()
    return open_arrow(file, str(file)).names


def read_columns(
    path: Path,
    *,
    column_map: Mapping[str, str | None] | None = None,
    where: str | None = None,
) -> dict[str, Any]:
    """Return the columns of a table that have a meaning here, by our names.

    Parameters
    ----------
    path : Path
        A pickle (``.pkl``), or one of `SUFFIXES`.
    column_map : mapping, optional
        Our name by the file's.
    where : str, optional
        The address that messages shall name; the path by default.

    Returns
    -------
    dict of str to array-like, each of shape (n,)
        Numpy arrays, categoricals, or coded text.
    """
    where = where or str(path)
    if path.suffix.lower() == ".pkl":
        from napari_seespot.sources.pickles import read_frame_columns

        columns: dict[str, Any]
        try:
            columns = read_frame_columns(path).columns
        except SeeSpotError as error:
            # The user knows the address, not the copy that was downloaded.
            raise type(error)(
                error.found, where=where, expected=error.expected, hint=error.hint
            ) from None
        return renamed(columns, renames(columns, column_map, where))
    file = open_arrow(path, where)
    return file.read(renames(file.names, column_map, where))


def _import(columns: dict[str, Any], where: str) -> Imported:
    names = tuple(columns)
    notes = (CALIBRATED,) if _take_calibrated(columns, where) else ()
    fill_intensities(columns, where)
    _fill_own_intensity(columns, where)
    missing = lacks(columns)
    if missing:
        raise TableError(
            f"the table lacks {', '.join(missing)}; of its columns these are known: "
            f"{', '.join(names) or 'none'}",
            where=where,
            expected="the columns of a merged spot table",
            hint=_hint(where),
        )
    if "tile" not in columns and "tile_name" in columns:
        columns["tile"] = columns.pop("tile_name")
    return Imported(Spots.from_columns(columns, where=where), notes)


def _hint(where: str) -> str:
    mapping = to_rename(open_arrow(Path(where), where).names)
    return mapping or "If columns have other names, map them: column_map={theirs: ours}"


def _take_calibrated(columns: MutableMapping[str, Any], where: str) -> bool:
    """Make `v3_action` and `v3_chan` the verdict; False where there are none."""
    if "v3_chan" not in columns:
        if "v3_action" in columns and "unmixed_chan" not in columns:
            raise TableError(
                "the table has v3_action and lacks v3_chan",
                where=where,
                expected="v3_chan, the channel that each spot is assigned to",
            )
        return False
    codes, found = factorize(columns.pop("v3_chan"))
    codes = np.array(codes, np.int32)
    if "v3_action" in columns:
        codes[_deleted(columns["v3_action"], where)] = -1
    columns["unmixed_chan"] = Codes(codes, tuple(map(str, found)))
    columns.pop("unmixed_removed", None)  # the verdict of before
    return True


def _deleted(actions: Any, where: str) -> np.ndarray:
    codes, found = factorize(actions)
    unknown = [str(value) for value in found if str(value) not in ACTIONS]
    unknown += ["nothing"] if (codes < 0).any() else []
    if unknown:
        raise TableError(
            f"column 'v3_action' holds {', '.join(unknown)}",
            where=where,
            expected=f"one of {', '.join(ACTIONS)}",
        )
    delete = [str(value) == "delete" for value in found]
    return np.asarray(np.array([*delete, False])[codes])


def _fill_own_intensity(columns: MutableMapping[str, Any], where: str) -> None:
    """Take the intensity in a spot's own channel from `fg` and `bg`.

    Only where the table has no intensities at all; those in other channels are
    then unknown.
    """
    fg, bg = columns.pop("fg", None), columns.pop("bg", None)
    known = any(name.endswith("_intensity") for name in columns)
    if fg is None or bg is None or known or "chan" not in columns:
        return
    own = subtract(fg, bg, "fg", "bg", where)
    codes, found = factorize(columns["chan"])
    for place, value in enumerate(found):
        channel = channel_name(value)
        if channel:
            columns[intensity_column(channel)] = np.where(codes == place, own, np.nan)
