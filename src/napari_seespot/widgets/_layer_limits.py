"""The contrast of the channels as the viewer shows them, and news of changes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_seespot.dataset import Dataset
    from napari_seespot.session import Session

__all__ = ["LayerLimits", "drop_limits", "image_limits"]


def image_limits(
    dataset: Dataset, channels: Iterable[str]
) -> dict[str, tuple[float, float]]:
    """Return the limits that images of a dataset begin with; for a worker.

    Where the metadata do not tell them, pixels are read.
    """
    return {
        channel: dataset.images[channel].contrast_limits or (0.0, 1.0)
        for channel in channels
    }


class LayerLimits:
    """Follows the contrast limits of a session's image layers.

    Parameters
    ----------
    changed : callable
        Called, without arguments, when limits changed, or layers came or went.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._session: Session | None = None
        self._events: list[Any] = []
        self._layers: list[Any] = []

    def follow(self, session: Session) -> None:
        """Follow the layers of a session, where it has a viewer."""
        self.drop()
        self._session = session
        viewing = session.viewing
        if viewing is not None:
            events = viewing.viewer.layers.events
            for event in (events.inserted, events.removed):
                event.connect(self._on_layers)  # napari refers to it weakly
                self._events.append(event)
        self._watch()

    def drop(self) -> None:
        """Let go of the session and its layers."""
        for event in self._events:
            with suppress(ValueError):  # napari has let go of it with its window
                event.disconnect(self._on_layers)
        for layer in self._layers:
            with suppress(ValueError):
                layer.events.contrast_limits.disconnect(self._on_limits)
        self._events, self._layers, self._session = [], [], None

    def of(self, channel: str) -> tuple[float, float] | None:
        """Return the limits of a channel's layer; None where no layer shows it."""
        layer = self._channels().get(channel)
        if layer is None:
            return None
        low, high = layer.contrast_limits
        return (float(low), float(high))

    def _channels(self) -> dict[str, Any]:
        viewing = None if self._session is None else self._session.viewing
        images = None if viewing is None else viewing.images
        return {} if images is None else images.channels

    def _watch(self) -> None:
        # All image layers: one that comes is not known as a channel's yet.
        viewing = None if self._session is None else self._session.viewing
        for layer in () if viewing is None else viewing.viewer.layers:
            limits = getattr(layer.events, "contrast_limits", None)
            if limits is not None and layer not in self._layers:
                limits.connect(self._on_limits)
                self._layers.append(layer)

    def _on_layers(self, _event: Any = None) -> None:
        self._watch()
        self._changed()

    def _on_limits(self, _event: Any = None) -> None:
        self._changed()


def drop_limits(limits: LayerLimits, *_: Any) -> None:
    """Have limits follow nothing more; Qt passes on what it has destroyed as well."""
    limits.drop()
