"""*File > Open Sample > napari-seespot*: the built-in samples."""

from __future__ import annotations

from typing import Any

from napari_seespot._reader import read

__all__ = ["hcr_sample", "million_spots"]


def hcr_sample() -> list[Any]:
    """Open the built-in sample in the current viewer; it is made at the first time."""
    return read("sample")


def million_spots() -> list[Any]:
    """Open the sample of 1,000,000 spots without images in the current viewer."""
    return read("sample-million")
