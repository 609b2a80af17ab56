"""*File > Open Sample > napari-seespot > HCR sample*."""

from __future__ import annotations

from typing import Any

from napari_seespot._reader import read

__all__ = ["hcr_sample"]


def hcr_sample() -> list[Any]:
    """Open the built-in sample in the current viewer; it is made at the first time."""
    return read("sample")
