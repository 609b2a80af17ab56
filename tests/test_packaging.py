"""The package as a user gets it: the wheel, its manifest, and what an import costs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "src" / "napari_seespot" / "napari.yaml"
HEAVY = {
    *("PyQt5", "PyQt6", "PySide2", "PySide6", "qtpy", "pyqtgraph", "magicgui"),
    *("napari", "dask", "zarr", "numba", "pyarrow", "fsspec", "s3fs", "httpx"),
}


def run(*command: object, cwd: Path | None = None, **env: str) -> str:
    """Run a command to its end and return what it printed."""
    clean = {k: v for k, v in os.environ.items() if "SETUPTOOLS_SCM" not in k}
    clean.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_of_the_source(folder: Path) -> Path:
    """Copy what a build needs, without .git."""
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "napari.yaml").symlink_to("src/napari_seespot/napari.yaml")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", folder / "src", ignore=ignored)
    return folder


def build_wheel(source: Path) -> Path:
    options = ("--wheel", "--no-isolation", "--outdir", source / "dist")
    run(sys.executable, "-m", "build", *options, source)
    (wheel,) = (source / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(copy_of_the_source(tmp_path_factory.mktemp("build") / "source"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that holds the wheel and what it needs.

    The dependencies are lent by this environment, after the wheel's own folder. A
    path in a .pth file runs no further .pth files, so an editable installation that
    lies there is not importable.
    """
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    scheme = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    options = ("--quiet", "--no-deps", "--no-index", "--target", site)
    run(sys.executable, "-m", "pip", "install", *options, wheel)
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Path(sysconfig.get_path("scripts", "venv", vars=scheme)) / "python"


def source_manifest() -> dict[str, Any]:
    return yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))


def test_the_top_level_manifest_is_a_link_to_the_packaged_one() -> None:
    link = ROOT / "napari.yaml"
    assert link.is_symlink()
    assert os.readlink(link) == "src/napari_seespot/napari.yaml"
    assert link.samefile(MANIFEST)


def test_the_wheel_holds_manifest_types_and_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "napari_seespot/napari.yaml" in names
    assert "napari_seespot/py.typed" in names
    assert [n for n in names if n.endswith("licenses/LICENSE")]
    top = {name.split("/")[0] for name in names}
    assert {n for n in top if not n.endswith(".dist-info")} == {"napari_seespot"}


def test_the_version_falls_back_without_git(wheel: Path) -> None:
    assert wheel.name.startswith("napari_seespot-0.1.0-")


def test_the_version_comes_from_the_tag(tmp_path: Path) -> None:
    source = copy_of_the_source(tmp_path / "source")
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
    run("git", "init", "--quiet", cwd=source)
    run("git", "add", ".", cwd=source)
    run(*git, "commit", "--quiet", "--no-gpg-sign", "-m", "all", cwd=source)
    run(*git, "tag", "v7.8.9", cwd=source)
    assert build_wheel(source).name.startswith("napari_seespot-7.8.9-")


def test_the_version_is_what_is_installed(python: Path) -> None:
    code = "import napari_seespot; print(napari_seespot.__version__)"
    assert run(python, "-c", code) == "0.1.0\n"


def test_a_source_tree_that_is_not_installed_has_a_version() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); "
    code += "import napari_seespot; print(napari_seespot.__version__)"
    # -S: without the folder in which packages are installed
    assert run(sys.executable, "-I", "-S", "-c", code, ROOT / "src") == "0+unknown\n"


def test_an_installed_wheel_is_found_with_all_its_contributions(python: Path) -> None:
    code = """
import json
import napari_seespot
from npe2 import PluginManager
pm = PluginManager()
pm.discover()
manifest = pm.get_manifest("napari-seespot")
print(json.dumps({
    "file": napari_seespot.__file__,
    "version": manifest.package_version,
    "contributions": manifest.contributions.model_dump(
        mode="json", exclude_unset=True, by_alias=False
    ),
}))
"""
    found = json.loads(run(python, "-c", code))
    assert Path(found["file"]).is_relative_to(python.parents[1])
    assert found["version"] == "0.1.0"
    assert found["contributions"] == source_manifest()["contributions"]


