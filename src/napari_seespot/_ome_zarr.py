"""OME-Zarr metadata: which documents to ask for, and what they mean.

Versions 0.4 (zarr format 2) and 0.5 (zarr format 3) as
https://ngff.openmicroscopy.org describes them, and what older or careless writers
leave out, as far as there is a sane default; each default that is used leaves a
note. Nothing here makes a request or loads zarr.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from napari_seespot._addresses import join, redact
from napari_seespot._ome_values import (
    Axis,
    Level,
    Reading,
    Triple,
    compose,
    kind_of_value,
    note_odd_factors,
    placed,
    placed_by_shape,
    read_axes,
    read_omero,
)
from napari_seespot.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_seespot._requests import Answer

__all__ = [
    "Axis",
    "Level",
    "Pyramid",
    "Triple",
    "is_format_3",
    "next_keys",
    "parse_pyramid",
    "remember_format_3",
]

# Levels are nearly always called so; asked for together with the document that
# names them, they cost no second round trip.
GUESSED_LEVELS = 6
_GUESSED = tuple(str(level) for level in range(GUESSED_LEVELS))
_FORMAT_2_KEYS = (".zattrs", *(f"{level}/.zarray" for level in _GUESSED))
_FORMAT_3_KEYS = ("zarr.json", *(f"{level}/zarr.json" for level in _GUESSED))

# Where images of zarr's format 3 were found: their neighbours are so too, and to
# ask for format 2 first would cost a round trip and as many requests again.
_format_3_folders: set[str] = set()

_MAX_VOXELS = 2**62  # more would overflow the indices that numpy and dask use
_DIMENSIONS = "tczyx"


@dataclass(frozen=True)
class Pyramid:
    """What the metadata of one image say.

    Attributes
    ----------
    levels : tuple of Level
        Finest first; at least one.
    axes : tuple of Axis
        In storage order.
    window : tuple of float or None
        omero's contrast window of the first channel.
    color : str or None
        omero's colour of the first channel, ``"#rrggbb"``.
    notes : tuple of str
        What was assumed or left out.
    """

    levels: tuple[Level, ...]
    axes: tuple[Axis, ...]
    window: tuple[float, float] | None = None
    color: str | None = None
    notes: tuple[str, ...] = ()


def remember_format_3(uri: str) -> None:
    """Take note that an image is of zarr's format 3."""
    _format_3_folders.add(uri.rpartition("/")[0])


def is_format_3(uri: str) -> bool:
    """Whether an image beside this one was found to be of format 3."""
    return uri.rpartition("/")[0] in _format_3_folders


def next_keys(
    found: Mapping[str, Answer], uri: str = "", *, format_3: bool = False
) -> tuple[str, ...]:
    """Return the keys to ask for next, given the answers so far; () when done.

    Parameters
    ----------
    found : mapping of str to Answer
        By key below the image's address.
    uri : str
        That address, for messages.
    format_3 : bool
        Begin with the documents of zarr's format 3 instead of those of format 2.

    Raises
    ------
    ImageError
        A document that names others cannot be read.
    """
    parser = _Parser(uri, found)
    multiscale = parser.multiscale()
    if multiscale is not None:
        wanted = map(parser.level_key, parser.level_paths(multiscale))
        return tuple(k for k in dict.fromkeys(wanted) if k and k not in found)
    if any(map(parser.has, ("0/.zarray", "0/zarr.json"))) or parser.is_array():
        return ()
    rounds = [_FORMAT_2_KEYS, _FORMAT_3_KEYS]
    for keys in (*rounds[:: -1 if format_3 else 1], (".zarray",)):
        if keys[0] not in found:
            return keys
    return ()


def parse_pyramid(uri: str, found: Mapping[str, Answer]) -> Pyramid:
    """Return what the documents of an image mean.

    Parameters
    ----------
    uri : str
        The address of the image, for messages.
    found : mapping of str to Answer
        What was answered for each key that `next_keys` named.

    Raises
    ------
    ImageError
        Something is absent, malformed or contradicts itself.
    """
    return _Parser(uri, found).parse()


