"""*File > Open Sample > napari-seespot*: the built-in samples."""

from __future__ import annotations

from typing import Any

from napari_seespot._reader import NO_LAYERS, read

__all__ = ["hcr_sample", "million_spots"]


def hcr_sample() -> list[Any]:
    """Open the built-in sample in the current viewer; it is made at the first time."""
    return _opened("sample")


def million_spots() -> list[Any]:
    """Open the sample of 1,000,000 spots without images in the current viewer."""
    return _opened("sample-million")


def _opened(uri: str) -> list[Any]:
    layers = read(uri)
    if layers is not NO_LAYERS:
        return layers
    import numpy as np

    # A reader may say that it opened no layers; of a sample, napari takes that for
    # an error. This says the same: an image of no channels, which adds no layer.
    return [(np.zeros((0, 1, 1)), {"channel_axis": 0}, "image")]
