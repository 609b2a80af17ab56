"""The scripts behind `make`: what they find missing, and where they see a display."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the scripts mend Linux only"
)

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "tools"
SCRIPTS = [*sorted(TOOLS.glob("*.sh")), ROOT / ".ci" / "run"]


@pytest.fixture
def tool() -> Any:
    path = TOOLS / "missing_packages.py"
    spec = importlib.util.spec_from_file_location("missing_packages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nothing_loads(name: str) -> None:
    raise OSError(f"{name}: cannot open shared object file")


@pytest.mark.parametrize("virtual_screen", [False, True])
def test_a_bare_machine_needs_every_package(
    tool: Any, monkeypatch: pytest.MonkeyPatch, virtual_screen: bool
) -> None:
    monkeypatch.setattr(tool.ctypes, "CDLL", nothing_loads)
    monkeypatch.setattr(tool, "_exists", lambda pattern: False)
    monkeypatch.setattr(tool.shutil, "which", lambda name: None)
    missing = tool.missing_packages(virtual_screen=virtual_screen)
    assert {"libegl1", "libxcb-cursor0", "fonts-dejavu-core"} <= set(missing)
    assert ({"xvfb", "xauth"} <= set(missing)) is virtual_screen
    assert len(missing) == len(set(missing))


def test_a_complete_machine_needs_nothing(
    tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool.ctypes, "CDLL", lambda name: None)
    monkeypatch.setattr(tool, "_exists", lambda pattern: True)
    monkeypatch.setattr(tool.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert tool.missing_packages(virtual_screen=True) == []


def test_one_library_asks_for_one_package(
    tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_but_one(name: str) -> None:
        if name == "libxcb-cursor.so.0":
            nothing_loads(name)

    monkeypatch.setattr(tool.ctypes, "CDLL", all_but_one)
    monkeypatch.setattr(tool, "_exists", lambda pattern: True)
    assert tool.missing_packages(virtual_screen=False) == ["libxcb-cursor0"]


def has_display(**env: str) -> bool:
    clean = {"PATH": os.environ["PATH"]}
    done = subprocess.run([TOOLS / "has_display.sh"], env=clean | env, check=False)
    return done.returncode == 0


def test_a_display_is_one_that_can_be_opened() -> None:
    assert not has_display()
    assert has_display(WAYLAND_DISPLAY="wayland-0")
    assert has_display(DISPLAY="far.example:10.0")


def test_a_local_display_that_has_gone_is_none() -> None:
    number = next(
        n for n in range(900, 9999) if not Path(f"/tmp/.X11-unix/X{n}").exists()
    )
    assert not has_display(DISPLAY=f":{number}")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


def test_without_root_the_line_to_run_is_shown(tmp_path: Path) -> None:
    fakes = {
        "id": "echo 1000",
        "sudo": "exit 1",
        "apt-get": "exit 99",
        "apt-cache": '[ "${!#}" != libold ]',
    }
    for name, body in fakes.items():
        fake = tmp_path / name
        fake.write_text(f"#!/bin/bash\n{body}\n")
        fake.chmod(0o755)
    done = subprocess.run(
        [TOOLS / "apt_install.sh", "xvfb", "libold|libnew"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "sudo apt-get update && sudo apt-get install -y xvfb libnew" in done.stderr
