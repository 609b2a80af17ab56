"""Contrast of image layers: fitted to what is in view, and found after a failure."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot._contrast import full_range, robust_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot.images import ChannelImage
    from napari_seespot.screen import Screen

__all__ = ["ContrastSearch", "fit_to_view"]

_LOOKED_AT = 1_000_000  # voxels from which contrast is measured


def fit_to_view(
    screen: Screen, channels: Sequence[str] | None = None
) -> dict[str, tuple[float, float]]:
    """Fit the contrast to what is in view; return the limits that were set.

    Parameters
    ----------
    screen : Screen
    channels : sequence of str, optional
        All that are visible by default. One of which nothing is in view, or
        only one value, keeps its limits.
    """
    found = {}
    for image in screen.images:
        layer = screen.layer_of(image)
        named = channels is None or image.channel in channels
        if not named or layer is None or image.kind != "image":
            continue
        values = screen.values_in_view(image)
        if values is None or (channels is None and not layer.visible):
            continue
        step = max(1, round((values.size / _LOOKED_AT) ** 0.5))
        limits = robust_limits(np.ascontiguousarray(values[..., ::step, ::step]))
        if limits is not None:
            layer.contrast_limits = limits
            found[image.channel] = limits
    return found


class ContrastSearch:
    """Finds the contrast of channels whose first search met a chunk that failed.

    Until then they show the full range of their type, in which nothing is seen.
    """

    def __init__(self) -> None:
        self._found: SimpleQueue[tuple[ChannelImage, Any, Any]] = SimpleQueue()
        self._running = 0

    @property
    def busy(self) -> bool:
        """Whether `apply` may have something to do later."""
        return self._running > 0

    def start(self, image: ChannelImage, layer: Any) -> None:
        """Measure beside the window, if a layer still shows the full range."""
        if image.kind == "image" and _is_full(image, layer):
            self._running += 1
            threading.Thread(
                target=self._measure,
                args=(image, layer),
                name="seespot-contrast",
                daemon=True,
            ).start()

    def _measure(self, image: ChannelImage, layer: Any) -> None:
        limits = None
        try:
            limits = image.contrast_limits  # chunks that fail again are no error
        finally:
            self._found.put((image, layer, limits))

    def apply(self, wait: bool = False) -> None:
        """Show what was found, unless somebody chose limits meanwhile."""
        while self._running:
            try:
                image, layer, limits = self._found.get(block=wait)
            except Empty:
                return
            self._running -= 1
            if limits is not None and _is_full(image, layer):
                layer.contrast_limits_range = limits
                layer.contrast_limits = limits


def _is_full(image: ChannelImage, layer: Any) -> bool:
    return tuple(map(float, layer.contrast_limits)) == full_range(image.dtype)
