"""How the channels are shown, as one "look" that can be kept and used again."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_seespot._user_data import write_whole
from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "apply_look",
    "apply_settings",
    "check_look",
    "load_look",
    "look_of",
    "save_look",
    "settings_of",
]

_KIND = "napari-seespot look"
_VERSION = 1
_PLAIN = ("gamma", "opacity", "visible", "blending", "interpolation2d", "rendering")


def look_of(layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return how image layers are shown, ready for JSON.

    Parameters
    ----------
    layers : mapping of str to napari image layer
        By channel.
    """
    channels = {}
    for channel, layer in layers.items():
        colormap = layer.colormap
        channels[channel] = {
            "contrast_limits": [float(value) for value in layer.contrast_limits],
            "colormap": {
                "name": str(colormap.name),
                "colors": [[float(v) for v in color] for color in colormap.colors],
                "controls": [float(value) for value in colormap.controls],
            },
            **{name: _plain(getattr(layer, name)) for name in _PLAIN},
        }
    return {"kind": _KIND, "version": _VERSION, "channels": channels}


def settings_of(layer: Any) -> dict[str, Any]:
    """Return how a labels layer is shown, ready for JSON."""
    return {name: _plain(getattr(layer, name)) for name in _MASK}


_MASK = ("opacity", "visible", "blending", "contour")


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def apply_look(layers: Mapping[str, Any], look: Mapping[str, Any]) -> tuple[str, ...]:
    """Show layers as a look says; return the channels that it does not have.

    Parameters
    ----------
    layers : mapping of str to napari image layer
        By channel; those that the look does not know stay as they are.
    look : mapping
        What `look_of` returned.

    Raises
    ------
    StateError
        A value is none that a layer takes; all layers are as before.
    """
    channels = look["channels"]
    with ExitStack() as undo:
        for channel, layer in layers.items():
            undo.callback(_put_back, layer, _now(layer, channels.get(channel, {})))
            apply_settings(layer, f"channel {channel}", channels.get(channel, {}))
        undo.pop_all()
    return tuple(channel for channel in layers if channel not in channels)


def apply_settings(layer: Any, what: str, values: Mapping[str, Any]) -> None:
    """Set attributes of a layer that `look_of` or `settings_of` returned.

    Raises
    ------
    StateError
        A value is none that the layer takes; the layer is as before.
    """
    with ExitStack() as undo:
        undo.callback(_put_back, layer, _now(layer, values))
        _apply(layer, what, values)
        undo.pop_all()


def _now(layer: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a layer has where others are to be set."""
    known = [name for name in values if name in _KNOWN and hasattr(layer, name)]
    return {name: getattr(layer, name) for name in known}


def _put_back(layer: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(layer, name, value)


def _apply(layer: Any, what: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        try:
            if name not in _KNOWN or not hasattr(layer, name):
                raise ValueError("it is no setting of a layer")
            setattr(layer, name, value)
        except (TypeError, ValueError, KeyError) as error:
            raise StateError(
                f"{what} cannot be shown with {name} = {value!r}"[:200],
                hint="It was written by hand, or by a newer version",
            ) from error


def save_look(path: str | Path, look: Mapping[str, Any]) -> Path:
    """Write a look to a JSON file, whole or not at all.

    Raises
    ------
    SeeSpotError
        It cannot be written; what was there before stays.
    """
    return write_whole(Path(path), dict(look), "the look", make_folders=False)


def load_look(path: str | Path) -> dict[str, Any]:
    """Read what `save_look` wrote.

    Raises
    ------
    StateError
        The file cannot be read or holds something else.
    """
    try:
        look = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise StateError(
            f"the look cannot be read: {error.strerror or error}", where=path
        ) from error
    except ValueError as error:
        raise StateError(
            f"this is not JSON ({error})", where=path, expected="a saved look"
        ) from error
    check_look(look, path)
    return dict(look)


def check_look(look: Any, path: str | Path) -> None:
    """Raise a StateError for what is no look, or one of another version."""
    channels = look.get("channels") if isinstance(look, dict) else None
    fine = isinstance(channels, dict) and all(
        isinstance(each, dict) and set(each) <= _KNOWN for each in channels.values()
    )
    if not fine or look.get("kind") != _KIND:
        raise StateError("this is not a look", where=path, expected="a saved look")
    if look.get("version") != _VERSION:
        raise StateError(
            f"the look has version {look.get('version')!r}"[:200],
            where=path,
            expected=str(_VERSION),
            hint="It was saved by another version of napari-seespot",
        )


_KNOWN = {*_PLAIN, *_MASK, "contrast_limits", "colormap"}
