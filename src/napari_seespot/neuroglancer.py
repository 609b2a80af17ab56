"""Neuroglancer links: the view, or spots, in a browser; and the way back.

Neuroglancer counts x, y, z in voxels of level 0, napari z, y, x. The state's
form is Neuroglancer's own (https://github.com/google/neuroglancer, the Python
package's `neuroglancer.viewer_state`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np

from napari_seespot.coloring import class_colors
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.recent import without_credentials
from napari_seespot.spots import STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_seespot.dataset import Dataset
    from napari_seespot.images import ChannelImage

__all__ = [
    "LONGEST_LINK",
    "ChannelLook",
    "Position",
    "link",
    "position_of",
    "public_address",
    "state_of",
    "viewer_state",
]

SERVICE = "https://neuroglancer-demo.appspot.com/"

LONGEST_LINK = 100_000
"""Characters; browsers and chats refuse longer ones."""

MOST_ANNOTATIONS = 100_000

Position = tuple[float, float, float]


@dataclass(frozen=True)
class ChannelLook:
    """How a channel is shown.

    Attributes
    ----------
    contrast : tuple of float
        Low and high.
    color : str
        ``#rrggbb``.
    visible : bool
    """

    contrast: tuple[float, float]
    color: str
    visible: bool = True


def viewer_state(
    dataset: Dataset,
    position: Position,
    *,
    rows: np.ndarray | None = None,
    name: str = "Spots",
    color: str = "#ffff00",
    looks: Mapping[str, ChannelLook] | None = None,
    zoom: float = 1.0,
) -> dict[str, Any]:
    """Return a Neuroglancer state of the channels, with spots as annotations.

    Parameters
    ----------
    dataset : Dataset
    position : tuple of float
        (z, y, x) in voxels of level 0.
    rows : ndarray of int, optional
        Spots that become points of an annotation layer, with id, channel,
        unmixed channel, status, r and dist as properties.
    name, color : str
        Of the annotation layer.
    looks : mapping of str to ChannelLook, optional
        The channels to show, and how; by default all images of the dataset, which are
        opened for that, as they tell themselves.
    zoom : float
        Voxels a pixel of the cross section.

    Raises
    ------
    StateError
        When the position is not finite, or there are too many spots.
    """
    z, y, x = position
    if not all(map(math.isfinite, position)):
        raise StateError(
            f"there is no place at {position}", expected="(z, y, x) in voxels"
        )
    size_z, size_y, size_x = (um * 1e-6 for um in dataset.voxel_size)
    state: dict[str, Any] = {
        "dimensions": {
            "x": [size_x, "m"],
            "y": [size_y, "m"],
            "z": [size_z, "m"],
            "t": [0.001, "s"],
        },
        "position": [x, y, z, 0],
        "crossSectionScale": zoom,
        "layers": _image_layers(dataset, looks),
        "showAxisLines": True,
        "showScaleBar": True,
        "layout": "4panel",
    }
    if rows is not None and len(rows):
        state["layers"].append(_spot_layer(dataset, rows, name, color))
        state["selectedLayer"] = {"layer": name, "visible": True}
    return state


def link(state: Mapping[str, Any], service: str = SERVICE) -> str:
    """Return a state as a link.

    Raises
    ------
    StateError
        When the link would be too long; `json.dump` the state instead.
    """
    text = f"{service}#!{quote(json.dumps(state, separators=(',', ':')))}"
    if len(text) > LONGEST_LINK:
        raise StateError(
            f"the link would have {len(text):,} characters",
            expected=f"{LONGEST_LINK:,} at most",
            hint="Save the state as a JSON file, or choose fewer spots",
        )
    return text


def position_of(
    text: str, voxel_size: tuple[float, float, float] | None = None
) -> Position:
    """Return the place, (z, y, x) in voxels, that a link or a JSON state looks at.

    Parameters
    ----------
    text : str
    voxel_size : tuple of float, optional
        (z, y, x) in um. A position counts in the link's own units, which are
        converted: one may look at the same place in voxels of another level, or in
        nanometres. SeeSpot writes 1 um for each axis where it does not know better,
        and means voxels.

    Raises
    ------
    StateError
        When the text holds no Neuroglancer state with x, y and z.
    """
    state = state_of(text)
    dimensions, position = state.get("dimensions"), state.get("position")
    if not isinstance(dimensions, dict) or not isinstance(position, list):
        raise StateError(
            "the Neuroglancer link holds no position",
            expected="a state with dimensions and position",
            hint="A link to a state that is stored elsewhere has to be opened first",
        )
    places = dict(zip(dimensions, position, strict=False))
    try:
        z, y, x = (float(places[axis]) for axis in "zyx")
    except (KeyError, TypeError, ValueError):
        raise StateError(
            f"the Neuroglancer position {position} has no x, y and z",
            expected=f"numbers for x, y and z; its dimensions are {list(dimensions)}",
        ) from None
    if not all(map(math.isfinite, (z, y, x))):
        raise StateError(f"the Neuroglancer position {position} is not finite")
    units = [_metres(dimensions[axis]) for axis in "zyx"]
    if voxel_size is None or None in units or units == [1e-6] * 3:
        return (z, y, x)
    z, y, x = (
        place * (unit or 0.0) / (size * 1e-6)
        for place, unit, size in zip((z, y, x), units, voxel_size, strict=True)
    )
    return (z, y, x)


def _metres(scale: Any) -> float | None:
    """Return a dimension's step in metres; None where it has no length."""
    try:
        value, unit = scale
        size = float(value)
    except (TypeError, ValueError):
        return None
    return size if unit == "m" and math.isfinite(size) and size > 0 else None


