"""Rows of the index; that the order sorts any z is tested with the table."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_seespot.priority import LEVEL_LIMITS, level_of, priority, row_order


def splitmix64(value):
    """Return the hash by Python's unlimited integers."""
    mask = 2**64 - 1
    x = (value + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_any_id_has_its_priority(ids):
    found = priority(np.array(ids, np.int64))
    assert found.dtype == np.uint16
    assert found.tolist() == [splitmix64(i % 2**64) >> 48 for i in ids]


def test_the_width_of_an_id_does_not_matter():
    ids = np.array([-5, 0, 1, 2**31 - 1])
    assert (priority(ids.astype(np.int32)) == priority(ids.astype(np.int64))).all()


def test_levels_share_the_rows_as_promised():
    levels = level_of(priority(np.arange(1, 200_001)))
    shares = np.bincount(levels, minlength=4) / 200_000
    assert np.allclose(shares, [1 / 64, 3 / 64, 12 / 64, 48 / 64], atol=0.003)


def test_a_levels_limit_belongs_to_the_next():
    limits = np.array([0, *(n - 1 for n in LEVEL_LIMITS), *LEVEL_LIMITS[:-1]])
    expected = [0, 0, 1, 2, 3, 1, 2, 3]
    assert level_of(limits.astype(np.uint16)).tolist() == expected


@given(st.integers(0, 300), st.integers(0, 9))
def test_the_order_is_by_level_and_z(n, seed):
    rng = np.random.default_rng(seed)
    ids = rng.permutation(n) + 1
    z = rng.choice([-1.5, -0.0, 0.0, 2.0, 7.25, np.nan], n).astype(np.float32)
    order = row_order(ids, z)
    assert sorted(order) == list(range(n))
    levels = level_of(priority(ids))
    wanted = np.lexsort((np.arange(n), np.nan_to_num(z, nan=np.inf), levels))
    assert (order == wanted).all()
