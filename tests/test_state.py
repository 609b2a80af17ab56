from __future__ import annotations

import numpy as np
import pytest

from napari_seespot.errors import StateError
from napari_seespot.evented import Domain, EventedMap
from napari_seespot.state import AxisLimits, Filters, State

DOMAIN = Domain(("488", "514"), ("r", "dist", "spot_id"), rows=4)


@pytest.fixture
def state():
    state = State()
    state.bind(DOMAIN)
    return state


@pytest.fixture
def heard(state):
    """Return what the state tells of; the list grows."""
    paths = []
    state.changed.connect(paths.append)
    return paths


def set_path(state, path, value):
    """Set ``"filters.ranges"`` as a script would."""
    *parents, name = path.split(".")
    for parent in parents:
        state = getattr(state, parent)
    setattr(state, name, value)


@pytest.mark.parametrize(
    ("path", "value", "kept"),
    [
        ("pair", ("488", "514"), ("488", "514")),
        ("pair", ["514", "488"], ("514", "488")),
        ("color_by", "chan", "chan"),
        ("color_by", "dist", "dist"),
        ("filters.status", {"removed"}, frozenset({"removed"})),
        ("filters.status", (n for n in ["removed"]), frozenset({"removed"})),
        ("filters.status", {"removed": 1}.keys(), frozenset({"removed"})),
        ("filters.status", set(), frozenset()),
        ("filters.channels", ["488"], frozenset({"488"})),
        ("filters.unmixed_chan", {"removed"}, frozenset({"removed"})),
        ("filters.chan", ("488",), frozenset({"488"})),
        ("filters.valid_only", True, True),
        ("filters.ranges", {"r": (0, 1)}, {"r": (0.0, 1.0)}),
        ("filters.ranges", {"r": [np.float32(0.5), None]}, {"r": (0.5, None)}),
        ("filters.ranges", {"r": (-np.inf, np.inf)}, {"r": (-np.inf, np.inf)}),
        ("limits.fixed", {"488/514": [0, 1, 2, 3]}, {"488/514": (0.0, 1.0, 2.0, 3.0)}),
        ("limits.mode", "minmax", "minmax"),
        ("plot", "points", "points"),
        ("count_scale", "linear", "linear"),
        ("point_size_um", 1, 1.0),
        ("slab_planes", 0, 0.0),
        ("picture", "density", "density"),
        ("max_points", 5, 5),
    ],
)
def test_what_can_be_set_is_kept_and_told_once(state, heard, path, value, kept):
    set_path(state, path, value)
    got = state
    for name in path.split("."):
        got = getattr(got, name)
    assert (dict(got) if isinstance(got, EventedMap) else got) == kept
    assert heard == [path]
    set_path(state, path, kept)
    assert heard == [path]  # the same again is no change


