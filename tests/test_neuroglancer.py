"""Links are read by Neuroglancer's own state parser, where it is installed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import napari_seespot as nss
from napari_seespot.errors import StateError
from napari_seespot.neuroglancer import LONGEST_LINK, link, position_of, viewer_state


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> nss.Dataset:
    folder = tmp_path_factory.mktemp("neuroglancer") / "HCR_1_2025-01-01_00-00-00"
    return nss.open_dataset(nss.make_sample(folder, n_spots=1500))


def parsed(url: str) -> Any:
    from neuroglancer import parse_url

    return parse_url(url)


def test_a_link_is_what_neuroglancer_reads(dataset: nss.Dataset) -> None:
    rows = np.array([3, 5, 8])
    url = link(viewer_state(dataset, (10.5, 20.0, 30.25), rows=rows, name="Mine"))
    state = parsed(url)
    assert list(state.position) == [30.25, 20.0, 10.5, 0]
    z, y, x = dataset.voxel_size
    scales = [state.dimensions[name].scale for name in "xyz"]
    assert scales == pytest.approx([x * 1e-6, y * 1e-6, z * 1e-6])
    names = [layer.name for layer in state.layers]
    labels = [dataset.label(channel) for channel in dataset.channels]
    assert names[: len(labels)] == labels
    assert names[-1] == "Mine"
    for channel, layer in zip(dataset.images, state.layers, strict=False):
        source = layer.layer.source[0].url
        assert source.startswith("zarr://s3://")
        assert source.endswith(f"channel_{channel}.zarr")
    points = state.layers["Mine"].layer.annotations
    table = dataset.spots.to_pandas(rows=rows)
    assert [int(point.id) for point in points] == list(table["spot_id"])
    for point, row in zip(points, table.itertuples(), strict=True):
        assert list(point.point) == pytest.approx([row.x, row.y, row.z, 0])
        assert dataset.channels[point.props[0]] == row.chan
        assert ("unchanged", "reassigned", "removed")[point.props[2]] == row.status


def test_the_way_back(dataset: nss.Dataset) -> None:
    state = viewer_state(dataset, (1.0, 2.5, 3.0))
    assert position_of(link(state)) == (1.0, 2.5, 3.0)
    assert position_of(json.dumps(state)) == (1.0, 2.5, 3.0)
    other = {
        "dimensions": {"z": [1, "m"], "x": [1, "m"], "y": [1, "m"]},
        "position": [7, 8, 9],
    }
    assert position_of(f"https://x.org/#!{json.dumps(other)}") == (7, 9, 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "no Neuroglancer link"),
        ("https://x.org/#!middleauth+https://y.org/1", "no Neuroglancer link"),
        ("[1, 2]", "no Neuroglancer link"),
        ("{}", "holds no position"),
        ('{"dimensions": {"a": [1, "m"]}, "position": [1]}', "no x, y and z"),
        (
            '{"dimensions": {"x": [], "y": [], "z": []}, "position": [1, "?", 2]}',
            "no x, y and z",
        ),
        (
            '{"dimensions": {"x": [], "y": [], "z": []}, "position": [1, NaN, 2]}',
            "not finite",
        ),
        ("[" * 100_000, "no Neuroglancer link"),
    ],
)
def test_what_is_no_link(text: str, message: str) -> None:
    with pytest.raises(StateError, match=message):
        position_of(text)


def test_too_long_and_too_many(
    dataset: nss.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(len(dataset.spots))
    state = viewer_state(dataset, (0, 0, 0), rows=rows)
    with pytest.raises(StateError, match=rf"expected|{LONGEST_LINK:,}"):
        link(state)
    monkeypatch.setattr("napari_seespot.neuroglancer.MOST_ANNOTATIONS", 10)
    with pytest.raises(StateError, match="Select fewer spots"):
        viewer_state(dataset, (0, 0, 0), rows=rows)
    with pytest.raises(StateError, match="no place"):
        viewer_state(dataset, (0, float("nan"), 0))


def test_nan_becomes_json(dataset: nss.Dataset) -> None:
    rows = np.flatnonzero(np.isnan(dataset.spots.column("r")))[:3]
    assert len(rows)
    text = json.dumps(viewer_state(dataset, (0, 0, 0), rows=rows), allow_nan=False)
    assert "NaN" not in text


def test_a_dataset_that_is_not_in_s3(dataset: nss.Dataset) -> None:
    from dataclasses import replace

    bare = replace(dataset, info={})
    (first, *_) = viewer_state(bare, (0, 0, 0))["layers"]
    assert first["source"] == f"zarr://{dataset.images['488'].uri}"
