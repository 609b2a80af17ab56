"""A script, run, brings about the state that it was made of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

import napari_seespot as nss
from napari_seespot.scripting import script_of

if TYPE_CHECKING:
    import pytest


def run(script: str, dataset: nss.Dataset) -> tuple[nss.Session, list[str]]:
    asked: list[str] = []

    def view(uri: str) -> nss.Session:
        asked.append(uri)
        return nss.Session(dataset)

    modules = {
        "napari": SimpleNamespace(run=lambda: asked.append("run")),
        "napari_seespot": SimpleNamespace(view=view),
    }
    names: dict[str, object] = {
        "__builtins__": {"set": set, "__import__": lambda name, *_: modules[name]}
    }
    exec(script, names)
    session = names["session"]
    assert isinstance(session, nss.Session)
    return session, asked


def same(one: nss.Session, other: nss.Session) -> bool:
    a, b = one.state.snapshot(), other.state.snapshot()
    masks = [snapshot["selection"].pop("mask") for snapshot in (a, b)]
    return a == b and (masks[0] is masks[1] or np.array_equal(masks[0], masks[1]))


def test_at_the_start(tables: nss.Dataset) -> None:
    session = nss.Session(tables)
    again, asked = run(script_of(session), tables)
    assert asked == [tables.uri, "run"]
    assert same(session, again)


def test_after_many_changes(tables: nss.Dataset) -> None:
    session = nss.Session(tables)
    state = session.state
    state.pair = ("514", "638")
    state.color_by = "unmixed_chan"
    state.filters.ranges["r"] = (0.25, None)
    state.filters.ranges["dist"] = (None, 1.5)
    state.filters.status = {"removed", "reassigned"}
    state.filters.channels = set()
    state.limits.fixed["514/638"] = (0, 10, -5.5, 20)
    state.slab_planes = 4
    session.add_gate("bright's", [(0, 0), (100, 0), (50, 300.5)], ("514", "638"))
    session.select(tables.spots.column("spot_id")[[4, 9, 70]])
    script = script_of(session)
    assert script == script_of(session)
    again, _ = run(script, tables)
    assert same(session, again)
    assert list(again.selected()["spot_id"]) == list(session.selected()["spot_id"])


def test_a_large_selection_and_credentials(
    tables: nss.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    secret = replace(tables, uri="https://me:secret@host:1234/a?token=abc")
    session = nss.Session(secret)
    monkeypatch.setattr("napari_seespot.scripting.MOST_IDS", 2)
    session.select(tables.spots.column("spot_id")[:3])
    script = script_of(session)
    assert "3 spots were selected" in script
    assert "secret" not in script
    assert "token" not in script
    compile(script, "script", "exec")
