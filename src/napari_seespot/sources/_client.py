"""The client of a SeeSpot server: each endpoint a method."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from napari_seespot.dataset import DatasetInfo
from napari_seespot.errors import ServerError
from napari_seespot.sources._answer import read_answer, read_object
from napari_seespot.sources._http import Http, Reply
from napari_seespot.sources._json_stream import excerpt
from napari_seespot.sources._server_address import SampleOptions, parse_server_address
from napari_seespot.sources._task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

    from napari_seespot.sources._answer import Answer
    from napari_seespot.sources._task import Cancelled, Progress

__all__ = ["NeuroglancerLinks", "SeeSpotClient", "base_of_tile"]

T = TypeVar("T")

DATASETS = "/api/datasets"
DOWNLOAD = "/api/datasets/download"
SET_ACTIVE = "/api/datasets/set-active"
SPOTS = "/api/real_spots_data"
LINK = "/api/create-neuroglancer-link"
LINKS = "/api/create-neuroglancer-multi-annotations"

SPOTS_PATIENCE_S = 1800.0
"""A server computes 15 s for 5,000 spots of 8 million, 5 minutes for 1,000,000."""

DOWNLOAD_PATIENCE_S = 7200.0
"""It downloads and merges the tables before it answers: 6 minutes for 8 million."""

_TILE = re.compile(r"_X_\d+_Y_\d+_Z_\d+$")


@dataclass(frozen=True)
class NeuroglancerLinks:
    """A Neuroglancer view of several spots.

    Attributes
    ----------
    url : str
    annotation_count, missing_spots : int
        The spots that are marked, and those that the server does not know.
    layer_name : str
    """

    url: str
    annotation_count: int
    missing_spots: int
    layer_name: str


class SeeSpotClient:
    """A SeeSpot server.

    Parameters
    ----------
    base_url : str
        ``http://host:port``, perhaps with a path, or ``user:password@`` before
        the host, which appears in no message.
    timeout : float
        Seconds that may pass without anything of a begun answer. A server may
        compute longer before it begins: half an hour for spots, two for a download.
    connect_timeout : float
        Seconds to connect.
    retries : int
        Further tries after a lost connection or a status 502, 503, 504. A
        download is asked for again only when the server was not reached.
    backoff : float
        Seconds before the second try; each later pause is twice as long.
    progress : callable, optional
        Called with the share done, 0 to 1, and a text.
    cancelled : callable, optional
        Asked ten times a second; once it returns True, the running request ends
        with `CancelledError`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = 60.0,
        connect_timeout: float = 5.0,
        retries: int = 2,
        backoff: float = 0.5,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> None:
        self._address = parse_server_address(base_url)
        self._task = Task(progress, cancelled)
        self._http = Http(
            self._address.base,
            connect_timeout=connect_timeout,
            timeout=timeout,
            retries=retries,
            backoff=backoff,
            task=self._task,
        )

    def __repr__(self) -> str:
        return f"SeeSpotClient({self._address.public!r})"

    def __enter__(self) -> SeeSpotClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def datasets(self) -> list[DatasetInfo]:
        """Return the datasets that the server holds.

        Raises
        ------
        ServerError
        """
        found = self._object("GET", DATASETS)
        entries = self._part(found, DATASETS, "datasets", list)
        for entry in entries:
            self._part(entry, DATASETS, "name", str)
        names = [entry["name"] for entry in entries]
        return [self._info(entry, names) for entry in entries]

    def download(self, name: str) -> tuple[str, ...]:
        """Have the server fetch a dataset, and return the names it then goes by.

        It takes minutes. A tiled dataset becomes a dataset for each tile.

        Raises
        ------
        ServerError
            When there is no such dataset, for one.
        """
        found = self._object(
            "POST",
            DOWNLOAD,
            {"dataset_name": name},
            patience=DOWNLOAD_PATIENCE_S,
            repeatable=False,
        )
        self._check_success(found, DOWNLOAD)
        tiles = found.get("virtual_datasets") or []
        if not isinstance(tiles, list) or not all(isinstance(t, str) for t in tiles):
            raise self._unexpected(DOWNLOAD, "virtual_datasets", tiles, "names")
        return tuple(tiles) or (name,)

    def set_active(self, name: str) -> None:
        """Make a downloaded dataset the one that the server serves, to everybody.

        Raises
        ------
        StatusError
            With status 404 when it has not been downloaded.
        """
        found = self._object("POST", SET_ACTIVE, {"dataset_name": name})
        self._check_success(found, SET_ACTIVE)

    def spots(
        self,
        sample_size: int = 5000,
        sampling_type: str = "class_balanced",
        force_refresh: bool = False,
        valid_spots_only: bool = False,
        display_chan: str = "mixed",
    ) -> Answer:
        """Return a sample of the active dataset's spots, with what belongs to it.

        Raises
        ------
        ServerError
            When the answer cannot be read.
        TableError
            When its rows do not make a table.
        """
        options = SampleOptions(
            sample_size, sampling_type, force_refresh, valid_spots_only, display_chan
        )
        return self._http.request(
            "GET",
            SPOTS,
            self._read_spots,
            params=options.query(),
            patience=SPOTS_PATIENCE_S,
        )

    def neuroglancer_link(
        self,
        fused_s3_paths: Sequence[str],
        position: Sequence[float],
        spot_id: int,
        *,
        cell_id: int | None = None,
        annotation_color: str = "#FFFF00",
        cross_section_scale: float = 0.2,
    ) -> str:
        """Return the address of a Neuroglancer view of one spot.

        Parameters
        ----------
        fused_s3_paths : sequence of str
            The images to show.
        position : (z, y, x)
            In voxels of level 0.
        spot_id, cell_id : int
        annotation_color : str
            ``"#RRGGBB"``.
        cross_section_scale : float

        Raises
        ------
        ServerError
        """
        if not all(math.isfinite(value) for value in position):
            raise ServerError(
                f"the position of spot {spot_id} is unknown",
                where=self._at(LINK),
                expected="z, y and x in voxels",
            )
        z, y, x = (_plain(value) for value in position)
        body: dict[str, Any] = {
            "fused_s3_paths": list(fused_s3_paths),
            # Neuroglancer's dimensions are x, y, z, t; a point's also c.
            "position": [x, y, z, 0],
            "point_annotation": [x, y, z, 0.5, 0],
            "spot_id": int(spot_id),
            "annotation_color": annotation_color,
            "cross_section_scale": cross_section_scale,
        }
        if cell_id is not None:
            body["cell_id"] = str(int(cell_id))
        return self._url(self._object("POST", LINK, body), LINK)

    def neuroglancer_links(
        self,
        spot_ids: Iterable[int],
        *,
        annotation_color: str = "#00FF00",
        cross_section_scale: float = 0.2,
        layer_name: str = "SeeSpot",
    ) -> NeuroglancerLinks:
        """Return a Neuroglancer view of several spots of the active dataset.

        Raises
        ------
        ServerError
            When none is given or known.
        """
        body = {
            "spot_ids": [int(spot_id) for spot_id in spot_ids],
            "annotation_color": annotation_color,
            "cross_section_scale": cross_section_scale,
            "layer_name": layer_name,
        }
        found = self._object("POST", LINKS, body)
        return NeuroglancerLinks(
            self._url(found, LINKS),
            self._part(found, LINKS, "annotation_count", int),
            self._part(found, LINKS, "missing_spots", int),
            self._part(found, LINKS, "layer_name", str),
        )

    def _read_spots(self, reply: Reply) -> Answer:
        def count(n: int) -> None:
            self._task.step(reply.share(), f"{n:,} spots")

        return read_answer(
            reply.chunks, where=reply.where, check=self._task.check, count=count
        )

    def _object(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        patience: float | None = None,
        repeatable: bool = True,
    ) -> dict[str, Any]:
        found = self._http.request(
            method,
            path,
            lambda reply: read_object(reply.chunks, where=reply.where),
            body=body,
            patience=patience,
            repeatable=repeatable,
        )
        if found.get("error"):
            raise ServerError(
                f"the server refuses: {excerpt(found['error'])}", where=self._at(path)
            )
        return found

    def _info(self, entry: Mapping[str, Any], names: Sequence[str]) -> DatasetInfo:
        name = entry["name"]
        tiled = any(base_of_tile(other) == name != other for other in names)
        created = entry.get("creation_date")
        return DatasetInfo(
            name,
            self._address.uri(name),
            created if isinstance(created, str) else None,
            ("spots",) * (entry.get("has_data") is True) + ("tiles",) * tiled,
            entry.get("is_current") is True,
        )

    def _part(self, content: Any, path: str, name: str, kind: type[T]) -> T:
        """Return a part of an answer, of the type that it must have."""
        value = content.get(name) if isinstance(content, dict) else None
        # True is an int to Python, and none to anybody else.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._unexpected(path, name, value, _WORDS[kind])
        return value

    def _url(self, content: Mapping[str, Any], path: str) -> str:
        url = self._part(content, path, "url", str)
        # It will be opened in a browser: nothing but a web page may be behind it.
        if not url.startswith(("https://", "http://")):
            raise self._unexpected(path, "url", url, "an https:// address")
        return url

    def _check_success(self, content: Mapping[str, Any], path: str) -> None:
        if content.get("success") is not True:
            raise self._unexpected(path, "success", content.get("success"), "true")

    def _unexpected(
        self, path: str, name: str, value: object, expected: str
    ) -> ServerError:
        return ServerError(
            f"the answer's {name!r} is {excerpt(value, 40)}",
            where=self._at(path),
            expected=expected,
            hint="Check that it is SeeSpot that answers at this address",
        )

    def _at(self, path: str) -> str:
        return f"{self._http.public_url}{path}"


_WORDS: dict[type, str] = {int: "a whole number", list: "a list", str: "a text"}


def base_of_tile(name: str) -> str:
    """Return the dataset that a tile belongs to; other names stay as they are."""
    return _TILE.sub("", name)


def _plain(value: float) -> float:
    """Return a number as JSON takes it: numpy's are none to it."""
    number = float(value)
    return int(number) if number.is_integer() else number
