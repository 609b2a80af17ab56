"""Fixtures of all tests: small samples, and folders that are nobody's own."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import napari_seespot as nss

# The machine is shared: how long an example takes says nothing about the code.
settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared")

# Before anything reads them: what fixtures of whole modules write, and napari's
# settings, which are read once a process.
_FOLDER = Path(tempfile.mkdtemp(prefix="seespot-tests-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
_SETTINGS = str(_FOLDER / "napari" / "settings.yaml")
os.environ["NAPARI_CONFIG"] = _SETTINGS
os.environ["NAPARI_SEESPOT_CACHE"] = str(_FOLDER / "cache")
os.environ["NAPARI_SEESPOT_CONFIG"] = str(_FOLDER / "config")
os.environ["NAPARI_SEESPOT_DATA"] = str(_FOLDER / "data")
for _name in ("napari.settings", "napari.settings._napari_settings"):
    if _name in sys.modules:  # a plugin of pytest was faster
        vars(sys.modules[_name])["_CFG_PATH"] = _SETTINGS


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory, monkeypatch):
    """Give each test a cache, a memory and labels of its own, all empty."""
    folder = tmp_path_factory.mktemp("own")
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(folder / "cache"))
    monkeypatch.setenv("NAPARI_SEESPOT_CONFIG", str(folder / "config"))
    monkeypatch.setenv("NAPARI_SEESPOT_DATA", str(folder / "data"))


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory):
    """Return a dataset folder with images: 2,000 spots in five channels."""
    return nss.make_sample(tmp_path_factory.mktemp("sample") / "HCR_1", n_spots=2000)


@pytest.fixture(scope="session")
def tables_folder(tmp_path_factory):
    """Return a dataset folder without images: 5,000 spots in five channels."""
    folder = tmp_path_factory.mktemp("tables") / "HCR_2"
    return nss.make_sample(folder, n_spots=5000, seed=1, images=False)


@pytest.fixture(scope="session")
def sample(sample_folder):
    """Return the dataset with images; it is immutable, so that tests share it."""
    return nss.open_dataset(sample_folder, cache=False)


@pytest.fixture(scope="session")
def tables(tables_folder):
    """Return the dataset without images."""
    return nss.open_dataset(tables_folder, cache=False)


@pytest.fixture
def model():
    """Return a viewer without a window: dims, camera, canvas and layers."""
    from napari.components import ViewerModel

    viewer = ViewerModel()
    viewer.canvas.size = (600, 800)
    return viewer
