"""The index against brute force: any box, any filter, any limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_seespot import index as index_module
from napari_seespot.index import FLOOR, Box, SpotIndex
from napari_seespot.priority import priority
from napari_seespot.spots import Spots

CHANNELS = ("488", "514", "561")
N_CODES = 12
INF = np.inf


def make_spots(n, seed=0, *, plane=None, nan=False, rare=False):
    """Return random spots; few values, so that borders are hit."""
    rng = np.random.default_rng(seed)
    chan = rng.choice(CHANNELS, n)
    unmixed = rng.choice([*CHANNELS, None], n)
    if rare:  # all but a handful are of one code
        common = rng.random(n) < 0.99
        chan[common], unmixed[common] = "488", "488"
    place = {axis: rng.integers(0, 40, n) / 2 for axis in "zyx"}
    if plane is not None:
        place["z"][:] = plane
    if nan:
        for values in place.values():
            values[rng.random(n) < 0.1] = np.nan
    raw = {
        "spot_id": rng.permutation(n) + 1,
        "chan": chan.astype(object),
        "unmixed_chan": unmixed.astype(object),
        **place,
        **{f"chan_{c}_intensity": rng.normal(size=n) for c in CHANNELS},
    }
    return Spots.from_columns(raw, channels=CHANNELS)


def by_hand(spots, box, allowed=None, where=None):
    """Return the rows in a box that pass, one comparison after the other."""
    inside = np.ones(len(spots), np.bool_)
    low, high = (np.asarray(end, np.float32) for end in (box.low, box.high))
    for axis, name in enumerate("zyx"):
        values = spots.column(name)
        inside &= (values >= low[axis]) & (values <= high[axis])
    if allowed is not None:
        inside &= allowed[spots.code]
    if where is not None:
        inside &= where
    return np.flatnonzero(inside)


def best(spots, rows, n):
    """Return the n rows of the lowest priority number, by a plain sort."""
    ids = spots.column("spot_id")[rows]
    order = np.lexsort((ids, priority(ids)))
    return np.sort(rows[order[:n]])


def expected_choice(spots, rows, limit):
    """Return what is to be chosen of all rows in a box."""
    if len(rows) <= limit:
        return rows
    chosen = set(best(spots, rows, limit).tolist())
    codes = spots.code[rows]
    for code in np.unique(codes):
        of_code = rows[codes == code]
        if len(chosen & set(of_code.tolist())) < min(FLOOR, len(of_code)):
            chosen |= set(best(spots, of_code, FLOOR).tolist())
    return np.array(sorted(chosen), np.int64)


@st.composite
def tables(draw):
    n = draw(st.sampled_from([0, 1, 2, 30, 700]))
    return make_spots(
        n,
        draw(st.integers(0, 5)),
        plane=draw(st.sampled_from([None, None, 3.0, np.nan])),
        nan=draw(st.booleans()),
        rare=draw(st.booleans()),
    )


def ends():
    """Return pairs of ends: on values, between them, open, inverted, no number."""
    numbers = st.one_of(st.integers(-2, 44).map(lambda n: n / 2), st.floats(-1, 21))
    pairs = st.tuples(numbers, numbers).map(sorted)
    odd = [(-INF, INF), (3.0, INF), (-INF, 3.0), (5.0, 4.0), (np.nan, 3.0), (7.0, 7.0)]
    return st.one_of(pairs, st.sampled_from(odd))


@st.composite
def boxes(draw):
    """Return windows, slabs along any axis and boxes in 3-D."""
    pairs = [draw(ends()) for _ in range(3)]
    kind = draw(st.sampled_from(["box", "slab z", "slab y", "slab x", "all"]))
    if kind == "all":
        return Box()
    if kind != "box":
        axis = "zyx".index(kind[-1])
        center = draw(st.integers(-2, 42)) / 2
        half = draw(st.sampled_from([0.0, 0.5, 2.5, 9.0]))
        pairs[axis] = (center - half, center + half)
    low, high = zip(*pairs, strict=True)
    return Box(tuple(map(float, low)), tuple(map(float, high)))


@st.composite
def filters(draw, spots):
    allowed = where = None
    rng = np.random.default_rng(draw(st.integers(0, 3)))
    if draw(st.booleans()):
        allowed = rng.random(N_CODES) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    if draw(st.booleans()):
        where = rng.random(len(spots)) < draw(st.sampled_from([0.0, 0.01, 0.5, 1.0]))
    return allowed, where


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_rows_and_counts_of_any_box(data):
    spots, box = data.draw(tables()), data.draw(boxes())
    allowed, where = data.draw(filters(spots))
    index = SpotIndex(spots)
    wanted = by_hand(spots, box, allowed, where)
    rows = index.rows_in(box, allowed, where)
    assert rows.dtype == np.int64
    assert rows.tolist() == wanted.tolist()
    counts = index.counts(box, allowed, where)
    assert counts.tolist() == np.bincount(spots.code[wanted], minlength=12).tolist()


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_the_choice_in_any_box(data):
    spots, box = data.draw(tables()), data.draw(boxes())
    allowed, where = data.draw(filters(spots))
    limit = data.draw(st.sampled_from([0, 1, 5, 20, 300, 699, 700, 10_000]))
    index = SpotIndex(spots)
    wanted = by_hand(spots, box, allowed, where)
    chosen = index.choose(box, limit, allowed, where)
    assert chosen.total == len(wanted)
    assert chosen.rows.tolist() == expected_choice(spots, wanted, limit).tolist()
    assert chosen.limited == (len(chosen.rows) < len(wanted))
    assert len(chosen.rows) <= max(limit + FLOOR * N_CODES, 0)
    assert set(spots.code[chosen.rows]) == set(spots.code[wanted])  # none disappears


@pytest.fixture(scope="module")
def many():
    return make_spots(300_000, 7, nan=True, rare=True)


BOX = Box((2.0, 1.0, 0.0), (15.5, 18.0, 19.0))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("limit", [0, 500, 20_000, 1_000_000])
def test_large_tables_read_few_levels_and_choose_the_same(
    many, limit, threads, monkeypatch
):
    rows = 1_000 if threads == 2 else 10**9
    monkeypatch.setattr(index_module, "_PARALLEL_ROWS", rows)
    index = SpotIndex(many)
    rng = np.random.default_rng(0)
    for where in (None, rng.random(len(many)) < 0.5, rng.random(len(many)) < 1e-3):
        wanted = by_hand(many, BOX, None, where)
        assert (index.rows_in(BOX, None, where) == wanted).all()
        chosen = index.choose(BOX, limit, None, where)
        assert chosen.total == len(wanted)
        assert (chosen.rows == expected_choice(many, wanted, limit)).all()


def test_counts_that_the_caller_knows_give_the_same(many):
    index = SpotIndex(many)
    counts = index.counts(BOX)
    asked = index.choose(BOX, 1000)
    told = index.choose(BOX, 1000, counts=counts)
    assert asked.total == told.total
    assert (asked.rows == told.rows).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_zooming_in_takes_no_spot_away(data):
    spots = make_spots(
        2000, data.draw(st.integers(0, 3)), rare=data.draw(st.booleans())
    )
    index = SpotIndex(spots)
    limit = data.draw(st.sampled_from([0, 10, 200]))
    outer, inner = data.draw(boxes()), data.draw(boxes())
    inner = Box(
        tuple(np.fmax(inner.low, outer.low)), tuple(np.fmin(inner.high, outer.high))
    )
    before = index.choose(outer, limit).rows
    after = index.choose(inner, limit).rows
    inside = set(by_hand(spots, inner).tolist())
    assert set(before.tolist()) & inside <= set(after.tolist())


def test_panning_keeps_what_stays_in_view(many):
    """Of what is in both windows, nearly all stays: only the last places change."""
    index = SpotIndex(many)
    here = Box((0.0, 0.0, 0.0), (20.0, 10.0, 10.0))
    there = Box((0.0, 0.5, 0.5), (20.0, 10.5, 10.5))
    before, after = (set(index.choose(b, 1000).rows.tolist()) for b in (here, there))
    both = set(by_hand(many, Box((0.0, 0.5, 0.5), (20.0, 10.0, 10.0))).tolist())
    assert len((before & both) - after) <= 0.1 * len(before)


def test_the_choice_does_not_depend_on_the_order_of_the_file():
    spots = make_spots(700, 3)
    table = spots.to_pandas().drop(columns="status")
    again = Spots.from_pandas(table.sample(frac=1, random_state=1), channels=CHANNELS)
    ids = [
        set(s.column("spot_id")[SpotIndex(s).choose(Box(), 50).rows].tolist())
        for s in (spots, again)
    ]
    assert ids[0] == ids[1]


@given(st.integers(0, 400), st.integers(-1, 450))
def test_the_most_important_rows(m, limit):
    spots = make_spots(400, 1)
    rows = np.sort(np.random.default_rng(m).permutation(400)[:m])
    found = SpotIndex(spots).most_important(rows, limit)
    assert found.tolist() == best(spots, rows, max(limit, 0)).tolist()


def test_ends_are_compared_as_the_positions_are_kept():
    """0.1 is less in float64 than in float32, yet a spot at 0.1 is in [0.1, 0.1]."""
    raw = {
        "chan": np.array(["488"], object),
        "unmixed_chan": np.array(["488"], object),
        **{axis: np.array([0.1]) for axis in "zyx"},
        "chan_488_intensity": np.ones(1),
    }
    index = SpotIndex(Spots.from_columns(raw))
    assert len(index.rows_in(Box((0.1,) * 3, (0.1,) * 3))) == 1


def test_an_index_costs_next_to_nothing(many):
    assert SpotIndex(many).nbytes < 1000
