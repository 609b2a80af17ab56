"""Links are read by Neuroglancer's own state parser, where it is installed."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import napari_seespot as nss
from napari_seespot.errors import StateError
from napari_seespot.neuroglancer import (
    LONGEST_LINK,
    ChannelLook,
    link,
    position_of,
    viewer_state,
)


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
    bare = replace(dataset, info={})
    assert viewer_state(bare, (0, 0, 0))["layers"] == []  # a browser reads no disk
    image = SimpleNamespace(
        uri="https://me:secret@host/channel_488.zarr?token=secret", name="488",
        colormap="gray", contrast_limits=None, channel="488", scale=(1, 1, 1),
    )  # fmt: skip
    hosted = replace(dataset, info={}, images={"488": image})
    (layer,) = viewer_state(hosted, (0, 0, 0))["layers"]
    assert layer["source"] == "zarr://https://host/channel_488.zarr"


def test_channels_as_they_are_shown(dataset: nss.Dataset) -> None:
    looks = {
        "514": ChannelLook((5, 50), "#12ab34", False),
        "488": ChannelLook((1, 9), "#ffffff"),
    }
    state = parsed(link(viewer_state(dataset, (0, 0, 0), looks=looks)))
    first, second = state.layers
    assert first.name == dataset.label("514")
    assert (first.visible, second.visible) == (False, True)
    assert list(first.layer.shader_controls["normalized"].range) == [5, 50]
    assert "#12ab34" in first.layer.shader


def test_positions_in_other_units(dataset: nss.Dataset) -> None:
    z, y, x = dataset.voxel_size

    def at(units: list[Any], position: list[float]) -> Any:
        state = {
            "dimensions": dict(zip("xyz", units, strict=True)),
            "position": position,
        }
        return position_of(json.dumps(state), dataset.voxel_size)

    nanometres = [[1e-9, "m"]] * 3
    assert at(nanometres, [3000 * x, 2000 * y, 5000 * z]) == pytest.approx((5, 2, 3))
    level_1 = [[2e-6 * x, "m"], [2e-6 * y, "m"], [2e-6 * z, "m"]]
    assert at(level_1, [10, 20, 30]) == pytest.approx((60, 40, 20))
    # SeeSpot's own where it knows no voxel size, and what has no length
    assert at([[1e-6, "m"]] * 3, [10, 20, 30]) == (30, 20, 10)
    assert at([[1, ""]] * 3, [10, 20, 30]) == (30, 20, 10)
    assert at([5, "m", None], [10, 20, 30]) == (30, 20, 10)


def test_properties_are_told_and_what_is_unknown_is_said(dataset: nss.Dataset) -> None:
    rows = np.flatnonzero(np.isnan(dataset.spots.column("r")))[:1]
    removed = np.flatnonzero(dataset.spots.status == "removed")[:1]
    rows = np.concatenate([rows, removed])
    state = parsed(link(viewer_state(dataset, (0, 0, 0), rows=rows, name="Mine")))
    layer = state.layers["Mine"].layer
    kinds = {p.id: p for p in layer.annotation_properties}
    assert list(kinds) == ["chan", "unmixed_chan", "status", "r", "dist"]
    assert list(kinds["unmixed_chan"].enum_labels) == [*dataset.channels, "removed"]
    first, second = layer.annotations
    assert first.description.endswith(", r unknown")
    assert "→ removed, removed" in second.description
