"""The files of a sample dataset and where they lie, as in real datasets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_seespot._sample_scene import Scene
    from napari_seespot._sample_spots import SpotColumns

__all__ = ["BACKGROUND_CHANNEL", "Request", "write_dataset"]

BACKGROUND_CHANNEL = "405"
"""The channel that shows the cells and has no spots."""

_GENES = (
    *("Crh", "Penk", "Ptprt", "Pvalb", "Sst", "Vip"),
    *("Npy", "Lamp5", "Gad2", "Calb2", "Reln", "Cck"),
)
_ROUND = 4
_BUCKET = "s3://example-bucket"


class Request(NamedTuple):
    """What a sample shall be like, checked.

    Attributes
    ----------
    n_spots, seed : int
    images : bool
    channels : tuple of str
        Ascending.
    """

    n_spots: int
    seed: int
    images: bool
    channels: tuple[str, ...]

    @property
    def genes(self) -> dict[str, str]:
        """The gene that each channel shows."""
        more = range(len(_GENES), len(self.channels))
        names = (*_GENES, *(f"Gene{i + 1}" for i in more))
        return dict(zip(self.channels, names, strict=False))


def write_dataset(
    folder: Path, name: str, request: Request, step: Callable[[float, str], None]
) -> None:
    """Write all files of a dataset.

    Parameters
    ----------
    folder : Path
        Must exist and be empty.
    name : str
        The dataset's name; `folder` may still have another one.
    request : Request
    step : callable
        Called with a fraction and a message; may raise to stop.
    """
    from napari_seespot._sample_scene import make_scene
    from napari_seespot._sample_tables import write_tables

    step(0.0, "Inventing cells and molecules")
    scene = make_scene(
        request.n_spots, request.seed, request.channels, images=request.images
    )
    for part in (
        "derived",
        "image_spot_spectral_unmixing",
        "image_tile_fusing/fused",
        "cell_body_segmentation",
    ):
        (folder / part).mkdir(parents=True)
    _write_json(
        folder / "derived/processing_manifest.json", _manifest(name, request), 4
    )
    _write_json(
        folder / "phase_correlation_stitching_neuroglancer.json",
        _neuroglancer(name, request.channels),
        1,
    )
    fill = _with_pictures if request.images else _without_pictures
    columns, volumes, centroids = fill(folder, scene, _part(step, 0.1, 0.7))
    np.save(folder / "cell_body_segmentation/cell_centroids.npy", centroids)
    write_tables(
        folder / "image_spot_spectral_unmixing",
        scene,
        columns,
        request.genes,
        volumes,
        centroids,
        _part(step, 0.7, 1.0),
    )
    step(1.0, "The sample is complete")


def _with_pictures(
    folder: Path, scene: Scene, step: Callable[[float, str], None]
) -> tuple[SpotColumns, NDArray[np.int64], NDArray[np.float64]]:
    """Paint and write the pictures, and measure the spots in them."""
    from napari_seespot import _sample_images as pictures
    from napari_seespot._sample_spots import measured_columns

    step(0.0, "Painting the cells")
    tissue = pictures.paint_tissue(scene.cells, scene.shape)
    segmentation = folder / "cell_body_segmentation"
    pictures.write_labels(segmentation / "segmentation_mask.zarr", tissue.mask)
    painter = pictures.Painter(scene, tissue)
    fused = folder / "image_tile_fusing/fused"
    step(0.1, f"Painting channel {BACKGROUND_CHANNEL}")
    structure = painter.structure()
    pictures.write_pyramid(fused / f"channel_{BACKGROUND_CHANNEL}.zarr", structure, 0)

    def measure(
        channel: int, voxels: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        name = scene.channels[channel]
        step(0.2 + 0.8 * channel / len(scene.channels), f"Painting channel {name}")
        picture = painter.channel(channel)
        pictures.write_pyramid(fused / f"channel_{name}.zarr", picture, channel + 1)
        return pictures.measure(picture, voxels)

    columns = measured_columns(scene, measure, tissue.mask)
    n_cells = len(scene.cells)
    return columns, tissue.volumes(n_cells), tissue.centroids(n_cells)


def _without_pictures(
    folder: Path, scene: Scene, step: Callable[[float, str], None]
) -> tuple[SpotColumns, NDArray[np.int64], NDArray[np.float64]]:
    """Measure the spots by a model of what pictures would have shown."""
    from napari_seespot._sample_spots import measure_by_model, measured_columns

    step(0.0, "Measuring the spots")
    model = measure_by_model(scene)

    def measure(
        channel: int, voxels: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        name = scene.channels[channel]
        step((channel + 1) / (len(scene.channels) + 1), f"Measuring channel {name}")
        return model(channel, voxels)

    columns = measured_columns(scene, measure, None)
    cells = scene.cells
    bodies = 4 / 3 * np.pi * cells.radius.astype(np.float64).prod(axis=1)
    volumes = np.concatenate([[0], np.rint(bodies)]).astype(np.int64)
    numbers = np.arange(1, len(cells) + 1)
    centroids = np.column_stack([cells.centre.astype(np.float64), numbers])
    return columns, volumes, centroids


def _manifest(name: str, request: Request) -> dict[str, object]:
    def gene(label: str, barcode: str, wavelength: str) -> dict[str, object]:
        return {
            "gene": label,
            "barcode": barcode,
            "fluorophore": "",
            "wavelength": wavelength,
            "round": _ROUND,
        }

    # Real manifests have these oddities in "wavelength".
    genes = {BACKGROUND_CHANNEL: gene("Rn28s", "", "dtype:")}
    for i, (channel, label) in enumerate(request.genes.items()):
        genes[channel] = gene(label, f"B{i + 1}", f"{channel},")
    return {
        "segmentation_channels": {"background": BACKGROUND_CHANNEL, "nuclear": None},
        "spot_channels": list(request.channels),
        "round": _ROUND,
        "stitching_channels": list(request.channels),
        "gene_dict": genes,
        "tile_subset": [],
        "s3_location": f"{_BUCKET}/{name}",
    }


def _neuroglancer(name: str, channels: tuple[str, ...]) -> dict[str, object]:
    fused = f"zarr://{_BUCKET}/{name}/image_tile_fusing/fused"
    state = f"{_BUCKET}/{name}/phase_correlation_stitching_neuroglancer.json"
    return {
        "ng_link": f"https://neuroglancer-demo.appspot.com/#!{state}",
        "dimensions": {
            "x": [2.4e-07, "m"],
            "y": [2.4e-07, "m"],
            "z": [1e-06, "m"],
            "c'": [1, ""],
            "t": [0.001, "s"],
        },
        "layers": [
            {
                "type": "image",
                "name": f"CH_{channel}",
                "source": f"{fused}/channel_{channel}.zarr",
            }
            for channel in channels
        ],
        "showAxisLines": True,
        "showScaleBar": False,
    }


def _write_json(path: Path, content: dict[str, object], indent: int) -> None:
    path.write_text(json.dumps(content, indent=indent), encoding="utf-8")


def _part(
    step: Callable[[float, str], None], low: float, high: float
) -> Callable[[float, str], None]:
    """Return a step whose fractions fill the range from `low` to `high`."""
    return lambda fraction, message: step(low + (high - low) * fraction, message)
