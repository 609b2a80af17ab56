"""Each example runs as a user would run it, on a small dataset."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import napari_seespot as nss

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nss.make_sample(
        tmp_path_factory.mktemp("examples") / "small", n_spots=2000, images=False
    )


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "count_without_a_screen",
        "pair_patterns_and_maps",
        "select_and_export",
        "view_reassigned",
    }


def test_count_without_a_screen(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load("count_without_a_screen").main(str(folder))
    text = capsys.readouterr().out
    status = nss.open_dataset(folder).spots.to_pandas()["status"].value_counts()
    for name, count in status.items():
        assert f"{name}: {count:,} spots" in text


def test_select_and_export(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "selected.csv"
    load("select_and_export").main(str(folder), str(target))
    table = nss.open_dataset(folder).spots.to_pandas()
    passing = table[(table["r"] >= 0.5) & (table["status"] == "reassigned")]
    x, y = passing["chan_488_intensity"], passing["chan_514_intensity"]
    inside = passing[(x > x.median()) & (y > y.median())]
    written = pd.read_csv(target)
    # A spot on the polygon's lower edge may belong to either side.
    assert set(inside["spot_id"]) <= set(written["spot_id"])
    assert len(written) - len(inside) <= 2
    assert f"{len(written):,} spots selected" in capsys.readouterr().out


def test_pair_patterns_and_maps(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "figures"
    load("pair_patterns_and_maps").main(str(folder), str(target))
    text = capsys.readouterr().out
    dataset = nss.open_dataset(folder)
    table = dataset.spots.to_pandas()
    assert f"spots         {len(table):.6f}" in text
    assert "unchanged unmixed_chan" in text
    assert (target / "pair.png").read_bytes().startswith(b"\x89PNG")
    assert (target / "report.pdf").read_bytes().startswith(b"%PDF")
    tiles = pd.read_csv(target / "reassigned_by_tile.csv")
    _, dy, dx = dataset.voxel_size
    kept = table[table["status"] != "removed"]
    rows = np.floor(kept["y"].astype(float) * dy / 20)
    columns = np.floor(kept["x"].astype(float) * dx / 20)
    shares = (kept["status"] == "reassigned").groupby([rows, columns]).mean()
    assert tiles["value"].tolist() == pytest.approx(shares.tolist())


def test_the_lines_of_the_guide_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = EXAMPLES.parent / "docs" / "guide.md"
    (_, after) = guide.read_text("utf-8").split("## From a script")
    blocks = re.findall(r"```python\n(.*?)```", after, re.DOTALL)
    assert len(blocks) == 1
    monkeypatch.chdir(tmp_path)
    lines = blocks[0].replace('"sample"', repr(str(folder)))
    names: dict[str, Any] = {}
    exec(compile(lines, "guide.md", "exec"), names)  # the guide is ours
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "gates.json", "pair.svg", "report.pdf", "spots.csv",
    ]  # fmt: skip
    for name in ("flows", "shares", "near", "tiles", "labelled"):
        assert isinstance(names[name], pd.DataFrame), name
        assert len(names[name]), name
    assert len(pd.read_csv(tmp_path / "spots.csv")) == names["n"]


def test_view_reassigned(folder: Path, make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    module = load("view_reassigned")
    real_view = nss.view
    module.nss = type(
        "Api", (), {"view": staticmethod(lambda uri: real_view(uri, viewer))}
    )
    session = module.main(str(folder))
    assert set(session.visible()["status"]) == {"reassigned"}
    z = session.visible()["z"].iloc[0] * session.dataset.voxel_size[0]
    assert viewer.dims.point[0] == pytest.approx(z, abs=0.51)
    session.close()
