"""The images of a dataset folder: what is asked for before they are opened."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from napari_seespot import _ome_zarr, images
from napari_seespot._requests import Answer
from napari_seespot.errors import ImageError
from napari_seespot.sources import _folder_images
from napari_seespot.sources._folder_images import Together, lazy_images

CHANNELS = ("488", "514")


class Place:
    """A dataset's folder with two fused images."""

    def __init__(self, root):
        self.root = root

    def names(self, folder=""):
        return tuple(f"channel_{c}.zarr" for c in CHANNELS)

    def uri_of(self, path):
        return f"{self.root}/{path}"


@pytest.fixture
def spots():
    return SimpleNamespace(channels=CHANNELS, genes={"488": "Crh"})


@pytest.fixture
def asked(monkeypatch):
    """Addresses that were asked for before any image; the first is of format 3."""
    seen = []

    def ask(uris, storage=None):
        seen.extend(uris)
        data = b"{}" if "new" in seen[-1] else None
        return {uri: Answer(data=data) for uri in uris}

    monkeypatch.setattr(_folder_images, "ask_many", ask)
    monkeypatch.setattr(_ome_zarr, "_format_3_folders", set())
    return seen


@pytest.fixture
def opened(monkeypatch):
    """What opening gives, and whether format 3 was expected then."""
    plan = SimpleNamespace(rounds=[], bad=set())

    def open_channels(uris, **_):
        newer = {_ome_zarr.is_format_3(uri) for uri in uris.values()}
        plan.rounds.append((sorted(uris), newer))
        good = {c: SimpleNamespace(channel=c) for c in uris if c not in plan.bad}
        return good, {c: ImageError(f"no {c}") for c in uris if c in plan.bad}

    monkeypatch.setattr(images, "open_channels", open_channels)
    return plan


@pytest.mark.parametrize("name", ["new", "old"])
def test_one_document_tells_the_format_while_folders_are_listed(
    spots, asked, opened, name
):
    root = f"s3://bucket/{name}"
    made = lazy_images(Place(root), spots, None)
    assert made["488"].channel == "488"
    assert asked == [f"{root}/image_tile_fusing/fused/channel_488.zarr/zarr.json"]
    assert opened.rounds == [(["488", "514"], {name == "new"})]


def test_addresses_that_a_server_tells(asked, opened):
    uris = {c: f"s3://bucket/new/{c}.zarr" for c in CHANNELS}
    together = Together(uris, {}, None)
    assert together.open("514").channel == "514"
    assert asked == []  # nothing of that store is looked at before it is wanted
    assert opened.rounds == [(["488", "514"], {False})]


def test_a_local_folder_is_not_asked_beforehand(spots, asked, opened, tmp_path):
    assert lazy_images(Place(tmp_path), spots, None)["514"].channel == "514"
    assert asked == []


def test_a_table_without_spots_has_no_channel_to_ask_for(asked, opened):
    nothing = SimpleNamespace(channels=(), genes={})
    assert list(lazy_images(Place("s3://b/new"), nothing, None)) == list(CHANNELS)
    assert asked == []


def test_a_store_that_hesitates_is_not_waited_for(spots, opened, monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(_folder_images, "_PEEK_SECONDS", 0.01)
    monkeypatch.setattr(
        _folder_images, "_peek", lambda *_: never.wait(20)  # longer than a test
    )  # fmt: skip
    assert lazy_images(Place("s3://b/old"), spots, None)["488"].channel == "488"
    never.set()


def test_a_retry_forgets_what_failed_for_all(spots, asked, opened):
    made = lazy_images(Place("s3://bucket/old"), spots, None)
    opened.bad = {"488", "514"}
    with pytest.raises(ImageError, match="no 488"):
        made["488"]
    opened.bad = set()
    made.retry()
    assert made["488"].channel == "488"
    assert made["514"].channel == "514"  # not the failure of the round before