REFUSED = [
    ("pair", "488", "pair cannot be '488'"),
    ("pair", ("488",), "pair"),
    ("pair", ("488", "514", "488"), "pair"),
    ("pair", ("488", "999"), "channel '999' is not in this dataset. Expected one of"),
    ("pair", (c for c in ("488", "999")), "channel '999' is not in this dataset"),
    ("pair", (488, 514), "channel 488 is not in this dataset"),
    ("pair", 5, "pair cannot be 5"),
    ("color_by", "colour", "colour 'colour' is not in this dataset"),
    ("color_by", None, "color_by cannot be None"),
    ("color_by", 5, "color_by cannot be 5"),
    ("filters", None, "filters cannot be replaced. Expected its fields set"),
    ("filters.status", "removed", "status cannot be 'removed'"),
    ("filters.status", None, "status cannot be None"),
    ("filters.status", {"lost"}, "status 'lost' is not in this dataset"),
    ("filters.status", (n for n in ["lost"]), "status 'lost' is not in this dataset"),
    ("filters.status", [["removed"]], r"status \['removed'\] is not in this dataset"),
    ("filters.channels", {488}, "channel 488 is not in this dataset"),
    ("filters.channels", {"999": 1}.keys(), "channel '999' is not in this dataset"),
    ("filters.channels", "488", "channels cannot be '488'"),
    ("filters.valid_only", "perhaps", "valid_only cannot be 'perhaps'"),
    ("filters.valid_onyl", True, "valid_onyl cannot be True"),
    ("filters.ranges", None, "None is no mapping. Expected a dict"),
    ("filters.ranges", {"colour": (0, 1)}, "column 'colour' is not in this dataset"),
    ("filters.ranges", {5: (0, 1)}, "column 5 is not in this dataset"),
    ("filters.ranges", {"r": 5}, "the range of 'r' cannot be 5. Expected .low, high."),
    ("filters.ranges", {"r": "12"}, "the range of 'r' cannot be '12'"),
    ("filters.ranges", {"r": (1,)}, "the range of 'r' cannot be"),
    ("filters.ranges", {"r": (1, "x")}, "the range of 'r' cannot be"),
    ("filters.ranges", {"r": (np.nan, 1)}, "has an end that is no number"),
    ("filters.ranges", {"r": (2, 1)}, "goes from 2 down to 1. Expected the lower end"),
    ("selection.mask", [True] * 4, "mask cannot be"),
    ("selection.mask", np.ones(4), "a boolean array with one entry a row"),
    ("selection.mask", np.ones((2, 2), bool), "a boolean array with one entry a row"),
    ("selection.mask", np.ones(3, bool), "the selection is of 3 spots, the dataset ha"),
    ("limits.fixed", {"488/514": (0, 1, 2)}, "the limits of 488/514 cannot be"),
    ("limits.fixed", {"488/514": (1, 0, 0, 1)}, "Expected four numbers: x low"),
    ("limits.fixed", {"488/514": (0, np.nan, 0, 1)}, "the limits of 488/514 cannot"),
    ("limits.mode", "some", "mode cannot be 'some'"),
    ("plot", "pie", "plot cannot be 'pie'"),
    ("point_size_um", 0, "point_size_um cannot be 0"),
    ("point_size_um", np.nan, "point_size_um cannot be nan"),
    ("point_size_um", "big", "point_size_um cannot be 'big'"),
    ("slab_planes", -1, "slab_planes cannot be -1"),
    ("picture", "none", "picture cannot be 'none'"),
    ("max_points", 1.5, "max_points cannot be 1.5"),
    ("max_points", -1, "max_points cannot be -1"),
    ("colour_by", "status", "colour_by cannot be 'status'"),
]


@pytest.mark.parametrize(("path", "value", "message"), REFUSED)
def test_what_cannot_be_shown_is_refused_and_changes_nothing(
    state, heard, path, value, message
):
    before = state.snapshot()
    with pytest.raises(StateError, match=message):
        set_path(state, path, value)
    assert state.snapshot() == before
    assert heard == []


def test_one_bad_item_of_a_mapping_refuses_all(state, heard):
    state.filters.ranges["r"] = (0, 1)
    heard.clear()
    with pytest.raises(StateError):
        state.filters.ranges.update(r=(0.5, 1), dist=(2, 1))
    assert dict(state.filters.ranges) == {"r": (0.0, 1.0)}
    assert heard == []


def test_a_mapping_tells_of_each_way_to_change_it(state, heard):
    ranges = state.filters.ranges
    ranges["r"] = (0, 1)
    ranges.update({"dist": (None, 2)}, r=(0, 0.5))
    ranges.pop("r")
    ranges.pop("r", None)
    assert ranges.setdefault("dist", (0, 1)) == (None, 2.0)
    ranges.clear()
    ranges.clear()
    assert heard == ["filters.ranges"] * 4
    with pytest.raises(KeyError):
        del ranges["r"]
    assert repr(ranges) == "{}"


def test_values_can_be_given_at_the_start():
    state = State(
        color_by="chan",
        filters={"ranges": {"r": (0, 1)}, "status": ["removed"]},
        limits=AxisLimits(fixed={"488/514": (0, 1, 0, 1)}),
    )
    state.bind(DOMAIN)
    assert dict(state.filters.ranges) == {"r": (0.0, 1.0)}
    assert state.filters.status == {"removed"}
    heard = []
    state.changed.connect(heard.append)
    state.filters.ranges["r"] = (0, 0.5)
    state.limits.fixed.clear()
    assert heard == ["filters.ranges", "limits.fixed"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colour": 1}, "colour cannot be 1. Expected Extra inputs"),
        ({"plot": "pie"}, "plot cannot be 'pie'"),
        ({"filters": {"colour": 1}}, "colour"),
        ({"filters": {"ranges": {"r": (2, 1)}}}, "the range of 'r' goes from 2"),
    ],
)
def test_bad_values_at_the_start(values, message):
    with pytest.raises(StateError, match=message):
        State(**values)