def test_what_the_manifest_names_can_be_imported(python: Path) -> None:
    code = """
import json, sys
from npe2.manifest.utils import import_python_name
for name in json.loads(sys.argv[1]):
    assert callable(import_python_name(name)), name
"""
    commands = source_manifest()["contributions"]["commands"]
    run(python, "-c", code, json.dumps([c["python_name"] for c in commands]))


def test_napari_hands_its_viewer_to_every_dock(python: Path) -> None:
    code = """
import inspect, json, sys
from magicgui.widgets import Widget
from npe2.manifest.utils import import_python_name
from qtpy.QtWidgets import QWidget
for name in json.loads(sys.argv[1]):
    dock = import_python_name(name)
    assert issubclass(dock, QWidget | Widget), name
    # napari looks at no other spelling than these (qt_main_window, _qnpe2)
    parameters = inspect.signature(dock.__init__).parameters.values()
    annotations = {p.annotation for p in parameters}
    assert "napari.viewer.Viewer" in annotations, (name, annotations)
"""
    contributions = source_manifest()["contributions"]
    names = {c["id"]: c["python_name"] for c in contributions["commands"]}
    docks = [names[widget["command"]] for widget in contributions["widgets"]]
    run(python, "-c", code, json.dumps(docks))


def test_napari_makes_settings_of_the_manifest(python: Path, tmp_path: Path) -> None:
    code = """
import json
from napari.settings import get_plugin_settings
settings = get_plugin_settings("napari-seespot")
print(json.dumps(settings.model_dump(mode="json")))
"""
    config = str(tmp_path / "napari.yaml")
    settings = json.loads(run(python, "-c", code, NAPARI_CONFIG=config))
    declared = source_manifest()["contributions"]["configurations"]
    assert settings == {
        group: {key: p["default"] for key, p in entry["properties"].items()}
        for group, entry in declared.items()
    }


def test_the_settings_keep_clear_of_what_napari_cannot_show() -> None:
    declared = source_manifest()["contributions"]["configurations"]
    for group, entry in declared.items():
        assert re.fullmatch("[a-z]+", group)
        assert not {"dask", "highlight"} & set(entry["properties"])
        for setting in entry["properties"].values():
            assert setting["title"]
            assert setting["description"].endswith(".")
            assert setting["type"] != "number" or "maximum" in setting


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("round_4.parquet", True),
        ("ROUND_4.FEATHER", True),
        ("answer.json", True),
        ("R4_unmixed_spots.csv", True),
        ("s3://bucket/HCR_749315_2025-05-08_14-00-00", True),
        ("http://localhost:5555", True),
        ("https://seespot.example:443", True),
        ("cell.png", False),
        ("stack.ome.tif", False),
        ("points.csv", False),
        ("http://example.org/cell.png", False),
        ("http://localhost:8000/image.zarr", False),
        ("script.py", False),
    ],
)
def test_the_reader_is_asked_only_for_what_may_be_ours(path: str, ours: bool) -> None:
    from npe2 import DynamicPlugin, PluginManager, PluginManifest

    pm = PluginManager()
    manifest = PluginManifest.from_file(MANIFEST)
    with DynamicPlugin(manifest.name, plugin_manager=pm, manifest=manifest):
        assert bool(list(pm.iter_compatible_readers([path]))) is ours


def test_every_folder_reaches_the_reader(tmp_path: Path) -> None:
    (reader,) = source_manifest()["contributions"]["readers"]
    assert reader["accepts_directories"] is True


def test_importing_the_package_loads_nothing_heavy(python: Path) -> None:
    code = "import json, sys, napari_seespot; print(json.dumps(sorted(sys.modules)))"
    loaded = {name.split(".")[0] for name in json.loads(run(python, "-c", code))}
    assert "napari_seespot" in loaded
    assert not loaded & HEAVY