def state_of(text: str) -> dict[str, Any]:
    """Return the state that a link holds, or JSON.

    Raises
    ------
    StateError
        When it holds none.
    """
    text = text.strip()
    _, mark, fragment = text.partition("#!")
    try:
        state = json.loads(unquote(fragment) if mark else text)
    except (ValueError, RecursionError):
        state = None
    if not isinstance(state, dict):
        raise StateError(
            f"{text[:60]!r} is no Neuroglancer link",
            expected="an address with #!{...}, or the state as JSON",
        )
    return state


def _image_layers(
    dataset: Dataset, looks: Mapping[str, ChannelLook] | None
) -> list[dict[str, Any]]:
    layers = []
    for channel in dataset.images if looks is None else looks:
        try:
            image = dataset.images[channel]
        except SeeSpotError:  # that channel is reported where it is shown
            continue
        source = public_address(dataset, image.uri)
        if source is None:
            continue  # a browser reads no disk
        look = _own_look(dataset, image) if looks is None else looks[channel]
        layers.append(
            {
                "type": "image",
                "name": image.name,
                "source": f"zarr://{source}",
                "localDimensions": {"c'": [1, ""]},
                "localPosition": [0],
                "shader": _SHADER.replace("COLOR", look.color),
                "shaderControls": {"normalized": {"range": [*look.contrast]}},
                "blend": "additive",
                "opacity": 1.0,
                "visible": look.visible,
            }
        )
    return layers


def _own_look(dataset: Dataset, image: ChannelImage) -> ChannelLook:
    color = str(image.colormap)
    return ChannelLook(
        image.contrast_limits or (0, 65535),
        color if color.startswith("#") else "#ffffff",
        image.channel in dataset.channels,
    )


_SHADER = (
    '#uicontrol vec3 color color(default="COLOR")\n'
    "#uicontrol invlerp normalized\n"
    "void main() {\n  emitRGB(color * normalized());\n}\n"
)


def public_address(dataset: Dataset, uri: str) -> str | None:
    """Return where a browser finds an image, without credentials; None on a disk.

    A copy of a folder that lies in S3, as its manifest tells, is read there.
    """
    home = dataset.info.get("s3_location")
    marker = "/image_tile_fusing/"
    if "://" in uri:
        return without_credentials(uri)
    if home and marker in uri.replace("\\", "/"):
        rest = uri.replace("\\", "/").partition(marker)[2]
        return f"{str(home).rstrip('/')}{marker}{rest}"
    return None


def _spot_layer(
    dataset: Dataset, rows: np.ndarray, name: str, color: str
) -> dict[str, Any]:
    if len(rows) > MOST_ANNOTATIONS:
        raise StateError(
            f"{len(rows):,} spots for a Neuroglancer layer",
            expected=f"{MOST_ANNOTATIONS:,} at most",
            hint="Select fewer spots",
        )
    known = [np.isfinite(dataset.spots.column(axis)[rows]) for axis in "zyx"]
    table = dataset.spots.to_pandas(rows=rows[np.logical_and.reduce(known)])
    numbers = [column for column in ("r", "dist") if column in table]
    channels = [*dataset.channels, "removed"]
    return {
        "type": "annotation",
        "name": name,
        "source": {"url": "local://annotations"},
        "tab": "annotations",
        "annotationColor": color,
        "annotationProperties": [
            _choice("chan", channels),
            _choice("unmixed_chan", channels),
            _choice("status", list(STATUSES)),
            *({"id": column, "type": "float32"} for column in numbers),
        ],
        "annotations": [
            _point(row, channels, numbers) for row in table.to_dict("records")
        ],
        "shader": _POINT_SHADER,
    }


def _point(
    row: Mapping[Any, Any], channels: list[str], numbers: list[str]
) -> dict[str, Any]:
    unmixed = row["unmixed_chan"]
    target = unmixed if isinstance(unmixed, str) else "removed"
    unknown = "".join(f", {n} unknown" for n in numbers if not math.isfinite(row[n]))
    return {
        "type": "point",
        "id": str(row["spot_id"]),
        "description": f"{row['chan']} → {target}, {row['status']}{unknown}",
        "point": [float(row["x"]), float(row["y"]), float(row["z"]), 0],
        "props": [
            channels.index(row["chan"]),
            # null, which pandas gives as NaN, where the spot was removed
            channels.index(target),
            STATUSES.index(row["status"]),
            *(_number(row[column]) for column in numbers),
        ],
    }


def _choice(name: str, labels: list[str]) -> dict[str, Any]:
    return {
        "id": name,
        "type": "uint8",
        "enum_values": list(range(len(labels))),
        "enum_labels": labels,
    }


def _number(value: float) -> float:
    # JSON has no NaN; 0 is what Neuroglancer itself takes by default, and the
    # description says that the value is unknown.
    return float(value) if math.isfinite(value) else 0.0


def _rgb(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return f"vec3({red:.3f}, {green:.3f}, {blue:.3f})"


_POINT_SHADER = (
    "void main() {\n"
    + "".join(
        f"  if (prop_status() == uint({place})) setColor({_rgb(color)});\n"
        for place, color in enumerate(class_colors("status", ()).values())
    )
    + "}\n"
)