def test_states_share_nothing():
    one, other = State(), State()
    one.filters.ranges["r"] = (0, 1)
    one.limits.fixed["a/b"] = (0, 1, 0, 1)
    assert not other.filters.ranges
    assert not other.limits.fixed


@pytest.mark.parametrize(
    "values",
    [
        {"color_by": "other"},
        {"pair": ("488", "561")},
        {"filters": Filters(channels={"561"})},
        {"filters": Filters(unmixed_chan={"561"})},
        {"filters": Filters(status={"lost"})},
        {"filters": Filters(ranges={"other": (0, 1)})},
        {"selection": {"mask": np.ones(9, bool)}},
    ],
)
def test_a_state_of_another_dataset_is_refused(values):
    state = State(**values)
    with pytest.raises(StateError):
        state.bind(DOMAIN)


def test_a_refused_state_still_belongs_to_its_own_dataset():
    state = State(pair=("488", "561"))
    state.bind(Domain(("488", "561"), ()))
    with pytest.raises(StateError):
        state.bind(DOMAIN)
    state.pair = ("561", "488")
    with pytest.raises(StateError, match="channel '514'"):
        state.pair = ("488", "514")


def test_a_refusal_by_an_empty_dataset():
    state = State()
    state.bind(Domain((), ()))
    with pytest.raises(StateError, match="Expected one of none: it is empty"):
        state.pair = ("488", "514")


def test_snapshots_restore_everything(state):
    state.pair = ("488", "514")
    state.filters.ranges["r"] = (0, 1)
    state.filters.channels = {"488"}
    state.selection.mask = np.array([True, False, False, True])
    state.limits.fixed["488/514"] = (0, 1, 0, 1)
    before = state.snapshot()
    state.pair = ("514", "488")
    state.filters.reset()
    state.selection.mask = None
    state.limits.fixed.clear()
    state.restore(before)
    after = state.snapshot()
    assert after.pop("selection")["mask"] is before.pop("selection")["mask"]
    assert after == before


def test_reset_lets_pass_what_passes_at_the_start(state):
    for name in ("channels", "chan", "unmixed_chan"):
        setattr(state.filters, name, {"488"})
    state.filters.status = {"removed"}
    state.filters.valid_only = True
    state.filters.ranges["r"] = (0, 1)
    state.filters.reset()
    assert state.snapshot()["filters"] == State().snapshot()["filters"]


def test_a_selection_is_nobody_elses(state):
    mask = np.array([True, False, False, True])
    state.selection.mask = mask
    mask[:] = False
    assert state.selection.count == 2
    with pytest.raises(ValueError, match="read-only"):
        state.selection.mask[0] = False
    frozen = state.selection.mask
    state.selection.mask = None
    assert state.selection.count == 0
    state.selection.mask = frozen  # undo shares it
    assert state.selection.mask is frozen


def test_limits_of_a_pair_have_their_mode(state):
    told = []
    state.changed.connect(told.append)
    state.limits.modes["488/514"] = "minmax"
    assert told == ["limits.modes"]
    with pytest.raises(StateError, match=r"488/514 cannot be 'widest'.*percentile"):
        state.limits.modes["488/514"] = "widest"
    before = state.snapshot()
    state.limits.modes.clear()
    state.restore(before)
    assert dict(state.limits.modes) == {"488/514": "minmax"}
    assert dict(State(limits={"modes": {"a/b": "minmax"}}).limits.modes)


@pytest.mark.parametrize(
    ("field", "value"), [("axis_scale", "cubic"), ("asinh_width", 0)]
)
def test_axes_that_cannot_be(state, field, value):
    with pytest.raises(StateError, match=field):
        setattr(state, field, value)