class _Parser(Reading):
    """The documents of one image, and the notes taken while reading them."""

    def __init__(self, uri: str, found: Mapping[str, Answer]) -> None:
        super().__init__(uri)
        self.found = found

    # --- documents

    def has(self, key: str) -> bool:
        return key in self.found and self.found[key].data is not None

    def document(self, key: str) -> dict[str, Any]:
        """Return a parsed document; {} where it is absent."""
        data = self.found[key].data if key in self.found else None
        if data is None:
            return {}
        try:
            value = json.loads(data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            self.fail(key, "is not UTF-8 text", "a JSON object")
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else error
            self.fail(key, f"is not JSON ({why})", "a JSON object")
        if not isinstance(value, dict):
            self.fail(key, f"holds {kind_of_value(value)}", "a JSON object")
        return value

    def zarr_json(self) -> dict[str, Any]:
        return self.document("zarr.json")

    def is_array(self) -> bool:
        return self.zarr_json().get("node_type") == "array"

    def attributes(self) -> tuple[str, dict[str, Any]]:
        """Return the root's key and its OME attributes."""
        if not self.has("zarr.json"):
            return ".zattrs", self.document(".zattrs")
        attributes = self.zarr_json().get("attributes")
        if not isinstance(attributes, dict):
            return "zarr.json", {}
        ome = attributes.get("ome")
        return "zarr.json", ome if isinstance(ome, dict) else attributes

    def multiscale(self) -> dict[str, Any] | None:
        """Return the first entry of ``multiscales``; None where there is none."""
        key, attributes = self.attributes()
        value = attributes.get("multiscales")
        if value is None:
            return None
        if not isinstance(value, list) or not value or not isinstance(value[0], dict):
            self.fail(
                key, f"multiscales is {kind_of_value(value)}", "a list of objects"
            )
        if len(value) > 1:
            self.note(f"the first of {len(value)} multiscales is shown")
        return value[0]

    def level_paths(self, multiscale: Mapping[str, Any]) -> list[str]:
        key, _ = self.attributes()
        return [_path(self, key, entry) for entry in self.datasets(multiscale)]

    def datasets(self, multiscale: Mapping[str, Any]) -> list[dict[str, Any]]:
        key, _ = self.attributes()
        value = multiscale.get("datasets")
        listed = isinstance(value, list) and value
        if not listed or not all(isinstance(entry, dict) for entry in value or ()):
            found = f"multiscales[0].datasets is {kind_of_value(value)}"
            self.fail(key, found, "a list of objects, one a level")
        return list(value or ())

    def level_key(self, path: str) -> str | None:
        """Return the key of a level's document; None where it is consolidated."""
        if not self.has("zarr.json"):
            return f"{path}/.zarray"
        return None if self.consolidated(path) else f"{path}/zarr.json"

    def consolidated(self, path: str) -> dict[str, Any]:
        held = self.zarr_json().get("consolidated_metadata")
        documents = held.get("metadata") if isinstance(held, dict) else None
        value = documents.get(path) if isinstance(documents, dict) else None
        return value if isinstance(value, dict) else {}

    # --- the way through

    def parse(self) -> Pyramid:
        for key, answer in self.found.items():
            if answer.error:
                raise ImageError(
                    f"could not be read: {answer.error}",
                    where=redact(join(self.uri, key)),
                    hint="Check the address and the connection, then try again",
                )
        multiscale = self.multiscale()
        if multiscale is None:
            return self.parse_plain()
        key, attributes = self.attributes()
        entries = self.datasets(multiscale)
        held = self.held_levels(entries)
        axes = self.axes(multiscale, len(held[0][1].shape))
        levels = self.placed_levels(multiscale, held, axes)
        window, color = read_omero(self, key, attributes.get("omero"))
        return Pyramid(levels, axes, window, color, self.finished_notes(levels, axes))

    def held_levels(
        self, entries: Sequence[dict[str, Any]]
    ) -> list[tuple[dict[str, Any], Level]]:
        """Return the entries whose arrays exist, with these, finest first."""
        root, _ = self.attributes()
        held: list[tuple[dict[str, Any], Level]] = []
        for number, entry in enumerate(entries):
            path = _path(self, root, entry)
            level = self.level(path)
            if level is not None:
                held.append((entry, level))
            elif number == 0:
                self.fail_without_level(path)
            else:
                self.note(f"level {path!r} is named but absent: left out")
        dimensions = {len(level.shape) for _, level in held}
        if len(dimensions) > 1:
            self.fail(
                root, f"levels have {sorted(dimensions)} dimensions", "one number"
            )
        ordered = sorted(held, key=lambda pair: -math.prod(pair[1].shape))
        if ordered != held:
            self.note("the levels were not listed from fine to coarse: reordered")
        return ordered

    def fail_without_level(self, path: str) -> NoReturn:
        key = self.level_key(path) or "zarr.json"
        denied = key in self.found and self.found[key].denied
        self.fail(
            key,
            "access was refused (403)" if denied else "there is no such array",
            f"the array of level {path!r}, which the metadata name",
        )

    def level(self, path: str) -> Level | None:
        if self.has("zarr.json"):
            held = self.consolidated(path)
            key = "zarr.json" if held else f"{path}/zarr.json"
            document = held or self.document(key)
        else:
            key = f"{path}/.zarray" if path else ".zarray"
            document = self.document(key)
        return _level(self, path, key, document) if document else None

    def axes(self, multiscale: Mapping[str, Any], ndim: int) -> tuple[Axis, ...]:
        key, _ = self.attributes()
        value = multiscale.get("axes")
        if value is None:
            if "coordinateSystems" in multiscale:
                found = "multiscales[0] has coordinateSystems (OME-Zarr 0.6)"
                self.fail(key, found, "axes")
            if not 2 <= ndim <= 5:
                self.fail(key, f"arrays have {ndim} dimensions", "2 to 5")
            names = _DIMENSIONS[-ndim:]
            self.note(f"axes are not told: taken as {', '.join(names)}")
            value = list(names)
        return read_axes(self, key, value, ndim)

    def placed_levels(
        self,
        multiscale: Mapping[str, Any],
        held: Sequence[tuple[dict[str, Any], Level]],
        axes: Sequence[Axis],
    ) -> tuple[Level, ...]:
        key, _ = self.attributes()
        common = multiscale.get("coordinateTransformations")
        done: list[Level] = []
        for entry, level in held:
            own = entry.get("coordinateTransformations")
            if own:
                chain = (own, common) if common else (own,)
                scale, translate = compose(self, key, chain, len(axes))
                level = placed(self, key, level, axes, scale, translate)
            else:
                self.note(
                    "levels without a voxel size: placed by their shapes"
                    + ("" if done else ", 1 um a voxel")
                )
                level = placed_by_shape(level, done[0] if done else level, axes)
            done.append(level)
        return tuple(done)

    # --- arrays without OME metadata

    def parse_plain(self) -> Pyramid:
        paths = [p for p in _GUESSED if self.has(f"{p}/.zarray")]
        if self.is_array():
            levels = [self.level_at_root("zarr.json")]
        elif self.has(".zarray"):
            levels = [self.level_at_root(".zarray")]
        else:
            paths = paths or [p for p in _GUESSED if self.has(f"{p}/zarr.json")]
            levels = self.plain_levels(paths)
        if not levels:
            self.fail_with_nothing()
        ndim = len(levels[0].shape)
        levels = [level for level in levels if len(level.shape) == ndim]
        levels.sort(key=lambda level: -math.prod(level.shape))
        self.note("no OME metadata: levels by their names, 1 um a voxel")
        names = self.plain_names(levels[0])
        axes = self.axes({"axes": names}, ndim)
        done = tuple(placed_by_shape(level, levels[0], axes) for level in levels)
        return Pyramid(done, axes, notes=self.finished_notes(done, axes))

    def plain_names(self, level: Level) -> list[str] | None:
        names = level.document.get("dimension_names")
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            return None
        lowered = [name.lower() for name in names]
        known = set(lowered) <= set(_DIMENSIONS) and {"y", "x"} <= set(lowered)
        return lowered if known and len(set(lowered)) == len(lowered) else None

    def level_at_root(self, key: str) -> Level:
        return _level(self, "", key, self.document(key))

    def plain_levels(self, paths: Sequence[str]) -> list[Level]:
        suffix = ".zarray" if any(self.has(f"{p}/.zarray") for p in paths) else ""
        levels = []
        for path in paths:
            key = f"{path}/{suffix or 'zarr.json'}"
            document = self.document(key)
            if suffix or document.get("node_type") == "array":
                levels.append(_level(self, path, key, document))
        return levels

    def fail_with_nothing(self) -> NoReturn:
        _, attributes = self.attributes()
        denied = any(answer.denied for answer in self.found.values())
        found = "no image metadata found"
        if self.uri.startswith(os.sep) and not os.path.exists(self.uri):
            found = "there is no such folder"
        elif denied:
            found = "no image metadata found, and access was refused (403)"
        raise ImageError(
            f"{found} (tried zarr.json, .zattrs, .zarray, 0/zarr.json, 0/.zarray)",
            where=redact(self.uri),
            expected="an OME-Zarr image, version 0.4 or 0.5",
            hint=_hint(attributes, denied),
        )

    def finished_notes(
        self, levels: Sequence[Level], axes: Sequence[Axis]
    ) -> tuple[str, ...]:
        for number, axis in enumerate(axes):
            length = levels[0].shape[number]
            if axis.name not in ("z", "y", "x") and length > 1:
                self.note(
                    f"axis {axis.name!r} has {length} entries: the first is shown"
                )
        if "z" not in {axis.name for axis in axes}:
            self.note("there is no z axis: shown as one plane of 1 um")
        note_odd_factors(self, levels, axes)
        return tuple(self.notes)


def _hint(attributes: Mapping[str, Any], denied: bool) -> str:
    if "bioformats2raw.layout" in attributes:
        return "This is a collection of images: open the image below it, /0"
    if isinstance(attributes.get("labels"), list):
        return "This is a collection of labels: open one of those below it"
    if "plate" in attributes or "well" in attributes:
        return "This is a plate: open one of the images below it"
    if denied:
        return "Check the address and whether credentials are needed"
    return "Check the address: it must end at the image's folder (NAME.zarr)"


def _path(parser: _Parser, key: str, entry: Mapping[str, Any]) -> str:
    value = entry.get("path")
    parts = value.split("/") if isinstance(value, str) else [""]
    # A path out of the image's own folder would be read with the user's rights.
    bad = {"", ".", ".."} & set(parts) or any(c in str(value) for c in "\\\0:?#")
    if bad:
        parser.fail(key, f"a level's path is {value!r}"[:200], "a path below the image")
    return "/".join(parts)


def _level(parser: _Parser, path: str, key: str, document: Mapping[str, Any]) -> Level:
    wanted = 3 if key.endswith("zarr.json") else 2
    version = document.get("zarr_format")
    if version != wanted or isinstance(version, bool):
        parser.fail(key, f"zarr_format is {version!r}"[:200], str(wanted))
    if wanted == 3 and document.get("node_type") != "array":
        parser.fail(key, f"node_type is {document.get('node_type')!r}"[:200], "'array'")
    shape = document.get("shape")
    listed = isinstance(shape, list) and shape
    if not listed or not all(type(n) is int and n >= 0 for n in shape or ()):
        parser.fail(key, f"shape is {shape!r}"[:200], "a list of whole numbers")
    sizes = tuple(shape or ())
    if 0 in sizes:
        parser.fail(key, f"the array is empty: shape {list(sizes)}", "some voxels")
    if math.prod(sizes) > _MAX_VOXELS:
        parser.fail(key, f"shape is {list(sizes)}"[:200], "fewer voxels")
    return Level(path, document, key, sizes)
