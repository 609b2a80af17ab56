"""Named filters: kept, used again, and refused where they do not fit."""

import numpy as np
import pandas as pd
import pytest

from napari_seespot._user_data import data_folder
from napari_seespot.dataset import Dataset
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.filter_sets import (
    delete_filter_set,
    filter_sets,
    save_filter_set,
    use_filter_set,
)
from napari_seespot.session import Session
from napari_seespot.spots import Spots


def make_session(channels=("488", "514")):
    n, rng = 500, np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "spot_id": np.arange(1, n + 1),
            "chan": rng.choice(channels, n),
            "unmixed_chan": rng.choice([*channels, None], n),
            "cell_id": rng.integers(0, 9, n),
            **{name: rng.uniform(0, 9, n) for name in ("z", "y", "x", "r")},
            **{f"chan_{c}_intensity": rng.normal(size=n) for c in channels},
        }
    )
    return Session(Dataset("d", "memory", Spots.from_pandas(table, channels=channels)))


def change(filters):
    filters.ranges.update({"r": (1, None), "chan_488_intensity": (-1, 1)})
    filters.status = {"removed", "unchanged"}
    filters.chan = {"488"}
    filters.cells = {1, 2, 3}
    filters.valid_only = True


def test_filters_are_kept_under_a_name():
    assert filter_sets() == {}
    session, other = make_session(), make_session()
    change(session.state.filters)
    save_filter_set(" sharp  ones ", session.state.filters)
    save_filter_set("all", other.state.filters)
    assert [*filter_sets()] == ["all", "sharp ones"]
    use_filter_set(other, "sharp ones")
    assert other.view.mask.key == session.view.mask.key
    np.testing.assert_array_equal(other.view.where, session.view.where)
    assert 0 < other.view.mask.count < 500
    other.undo()  # as one change
    assert other.view.mask.key == make_session().view.mask.key
    use_filter_set(session, "all")
    assert session.view.mask.key == other.view.mask.key
    delete_filter_set("all")
    delete_filter_set("all")
    assert [*filter_sets()] == ["sharp ones"]


def test_filters_that_do_not_fit_change_nothing():
    session = make_session()
    change(session.state.filters)
    save_filter_set("488", session.state.filters)
    other = make_session(("514", "561"))
    other.state.filters.ranges["r"] = (2, 3)
    key = other.view.mask.key
    with pytest.raises(StateError, match="'488' cannot be used: column 'chan_488"):
        use_filter_set(other, "488")
    assert other.view.mask.key == key
    with pytest.raises(StateError, match=r"no filter set 'x'.*one of 488"):
        use_filter_set(other, "x")
    with pytest.raises(StateError, match="has no name"):
        save_filter_set("  ", other.state.filters)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "are damaged.*Move the file"),
        ("[]", "are damaged"),
        ('{"schema": "other"}', "are damaged"),
        ('{"schema": "napari-seespot-filters", "schema_version": 9}', "version 9"),
        ('{"schema": "napari-seespot-filters", "schema_version": 1}', "are damaged"),
    ],
)
def test_damaged_files_are_told_of(content, words):
    path = data_folder() / "filter_sets.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    with pytest.raises(StateError, match=words):
        filter_sets()


def test_damaged_sets_change_nothing():
    session = make_session()
    path = data_folder() / "filter_sets.json"
    for values in ('{"ranges": 3}', '{"unknown": 1}', '{"status": 3}'):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            '{"schema": "napari-seespot-filters", "schema_version": 1, '
            f'"sets": {{"a": {values}}}}}'
        )
        with pytest.raises(StateError, match="'a' cannot be used"):
            use_filter_set(session, "a")
        assert session.view.mask.key == make_session().view.mask.key


def test_a_file_that_cannot_be_read_or_written():
    path = data_folder() / "filter_sets.json"
    path.mkdir(parents=True)
    with pytest.raises(SeeSpotError, match="cannot be read"):
        filter_sets()
