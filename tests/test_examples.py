"""Each example runs as a user would run it, on a small dataset."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

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
