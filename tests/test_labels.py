"""Labels against plain dictionaries: by spot, on disk, through crashes."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_seespot import open_dataset
from napari_seespot._user_data import DATA_ENV, data_folder
from napari_seespot.dataset import Dataset
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.labels import MAX_LENGTH, Labels, labels_path
from napari_seespot.session import Session
from napari_seespot.spots import Spots


def make_table(n=300, seed=0, numbers=True):
    rng = np.random.default_rng(seed)
    chan = rng.choice(["488", "514"], n)
    table = pd.DataFrame(
        {
            "spot_id": np.arange(1, n + 1),
            "chan": chan,
            "z": rng.uniform(0, 9, n),
            "y": rng.uniform(0, 9, n),
            "x": rng.uniform(0, 9, n),
            "unmixed_chan": rng.choice(["488", "514", None], n),
            "chan_488_intensity": rng.normal(size=n),
            "chan_514_intensity": rng.normal(size=n),
        }
    )
    if numbers:
        table["chan_spot_id"] = table.groupby("chan").cumcount() * 7 + 1
    return table


def make_dataset(table, name="HCR", uri="memory"):
    return Dataset(name, uri, Spots.from_pandas(table))


@pytest.fixture
def dataset():
    return make_dataset(make_table())


def test_labels_are_given_taken_away_and_told(dataset):
    labels, told = Labels(dataset), []
    labels.changed.connect(lambda rows: told.append(rows.tolist()))
    assert labels.count == 0
    assert labels.set([5, 3, 5], "bleed") == 2
    assert labels.set(4, "  two \n words ") == 1
    assert labels.set([3, 4], "bleed") == 1
    assert labels.get([3, 4, 5, 6]).tolist() == ["bleed"] * 3 + [""]
    assert told == [[3, 5], [4], [4]]
    assert labels.counts == {"bleed": 3}
    mask = np.zeros(len(dataset.spots), bool)
    mask[[3, 6]] = True
    assert labels.clear(mask) == 1
    assert np.flatnonzero(labels.mask("bleed")).tolist() == [4, 5]
    assert labels.mask("").sum() == len(dataset.spots) - 2
    assert not labels.mask("unknown").any()
    assert labels.clear() == 2
    assert (labels.count, labels.counts) == (0, {})
    assert labels.clear() == 0
    assert len(told) == 5


def test_labels_survive_a_restart(dataset):
    Labels(dataset).set([1, 2], "good")
    Labels(dataset).set([2], "bad")
    Labels(dataset).set([9], "gone")
    Labels(dataset).clear([9])
    again = Labels(dataset)
    assert again.counts == {"bad": 1, "good": 1}
    assert again.get([1, 2, 9]).tolist() == ["good", "bad", ""]
    assert "2 spots" in repr(again)


def test_labels_follow_their_spots_into_another_sample():
    table = make_table()
    first = make_dataset(table)
    labelled = first.spots.to_pandas().iloc[[4, 40, 200]]
    Labels(first).set([4, 40, 200], "mine")
    # Another sample numbers its spots anew and lacks one of them.
    rest = table[table["spot_id"].isin(labelled["spot_id"].iloc[:2])]
    other = pd.concat([rest, table.sample(50, random_state=1)]).drop_duplicates(
        ["chan", "chan_spot_id"]
    )
    other["spot_id"] = np.arange(len(other)) + 1000
    second = make_dataset(other)
    found = second.spots.to_pandas()[Labels(second).mask("mine")]
    keys = {*zip(labelled["chan"], labelled["chan_spot_id"], strict=True)}
    expected = {*zip(other["chan"], other["chan_spot_id"], strict=True)} & keys
    assert {*zip(found["chan"], found["chan_spot_id"], strict=True)} == expected
    assert len(expected) >= 2
    # And the one that it lacks is not forgotten.
    assert Labels(first).count == 3


@pytest.mark.parametrize("kind", ["missing", "not unique"])
def test_spot_id_names_spots_that_have_no_number_of_their_own(kind):
    table = make_table(numbers=kind != "missing")
    if kind == "not unique":
        table["chan_spot_id"] = 1
    dataset = make_dataset(table)
    Labels(dataset).set([7], "one")
    ids = dataset.spots.column("spot_id")
    shuffled = make_dataset(table.assign(z=table["z"].to_numpy()[::-1]))
    (row,) = np.flatnonzero(Labels(shuffled).mask("one"))
    assert shuffled.spots.column("spot_id")[row] == ids[7]


def test_numbers_are_told_apart_by_tile():
    table = pd.concat(
        [make_table(50).assign(tile="A"), make_table(50).assign(tile="B")]
    )
    dataset = make_dataset(table.assign(spot_id=np.arange(100)))
    Labels(dataset).set([3], "one")
    again = Labels(dataset)
    assert np.flatnonzero(again.mask("one")).tolist() == [3]
    assert "tile" in json.loads(again.path.read_text())["spots"][0]


def test_sparse_and_negative_numbers():
    table = make_table(20)
    table["chan_spot_id"] = table["chan_spot_id"] * 10**7 - 5
    dataset = make_dataset(table)
    Labels(dataset).set([3], "far")
    assert np.flatnonzero(Labels(dataset).mask("far")).tolist() == [3]
    assert '"ids"' in Labels(dataset).path.read_text()


def test_lines_that_say_nothing_are_passed_over(dataset):
    labels = Labels(dataset)
    labels.set([1], "kept")
    with labels.path.open("ab") as file:
        file.write(b'\n\xff\xfe\nnull\n[]\n{"label":3,"spot_id":[1]}\n{"label":"x"}\n')
        file.write(b'{"label":"x","spots":3}\n{"label":"x","spot_id":["a"]}\n')
        file.write(b'{"label":"x","spot_id":[[1]]}\n{"label":"x","spot_id":[1e30]}\n')
        file.write(b'{"label":"x","spots":[{"chan":"nowhere","ids":[1]}]}\n')
        file.write(b'{"label":"torn","spot_id":[2')
    assert Labels(dataset).counts == {"kept": 1}
    Labels(dataset).set([2], "after")  # is not swallowed by the torn line
    assert Labels(dataset).counts == {"after": 1, "kept": 1}


@settings(max_examples=20, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.integers(0, 49), max_size=8),
            st.sampled_from(["", "a", "b", "c"]),
        ),
        max_size=12,
    ),
    cut=st.integers(0, 10_000),
)
def test_any_history_is_found_again(tmp_path_factory, steps, cut):
    dataset = make_dataset(make_table(50))
    path = tmp_path_factory.mktemp("labels") / "l.jsonl"
    labels, expected, sizes = Labels(dataset, path), {}, [(0, {})]
    for rows, label in steps:
        labels.set(rows, label)
        expected.update(dict.fromkeys(rows, label))
        size = path.stat().st_size if path.exists() else 0
        sizes.append((size, {r: t for r, t in expected.items() if t}))
    assert dict(enumerate(labels.get())) == {r: expected.get(r, "") for r in range(50)}
    np.testing.assert_array_equal(Labels(dataset, path).get(), labels.get())
    if path.exists():  # a crash anywhere: what was complete is there
        content = path.read_bytes()
        cut = min(cut, len(content))
        path.write_bytes(content[:cut])
        after = Labels(dataset, path).get()
        # The line's end need not have reached the disk.
        last = [state for size, state in sizes if size <= cut + 1][-1]
        assert {r: t for r, t in enumerate(after) if t} == last


def test_labels_refuse_what_they_cannot_be(dataset):
    labels = Labels(dataset)
    for rows, words in (
        ([300], r"no row 300.*0 to 299"),
        ([-1], "no row -1"),
        (np.ones(7, bool), "bool values of shape"),
        ([1.5], "float64"),
        ([[1]], r"shape \(1, 1\)"),
    ):
        with pytest.raises(StateError, match=words):
            labels.set(rows, "x")
    with pytest.raises(StateError, match="cannot be 3"):
        labels.set([1], 3)
    with pytest.raises(StateError, match="1,001 characters"):
        labels.set([1], "x" * (MAX_LENGTH + 1))
    assert labels.set([], "x") == labels.count == 0
    assert not labels.path.exists()


def test_more_labels_than_can_be(dataset, monkeypatch):
    monkeypatch.setattr("napari_seespot.labels._MAX_LABELS", 2)
    labels = Labels(dataset)
    labels.set([0], "a")
    labels.set([1], "b")
    with pytest.raises(StateError, match="2 different labels"):
        labels.set([2], "c")
    assert labels.set([2], "a") == 1


def test_a_folder_that_cannot_be_written(dataset, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(DATA_ENV, str(blocked))
    labels = Labels(dataset, tmp_path / "l")
    labels.path = blocked / "labels" / "x.jsonl"
    with pytest.raises(SeeSpotError, match=r"x\.jsonl: the label cannot be written"):
        labels.set([1], "x")
    assert labels.count == 0
    with pytest.raises(SeeSpotError, match="the labels cannot be read"):
        Labels(dataset, tmp_path)  # a folder


def test_each_dataset_has_a_file_of_its_own():
    table = make_table(5)
    paths = {
        labels_path(make_dataset(table, name, uri))
        for name, uri in (
            ("HCR", "/a"),
            ("HCR", "/b"),
            ("a/b: ?", "http://host:5555"),
            ("...", "x"),
        )
    }
    assert len({path.name for path in paths}) == 4
    assert {path.parent for path in paths} == {data_folder() / "labels"}
    one, other = (
        labels_path(make_dataset(table, "HCR", uri))
        for uri in ("http://me:secret@host/?key=1", "http://host?sample_size=9")
    )
    assert one == other  # the same data, whoever asks, for however many


def test_the_users_own_folder(monkeypatch):
    monkeypatch.delenv(DATA_ENV)
    assert data_folder().name == "napari-seespot"


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_exports_hold_the_labels(dataset, tmp_path, ending):
    session = Session(dataset)
    plain = session.export(tmp_path / f"plain{ending}", "all")
    session.labels.set([2, 5], "bleed, or not")
    session.select(dataset.spots.column("spot_id")[[2, 3]])
    read = pd.read_csv if ending == ".csv" else pd.read_parquet
    assert "label" not in read(plain)
    table = read(session.export(tmp_path / f"all{ending}", "all"))
    assert (
        table["label"].astype(object).fillna("").tolist()
        == session.labels.get().tolist()
    )
    table = read(session.export(tmp_path / f"some{ending}"))
    assert table["label"].astype(object).fillna("").tolist() == ["bleed, or not", ""]
    again = open_dataset(tmp_path / f"all{ending}", cache=False)
    assert len(again.spots) == len(dataset.spots)


def test_a_saved_session_brings_its_labels(dataset, tmp_path, monkeypatch):
    session = Session(dataset)
    session.labels.set([2, 5], "a")
    session.labels.set([7], "b")
    document = json.loads(session.save(tmp_path / "s.json").read_text())
    monkeypatch.setenv(DATA_ENV, str(tmp_path / "another user"))
    other = Labels(dataset)
    other.set([5], "my own")
    assert other.merge(document["labels"]) == 2
    assert other.get([2, 5, 7]).tolist() == ["a", "my own", "b"]
    assert other.merge(document["labels"]) == 0
    for damaged in ([3], [{"label": "x"}], [{"label": 3, "spot_id": [1]}]):
        with pytest.raises(StateError, match="labels are damaged"):
            other.merge(damaged)
