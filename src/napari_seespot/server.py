"""A client of all that a SeeSpot server offers, for scripts and docks.

Examples
--------
>>> from napari_seespot.server import SeeSpotClient
>>> with SeeSpotClient("http://lab-server:5555") as client:  # doctest: +SKIP
...     client.set_active("HCR_749315_2025-05-08_14-00-00_processed_...")
...     link = client.neuroglancer_links([7966486, 5243252]).url
"""

from napari_seespot.sources._client import NeuroglancerLinks, SeeSpotClient
from napari_seespot.sources._http_errors import StatusError

__all__ = ["NeuroglancerLinks", "SeeSpotClient", "StatusError"]
