"""From the tables of a dataset folder to its spots: which ones, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.columns import intensity_channels, intensity_column
from napari_seespot.errors import TableError
from napari_seespot.sources import _layout
from napari_seespot.sources.cache import CacheKey, Imported
from napari_seespot.sources.merge import (
    concatenate,
    keep_columns,
    merge_spots,
    read_verdicts,
)
from napari_seespot.sources.pickles import Codes
from napari_seespot.spots import Spots

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

    from napari_seespot.sources._layout import SpotTables
    from napari_seespot.sources._location import Location
    from napari_seespot.sources._manifest import Manifest
    from napari_seespot.sources._task import Task

__all__ = ["ImportPlan"]


@dataclass(frozen=True)
class ImportPlan:
    """Which tables make the spots, and how."""

    location: Location
    manifest: Manifest | None
    tables: Sequence[SpotTables]
    min_dist: str

    @property
    def channels(self) -> tuple[str, ...] | None:
        """The spot channels that the manifest tells."""
        return self.manifest.channels if self.manifest else None

    @property
    def key(self) -> CacheKey:
        """What the merged table is made of."""
        paths = sorted({path for table in self.tables for path in self._paths(table)})
        return CacheKey(
            uri=self.location.uri,
            options={
                "tiles": [table.tile for table in self.tables],
                "min_dist": self.min_dist,
                "channels": self.channels,
            },
            files={path: self.location.fingerprint(path) for path in paths},
        )

    def _paths(self, table: SpotTables) -> tuple[str, ...]:
        """Return the files that are read, the unmixed table before the mixed one."""
        unmixed = self._unmixed(table)
        if table.mixed and unmixed:
            return (unmixed, table.mixed)
        if table.merged:
            return (table.merged,)
        return (unmixed,) if unmixed else ()

    def _unmixed(self, table: SpotTables) -> str | None:
        return table.unmixed.get(self.min_dist) or next(
            iter(table.unmixed.values()), None
        )

    def build(self, task: Task) -> Imported:
        """Read, merge and order the tables."""
        parts, notes = [], []
        count = len(self.tables)
        for place, table in enumerate(self.tables):
            own = task.part(place / count * 0.8, (place + 1) / count * 0.8)
            columns, said = self._merged(table, own)
            if table.tile:
                columns["tile"] = _constant(table.tile, columns)
                said = tuple(f"{table.tile}: {note}" for note in said)
            parts.append(columns)
            notes += [*table.notes, *said]
        columns = parts.pop() if count == 1 else self._together(parts, notes)
        task.step(0.8, "ordering the spots")
        where = self.location.uri_of(self.tables[0].folder)
        if count == 1:
            where = self.location.uri_of(self._paths(self.tables[0])[-1])
        spots = Spots.from_columns(columns, channels=self.channels, where=where)
        for path in self.key.files:
            self.location.release(path)
        task.step(1.0, f"{len(spots):,} spots are in order")
        return Imported(spots, tuple(notes))

    def _together(
        self, parts: list[dict[str, Any]], notes: list[str]
    ) -> dict[str, Any]:
        columns, partial = concatenate(parts)
        notes.append(
            f"{len(self.tables)} tiles are open together: z, y and x are counted "
            "from each tile's own corner"
        )
        left = set(_layout.find_tiles(self.location)) - {t.tile for t in self.tables}
        if left:
            notes.append(f"there are no tables in {', '.join(sorted(left))}")
        if partial:
            notes.append(f"not all tiles have {', '.join(partial)}: left out")
        return columns

    def _merged(
        self, table: SpotTables, task: Task
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the merged columns of one folder's tables, and what to say."""
        unmixed, mixed = self._unmixed(table), table.mixed
        if mixed and unmixed:
            return self._join(unmixed, mixed, task)
        if table.merged:
            where = self.location.uri_of(table.merged)
            return keep_columns(self._read(table.merged, task), where), ()
        path = self._paths(table)[0]
        return keep_columns(self._read(path, task), self.location.uri_of(path)), (
            "removed spots are unknown: there is no mixed_spots_R<round>.pkl in "
            f"{self.location.uri_of(table.folder)}",
        )

    def _join(
        self, unmixed: str, mixed: str, task: Task
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        where = self.location.uri_of(unmixed)
        columns = self._read(unmixed, task.part(0.0, 0.4))
        channels = self.channels or intensity_channels(columns)
        verdicts = read_verdicts(columns, channels, where)
        del columns
        where = self.location.uri_of(mixed)
        columns = self._read(mixed, task.part(0.4, 0.9))
        _same_channels(columns, channels, where)
        task.step(0.9, "merging the tables")
        merged, orphans = merge_spots(columns, verdicts, channels, where)
        if not orphans:
            return merged, ()
        return merged, (
            f"{orphans:,} of {len(verdicts):,} rows of {unmixed.rpartition('/')[2]} "
            f"have no row in {mixed.rpartition('/')[2]} and are left out: the tables "
            "may be of different runs",
        )

    def _read(self, path: str, task: Task) -> MutableMapping[str, Any]:
        from napari_seespot.sources.table import read_columns

        task.step(0.0, f"reading {path.rpartition('/')[2]}")
        local = self.location.local_path(path, task.part(0.0, 0.5))
        columns = read_columns(local, where=self.location.uri_of(path))
        task.step(1.0, f"read {path.rpartition('/')[2]}")
        return columns


def _same_channels(
    columns: Mapping[str, Any], channels: Sequence[str], where: str
) -> None:
    missing = [c for c in channels if not _has_intensity(columns, c)]
    if missing:
        raise TableError(
            f"the table has no intensity of {', '.join(missing)}; its columns are "
            f"{', '.join(map(str, columns)) or 'none'}",
            where=where,
            expected=f"chan_<channel>_intensity for {', '.join(channels)}",
            hint="Check spot_channels in processing_manifest.json",
        )


def _has_intensity(columns: Mapping[str, Any], channel: str) -> bool:
    pair = (f"chan_{channel}_fg", f"chan_{channel}_bg")
    return intensity_column(channel) in columns or all(p in columns for p in pair)


def _constant(value: str, columns: Mapping[str, Any]) -> Codes:
    n = len(next(iter(columns.values()), ()))
    return Codes(np.zeros(n, np.int8), (value,))
