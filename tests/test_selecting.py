"""Selections, gates and regions against matplotlib's Path and pandas."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.path import Path as Outline

import napari_seespot as nss
from napari_seespot.dataset import Dataset
from napari_seespot.errors import (
    CancelledError,
    NotFoundError,
    SeeSpotError,
    StateError,
)
from napari_seespot.gates import Gate, as_gate, load_gates, save_gates
from napari_seespot.resolve import changes
from napari_seespot.restoring import load_session
from napari_seespot.session import Session
from napari_seespot.spots import Spots
from napari_seespot.state import State

TRIANGLE = ((0.0, 0.0), (600.0, 100.0), (200.0, 700.0))
SQUARE = ((100.0, 100.0), (400.0, 100.0), (400.0, 400.0), (100.0, 400.0))


def make_dataset(n=3000, seed=0, channels=("488", "514", "561"), cells=True):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "spot_id": np.arange(1, n + 1),
            "chan": rng.choice(channels, n),
            "unmixed_chan": rng.choice([*channels, None], n),
            "z": rng.uniform(0, 20, n),
            "y": rng.uniform(0, 100, n),
            "x": rng.uniform(0, 200, n),
            "r": rng.uniform(-1, 1, n),
            "dist": rng.uniform(0, 3, n),
        }
    )
    if cells:
        table["cell_id"] = rng.integers(0, 40, n)
    for channel in channels:
        table[f"chan_{channel}_intensity"] = rng.normal(300, 200, n).astype("f4")
    table.loc[::50, "chan_488_intensity"] = np.nan
    return Dataset("random", "memory", Spots.from_pandas(table, channels=channels))


@pytest.fixture
def session():
    return Session(make_dataset())


def frame(session):
    table = session.dataset.spots.to_pandas()
    table["passes"] = table["status"].isin(session.state.filters.status)
    return table


def inside(table, x, y, vertices):
    points = table[[x, y]].to_numpy(float)
    return Outline([*vertices, vertices[0]], closed=True).contains_points(points)


def rows(session):
    mask = session.state.selection.mask
    return np.zeros(len(session.dataset.spots), bool) if mask is None else mask


def test_a_region_of_the_image_selects_all_rows_inside_it(session):
    table = frame(session)
    vertices = [(10, 20), (90, 40), (60, 150)]
    expected = inside(table, "y", "x", vertices) & table["passes"]
    assert session.select_region(vertices) == expected.sum() > 100
    np.testing.assert_array_equal(rows(session), expected)
    deep = table["z"].between(3, 8)
    session.select_region(vertices, (3, 8), "subtract")
    np.testing.assert_array_equal(rows(session), expected & ~deep)
    session.select_region(vertices, (3, 8))
    np.testing.assert_array_equal(rows(session), expected & deep)
    assert session.select_region(vertices, (50, 60), "intersect") == 0
    for bad in ((8, 3), (1, None), 3, (np.nan, 2)):
        with pytest.raises(StateError, match="range of z"):
            session.select_region(vertices, bad)


def test_inverting_takes_the_other_rows_that_pass(session):
    table = frame(session)
    session.select(table.loc[table["r"] > 0.2, "spot_id"])
    expected = table["passes"] & ~(table["r"] > 0.2)
    assert session.invert_selection() == expected.sum()
    np.testing.assert_array_equal(rows(session), expected)
    session.clear_selection()
    assert session.invert_selection() == table["passes"].sum()
    assert session.invert_selection() == 0
    assert session.state.selection.mask is None
    session.state.filters.status = {"unchanged", "reassigned", "removed"}
    session.state.filters.chan = None
    assert session.invert_selection() == len(table)


def test_growing_to_cells(session):
    table = frame(session)
    some = table[(table["cell_id"].isin([0, 3, 7])) & (table["status"] == "removed")]
    session.select(some["spot_id"])
    grown = table["passes"] & table["cell_id"].isin([3, 7])
    expected = grown | table["spot_id"].isin(some["spot_id"])
    assert session.select_cells() == expected.sum()
    np.testing.assert_array_equal(rows(session), expected)
    session.clear_selection()
    assert session.select_cells() == 0
    with pytest.raises(NotFoundError, match="cells are not known"):
        Session(make_dataset(cells=False)).select_cells()


def test_a_gate_selects_what_its_polygon_holds(session):
    table = frame(session)
    gate = session.add_gate("bright", TRIANGLE)
    assert gate == Gate("488", "514", TRIANGLE)
    held = inside(table, "chan_488_intensity", "chan_514_intensity", TRIANGLE)
    assert session.select_gate("bright") == (held & table["passes"]).sum() > 100
    np.testing.assert_array_equal(rows(session), held & table["passes"])
    quality = [(0.5, -1), (1, -1), (1, 2), (0.5, 2)]
    session.add_gate("sharp", quality, ("r", "dist"), "intersect")
    sharp = inside(table, "r", "dist", quality)
    session.clear_selection()
    assert session.apply_gates() == (held & sharp & table["passes"]).sum() > 10
    assert session.select_gate("sharp", "subtract") == 0
    assert session.apply_gates(["sharp"]) == 0  # of nothing
    session.select_gate("bright")
    assert session.apply_gates([]) == (held & table["passes"]).sum()
    with pytest.raises(StateError, match=r"no gate .dim..*bright, sharp"):
        session.select_gate("dim")
    with pytest.raises(StateError, match="changed by 'xor'"):
        session.select_gate("sharp", "xor")


def test_gates_are_undone_and_saved_like_every_other_change(session, tmp_path):
    seen = []
    session.changed.connect(lambda view, names: seen.append(names))
    session.add_gate("a", TRIANGLE)
    session.add_gate("b", SQUARE, ("514", "561"), "add")
    del session.state.gates["a"]
    assert seen == [{"gates"}] * 3
    assert [*session.state.gates] == ["b"]
    session.undo()
    assert [*session.state.gates] == ["a", "b"]
    session.undo()
    session.undo()
    assert [*session.state.gates] == []
    for _ in range(3):
        session.redo()
    assert session.view.gates == (("b", Gate("514", "561", SQUARE, "add")),)
    path = session.save(tmp_path / "s.json")
    state = load_session(path).state
    assert dict(state.gates) == dict(session.state.gates)
    assert nss.Session(session.dataset, state).view.gates == session.view.gates


def test_a_polygon_in_any_two_columns(session):
    frame = session.visible()
    count = session.select_polygon(
        [(0.2, -1), (0.9, -1), (0.9, 1), (0.2, 1)], ("r", "dist")
    )
    inside = frame["r"].between(0.2, 0.9) & frame["dist"].between(-1, 1)
    assert count == inside.sum() > 0
    with pytest.raises(NotFoundError, match="no channel or numeric column 'size'"):
        session.select_polygon(TRIANGLE, ("r", "size"))


def test_gates_go_to_another_dataset(session, tmp_path):
    session.add_gate("a", TRIANGLE)
    session.add_gate("b", SQUARE, ("r", "514"), "subtract")
    path = session.save_gates(tmp_path / "gates.json")
    other = Session(make_dataset(seed=9))
    other.add_gate("own", SQUARE)
    assert other.load_gates(path) == ("a", "b")
    assert [*other.state.gates] == ["own", "a", "b"]
    assert other.state.gates["b"] == session.state.gates["b"]
    table = frame(other)
    held = inside(table, "chan_488_intensity", "chan_514_intensity", TRIANGLE)
    assert other.select_gate("a") == (held & table["passes"]).sum()
    narrow = Session(make_dataset(channels=("488", "561")))
    with pytest.raises(StateError, match="gate's column '514' is not in this"):
        narrow.load_gates(path)
    assert not narrow.state.gates
    state = State(gates={"a": session.state.gates["a"]})
    with pytest.raises(StateError, match="'514' is not in this dataset"):
        Session(narrow.dataset, state)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "a gate cannot be 3"),
        ({"x": "488"}, "a gate cannot be"),
        ({"x": "488", "y": "r", "vertices": [(0, 0), (1, 1)]}, "at least 3"),
        ({"x": "488", "y": "r", "vertices": [(0, 0), (1, np.nan), (1, 2)]}, "vertex 1"),
        ({"x": "488", "y": "r", "vertices": SQUARE, "mode": "xor"}, "'xor'"),
    ],
)
def test_gates_that_cannot_be(session, value, words):
    with pytest.raises(StateError, match=words):
        session.state.gates["bad"] = value
    assert not session.state.gates
    with pytest.raises(StateError):
        as_gate(value)


def test_gates_need_a_pair(session):
    with pytest.raises(StateError, match="'488' is no channel pair"):
        session.add_gate("a", SQUARE, "488")
    with pytest.raises(StateError, match="no channel pair to draw"):
        Session(make_dataset(channels=("488",))).add_gate("a", SQUARE)


def test_files_without_gates(tmp_path):
    good = tmp_path / "good.json"
    save_gates({"a": Gate("488", "514", SQUARE)}, good)
    document = json.loads(good.read_text())
    bad = tmp_path / "bad.json"
    for change, words in (
        ({"schema": "other"}, "does not hold the gates.*Expected"),
        ({"schema_version": 99}, "schema version 99.*Update"),
        ({"gates": 3}, "holds no gates"),
        ({"gates": {"a": {"x": 1}}}, "a gate is damaged"),
    ):
        bad.write_text(json.dumps({**document, **change}))
        with pytest.raises(StateError, match=words):
            load_gates(bad)
    bad.write_text("{")
    with pytest.raises(StateError, match="no JSON"):
        load_gates(bad)
    with pytest.raises(StateError, match="cannot be read"):
        load_gates(tmp_path / "missing.json")
    with pytest.raises(SeeSpotError, match="gates cannot be written"):
        save_gates({}, bad / "gates.json")


def test_cells_filter_rows(session):
    table = frame(session)
    session.state.filters.cells = {3, 7, 99}
    expected = table["passes"] & table["cell_id"].isin([3, 7])
    np.testing.assert_array_equal(session.view.where, expected)
    assert session.view.mask.count == expected.sum() > 50
    session.state.filters.ranges["r"] = (0, 1)
    assert session.view.mask.count == (expected & table["r"].between(0, 1)).sum()
    session.state.filters.cells = set()
    assert session.view.mask.count == 0
    session.state.filters.reset()
    assert session.view.mask.count == table["passes"].sum()
    with pytest.raises(StateError, match="cells"):
        session.state.filters.cells = {"a"}
    with pytest.raises(StateError, match="'cell_id' is not in this dataset"):
        Session(make_dataset(cells=False)).state.filters.cells = {1}


def test_what_is_highlighted_is_not_faded(session):
    table = frame(session)
    every = slice(None)
    assert session.view.faded(every) is None
    for status in ("reassigned", "removed"):
        before = session.view
        session.state.highlight = status
        assert changes(before, session.view) == {"highlight"}
        np.testing.assert_array_equal(
            session.view.faded(every), table["status"] != status
        )
    session.state.highlight = "selected"
    assert session.view.faded(every) is None  # nothing to tell apart
    session.select([5, 9])
    np.testing.assert_array_equal(
        session.view.faded(every), ~table["spot_id"].isin([5, 9])
    )
    with pytest.raises(StateError, match="highlight"):
        session.state.highlight = "unchanged"


def test_places_are_gone_back_to_one_after_the_other(session):
    went = []
    session.returned.connect(went.append)
    assert not session.go_back()
    for place in range(60):
        session.remember_place(place)
    assert session.go_back()
    assert session.go_back()
    assert went == [59, 58]
    while session.go_back():
        pass
    assert went[-1] == 10  # the last fifty are kept
    session.close()
    with pytest.raises(SeeSpotError, match="was closed"):
        session.go_back()


def test_rows_in_a_polygon_change_nothing():
    session = Session(make_dataset())
    inside = session.rows_in_polygon(TRIANGLE, ("488", "514"))
    assert session.state.selection.mask is None
    assert not inside.flags.writeable
    count = session.select_polygon(TRIANGLE, ("488", "514"))
    np.testing.assert_array_equal(session.state.selection.mask, inside)
    assert count == inside.sum() > 50
    session.select_rows(inside)
    assert session.state.selection.mask is inside  # kept without a copy


def test_rows_in_a_polygon_of_another_view_and_cancelled():
    session = Session(make_dataset())
    before = session.view
    session.state.filters.status = {"removed"}
    now = session.rows_in_polygon(TRIANGLE, ("488", "514"))
    then = session.rows_in_polygon(TRIANGLE, ("488", "514"), view=before)
    assert then.any()
    assert not (now & then).any()
    with pytest.raises(CancelledError):
        session.rows_in_polygon(TRIANGLE, ("488", "514"), cancelled=lambda: True)
