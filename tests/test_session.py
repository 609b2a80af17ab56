"""A session without a viewer, as scripts use it; checked by pandas."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest

from napari_seespot.dataset import Dataset
from napari_seespot.errors import NotFoundError, SeeSpotError, StateError, TableError
from napari_seespot.session import Session
from napari_seespot.spots import Spots
from napari_seespot.state import State


@pytest.fixture
def session(tables):
    return Session(tables)


@pytest.fixture
def told(session):
    """Return the names of the fields of each change; the list grows."""
    changes = []

    def hear(view, names):
        assert view is session.view
        changes.append(names)

    session.changed.connect(hear)
    session.keep_alive = hear  # psygnal refers to it weakly
    return changes


def test_it_starts_with_the_first_pair(session, tables):
    assert session.state.pair == tables.channel_pairs[0]
    assert not session.history.can_undo
    kept = (tables.spots.to_pandas()["status"] != "removed").sum()
    assert repr(session) == f"<Session HCR_2: {kept:,} of 5,000 spots>"


def test_each_change_is_told_once(session, told):
    session.state.color_by = "r"
    session.state.color_by = "r"
    session.state.filters.ranges["r"] = (0, 1)
    assert told == [{"coloring"}, {"mask"}]


def test_a_change_that_shows_nothing_new_is_not_told(session, told):
    session.state.filters.chan = set(session.dataset.channels)
    assert len(told) <= 1


def test_several_changes_are_one(session, told):
    with session.one_change():
        session.state.color_by = "r"
        with session.one_change():
            session.state.filters.ranges["r"] = (0, 1)
        assert session.view.coloring.by == "r"  # whoever asks gets the newest
        session.state.slab_planes = 9
    assert told[-1] == {"slab_planes"}
    session.undo()
    assert told[-1] == {"coloring", "mask", "slab_planes"}
    assert session.state.color_by == "status"
    session.redo()
    assert session.state.slab_planes == 9


def test_a_listener_that_fails_harms_only_itself(session):
    def fail(*_):
        raise RuntimeError("a dock with a fault")

    session.changed.connect(fail)
    with pytest.raises(Exception, match="a dock with a fault"):
        session.state.color_by = "r"
    session.changed.disconnect(fail)
    assert session.view.coloring.by == "r"
    assert session.undo()


def test_visible_and_selected_rows(session):
    table = session.dataset.spots.to_pandas()
    session.state.filters.ranges["dist"] = (None, 0.8)
    wanted = table[(table["dist"] <= 0.8) & (table["status"] != "removed")]
    pd.testing.assert_frame_equal(session.visible(), wanted)
    ids = [5, 3, 4_999, 3]
    assert session.select(ids) == 3
    assert sorted(session.selected()["spot_id"]) == [3, 5, 4_999]
    assert session.select([3, 7], mode="add") == 4
    assert session.select([5], mode="subtract") == 3
    assert session.select([3, 1], mode="intersect") == 1
    session.clear_selection()
    assert len(session.selected()) == 0
    assert session.select([]) == 0
    assert session.state.selection.mask is None


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([1, 10**9], NotFoundError, "1 of 2 spots are not in the table, the first is"),
        (-1, NotFoundError, "spot_id -1"),
        ([1.5], TableError, "'spot_id' holds numbers with decimals"),
        (["a"], TableError, "'a'.*, which is not a number"),
        ([np.nan], SeeSpotError, "spot"),
        (None, SeeSpotError, "spot"),
    ],
)
def test_ids_that_are_not_there(session, ids, error, message):
    session.select([7])
    with pytest.raises(error, match=message):
        session.select(ids)
    assert session.selected()["spot_id"].tolist() == [7]


@pytest.mark.parametrize(
    "mask", [np.ones(3, bool), np.ones(5000, int), [True], np.ones((5000, 1), bool), 7]
)
def test_masks_of_something_else(session, mask):
    with pytest.raises(StateError, match=r"rows cannot be selected by .* shape"):
        session.select_rows(mask)


def test_an_unknown_mode(session):
    with pytest.raises(StateError, match="cannot be changed by 'xor'"):
        session.select([1], mode="xor")


def by_shoelace_side(x, y, corners):
    """Return what lies in a convex polygon: to the left of all of its edges."""
    inside = np.ones(len(x), bool)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0
    return inside


def test_polygons_select_all_rows_that_pass(session):
    session.state.filters.status = {"reassigned", "removed"}
    corners = [(100.0, 50.0), (3000.0, 200.0), (2500.0, 2500.0), (50.0, 1500.0)]
    table = session.dataset.spots.to_pandas()
    for pair in (None, ("594", "488")):
        a, b = pair or session.state.pair
        inside = by_shoelace_side(
            table[f"chan_{a}_intensity"].to_numpy(float),
            table[f"chan_{b}_intensity"].to_numpy(float),
            corners,
        )
        wanted = table[inside & (table["status"] != "unchanged")]
        assert session.select_polygon(corners, pair) == len(wanted) > 0
        assert session.selected()["spot_id"].tolist() == wanted["spot_id"].tolist()
    count = session.select_polygon(corners, pair, mode="subtract")
    assert count == 0


@pytest.mark.parametrize(
    ("corners", "pair", "error"),
    [
        ("abc", None, StateError),
        ([(0, 0), (1, 1)], None, StateError),
        ([(0, 0, 0)] * 4, None, StateError),
        ([(0, 0), (1, np.nan), (1, 0)], None, StateError),
        ([(0, 0), (1, 1), (1, 0)], ("488", "999"), NotFoundError),
        ([(0, 0), (1, 1), (1, 0)], "488", StateError),
        ([(0, 0), (1, 1), (1, 0)], ("488",), StateError),
        ([(0, 0), (1, 1), (1, 0)], ("488", "514", "561"), StateError),
    ],
)
def test_polygons_that_are_none(session, corners, pair, error):
    with pytest.raises(error):
        session.select_polygon(corners, pair)
    assert session.state.selection.mask is None


def test_one_channel_has_no_pair():
    raw = {
        "chan": np.array(["488"], object),
        "unmixed_chan": np.array(["488"], object),
        **{axis: np.ones(1) for axis in "zyx"},
        "chan_488_intensity": np.ones(1),
    }
    session = Session(Dataset("one", "", Spots.from_columns(raw)))
    assert session.state.pair is None
    with pytest.raises(StateError, match="there is no channel pair to draw"):
        session.select_polygon([(0, 0), (1, 1), (1, 0)])


def test_flying_tells_the_row(session):
    rows = []
    session.moved.connect(rows.append)
    session.go_to(17)
    assert session.dataset.spots.column("spot_id")[rows].tolist() == [17]
    with pytest.raises(NotFoundError, match="spot_id 0"):
        session.go_to(0)


def test_a_spot_without_a_position():
    raw = {
        "chan": np.array(["488"], object),
        "unmixed_chan": np.array([None], object),
        **{axis: np.array([np.nan]) for axis in "zyx"},
        "chan_488_intensity": np.ones(1),
    }
    session = Session(Dataset("HCR_1", "", Spots.from_columns(raw)))
    with pytest.raises(NotFoundError, match="HCR_1: spot 1 has no position"):
        session.go_to(1)


def test_exports_never_depend_on_what_is_drawn(session, tmp_path):
    table = session.dataset.spots.to_pandas()
    session.state.filters.channels = {"488"}
    session.select([1, 2, 3])
    for which, wanted in (
        ("all", table),
        ("visible", session.visible()),
        ("selected", table[table["spot_id"] <= 3]),
    ):
        path = session.export(tmp_path / f"{which}.csv", which)
        written = pd.read_csv(path, dtype={"chan": str, "unmixed_chan": str})
        assert written["spot_id"].tolist() == wanted["spot_id"].tolist()
        assert written["status"].tolist() == wanted["status"].tolist()
        assert np.allclose(written["x"], wanted["x"], rtol=1e-6)


def test_exports_that_make_no_sense(session, tmp_path):
    with pytest.raises(StateError, match="nothing is selected"):
        session.export(tmp_path / "a.csv")
    with pytest.raises(StateError, match="cannot export 'some'"):
        session.export(tmp_path / "a.csv", which="some")
    with pytest.raises(SeeSpotError, match=r"a\.xlsx"):
        session.export(tmp_path / "a.xlsx", which="all")
    with pytest.raises(SeeSpotError):
        session.export(tmp_path / "nowhere" / "a.csv", which="all")
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_is_given_is_shared(tables):
    state = State(color_by="chan")
    session = Session(tables, state)
    assert session.state is state
    assert session.view.coloring.by == "chan"


def test_a_state_of_another_dataset(tables):
    with pytest.raises(StateError, match="channel '405' is not in this dataset"):
        Session(tables, State(pair=("405", "488")))
    mine = Session(tables).state
    mine.selection.mask = np.ones(5000, bool)
    other = Dataset(
        "other",
        "",
        tables.spots.__class__.from_pandas(
            tables.spots.to_pandas().drop(columns="status").head(10)
        ),
    )
    with pytest.raises(StateError, match="of 5,000 spots, the dataset has 10"):
        Session(other, mine)
    mine.selection.mask = np.zeros(5000, bool)


def test_no_spots_at_all():
    raw = {"chan": np.zeros(0, object), "unmixed_chan": np.zeros(0, object)}
    raw |= {axis: np.zeros(0) for axis in "zyx"}
    raw |= {f"chan_{c}_intensity": np.zeros(0) for c in ("488", "514")}
    session = Session(Dataset("empty", "", Spots.from_columns(raw)))
    assert session.view.count_text == "0 of 0 spots"
    assert session.select_polygon([(0, 0), (1, 1), (1, 0)]) == 0
    assert len(session.visible()) == len(session.selected()) == 0
    session.state.color_by = "spot_id"
    with pytest.raises(NotFoundError):
        session.go_to(1)


def test_closing_twice_and_using_it_afterwards(session, told):
    ended = []
    session.closed.connect(lambda: ended.append(1))
    session.close()
    session.close()
    assert ended == [1]
    session.state.color_by = "chan"
    assert told == []
    assert len(session.visible()) > 0
    with pytest.raises(SeeSpotError, match="the session of HCR_2 was closed"):
        session.go_to(1)
    with pytest.raises(SeeSpotError, match="was closed"):
        session.check_open()


def test_a_session_is_not_kept_alive(tables):
    session = Session(tables)
    session.state.color_by = "r"
    session.undo()
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None


def test_a_mask_is_not_taken_for_spot_ids(tables):
    session = Session(tables)
    with pytest.raises(StateError, match="select_rows"):
        session.select(np.ones(len(tables.spots), bool))
    assert session.state.selection.mask is None
