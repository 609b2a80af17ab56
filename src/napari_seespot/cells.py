"""Counts by cell, before and after the unmixing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot.errors import NotFoundError

if TYPE_CHECKING:
    from napari_seespot.dataset import Dataset

__all__ = ["cell_table", "rows_of_cells"]


def cell_table(dataset: Dataset, where: np.ndarray | None = None) -> pd.DataFrame:
    """Return a row for each cell, those that the unmixing changed most first.

    Parameters
    ----------
    dataset : Dataset
    where : ndarray of bool, shape (n,), optional
        The rows that count. To compare with the counts before the unmixing,
        removed spots have to be among them.

    Returns
    -------
    DataFrame
        Index `cell_id` (0, spots outside cells, is left out). Columns `spots`
        (detected), `kept`, `reassigned`, `removed`, and for each gene (or
        channel, where its gene is not known) ``<gene> mixed`` and
        ``<gene> unmixed``: spots detected in its channel, and spots that the
        unmixing gave to it. `change`: the sum over genes of
        ``|unmixed - mixed|``, by which the rows are sorted; then by `cell_id`.

    Raises
    ------
    NotFoundError
        When the table has no `cell_id`.
    """
    spots = dataset.spots
    if "cell_id" not in spots.columns:
        raise NotFoundError(
            "the spots have no cell_id", where=dataset.name, hint="It was not segmented"
        )
    cell, code = spots.column("cell_id"), spots.code
    chosen = cell != 0 if where is None else (cell != 0) & where
    cells, place = np.unique(cell[chosen], return_inverse=True)
    n = len(spots.channels)
    n_codes = n * (n + 1)
    counts = np.bincount(
        place * n_codes + code[chosen], minlength=len(cells) * n_codes
    ).reshape(len(cells), n, n + 1)
    mixed, unmixed = counts.sum(axis=2), counts.sum(axis=1)[:, :n]
    removed = counts[:, :, n].sum(axis=1)
    unchanged = np.trace(counts[:, :, :n], axis1=1, axis2=2)
    total = mixed.sum(axis=1)
    columns = {
        "spots": total,
        "kept": total - removed,
        "reassigned": total - removed - unchanged,
        "removed": removed,
    }
    for k, channel in enumerate(spots.channels):
        name = _gene_name(dataset, channel)
        columns[f"{name} mixed"] = mixed[:, k]
        columns[f"{name} unmixed"] = unmixed[:, k]
    columns["change"] = np.abs(unmixed - mixed).sum(axis=1)
    table = pd.DataFrame(columns, index=pd.Index(cells, name="cell_id"))
    return table.sort_values("change", ascending=False, kind="stable")


def _gene_name(dataset: Dataset, channel: str) -> str:
    """Return a channel's gene; with the channel where two share the gene."""
    gene = dataset.genes.get(channel)
    if not gene:
        return channel
    shared = sum(other == gene for other in dataset.genes.values()) > 1
    return f"{gene} {channel}" if shared else gene


def rows_of_cells(dataset: Dataset, cell_ids: np.ndarray) -> np.ndarray:
    """Return which rows lie in some cells; bool, shape (n,)."""
    if "cell_id" not in dataset.spots.columns:
        raise NotFoundError("the spots have no cell_id", where=dataset.name)
    return np.isin(dataset.spots.column("cell_id"), np.asarray(cell_ids))
