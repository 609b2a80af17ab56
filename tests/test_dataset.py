from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from napari_seespot.dataset import DEFAULT_VOXEL_UM, Dataset, DatasetInfo, LazyMapping
from napari_seespot.errors import ImageError, NotFoundError
from napari_seespot.spots import Spots


class Picture:
    """What a dataset asks of an image."""

    scale = (2.0, 0.5, 0.25)
    translate = (0.0, 0.0, 0.0)
    shape = (4, 5, 6)


def failing(name):
    raise ImageError(f"no {name}", where="nowhere")


@pytest.fixture
def spots():
    raw = {
        "chan": np.array(["488", "514", "561"], object),
        "unmixed_chan": np.array(["488", None, "514"], object),
        **{axis: np.arange(3.0) for axis in "zyx"},
        **{f"chan_{c}_intensity": np.ones(3) for c in ("488", "514", "561")},
    }
    return Spots.from_columns(raw, genes={"488": "Crh"})


def test_what_a_dataset_says_of_itself(spots):
    ds = Dataset("HCR_1", "/data/HCR_1", spots, LazyMapping(["488", "405"], failing))
    assert ds.channels == ["488", "514", "561"]
    assert ds.channel_pairs == [("488", "514"), ("488", "561"), ("514", "561")]
    assert ds.genes == {"488": "Crh"}
    assert ds.label("488") == "488 · Crh"
    assert ds.label("514") == "514"
    assert ds.check_channel("514") == "514"
    assert repr(ds) == "<Dataset HCR_1: 3 spots, channels 488, 514, 561, 2 images>"


def test_an_unknown_channel(spots):
    ds = Dataset("HCR_1", "", spots)
    with pytest.raises(NotFoundError) as error:
        ds.check_channel("999")
    assert str(error.value) == (
        "HCR_1: there is no spot channel '999'. Expected one of 488, 514, 561."
    )


def test_it_cannot_be_changed(spots):
    ds = Dataset("HCR_1", "", spots)
    with pytest.raises(FrozenInstanceError):
        ds.name = "other"
    with pytest.raises(TypeError):
        ds.images["488"] = None
    genes = ds.genes
    genes["488"] = "other"
    assert ds.genes == {"488": "Crh"}


def test_notes_are_added_to_a_copy(spots):
    ds = Dataset("HCR_1", "", spots, notes=("first",))
    more = ds.with_notes("second", "third")
    assert ds.notes == ("first",)
    assert more.notes == ("first", "second", "third")
    assert more.spots is spots


def test_the_voxel_size_comes_from_the_first_image_that_opens(spots):
    def make(name):
        return Picture() if name == "514" else failing(name)

    images = LazyMapping(["488", "514"], make)
    ds = Dataset("HCR_1", "", spots, images)
    assert ds.voxel_size == (2.0, 0.5, 0.25)
    assert ds.voxel_size_known
    masks = LazyMapping(["mask"], lambda name: Picture())
    assert Dataset("HCR_1", "", spots, masks=masks).voxel_size == (2.0, 0.5, 0.25)


@pytest.mark.parametrize("names", [(), ("488",)])
def test_a_voxel_size_that_nothing_tells_is_assumed(spots, names):
    ds = Dataset("HCR_1", "", spots, LazyMapping(names, failing))
    assert ds.voxel_size == DEFAULT_VOXEL_UM
    assert not ds.voxel_size_known


def test_values_are_made_once_and_failures_tried_again():
    made = []

    def make(name):
        made.append(name)
        if len(made) == 1:
            raise ImageError("not yet")
        return name.upper()

    lazy = LazyMapping(("a", "b"), make)
    assert "a" in lazy
    assert list(lazy) == ["a", "b"]
    assert len(lazy) == 2
    assert made == []
    with pytest.raises(ImageError):
        _ = lazy["a"]
    lazy.retry()
    assert lazy["a"] == lazy["a"] == "A"
    assert made == ["a", "a"]
    assert repr(lazy) == "<2: a, b; 1 opened>"
    with pytest.raises(KeyError):
        _ = lazy["c"]
    assert lazy.get("c") is None


def test_an_offer_is_plain_data():
    info = DatasetInfo("HCR_1", "/data/HCR_1", contents=("spots",))
    assert info == DatasetInfo("HCR_1", "/data/HCR_1", contents=("spots",))
    assert not info.active


def test_a_failure_is_believed_for_a_minute(monkeypatch):
    calls = []
    now = [100.0]
    monkeypatch.setattr("napari_seespot.dataset.time.monotonic", lambda: now[0])

    def make(name):
        calls.append(name)
        if len(calls) < 3:
            raise NotFoundError(f"{name} is out of reach")
        return name.upper()

    mapping = LazyMapping(("a", "b"), make)
    for _ in range(3):
        with pytest.raises(NotFoundError, match="a is out of reach"):
            mapping["a"]
    assert calls == ["a"]
    now[0] += 61
    with pytest.raises(NotFoundError):
        mapping["a"]
    assert calls == ["a", "a"]
    mapping.retry()
    assert mapping["a"] == "A"
    assert mapping["a"] == "A"
    assert calls == ["a", "a", "a"]
