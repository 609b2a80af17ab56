"""What the Evidence dock shows, against the table and the files."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import zarr
from qtpy.QtWidgets import QApplication

import napari_seespot as nss
from napari_seespot import sessions
from napari_seespot.errors import SeeSpotError
from napari_seespot.evidence import duplicate_of
from napari_seespot.preparing import prepare
from napari_seespot.session import Session
from napari_seespot.unmixing import dye_distances
from napari_seespot.viewing import show_session
from napari_seespot.widgets import evidence as evidence_module
from napari_seespot.widgets.evidence import EvidenceWidget


@pytest.fixture
def make_dock(viewer, qtbot):
    def make(dataset):
        session = Session(dataset)
        sessions.attach(viewer, session)
        dock = EvidenceWidget(viewer)
        qtbot.addWidget(dock.native)
        return session, dock

    return make


@pytest.fixture
def opened(make_dock, sample):
    return make_dock(sample)


def rows_with(sample, status):
    return np.flatnonzero(sample.spots.codes("status") == status)


def show(qtbot, dock, row):
    qtbot.waitUntil(
        lambda: dock.evidence is not None and dock.evidence.row == row, timeout=20_000
    )
    QApplication.processEvents()


def offers_kept(dock):
    return not dock.kept.native.isHidden()  # whether or not the dock is on the screen


def removed_row(sample):
    """Return a removed spot, and the kept one that it repeats."""
    frame = sample.spots.to_pandas()
    points = frame[["z", "y", "x"]].to_numpy(float)
    kept = (frame["status"] != "removed").to_numpy()
    for row in rows_with(sample, 2):
        distance = np.linalg.norm(points - points[row], axis=1)
        cell = frame["cell_id"].iloc[row]
        good = kept & (frame["cell_id"] == cell).to_numpy() & (distance <= 3)
        if cell and good.any():
            return int(row), int(np.flatnonzero(good)[distance[good].argmin()])
    raise AssertionError("the sample has no duplicates")


def test_a_reassigned_spot(opened, sample, sample_folder, qtbot):
    session, dock = opened
    row = int(rows_with(sample, 1)[3])
    session.go_to_row(row)
    show(qtbot, dock, row)
    record = sample.spots.to_pandas().iloc[row]
    title = dock.title.value
    assert f"Spot {record['spot_id']}" in title
    cell = record["cell_id"]
    assert (f"cell {cell}" if cell else "in no cell") in title
    for axis in "zyx":
        assert f"{axis}&nbsp;{record[axis]:.1f}" in title
    text = dock.verdict.value
    assert sample.label(record["chan"]) in text
    assert sample.label(record["unmixed_chan"]) in text
    assert "reassigned" in text
    assert f"r&nbsp;{record['r']:.3f}" in text
    assert f"dist&nbsp;{record['dist']:.3f}" in text
    assert f"dye_line_dist_ratio&nbsp;{record['dye_line_dist_ratio']:.3f}" in text
    assert "computed" not in text
    assert not offers_kept(dock)
    z, y, x = (round(float(record[axis])) for axis in "zyx")
    for channel in sample.channels:
        path = sample_folder / f"image_tile_fusing/fused/channel_{channel}.zarr/0"
        image = np.pad(zarr.open_array(path, mode="r")[0, 0], 12)
        box = image[z + 6 : z + 19, y : y + 25, x : x + 25]
        pictures = {"xy": box[6], "max": box[3:10].max(axis=0), "xz": box[:, 12]}
        for view, wanted in pictures.items():
            assert (wanted == dock.grid.scene.picture(channel, view)).all()


def test_its_bars_and_dyes(opened, sample, qtbot):
    session, dock = opened
    row = int(rows_with(sample, 1)[3])
    session.go_to_row(row)
    show(qtbot, dock, row)
    record = sample.spots.to_pandas().iloc[row]
    vector = np.array([record[f"chan_{c}_intensity"] for c in sample.channels], float)
    assert list(dock.bars.bars.opts["height"]) == pytest.approx(list(vector))
    distances = dye_distances(vector[None], sample.ratios)[0]
    nearest = sample.channels[int(distances.argmin())]
    wanted = dict.fromkeys([record["chan"], record["unmixed_chan"], nearest])
    assert list(dock.bars.levels) == list(wanted)
    for dye in wanted:
        line = sample.ratios.loc[dye].to_numpy(float)
        amount, *_ = np.linalg.lstsq(line[:, None], vector, rcond=None)
        _, y = dock.bars.levels[dye].getData()
        assert y[::2] == pytest.approx(amount[0] * line)
        assert f"dye&nbsp;{sample.label(dye)} (" in dock.legend.value
        place = sample.channels.index(dye)
        left = vector[place] - amount[0] * line[place]
        assert f"dye {dye} would give" in dock.bars.tips[place]
        assert f"leaves {left:+.1f}" in dock.bars.tips[place]
        assert f"{left:+.1f}" in dock.fit.value
    assert "(detected" in dock.legend.value
    assert "verdict" in dock.legend.value
    assert "nearest" in dock.legend.value
    for distance in distances:
        assert f"{distance:.1f}" in dock.fit.value


def test_a_removed_spot_leads_to_the_kept_one(opened, sample, qtbot):
    session, dock = opened
    frame = sample.spots.to_pandas()
    row, other = removed_row(sample)
    session.picked.emit(row)
    show(qtbot, dock, row)
    points = frame[["z", "y", "x"]].to_numpy(float)
    nearest = np.linalg.norm(points[row] - points[other])
    assert f"{nearest:.2f} voxels" in dock.verdict.value
    spot_id = frame["spot_id"].iloc[other]
    assert f"kept spot {spot_id}" in dock.verdict.value
    # the stored one is null: removed spots are not in the pipeline's table
    vector = np.array(
        [frame[f"chan_{c}_intensity"].iloc[row] for c in sample.channels], float
    )
    two = np.sort(dye_distances(vector[None], sample.ratios)[0])[:2]
    told = f"dye_line_dist_ratio&nbsp;{two[1] / two[0]:.3f} (computed)"
    assert told in dock.verdict.value
    assert dock.grid.scene.kept.place == pytest.approx(tuple(points[other]))
    assert f"spot {spot_id}" in dock.grid.scene.kept.text
    assert all(f"spot {spot_id}:" not in one.text for one in dock.grid.scene.others)
    assert "the kept spot" in dock.key.value
    flown = []
    session.moved.connect(flown.append)
    dock.kept.native.click()
    assert flown == [other]
    show(qtbot, dock, other)
    assert dock.grid.scene.kept is None
    assert "the kept spot" not in dock.key.value


def test_a_removed_spot_without_a_duplicate(opened, sample, qtbot):
    session, dock = opened
    cells = sample.spots.column("cell_id")
    seen = set()
    for row in rows_with(sample, 2):
        row = int(row)
        if duplicate_of(sample, session.index, row) is not None:
            continue
        stranger = duplicate_of(sample, session.index, row, same_cell=False)
        kind = (bool(cells[row]), stranger is not None)
        if kind in seen:
            continue
        seen.add(kind)
        session.go_to_row(row)
        show(qtbot, dock, row)
        assert not offers_kept(dock)
        assert dock.grid.scene.kept is None
        text = dock.verdict.value
        if cells[row]:
            assert "no kept spot of its cell lies within 3 voxels" in text
        else:
            assert "in no cell" in text
        if stranger is not None:
            spot_id = sample.spots.column("spot_id")[stranger.row]
            assert f"kept spot {spot_id}, {stranger.distance:.2f} voxels" in text
    assert any(known is False for known, _ in seen)


def test_where_cells_are_unknown(make_dock, sample, qtbot):
    table = sample.spots.to_pandas().drop(columns="cell_id")
    table = table[table["status"] == "removed"].reset_index(drop=True)
    spots = nss.Spots.from_pandas(table, channels=sample.channels)
    session, dock = make_dock(replace(sample, spots=spots))
    session.go_to_row(4)
    show(qtbot, dock, 4)
    assert "cell" not in dock.title.value
    assert "no kept spot lies within 3 voxels" in dock.verdict.value


def test_its_contrast(opened, sample, qtbot):
    session, dock = opened
    frame = sample.spots.to_pandas()
    row = int(frame["x"].argmin())  # its crop reaches out of the image
    session.go_to_row(row)
    show(qtbot, dock, row)
    for channel in sample.channels:
        assert dock.grid.limits[channel] == sample.images[channel].contrast_limits
    dock.own_contrast.value = True
    for channel, crop in dock.evidence.crops.items():
        inside = crop.volume[crop.inside]
        assert inside.size < crop.volume.size
        assert inside.min() > 0  # zero lies outside of the image only
        assert dock.grid.limits[channel] == (inside.min(), inside.max())
    dock.own_contrast.value = False
    assert dock.grid.limits["488"] == sample.images["488"].contrast_limits


def test_it_follows_the_contrast_of_the_layers(model, sample, qtbot):
    prepared = prepare(sample)
    viewing = show_session(model, prepared.session, prepared.images[:2], docks=False)
    viewing.finish()
    session = viewing.session
    layers = viewing.images.channels
    layers["488"].contrast_limits = (7, 77)
    dock = EvidenceWidget(model)
    qtbot.addWidget(dock.native)
    session.go_to_row(3)
    show(qtbot, dock, 3)
    assert dock.grid.limits["488"] == (7, 77)
    layers["514"].contrast_limits = (5, 55)
    assert dock.grid.limits["514"] == (5, 55)
    # a channel that no layer shows, until one does
    assert dock.grid.limits["561"] == sample.images["561"].contrast_limits
    layer = viewing.images.add(prepared.images[2])
    layer.contrast_limits = (9, 99)
    assert dock.grid.limits["561"] == (9, 99)
    del model.layers[layer.name]
    assert dock.grid.limits["561"] == sample.images["561"].contrast_limits
    dock.own_contrast.value = True
    before = dock.grid.limits
    layers["488"].contrast_limits = (1, 11)
    assert dock.grid.limits == before
    session.close()
    layers["488"].contrast_limits = (2, 22)
    sessions.attach(model, None)


def test_its_range_in_z_and_other_spots(opened, sample, qtbot):
    session, dock = opened
    row = int(rows_with(sample, 0)[8])
    session.go_to_row(row)
    show(qtbot, dock, row)
    assert dock.grid.row_label("xz") == "xz ±6"
    first = dock.evidence
    dock.radius_z.value = 2
    qtbot.waitUntil(lambda: dock.evidence is not first, timeout=20_000)
    assert dock.grid.row_label("xz") == "xz ±2"
    assert dock.evidence.crops["488"].volume.shape == (5, 25, 25)
    frame = sample.spots.to_pandas()
    away = np.abs(frame[["z", "y", "x"]] - frame[["z", "y", "x"]].iloc[row])
    near = (away <= [2, 12, 12]).all(axis=1)
    assert len(dock.grid.scene.others) == near.sum() - 1
    assert dock.grid.show_others
    dock.others.value = False
    assert not dock.grid.show_others


def test_stepping_through_a_selection(opened, sample, qtbot):
    session, dock = opened
    assert not dock.following.enabled
    session.select(sample.spots.column("spot_id")[[5, 90, 400]])
    assert dock.following.enabled
    flown = []
    session.moved.connect(flown.append)
    for _ in range(4):
        dock.following.native.click()
    dock.previous.native.click()
    dock.show_row(100)  # not selected: its follower is next
    dock.following.native.click()
    dock.show_row(100)
    dock.previous.native.click()
    assert flown == [5, 90, 400, 5, 400, 400, 90]
    show(qtbot, dock, 90)


def test_stepping_over_a_spot_without_a_position(make_dock, sample, qtbot):
    table = sample.spots.to_pandas()
    removed, _ = removed_row(sample)
    table["y"] = table["y"].where(table.index != 90)
    ids = table["spot_id"].iloc[[removed, 90, 400]].to_numpy()
    spots = nss.Spots.from_pandas(table, channels=sample.channels, ordered=True)
    lost = replace(sample, spots=spots)
    session, dock = make_dock(lost)
    rows = sorted([removed, 90, 400])
    session.select(ids)
    flown = []
    session.moved.connect(flown.append)
    for row in [*rows, rows[0]]:
        dock.following.native.click()
        show(qtbot, dock, row)
        assert f"Spot {table['spot_id'].iloc[row]}" in dock.title.value
        assert f"r&nbsp;{table['r'].iloc[row]:.3f}" in dock.verdict.value
        kept = row != 90 and duplicate_of(lost, session.index, row)
        assert offers_kept(dock) == bool(kept)
        assert dock.bars.levels
        assert "residual" in dock.fit.value
        assert (dock.grid.scene is None) == (row == 90)
        if row == 90:
            assert "no position" in dock.title.value
            assert "no position" in dock.grid.message
            assert dock.key.value == ""
    for row in reversed(rows):
        dock.previous.native.click()
        show(qtbot, dock, row)
    assert 90 not in flown


def test_errors_leave_nothing_of_the_spot_before(opened, sample, qtbot, monkeypatch):
    _, dock = opened
    row, _ = removed_row(sample)

    def fresh():
        monkeypatch.undo()
        dock.show_row(row)
        show(qtbot, dock, row)
        assert offers_kept(dock)

    def empty():
        assert dock.verdict.value == dock.legend.value == dock.fit.value == ""
        assert not offers_kept(dock)
        assert not dock.bars.levels
        assert dock.grid.scene is None
        assert dock.key.value == ""
        assert dock.facts is dock.evidence is None

    def fail(error):
        def raising(*_args, **_options):
            raise error

        return raising

    fresh()
    monkeypatch.setattr(evidence_module, "facts_of", fail(SeeSpotError("it is gone")))
    dock.show_row(3)
    qtbot.waitUntil(lambda: "it is gone" in dock.title.value, timeout=20_000)
    empty()
    fresh()
    monkeypatch.setattr(evidence_module, "facts_of", fail(ValueError("a bug")))
    with qtbot.captureExceptions() as raised:
        dock.show_row(3)
        qtbot.waitUntil(lambda: "a bug" in dock.title.value, timeout=20_000)
    assert raised[0][0] is ValueError
    empty()
    # numbers are there, pixels are not: the text is that of the new spot
    for error in (SeeSpotError("no pixels"), ValueError("no pixels")):
        fresh()
        monkeypatch.setattr(evidence_module, "crops", fail(error))
        with qtbot.captureExceptions():
            dock.show_row(3)
            qtbot.waitUntil(lambda: "no pixels" in dock.grid.message, timeout=20_000)
        assert f"Spot {sample.spots.column('spot_id')[3]}" in dock.title.value
        assert "Reading" not in dock.title.value
        assert not offers_kept(dock)
        assert dock.grid.scene is None
        assert dock.key.value == ""


def test_unreadable_chunks_are_told_and_crossed_out(
    make_dock, sample_folder, tmp_path, qtbot
):
    copy = tmp_path / "broken"
    shutil.copytree(sample_folder, copy)
    for file in (copy / "image_tile_fusing/fused/channel_514.zarr/0/0").rglob("*"):
        if file.is_file():
            file.write_bytes(b"no chunk")
    shutil.rmtree(copy / "image_tile_fusing/fused/channel_594.zarr/0")
    (copy / "image_tile_fusing/fused/channel_594.zarr/.zattrs").write_text("{")
    broken = nss.open_dataset(copy, cache=False)
    session, dock = make_dock(broken)
    session.go_to_row(7)
    show(qtbot, dock, 7)
    assert "Channel&nbsp;514" in dock.verdict.value
    assert "could not be read" in dock.verdict.value
    assert "Channel&nbsp;594" in dock.verdict.value
    scene = dock.grid.scene
    assert list(scene.titles) == broken.channels
    assert scene.unread("514", "xy")
    assert not scene.unread("488", "xy")
    assert scene.picture("594", "xy") is None  # crossed out as a whole
    assert dock.grid.limits["514"] == broken.images["514"].contrast_limits
    dock.own_contrast.value = True
    assert dock.grid.limits["514"] == (0, 1)
    dock.grid.grab()


def test_it_fits_a_narrow_dock(opened, sample, qtbot):
    session, dock = opened
    row, _ = removed_row(sample)
    session.go_to_row(row)
    show(qtbot, dock, row)
    body = dock._body.native
    assert body.minimumSizeHint().width() <= 275
    heights = []
    for width in (290, 700):
        dock.native.resize(width, 700)
        dock.native.show()
        QApplication.processEvents()
        qtbot.waitUntil(
            lambda: dock.grid.height() == pytest.approx(dock.grid.cells.height, abs=1)
        )
        cells = dock.grid.cells
        right = max(sum(cells.rect(c, "xy")[::2]) for c in sample.channels)
        assert right <= dock.grid.width()
        heights.append(dock.grid.height())
    assert heights[1] > 1.5 * heights[0]


def test_put_away_it_reads_nothing(opened, qtbot):
    session, dock = opened
    dock.native.show()
    dock.native.hide()
    session.go_to_row(4)
    assert not dock._numbers.busy
    assert dock.facts is None
    dock.native.show()
    show(qtbot, dock, 4)
    session.go_to_row(9)
    dock.native.hide()  # before it was read
    assert not dock._numbers.busy
    assert not dock._pixels.busy
    dock.native.show()
    show(qtbot, dock, 9)


def test_the_next_of_the_list_are_read_ahead(opened, sample, qtbot, monkeypatch):
    session, dock = opened
    asked = []
    monkeypatch.setattr(
        dock._ahead, "read", lambda _ds, rows, *reach: asked.append((rows, reach))
    )
    rows = np.array([4, 9, 30, 70])
    session.select_rows(np.isin(np.arange(len(sample.spots)), rows))
    dock.following.native.click()
    qtbot.waitUntil(lambda: dock.evidence is not None and dock.evidence.row == 4)
    dock.previous.native.click()
    show(qtbot, dock, 70)
    session.go_to_row(12)
    show(qtbot, dock, 12)
    assert [rows for rows, _ in asked] == [(9, 30, 70), (30, 9, 4), ()]
    assert asked[0][1] == (12, 6)
    session.go_to_row(12, rows)
    assert session.following == (4, 9, 30)


def test_without_ratios_images_or_positions(viewer, qtbot, make_session):
    session = make_session(ratios=False)
    sessions.attach(viewer, session)
    dock = EvidenceWidget(viewer)
    qtbot.addWidget(dock.native)
    dock.show_row(7)
    show(qtbot, dock, 7)
    assert dock.grid.scene is None
    assert "no images" in dock.grid.message
    assert "no ratios" in dock.fit.value
    assert not dock.bars.levels
    assert "dye_line_dist_ratio" not in dock.verdict.value
    dock.radius.value = 5


def test_it_lets_go(opened, viewer, sample, qtbot):
    session, dock = opened
    session.go_to_row(3)
    sessions.attach(viewer, None)
    assert dock.session is None
    QApplication.processEvents()
    assert dock.evidence is None
    assert dock.facts is None
