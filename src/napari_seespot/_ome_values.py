"""Single values of OME-Zarr metadata: axes, units, transformations, omero.

Each function takes a `Reading`, in which it notes what it had to assume and by
which it refuses what has no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from napari_seespot._addresses import join, redact
from napari_seespot._ome_units import MICROMETRES
from napari_seespot.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Axis",
    "Level",
    "Reading",
    "Triple",
    "compose",
    "kind_of_value",
    "note_odd_factors",
    "placed",
    "placed_by_shape",
    "read_axes",
    "read_omero",
]

Triple: TypeAlias = tuple[float, float, float]
"""A number for each of z, y and x."""


@dataclass(frozen=True)
class Axis:
    """One axis of the stored arrays.

    Attributes
    ----------
    name : str
        ``"z"``, ``"y"``, ``"x"``, or what the document calls another one.
    factor : float
        Micrometres in a unit of a spatial axis.
    """

    name: str
    factor: float = 1.0


@dataclass(frozen=True)
class Level:
    """One level of a pyramid.

    Attributes
    ----------
    path : str
        Of the array below the pyramid's address; empty where it is that address.
    document : mapping
        The parsed ``.zarray`` or ``zarr.json``.
    key : str
        Of that document below the address.
    shape : tuple of int
        In storage order.
    scale, translate : tuple of float
        (z, y, x) in um: of a voxel, and of the centre of the first one.
    """

    path: str
    document: Mapping[str, Any]
    key: str
    shape: tuple[int, ...]
    scale: Triple = (1.0, 1.0, 1.0)
    translate: Triple = (0.0, 0.0, 0.0)


class Reading:
    """The metadata of one image being read: its address and the notes so far."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.notes: list[str] = []

    def fail(self, key: str, found: str, expected: str | None = None) -> NoReturn:
        """Refuse: raise an `ImageError` about the document of a key."""
        raise ImageError(
            found,
            where=redact(join(self.uri, key)) if self.uri else key,
            expected=expected,
            hint="The image's metadata must be OME-Zarr 0.4 or 0.5",
        )

    def note(self, text: str) -> None:
        """Keep what a user should know, once."""
        if text not in self.notes:
            self.notes.append(text)


def kind_of_value(value: object) -> str:
    """Return what a JSON value is, in a user's words."""
    if value is None:
        return "missing"
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    if isinstance(value, list | dict) and not value:
        return "empty"
    return names.get(type(value), "a number")


def read_axes(reading: Reading, key: str, value: object, ndim: int) -> tuple[Axis, ...]:
    """Return the axes that a document lists, in storage order."""
    if not isinstance(value, list) or len(value) != ndim:
        found = (
            f"{len(value)} axes" if isinstance(value, list) else kind_of_value(value)
        )
        reading.fail(key, f"axes: {found}", f"a list of {ndim}, as the arrays have")
    entries = [{"name": entry} if isinstance(entry, str) else entry for entry in value]
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            reading.fail(
                key, f"axes hold {kind_of_value(entry)}", "objects with a name"
            )
    names = _axis_names(reading, key, entries)
    axes = []
    for name, entry in zip(names, entries, strict=True):
        spatial = name in ("z", "y", "x")
        factor = _micrometres(reading, entry.get("unit")) if spatial else 1.0
        axes.append(Axis(name, factor))
    return tuple(axes)


def _axis_names(
    reading: Reading, key: str, entries: Sequence[Mapping[str, Any]]
) -> list[str]:
    names = [entry["name"].strip().lower() for entry in entries]
    if len(set(names)) < len(names):
        reading.fail(key, f"axes are {names}"[:200], "a name of its own for each")
    others = [
        i
        for i, entry in enumerate(entries)
        if entry.get("type") == "space" and names[i] not in ("z", "y", "x")
    ]
    if others:  # the standard names only the order of spatial axes
        spatial = [
            i for i, n in enumerate(names) if i in others or n in ("z", "y", "x")
        ]
        if len(spatial) > 3:
            reading.fail(key, f"axes are {names}"[:200], "at most three in space")
        told = [names[i] for i in spatial]
        for i, name in zip(spatial, "zyx"[-len(spatial) :], strict=True):
            names[i] = name
        reading.note(
            f"axes {', '.join(told)} taken as {', '.join('zyx'[-len(told) :])}"
        )
    if not {"y", "x"} <= set(names) or len(set(names)) < len(names):
        reading.fail(key, f"axes are {names}"[:200], "y and x among them, each once")
    return names


def _micrometres(reading: Reading, unit: object) -> float:
    if unit is None or unit == "":
        reading.note("units are not told: taken as micrometer")
        return 1.0
    known = isinstance(unit, str) and unit.strip() in MICROMETRES
    if not known:
        reading.note(f"unit {str(unit)[:40]!r} is no length: taken as micrometer")
        return 1.0
    return MICROMETRES[str(unit).strip()]


