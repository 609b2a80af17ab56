"""Neuroglancer links that a SeeSpot server makes."""

from __future__ import annotations

import numpy as np
import pytest
from tests import _seespot_server as fake
from tests._seespot_server import DATASETS, LINK, LINKS, TILED_NAME, answer, status

import napari_seespot as nss
from napari_seespot.errors import CancelledError, ServerError, StateError
from napari_seespot.saving import save_session
from napari_seespot.scripting import script_of
from napari_seespot.server_links import server_link


@pytest.fixture
def server():
    yield from fake.serve(answer("newer"))


@pytest.fixture
def dataset(server):
    return nss.open_dataset(server.url.replace("://", "://me:secret@"))


def test_one_spot(server, dataset):
    row = int(np.flatnonzero(dataset.spots.column("cell_id") > 0)[0])
    made = server_link(dataset, np.array([row]), color="#00ffff", zoom=0.5)
    assert made.url.startswith("https://neuroglancer-demo.appspot.com/#!")
    assert (made.marked, made.missing) == (1, 0)
    (request,) = server.asked(LINK)
    record = dataset.spots.to_pandas(rows=np.array([row])).iloc[0]
    x, y, z = (float(record[axis]) for axis in "xyz")
    assert request.body == {
        "fused_s3_paths": answer("newer")["fused_s3_paths"],
        "position": pytest.approx([x, y, z, 0]),
        "point_annotation": pytest.approx([x, y, z, 0.5, 0]),
        "spot_id": int(record["spot_id"]),
        "cell_id": str(record["cell_id"]),
        "annotation_color": "#00ffff",
        "cross_section_scale": 0.5,
    }
    # the password that it was opened with goes along, and nowhere else
    assert request.headers["Authorization"].startswith("Basic ")
    assert "secret" not in repr(dataset) + dataset.uri


def test_a_password_is_never_saved(dataset, tmp_path):
    session = nss.Session(dataset)
    text = save_session(session, tmp_path / "a.json").read_text()
    assert "secret" not in text + script_of(session)


def test_several_spots_and_those_the_server_does_not_know(server, dataset):
    rows = np.arange(5)
    made = server_link(dataset, rows, name="Mine")
    (request,) = server.asked(LINKS)
    ids = [int(i) for i in dataset.spots.column("spot_id")[rows]]
    assert request.body["spot_ids"] == ids
    assert request.body["layer_name"] == "Mine"
    assert (made.marked, made.missing) == (5, 0)
    for one in ids[:2]:
        del server.content["spot_details"][str(one)]
    made = server_link(dataset, rows)
    assert (made.marked, made.missing) == (3, 2)


def test_what_cannot_be_linked(server, dataset, tables):
    with pytest.raises(StateError, match="came from no SeeSpot server"):
        server_link(tables, np.array([0]))
    with pytest.raises(StateError, match="no spot to mark"):
        server_link(dataset, np.zeros(0, np.int64))
    with pytest.raises(CancelledError):
        server_link(dataset, np.array([0]), cancelled=lambda: True)
    server.downloaded.add(TILED_NAME)
    server.active = TILED_NAME  # somebody else chose another one
    with pytest.raises(ServerError, match=f"serves {TILED_NAME} by now") as error:
        server_link(dataset, np.array([0]))
    assert "secret" not in str(error.value)
    assert not server.asked(LINK)
    server.fail(DATASETS, status(404))  # an older server has no list
    assert server_link(dataset, np.array([0])).marked == 1
    server.fail(DATASETS, status(500, {"error": "no"}))
    with pytest.raises(ServerError, match="500"):
        server_link(dataset, np.array([0]))
