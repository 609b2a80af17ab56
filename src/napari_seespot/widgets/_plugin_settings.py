"""napari's settings of this plugin, turned into arguments.

The only place that asks napari for them; everything else takes arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from napari_seespot import settings

if TYPE_CHECKING:
    from napari_seespot.state import State

__all__ = ["PluginSettings", "plugin_settings"]

_PLUGIN = "napari-seespot"


@dataclass(frozen=True)
class PluginSettings:
    """What the user set in *File > Preferences > napari-seespot*.

    Attributes
    ----------
    sources_..., cache_..., drawing_...
        A group of the manifest's ``configurations`` and a property of it. The
        defaults are the manifest's.
    """

    sources_server_url: str = "http://localhost:5555"
    sources_s3_bucket: str = ""
    sources_s3_endpoint: str = ""
    sources_s3_anonymous: bool = True
    cache_folder: str = ""
    cache_size_gb: int = 20
    cache_chunks_mb: int = 1024
    drawing_max_points: int = 0
    drawing_slab_picture: Literal["auto", "points", "density"] = "auto"
    compute_scheduler: str = ""

    def apply(self) -> None:
        """Hand over what holds for the whole process."""
        settings.configure(
            cache_folder=self.cache_folder or None,
            cache_gb=self.cache_size_gb,
            chunks_mb=self.cache_chunks_mb,
            scheduler=self.compute_scheduler,
        )

    def new_state(self) -> State:
        """Return the state that a session begins with."""
        from napari_seespot.state import State

        return State(
            max_points=self.drawing_max_points, picture=self.drawing_slab_picture
        )

    def options_for(self, uri: str) -> dict[str, Any]:
        """Return what `open_dataset` needs to know of S3.

        The images of a server's dataset lie in S3 too, also of one that was saved.
        """
        remote = uri.lower().startswith(("s3://", "http://", "https://"))
        if not remote and not uri.lower().endswith(".json"):
            return {}
        from napari_seespot._addresses import StorageOptions

        # None: unsigned first, then with the user's credentials.
        anonymous = None if self.sources_s3_anonymous else False
        endpoint = self.sources_s3_endpoint.strip() or None
        return {"storage": StorageOptions(endpoint, anonymous=anonymous)}


def plugin_settings() -> PluginSettings:
    """Return the settings as they are now; the defaults where napari has none."""
    from napari.settings import get_plugin_settings

    try:
        found = get_plugin_settings(_PLUGIN)
    except KeyError:  # the plugin is used without being installed as one
        return PluginSettings()
    values = {}
    for item in fields(PluginSettings):
        group, _, name = item.name.partition("_")
        values[item.name] = getattr(getattr(found, group), name)
    return PluginSettings(**values)