def compose(
    reading: Reading, key: str, chain: Sequence[object], ndim: int
) -> tuple[list[float], list[float]]:
    """Compose scales and translations in their order: a voxel's size and place."""
    scale, translate = [1.0] * ndim, [0.0] * ndim
    for steps in chain:
        if not isinstance(steps, list):
            found = f"coordinateTransformations is {kind_of_value(steps)}"
            reading.fail(key, found, "a list of objects")
        for step in steps:
            kind = step.get("type") if isinstance(step, dict) else None
            if kind == "scale":
                factors = _numbers(reading, key, kind, step.get("scale"), ndim)
                scale = [a * b for a, b in zip(scale, factors, strict=True)]
                translate = [a * b for a, b in zip(translate, factors, strict=True)]
            elif kind == "translation":
                shifts = _numbers(reading, key, kind, step.get(kind), ndim)
                translate = [a + b for a, b in zip(translate, shifts, strict=True)]
            elif kind != "identity":
                found = f"a coordinate transformation of type {kind!r}"[:200]
                reading.fail(key, found, "scale, translation or identity")
    return scale, translate


def _numbers(
    reading: Reading, key: str, kind: str, value: object, ndim: int
) -> list[float]:
    if not isinstance(value, list) or len(value) != ndim:
        size = (
            f"{len(value)} numbers" if isinstance(value, list) else kind_of_value(value)
        )
        reading.fail(key, f"a {kind} is {size}", f"{ndim} numbers, one an axis")
    for number in value:
        plain = isinstance(number, int | float) and not isinstance(number, bool)
        if not plain or not abs(number) < 1e30:  # as NaN and infinity are not
            reading.fail(key, f"a {kind} is {value!r}"[:200], "finite numbers")
    return [float(number) for number in value]


def placed(
    reading: Reading,
    key: str,
    level: Level,
    axes: Sequence[Axis],
    scale: Sequence[float],
    translate: Sequence[float],
) -> Level:
    """Return a level at its place, in um: axes picked by name, units applied."""
    sizes = {a.name: s * a.factor for a, s in zip(axes, scale, strict=True)}
    places = {a.name: t * a.factor for a, t in zip(axes, translate, strict=True)}
    size = (sizes.get("z", 1.0), sizes["y"], sizes["x"])
    place = (places.get("z", 0.0), places["y"], places["x"])
    if not all(1e-12 < number < 1e12 for number in size):
        reading.fail(key, f"a voxel of {size} um (z, y, x)", "positive sizes")
    return replace(level, scale=size, translate=place)


def placed_by_shape(level: Level, finest: Level, axes: Sequence[Axis]) -> Level:
    """Place a level where averaging the finest one's voxels would put it."""
    factors = {
        axis.name: fine / coarse
        for axis, fine, coarse in zip(axes, finest.shape, level.shape, strict=True)
    }
    factor = [float(max(round(factors.get(name, 1.0)), 1)) for name in "zyx"]
    z, y, x = (s * f for s, f in zip(finest.scale, factor, strict=True))
    tz, ty, tx = (
        t + s * (f - 1) / 2
        for t, s, f in zip(finest.translate, finest.scale, factor, strict=True)
    )
    return replace(level, scale=(z, y, x), translate=(tz, ty, tx))


def note_odd_factors(
    reading: Reading, levels: Sequence[Level], axes: Sequence[Axis]
) -> None:
    """Tell where a viewer that goes by the shapes shows a level at a wrong size.

    napari is one: a multiscale layer has one scale and translate, level 0's, and
    the factors of the others are the quotients of the shapes.
    """
    names = [axis.name for axis in axes]
    finest = levels[0]
    for number, level in enumerate(levels[1:], start=1):
        for i, name in enumerate("zyx"):
            if name not in names:
                continue
            axis = names.index(name)
            wanted = finest.shape[axis] * finest.scale[i] / level.scale[i]
            if abs(wanted - level.shape[axis]) > 1.0 + 1e-6:
                reading.note(
                    f"level {number}: {level.shape[axis]} voxels along {name}, but its "
                    f"voxel size means {wanted:.1f}; it may show shifted"
                )


def read_omero(
    reading: Reading, key: str, omero: object
) -> tuple[tuple[float, float] | None, str | None]:
    """Return the first channel's window and colour, each None unless sane."""
    if omero is None:
        return None, None
    channels = omero.get("channels") if isinstance(omero, dict) else None
    first = channels[0] if isinstance(channels, list) and channels else None
    if not isinstance(first, dict):
        reading.note(f"omero in {key} holds no channel: ignored")
        return None, None
    return _window(first.get("window")), _color(first.get("color"))


def _window(window: object) -> tuple[float, float] | None:
    if not isinstance(window, dict):
        return None
    ends = [window.get("start"), window.get("end")]
    for number in ends:
        if not isinstance(number, int | float) or isinstance(number, bool):
            return None
        if not abs(number) < 1e30:
            return None
    low, high = float(ends[0] or 0), float(ends[1] or 0)
    return (low, high) if low < high else None


def _color(color: object) -> str | None:
    """Return ``#rrggbb``; None for what is no colour, and for black (nothing seen)."""
    if not isinstance(color, str):
        return None
    text = color.strip().lstrip("#").lower()
    if len(text) not in (6, 8) or not set(text) <= set("0123456789abcdef"):
        return None
    return None if text[:6] == "000000" else f"#{text[:6]}"
