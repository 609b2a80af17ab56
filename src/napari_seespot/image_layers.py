"""The image and mask layers of one session: loading, failing, looking."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari_seespot.contrast_fitting import ContrastSearch, fit_to_view
from napari_seespot.crops import CROP_VOXELS, crop, voxel_at
from napari_seespot.errors import NotFoundError, StateError
from napari_seespot.failure_marks import FailureMarks
from napari_seespot.screen import Screen
from napari_seespot.volumes import VolumeLevels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_seespot.crops import Crop
    from napari_seespot.images import ChannelImage
    from napari_seespot.overlay import Defer

__all__ = ["ImageLayers", "appearance"]

_POLL_MS = 40
# Slicing layers takes so long, then the window gets its turn. Where painting takes
# long (OpenGL in software), fewer and longer turns show all of a step sooner.
_TURN_S, _LONG_TURN_S = 0.03, 0.1
_TEXT = "napari-seespot-loading"


def appearance(image: ChannelImage) -> dict[str, Any]:
    """Return how napari shows a channel or a mask, but for its data."""
    arguments: dict[str, Any] = {
        "name": image.name,
        "scale": image.scale,
        "translate": image.translate,
        "axis_labels": ("z", "y", "x"),
        "units": image.units,
        "metadata": {"napari-seespot": {"channel": image.channel, "uri": image.uri}},
    }
    if image.kind == "labels":
        return {**arguments, "blending": "translucent", "opacity": 0.4}
    return {
        **arguments,
        "colormap": image.colormap,
        "contrast_limits": image.contrast_limits,
        "blending": "additive",
        # the spots' slab widens napari's slicing; of the image, one plane is meant
        "projection_mode": "none",
    }


class ImageLayers:
    """Images of a session in a viewer.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    defer : callable, optional
        How a window puts updates off; see `SpotOverlay`. Without it slicing waits
        until everything is there.
    """

    def __init__(self, viewer: Any, defer: Defer | None = None) -> None:
        self.viewer = viewer
        self.screen = Screen(waits=defer is None, place=self._place)
        self._layers: list[Any] = []
        self._contrast = ContrastSearch()
        self._volumes = VolumeLevels()
        self._marks = FailureMarks(viewer)
        self._text: Any = None
        self._asked = self._closed = False
        self._again = (defer or _never)(self._poll, _POLL_MS)
        self._leads = defer is not None
        self._turned = 0.0  # when the window got its turn, with layers left to draw
        self._painting = 0.0  # s that it took then
        self._queue: dict[Any, bool] = {}  # layers to refresh, thumbnails too
        self._drawn = (defer or _never)(self._draw, 0)
        viewer.dims.events.ndisplay.connect(self._choose_levels)
        viewer.layers.events.removed.connect(self._on_removed)
        self._events = (viewer.dims.events.point, viewer.dims.events.current_step)
        for event in self._events:
            event.connect(self._on_step)

    # --- layers

    @property
    def layers(self) -> tuple[Any, ...]:
        """All layers that were added here."""
        return (*self._layers, *self._marks.layers)

    @property
    def channels(self) -> dict[str, Any]:
        """The image layers by channel, masks and crops left out."""
        return self._by_channel("image")

    @property
    def masks(self) -> dict[str, Any]:
        """The labels layers by the name of their segmentation."""
        return self._by_channel("labels")

    def _by_channel(self, kind: str) -> dict[str, Any]:
        found = {}
        for image in self.screen.images:
            layer = self.layer_of(image)
            if image.kind == kind and layer is not None:
                found[image.channel] = layer
        return found

    def add(self, image: ChannelImage) -> Any:
        """Add a channel or a mask; return its layer, which may have been there."""
        there = self.layer_of(image)
        if there is not None:
            return there
        views = self.screen.views(image)
        several = len(views) > 1
        layer = _new_layer(image, views if several else views[0], several)
        self.screen.show(image, layer)
        self._put(layer)
        layer.events.set_data.connect(self._on_sliced)
        layer.events.visible.connect(self._choose_levels)
        if image.kind == "image":
            layer.led = self._leads
        self._choose_levels()
        return layer

    def _put(self, layer: Any) -> None:
        """Put a layer above the other images but below spots and what users drew."""
        layers = self.viewer.layers
        active = layers.selection.active
        below = [layers.index(one) for one in self._layers if one in layers]
        self._layers.append(layer)
        layers.insert(max(below) + 1 if below else len(layers), layer)
        if active is not None and active in layers:
            layers.selection.active = active

    def layer_of(self, image: ChannelImage) -> Any:
        """Return the layer that shows an image; None where none does."""
        layer = self.screen.layer_of(image)
        return layer if layer is not None and layer in self.viewer.layers else None

    def _on_removed(self, event: Any) -> None:
        """Read nothing any more for a layer that was removed."""
        for image in self.screen.images:
            if self.screen.layer_of(image) is event.value:
                self._let_go(image)

    def _let_go(self, image: ChannelImage) -> None:
        layer = self.screen.layer_of(image)
        self.screen.hide(image)
        if layer is not None:  # it may live on, with nobody who has it drawn
            layer.events.set_data.disconnect(self._on_sliced)
            layer.events.visible.disconnect(self._choose_levels)
            if image.kind == "image":
                layer.led = False

    def _place(self, layer: Any) -> Sequence[float]:
        """Return where a layer is sliced, in voxels of its level 0."""
        place: Sequence[float] = layer.world_to_data(self.viewer.dims.point)
        return place

    def _choose_levels(self, _event: Any = None) -> None:
        """In 3-D, show the finest level that can be drawn; in 2-D, napari's choice."""
        layers = {image: self.layer_of(image) for image in self.screen.images}
        there = {image: layer for image, layer in layers.items() if layer is not None}
        before = self._volumes.too_large
        self._volumes.choose(there, flat=self.viewer.dims.ndisplay == 2)
        if self._volumes.too_large != before:
            self._say(0)  # what is pending follows at the next poll
        if news := self._volumes.too_large - before:
            self._tell(
                f"{', '.join(sorted(news))}: too large to be shown in 3-D, without a "
                "smaller level of resolution. Use 'Crop at full resolution' in the "
                "Images dock to see a part."
            )
        self._on_sliced()

    # --- drawing

    def _on_step(self, _event: Any = None) -> None:
        """Have the layers drawn that have noted a step."""
        if self._leads and not self._closed:
            self._drawn()

    def _draw(self) -> None:
        """Refresh layers until the window's turn has come; the rest in the next."""
        if self._closed:
            return
        for image in self.screen.images:
            layer = self.layer_of(image)
            if getattr(layer, "stale", False) and layer.visible:
                self._queue.setdefault(layer, False)
        begin = time.perf_counter()
        if self._turned:
            self._painting = begin - self._turned
        turn = min(max(_TURN_S, self._painting / 2), _LONG_TURN_S)
        while self._queue and time.perf_counter() - begin < turn:
            layer = next(iter(self._queue))
            thumbnail = self._queue.pop(layer)
            if layer in self.viewer.layers:
                layer.refresh(extent=False, thumbnail=thumbnail, highlight=False)
        self._turned = time.perf_counter() if self._queue else 0.0
        if self._queue:
            self._drawn()

    # --- loading

    def _on_sliced(self, _event: Any = None) -> None:
        """See what is coming, a little later."""
        if not self._asked and not self._closed:
            self._asked = True
            self._again()

    def _poll(self) -> None:
        self._asked = False
        if self._closed:
            return
        for image in self.screen.images:
            if self.layer_of(image) is None:
                self.screen.hide(image)  # its layer was removed by the user
        news = self.screen.poll()
        self._contrast.apply()
        for layer in news.refresh:
            self._queue[layer] = not news.pending
        if self._queue:
            self._drawn()
        self._say(news.pending)
        for image, why in news.failed.items():
            self._notify(image, why)
        self._marks.update(self.screen)
        busy = not self.screen.resting or self._contrast.busy
        if news.pending or news.refresh or busy:
            self._on_sliced()

    def _say(self, pending: int) -> None:
        lines = [f"Loading {pending:,} image chunks"] if pending else []
        if large := self._volumes.too_large:
            lines.append(f"Too large for 3-D: {', '.join(sorted(large))}")
        text = "\n".join(lines)
        if self._text is None:
            if not text:
                return
            self._text = _add_text(self.viewer)
        if self._text.text != text:
            self._text.text = text

    def _notify(self, image: ChannelImage, why: str) -> None:
        """Tell once that chunks of an image are missing, and offer a retry."""
        kind = "Mask" if image.kind == "labels" else "Channel"
        self._tell(
            f"{kind} {image.name}: parts of the image could not be read ({why}). "
            "They are shown empty and crossed out.",
            actions=(("Retry", lambda *_: self.retry()),),
        )

    def _tell(self, text: str, **options: Any) -> None:
        from napari.utils.notifications import Notification, notification_manager

        notification_manager.dispatch(Notification(text, "warning", **options))

    def retry(self) -> None:
        """Ask again for what could not be read."""
        if self._closed:
            return
        for layer in self.screen.retry():
            layer.refresh(extent=False)
        for image in self.screen.images:
            layer = self.layer_of(image)
            if layer is not None:
                self._contrast.start(image, layer)
        if self.screen.waits:
            self._contrast.apply(wait=True)
        self._marks.update(self.screen)
        self._on_sliced()

    # --- looking

    def auto_contrast(
        self, channels: Sequence[str] | None = None
    ) -> dict[str, tuple[float, float]]:
        """Fit the contrast to what is in view; see `fit_to_view`."""
        return fit_to_view(self.screen, channels)

    def image_of(self, channel: str) -> ChannelImage:
        """Return the image of a channel that has a layer.

        Raises
        ------
        NotFoundError
            There is none.
        """
        for image in self.screen.images:
            if image.channel == channel and image.kind == "image":
                return image
        raise NotFoundError(
            f"channel {channel} is not shown",
            expected=f"one of {', '.join(self.channels) or 'none'}",
        )

    # --- crops

    def add_crop(self, box: Crop) -> Any:
        """Add a box of a channel as a layer of its own."""
        arguments = appearance(box.image)
        source = self.layer_of(box.image)
        if source is not None and box.image.kind == "image":
            arguments["contrast_limits"] = source.contrast_limits
            arguments["colormap"] = source.colormap
        arguments |= {
            "name": f"{box.image.name} · crop",
            "scale": box.scale,
            "translate": box.translate,
        }
        layer = _new_layer(box.image, box.data, False, arguments)
        self._put(layer)
        return layer

    def crop(
        self,
        place_um: Sequence[float],
        size: Sequence[int] = CROP_VOXELS,
        channels: Sequence[str] | None = None,
        level: int = 0,
    ) -> list[Any]:
        """Add a box around a place at full resolution, for each channel a layer.

        Waits for the voxels; `napari_seespot.crops.crop` in a worker and
        `add_crop` in the window's thread do the same without.

        Parameters
        ----------
        place_um : sequence of float
            (z, y, x) in um, as the viewer's world.
        size : sequence of int
            (z, y, x) in voxels of level 0.
        channels : sequence of str, optional
            The visible ones by default.
        level : int

        Raises
        ------
        ImageError
            See `napari_seespot.crops.crop`.
        StateError
            No channel is visible.
        """
        if channels is None:
            channels = [c for c, layer in self.channels.items() if layer.visible]
        if not channels:
            raise StateError("no channel is visible", hint="Show a channel first")
        images = [self.image_of(channel) for channel in channels]
        boxes = [crop(i, voxel_at(i, place_um), size, level) for i in images]
        return [self.add_crop(box) for box in boxes]

    def close(self) -> None:
        """Let go of the viewer; the layers are the caller's to remove."""
        if self._closed:
            return
        self._closed = True
        self._queue.clear()
        self.viewer.dims.events.ndisplay.disconnect(self._choose_levels)
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        for event in self._events:
            event.disconnect(self._on_step)
        for image in self.screen.images:
            self._let_go(image)
        self.screen.close()
        self.viewer.canvas.overlays.pop(_TEXT, None)


def _new_layer(
    image: ChannelImage,
    data: Any,
    multiscale: bool,
    arguments: dict[str, Any] | None = None,
) -> Any:
    from napari.layers import Labels

    from napari_seespot.channel_layer import Image

    arguments = arguments or appearance(image)
    if image.kind == "labels":
        layer = Labels(data, multiscale=multiscale, **arguments)
        layer.editable = False
        return layer
    return Image(data, multiscale=multiscale, **arguments)


def _never(_update: Callable[[], None], _delay_ms: int) -> Callable[[], None]:
    return lambda: None


def _add_text(viewer: Any) -> Any:
    from napari.components.overlays import TextOverlay

    text = TextOverlay(text="", position="bottom_left", font_size=10, visible=True)
    viewer.canvas.overlays[_TEXT] = text
    return text
