"""Counts in parts, on dask's schedulers and on a cluster of two processes.

Each result equals the one of the same table in this process, to the count. The
table has 300,000 rows; NAPARI_SEESPOT_TEST_ROWS sets another number (the nightly
run: 30 million).
"""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from napari_seespot import density, distributed
from napari_seespot import settings as user_settings
from napari_seespot.distributed import LOCAL, DaskCounter, parts_of
from napari_seespot.errors import (
    CancelledError,
    MissingExtraError,
    NotFoundError,
    SeeSpotError,
    StateError,
)
from napari_seespot.sources import open_dataset
from napari_seespot.sources.cache import (
    CacheKey,
    Imported,
    read_spots,
    spots_through_cache,
)
from napari_seespot.spots import Spots

ROWS = int(os.environ.get("NAPARI_SEESPOT_TEST_ROWS", "300000"))
CHANNELS = ("488", "514", "561")


def make_columns(n):
    rng = np.random.default_rng(0)
    columns = {
        "code": rng.integers(0, 12, n).astype(np.uint8),
        "spot_id": np.arange(1, n + 1, dtype=np.int32),
        "dataset": rng.integers(0, 2, n).astype(np.int8),
        "r": rng.uniform(-1, 1, n).astype(np.float32),
    }
    for channel in CHANNELS:
        values = rng.normal(300, 200, n).astype(np.float32)
        values[::1000] = np.nan
        columns[f"chan_{channel}_intensity"] = values
    columns |= dict.fromkeys("zyx", columns["r"])
    return columns


@pytest.fixture(scope="module")
def plain():
    names = {"dataset": ("a", "b")}
    return Spots(make_columns(ROWS), channels=CHANNELS, categories=names)


@pytest.fixture(scope="module")
def mapped(plain, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_SEESPOT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield spots_through_cache(CacheKey("test"), lambda: Imported(plain)).spots


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=50,
    ) as cluster:
        yield cluster.scheduler_address
        for client in distributed._clients.values():
            client.close()
        distributed._clients.clear()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    # Some twenty parts, so that more than one round of adding up is needed.
    monkeypatch.setattr(distributed, "PART_ROWS", max(1, ROWS // 20))


@pytest.fixture(params=[*LOCAL[::2], "cluster"])
def scheduler(request):
    if request.param == "cluster":
        return request.getfixturevalue("cluster")
    return request.param


@pytest.fixture(params=["mapped", "in memory"])
def counted(request, scheduler, plain, mapped):
    """The table, counted on a scheduler: from its file, and from its columns."""
    counter = DaskCounter(scheduler, read_spots)
    return (mapped if request.param == "mapped" else plain).replace(counter=counter)


def same(ours, theirs):
    np.testing.assert_array_equal(ours.counts, theirs.counts)
    np.testing.assert_array_equal(ours.x_edges, theirs.x_edges)
    np.testing.assert_array_equal(ours.y_edges, theirs.y_edges)
    assert ours.counts.dtype == theirs.counts.dtype
    assert (ours.classes, ours.x, ours.y) == (theirs.classes, theirs.x, theirs.y)
    assert ours.axes == theirs.axes


def test_flows_are_the_same(counted, plain):
    assert counted.flow().equals(plain.flow())
    where = plain.column("r") > 0.2
    assert counted.flow(where).equals(plain.flow(where))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"by": "status", "bins": (40, 70)},
        {"by": "dataset", "limits": ((0, 500), None)},
        {"by": "chan", "limits": ((0, 500), (-20, 900)), "axes": ("asinh", "linear")},
        {"axes": ("log", "log")},
    ],
    ids=str,
)
def test_densities_are_the_same(counted, plain, options):
    where = plain.column("r") > 0.2
    for keep in (None, where):
        ours = density(counted, "488", "561", where=keep, **options)
        same(ours, density(plain, "488", "561", where=keep, **options))


def test_nothing_counted_is_the_same(counted, plain):
    where = np.zeros(ROWS, np.bool_)
    same(
        density(counted, "488", "514", where=where),
        density(plain, "488", "514", where=where),
    )


