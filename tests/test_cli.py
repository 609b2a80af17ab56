from __future__ import annotations

import runpy
import sys
from types import SimpleNamespace

import pytest

from napari_seespot import cli, launch
from napari_seespot.cli import main
from napari_seespot.errors import NotFoundError


@pytest.fixture
def viewed(monkeypatch):
    """Return what was asked to be shown, instead of opening a window."""
    asked = []

    def view(source, *args, **options):
        asked.append((source, options))
        if source == "nowhere":
            raise NotFoundError("there is no such folder", where=source)
        return SimpleNamespace(viewer="viewer")

    monkeypatch.setattr(launch, "view", view)
    monkeypatch.setattr("napari.run", lambda: asked.append("run"))
    return asked


def test_view(viewed):
    assert main(["view", "/data/HCR_1"]) == 0
    assert viewed == [("/data/HCR_1", {}), "run"]


def test_demo(viewed):
    assert main(["demo"]) == 0
    assert viewed == [("sample", {}), "run"]


def test_a_picture(viewed, monkeypatch, capsys, tmp_path):
    def screenshot(viewer, path, size):
        viewed.append((viewer, path, size))
        return path

    module = SimpleNamespace(screenshot=screenshot)
    monkeypatch.setitem(sys.modules, "napari_seespot.widgets._screenshot", module)
    path = tmp_path / "demo.png"
    assert main(["demo", "--screenshot", str(path), "--size", "640x480"]) == 0
    assert viewed[1:] == [("viewer", path, (640, 480))]
    assert str(path) in capsys.readouterr().out


def test_what_cannot_be_opened_is_told_in_a_line(viewed, capsys):
    assert main(["view", "nowhere"]) == 1
    assert capsys.readouterr().err == (
        "napari-seespot: nowhere: there is no such folder.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [[], ["view"], ["other"], ["demo", "x"], ["demo", "--size", "big"]],
)
def test_commands_that_make_no_sense(viewed, capsys, arguments):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: napari-seespot" in capsys.readouterr().err
    assert viewed == []


def test_it_runs_as_a_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["napari_seespot", "--help"])
    with pytest.raises(SystemExit) as error:
        runpy.run_module("napari_seespot", run_name="__main__")
    assert error.value.code == 0
    assert "open napari on a dataset" in capsys.readouterr().out
    assert cli.__all__ == ["main"]
