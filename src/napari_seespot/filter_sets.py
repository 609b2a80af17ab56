"""Filters under a name, kept in the user's data folder for every dataset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_seespot._user_data import data_folder, write_whole
from napari_seespot.errors import SeeSpotError, StateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_seespot.session import Session
    from napari_seespot.state import Filters

__all__ = ["delete_filter_set", "filter_sets", "save_filter_set", "use_filter_set"]

_SCHEMA = "napari-seespot-filters"
_SCHEMA_VERSION = 1


def filter_sets() -> dict[str, dict[str, Any]]:
    """Return the filters that were saved, by name, sorted.

    Raises
    ------
    SeeSpotError
        When the file is there and cannot be read.
    """
    path = _path()
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SeeSpotError(
            f"the filter sets cannot be read: {error.strerror}", where=path
        ) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise _damaged(path)
    version, sets = document.get("schema_version"), document.get("sets")
    if not isinstance(version, int) or version > _SCHEMA_VERSION:
        raise StateError(
            f"the filter sets have schema version {version!r}",
            where=path,
            expected=f"version {_SCHEMA_VERSION} or older",
            hint="Update napari-seespot to use them",
        )
    if not isinstance(sets, dict) or not all(
        isinstance(s, dict) for s in sets.values()
    ):
        raise _damaged(path)
    return dict(sorted(sets.items()))


def save_filter_set(name: str, filters: Filters) -> None:
    """Keep filters under a name, in the place of those of that name.

    Raises
    ------
    SeeSpotError
        When the name is empty, or the file cannot be read or written.
    """
    name = " ".join(name.split())
    if not name:
        raise StateError("a filter set has no name", expected="some text")
    _write({**filter_sets(), name: _plain(filters)})


def delete_filter_set(name: str) -> None:
    """Forget filters; a name that there is not is forgotten already."""
    sets = filter_sets()
    if sets.pop(name, None) is not None:
        _write(sets)


def use_filter_set(session: Session, name: str) -> None:
    """Let pass what the saved filters let pass, as one change.

    Raises
    ------
    StateError
        When there are no such filters, or this dataset has not the columns or
        channels that they ask for; what passes stays as it was.
    """
    sets = filter_sets()
    if name not in sets:
        raise StateError(
            f"there is no filter set {name!r}",
            expected=f"one of {', '.join(sets) or 'none: none was saved'}",
        )
    filters, before = session.state.filters, _plain(session.state.filters)
    with session.one_change():
        try:
            filters.reset()
            _set(filters, sets[name])
        except (AttributeError, StateError) as error:
            _set(filters, before)
            found = getattr(error, "found", f"it is damaged: {error}")
            raise StateError(
                f"the filter set {name!r} cannot be used: {found}"
            ) from None


def _set(filters: Filters, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name not in type(filters).model_fields:
            raise StateError(f"there is no filter {name!r}")
        setattr(filters, name, value)


def _plain(filters: Filters) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in type(filters).model_fields:
        value = getattr(filters, name)
        if name == "ranges":
            values[name] = {column: list(ends) for column, ends in value.items()}
        else:
            values[name] = sorted(value) if isinstance(value, frozenset) else value
    return values


def _write(sets: Mapping[str, Any]) -> None:
    document = {
        "schema": _SCHEMA,
        "schema_version": _SCHEMA_VERSION,
        "sets": dict(sets),
    }
    write_whole(_path(), document, "the filter sets")


def _path() -> Path:
    return data_folder() / "filter_sets.json"


def _damaged(path: Path) -> StateError:
    return StateError(
        "the filter sets are damaged",
        where=path,
        hint="Move the file away to begin anew",
    )