def test_processes_count_as_well(mapped, plain):
    spots = mapped.replace(counter=DaskCounter("processes", read_spots))
    assert spots.flow().equals(plain.flow())


def test_an_empty_table_has_one_part():
    spots = Spots(make_columns(0), channels=CHANNELS)
    counted = spots.replace(counter=DaskCounter("synchronous"))
    assert len(parts_of(spots, ())) == 1
    assert counted.flow().equals(spots.flow())
    same(density(counted, "488", "514"), density(spots, "488", "514"))


def test_what_is_asked_wrongly_is_refused_before_anything_is_counted(
    counted, monkeypatch
):
    monkeypatch.setattr(distributed, "reduce_parts", None)
    with pytest.raises(NotFoundError, match="no channel or numeric column"):
        density(counted, "488", "999")
    with pytest.raises(StateError, match="the bins are 0"):
        density(counted, "488", "514", bins=0)
    with pytest.raises(StateError, match="`where`"):
        density(counted, "488", "514", where=np.ones(3, np.bool_))


def test_counting_can_be_cancelled(counted):
    with pytest.raises(CancelledError):
        density(counted, "488", "514", cancelled=lambda: True)


def test_a_cluster_is_not_the_default_of_dask(counted):
    import dask.base
    from distributed import default_client

    counted.flow()
    with pytest.raises(ValueError, match="No clients found"):
        default_client()
    assert dask.base.get_scheduler() is None


def test_a_file_that_the_workers_do_not_see_is_named(cluster, mapped, tmp_path):
    lost = mapped.replace(
        file=tmp_path / "lost.arrow", counter=DaskCounter(cluster, read_spots)
    )
    with pytest.raises(SeeSpotError, match=r"lost\.arrow: the cached table cannot"):
        lost.flow()


def _fail(_part):
    raise ZeroDivisionError("worn out")


def test_what_goes_wrong_on_a_worker_is_told(cluster, plain):
    parts = parts_of(plain, ())
    with pytest.raises(SeeSpotError, match="cluster could not count: worn out"):
        distributed.reduce_parts(_fail, parts, None, cluster)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch, plain):
    monkeypatch.setattr(distributed, "_TIMEOUT_S", 0.3)
    address = "tcp://127.0.0.1:9"
    spots = plain.replace(counter=DaskCounter(address))
    with pytest.raises(SeeSpotError, match=f"{address}: no dask scheduler answers"):
        spots.flow()


def test_what_is_no_scheduler_is_refused():
    with pytest.raises(SeeSpotError, match="the scheduler is 'somewhere'"):
        DaskCounter("somewhere")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"napari-seespot\[distributed\]"):
        DaskCounter("tcp://host:8786")


def test_open_dataset_takes_a_scheduler(tmp_path, monkeypatch, cluster):
    from napari_seespot import make_sample

    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(tmp_path / "cache"))
    paths = [make_sample(tmp_path / name, n_spots=200, images=False) for name in "ab"]
    one = open_dataset(paths[0])
    assert one.spots.counter is None
    assert open_dataset(paths[0], scheduler="threads").spots.counter is not None
    both = open_dataset(paths)
    assert both.spots.counter.scheduler == "threads"
    distant = open_dataset(paths, scheduler=cluster)
    assert distant.spots.counter.scheduler == cluster
    expected = 2 * one.spots.flow()
    assert both.spots.flow().equals(expected)
    assert distant.spots.flow().equals(expected)
    monkeypatch.setenv(user_settings.SCHEDULER_ENV, "synchronous")
    assert open_dataset(paths).spots.counter.scheduler == "synchronous"
    assert open_dataset(paths[0]).spots.counter is None


def test_the_settings_tell_a_scheduler(monkeypatch):
    monkeypatch.delenv(user_settings.SCHEDULER_ENV, raising=False)
    monkeypatch.setattr(user_settings, "_configured", {})
    assert user_settings.scheduler() is None
    user_settings.configure(scheduler=" tcp://host:8786 ")
    assert user_settings.scheduler() == "tcp://host:8786"
    user_settings.configure(scheduler="")
    assert user_settings.scheduler() is None
