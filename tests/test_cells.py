"""The table of cells against a pandas group-by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import napari_seespot as nss
from napari_seespot.cells import cell_table, rows_of_cells
from napari_seespot.errors import NotFoundError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> nss.Dataset:
    folder = tmp_path_factory.mktemp("cells") / "a"
    return nss.open_dataset(nss.make_sample(folder, n_spots=3000, images=False))


@pytest.mark.parametrize("filtered", [False, True])
def test_against_pandas(dataset: nss.Dataset, filtered: bool) -> None:
    frame = dataset.spots.to_pandas().astype({"status": str, "chan": str})
    where = np.random.default_rng(0).random(len(frame)) < 0.5 if filtered else None
    found = cell_table(dataset, where)
    part = frame if where is None else frame[where]
    part = part[part["cell_id"] != 0]
    assert set(found.index) == set(part["cell_id"])
    change = pd.Series(0, index=found.index)
    for channel, gene in dataset.genes.items():
        if channel not in dataset.channels:
            continue
        mixed = part[part["chan"] == channel].groupby("cell_id").size()
        given = part[part["unmixed_chan"] == channel].groupby("cell_id").size()
        mixed, given = (
            counts.reindex(found.index, fill_value=0) for counts in (mixed, given)
        )
        assert (found[f"{gene} mixed"] == mixed).all()
        assert (found[f"{gene} unmixed"] == given).all()
        change += (given - mixed).abs()
    assert (found["change"] == change).all()
    assert found["change"].is_monotonic_decreasing
    statuses = part.groupby(["cell_id", "status"]).size().unstack(fill_value=0)
    statuses = statuses.loc[found.index]
    for status in ("reassigned", "removed"):
        assert (found[status] == statuses[status]).all()
    assert (found["kept"] == found["spots"] - statuses["removed"]).all()
    assert (found["spots"] == statuses.sum(axis=1)).all()


def test_rows_of_cells(dataset: nss.Dataset) -> None:
    ids = cell_table(dataset).index[:3].to_numpy()
    frame = dataset.spots.to_pandas()
    assert (rows_of_cells(dataset, ids) == frame["cell_id"].isin(ids)).all()


def test_without_cells_and_with_one_gene_twice(dataset: nss.Dataset) -> None:
    table = dataset.spots.to_pandas()
    bare = replace(dataset, spots=nss.Spots.from_pandas(table.drop(columns="cell_id")))
    for call in (cell_table, lambda ds: rows_of_cells(ds, np.array([1]))):
        with pytest.raises(NotFoundError, match="no cell_id"):
            call(bare)
    genes = dict.fromkeys(dataset.channels, "Sst")
    twice = replace(dataset, spots=nss.Spots.from_pandas(table, genes=genes))
    assert "Sst 488 mixed" in cell_table(twice)
    unknown = replace(dataset, spots=nss.Spots.from_pandas(table))
    assert "488 mixed" in cell_table(unknown)
