"""What is slow about showing a dataset happens before a viewer is touched."""

import numpy as np
import pytest

from napari_seespot import layer_tuples as tuples
from napari_seespot.dataset import LazyMapping
from napari_seespot.errors import CancelledError, ImageError, StateError
from napari_seespot.layer_tuples import layer_tuples
from napari_seespot.preparing import prepare
from napari_seespot.state import State


def test_images_are_open_and_progress_is_told(sample):
    steps = []
    prepared = prepare(sample, progress=lambda share, text: steps.append((share, text)))
    assert [image.channel for image in prepared.images] == sample.channels
    assert prepared.session.dataset is sample
    shares = [share for share, _ in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(text for _, text in steps)


def test_a_channel_that_cannot_be_opened_is_told_of(sample):
    from dataclasses import replace

    def fail(name):
        if name == "514":
            raise ImageError("it is broken", where=name)
        return sample.images[name]

    broken = replace(sample, images=LazyMapping(sample.channels, fail))
    prepared = prepare(broken)
    assert [image.channel for image in prepared.images] == ["488", "561", "594", "638"]
    assert any("514" in text and "broken" in text for text in prepared.messages)


def test_notes_of_the_dataset_are_told(tables):
    prepared = prepare(tables.with_notes("removed spots are unknown"))
    assert "removed spots are unknown" in prepared.messages


def test_empty_tables_are_prepared(tables):
    from dataclasses import replace

    from napari_seespot.spots import Spots

    empty = Spots.from_pandas(
        tables.spots.to_pandas().iloc[:0], channels=tables.channels
    )
    assert prepare(replace(tables, spots=empty)).session.view.mask.count == 0


@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_cancelling(sample, after):
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > after

    with pytest.raises(CancelledError, match="cancelled"):
        prepare(sample, cancelled=cancelled)
    assert len(asked) == after + 1


def test_a_selection_of_another_dataset_is_refused(tables):
    state = State()
    state.selection.mask = np.ones(7, bool)
    with pytest.raises(StateError, match=r"7 spots, the dataset has 5,000"):
        prepare(tables, state)


def test_layer_tuples_hold_all_spots_by_status(sample):
    prepared = prepare(sample)
    layers = layer_tuples(prepared)
    kinds = [kind for _, _, kind in layers]
    assert kinds == ["image"] * 5 + ["points"] * 3
    counts = sample.spots.status.value_counts()
    frame = sample.spots.to_pandas()
    for data, arguments, _ in layers[5:]:
        status = arguments["name"].removeprefix("Spots: ")
        assert len(data) == counts[status]
        own = frame[frame["status"] == status]
        np.testing.assert_array_equal(data, own[["z", "y", "x"]].to_numpy())
        assert arguments["visible"] == (status != "removed")
        assert list(arguments["features"]["spot_id"]) == list(own["spot_id"])
        assert arguments["scale"] == sample.voxel_size


def test_layer_tuples_tell_when_not_all_spots_are_in_them(sample, monkeypatch):
    monkeypatch.setattr(tuples, "MOST_POINTS", 10)
    layers = layer_tuples(prepare(sample))[5:]
    n = sample.spots.status.value_counts()["unchanged"]
    assert layers[0][1]["name"] == f"Spots: unchanged (10 of {n:,})"
    assert [len(data) for data, _, _ in layers] == [10, 10, 10]
