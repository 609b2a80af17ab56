"""The names that scripts rely on, run end to end on a sample."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import napari_seespot as nss

_MANIFEST = "derived/processing_manifest.json"

PUBLIC = {
    "make_sample", "open_dataset", "list_datasets", "Dataset", "DatasetInfo", "Spots",
    "ChannelImage", "view", "Session", "State", "density", "dye_lines", "SeeSpotError",
}  # fmt: skip


def in_a_fresh_process(code):
    """Run code in a new interpreter; return what it prints, read as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_the_promised_names_are_public():
    assert set(nss.__all__) >= PUBLIC
    assert dir(nss) == sorted(nss.__all__)
    for name in nss.__all__:
        assert getattr(nss, name) is getattr(nss, name), name


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'desnity'"):
        _ = nss.desnity


def test_importing_loads_nothing_heavy():
    code = """
import json, sys
import napari_seespot
from napari_seespot import errors, palette
heavy = ("qtpy", "PyQt5", "PyQt6", "PySide6", "magicgui", "pyqtgraph", "napari",
         "dask", "zarr", "numba", "pyarrow", "pandas", "numpy", "s3fs", "pydantic")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    assert in_a_fresh_process(code) == []


def test_the_data_side_loads_neither_qt_nor_napari(tables_folder):
    code = f"""
import json, sys
import napari_seespot as nss
ds = nss.open_dataset({str(tables_folder)!r}, cache=False)
session = nss.Session(ds)
session.state.color_by = "r"
session.select_polygon([(0, 0), (1e6, 0), (0, 1e6)])
session.visible(), session.selected()
nss.density(ds.spots, "488", "514")
heavy = ("qtpy", "PyQt6", "magicgui", "pyqtgraph", "napari", "dask.distributed")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    assert in_a_fresh_process(code) == []


def test_names_stay_what_they_are_whatever_is_imported():
    assert callable(nss.density)
    assert nss.Density.__name__ == "Density"
    for module in pkgutil.iter_modules(nss.__path__):
        if not module.name.startswith("_") and module.name != "widgets":
            importlib.import_module(f"napari_seespot.{module.name}")
    for name in ("density", "dye_lines", "view", "make_sample", "open_dataset"):
        assert callable(getattr(nss, name)), name
        assert type(getattr(nss, name)).__name__ == "function", name


def test_a_script_about_a_dataset(sample_folder):
    ds = nss.open_dataset(sample_folder)
    assert isinstance(ds, nss.Dataset)
    assert ds.name == sample_folder.name
    assert ds.channels == ["488", "514", "561", "594", "638"]
    assert ds.channel_pairs[0] == ("488", "514")
    assert len(ds.channel_pairs) == 10
    manifest = json.loads((sample_folder / _MANIFEST).read_text())
    told = {channel: entry["gene"] for channel, entry in manifest["gene_dict"].items()}
    assert ds.genes == told
    assert isinstance(ds.spots, nss.Spots)
    assert len(ds.spots) == 2000
    assert ds.spots.nbytes == sum(a.nbytes for a in ds.spots.columns.values())
    assert isinstance(ds.ratios, pd.DataFrame)
    assert ds.ratios.shape == (5, 5)
    assert isinstance(ds.summary, pd.DataFrame)
    z, y, x = ds.voxel_size
    assert min(z, y, x) > 0

    table = ds.spots.to_pandas()
    assert {"spot_id", "chan", "z", "y", "x", "unmixed_chan", "status"} <= set(table)
    assert (ds.spots.status.to_numpy() == table["status"].to_numpy()).all()
    crossed = ds.spots.flow()
    assert crossed.to_numpy().sum() == 2000
    assert crossed["removed"].sum() == (table["status"] == "removed").sum()
    drawn = ds.spots.sample(50, by="chan", seed=0)
    assert drawn["chan"].value_counts().tolist() == [10] * 5
    assert drawn["spot_id"].is_unique

    image = ds.images["488"]
    assert isinstance(image, nss.ChannelImage)
    assert image.levels[0].ndim == 3
    assert image.levels[0].size >= image.levels[-1].size
    assert len(image.scale) == len(image.translate) == len(image.units) == 3
    low, high = image.contrast_limits
    assert low < high
    assert image.colormap


def test_a_script_about_pictures(sample):
    d = nss.density(sample.spots, "488", "594", bins=64, by="status")
    x, y = (sample.spots.intensity(c) for c in ("488", "594"))
    codes = sample.spots.codes("status")
    for place, name in enumerate(d.classes):
        rows = codes == sample.spots.class_names("status").index(name)
        wanted = np.histogram2d(y[rows], x[rows], bins=[d.y_edges, d.x_edges])[0]
        assert (d.counts[place] == wanted).all()
    assert isinstance(d, nss.Density)
    for line in nss.dye_lines(sample.ratios, ("488", "594")):
        pair = sample.ratios.loc[line.channel, ["488", "594"]].to_numpy(float)
        assert np.allclose(line.direction, pair / np.hypot(*pair))


def test_a_script_about_a_session(sample, model, tmp_path):
    session = nss.view(sample, viewer=model)
    assert isinstance(session, nss.Session)
    assert isinstance(session.state, nss.State)
    assert session.viewer is model
    assert session.dataset is sample
    session.state.pair = ("488", "594")
    session.state.color_by = "status"
    session.state.filters.ranges["r"] = (0.5, 1.0)
    session.state.filters.status = {"reassigned", "unchanged"}
    session.state.filters.channels = {"488", "514"}

    table = sample.spots.to_pandas()
    wanted = table[
        table["r"].between(0.5, 1.0)
        & table["status"].isin(["reassigned", "unchanged"])
        & table["chan"].isin(["488", "514"])
    ]
    pd.testing.assert_frame_equal(session.visible(), wanted)

    session.select_polygon(
        [(0, 0), (1e5, 0), (1e5, 1e5), (0, 1e5)], pair=("488", "594")
    )
    x, y = wanted["chan_488_intensity"], wanted["chan_594_intensity"]
    inside = wanted[(x > 0) & (y > 0)]
    assert session.selected()["spot_id"].tolist() == inside["spot_id"].tolist()
    ids = wanted["spot_id"].tolist()[:7]
    session.select(ids)
    assert sorted(session.selected()["spot_id"]) == sorted(ids)

    for name in ("spots.csv", "spots.parquet"):
        session.export(tmp_path / name, which="selected")
    assert pd.read_csv(tmp_path / "spots.csv")["spot_id"].tolist() == (
        pd.read_parquet(tmp_path / "spots.parquet")["spot_id"].tolist()
    )
    session.go_to(ids[0])
    row = table[table["spot_id"] == ids[0]].iloc[0]
    assert model.dims.point[0] == pytest.approx(row["z"] * sample.voxel_size[0], abs=1)

    session.save(tmp_path / "state.json")
    session.clear_selection()
    assert len(session.selected()) == 0
    session.close()
    again = nss.view(sample, viewer=model, state=str(tmp_path / "state.json"))
    assert again.state.pair == ("488", "594")
    assert sorted(again.selected()["spot_id"]) == sorted(ids)
    again.close()


def test_parents_are_listed(tables_folder):
    found = nss.list_datasets(tables_folder.parent)
    assert [type(info) for info in found] == [nss.DatasetInfo]
    assert found[0].name == tables_folder.name
