"""Inspect every spot of a multi-channel HCR dataset, and judge its unmixing.

>>> import napari_seespot as nss
>>> ds = nss.open_dataset("sample")  # doctest: +SKIP
>>> session = nss.view(ds)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_seespot._version import __version__
    from napari_seespot.dataset import Dataset, DatasetInfo
    from napari_seespot.densities import Density, density
    from napari_seespot.errors import (
        ImageError,
        NotFoundError,
        SeeSpotError,
        ServerError,
        StateError,
        TableError,
        UnsafePickleError,
    )
    from napari_seespot.figures import figure, overview_figure
    from napari_seespot.images import ChannelImage
    from napari_seespot.launch import view
    from napari_seespot.sample import make_sample
    from napari_seespot.session import Session
    from napari_seespot.sources import list_datasets, open_dataset
    from napari_seespot.spots import Spots
    from napari_seespot.state import State
    from napari_seespot.unmixing import dye_lines

__all__ = [
    "ChannelImage",
    "Dataset",
    "DatasetInfo",
    "Density",
    "ImageError",
    "NotFoundError",
    "SeeSpotError",
    "ServerError",
    "Session",
    "Spots",
    "State",
    "StateError",
    "TableError",
    "UnsafePickleError",
    "__version__",
    "density",
    "dye_lines",
    "figure",
    "list_datasets",
    "make_sample",
    "open_dataset",
    "overview_figure",
    "view",
]

_HOMES = {
    "ChannelImage": "images",
    "Dataset": "dataset",
    "DatasetInfo": "dataset",
    "Density": "densities",
    "ImageError": "errors",
    "NotFoundError": "errors",
    "SeeSpotError": "errors",
    "ServerError": "errors",
    "Session": "session",
    "Spots": "spots",
    "State": "state",
    "StateError": "errors",
    "TableError": "errors",
    "UnsafePickleError": "errors",
    "__version__": "_version",
    "density": "densities",
    "dye_lines": "unmixing",
    "figure": "figures",
    "list_datasets": "sources",
    "make_sample": "sample",
    "open_dataset": "sources",
    "overview_figure": "figures",
    "view": "launch",
}


def __getattr__(name: str) -> Any:
    # Lazily: `import napari_seespot` costs milliseconds and loads no library.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
