"""A SeeSpot server as a source: what it answers becomes a `Dataset`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from napari_seespot.errors import NotFoundError, ServerError
from napari_seespot.sources._answer import answer_of_mapping, read_answer
from napari_seespot.sources._answer_dataset import Asked, dataset_of
from napari_seespot.sources._answer_tables import check_refusal, text_of
from napari_seespot.sources._client import SeeSpotClient, base_of_tile
from napari_seespot.sources._http_errors import StatusError
from napari_seespot.sources._server_address import SampleOptions, parse_server_address
from napari_seespot.sources._task import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_seespot._addresses import StorageOptions
    from napari_seespot.dataset import Dataset, DatasetInfo
    from napari_seespot.sources._answer import Answer
    from napari_seespot.sources._task import Cancelled, Progress

__all__ = ["dataset_from_answer", "list_server", "open_server"]

PIECE = 1 << 16

_NAME_OF_PATH = re.compile(r"[a-z0-9]+://[^/]+/(?:[^/]+/)*?([^/]+)/image_tile_fusing/")


def list_server(
    uri: str,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> list[DatasetInfo]:
    """Return the datasets that a server holds; each one's uri opens it.

    Raises
    ------
    ServerError
        When the server cannot be reached or does not answer well.
    """
    base = parse_server_address(uri).base
    with SeeSpotClient(base, progress=progress, cancelled=cancelled) as client:
        return client.datasets()


def open_server(
    uri: str,
    *,
    dataset: str | None = None,
    sample_size: int = 5000,
    sampling_type: str = "class_balanced",
    force_refresh: bool = False,
    valid_spots_only: bool = False,
    display_chan: str = "mixed",
    storage: StorageOptions | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Dataset:
    """Open a sample of the dataset that a SeeSpot server serves.

    Parameters
    ----------
    uri : str
        ``http://host:port``, or with a query, whose options have precedence:
        ``http://host:port/?dataset=NAME&sample_size=100000``.
    dataset : str, optional
        The dataset that the server shall serve from now on (to everybody); it
        downloads it when need be. By default the one that it serves.
    sample_size, sampling_type, force_refresh, valid_spots_only, display_chan
        See `SampleOptions`.
    storage : StorageOptions, optional
        How the images are reached.
    progress, cancelled : callable, optional
        See `SeeSpotClient`.

    Raises
    ------
    ServerError
        When the server cannot be reached, refuses, or answers what it should not.
    TableError, RatiosError
        When what it answers makes no dataset.
    CancelledError
        When the user cancels.
    """
    address = parse_server_address(uri)
    options = SampleOptions(
        sample_size, sampling_type, force_refresh, valid_spots_only, display_chan
    ).updated(address.query)
    name = dataset or address.query.get("dataset")
    with SeeSpotClient(address.base, progress=progress, cancelled=cancelled) as client:
        if name:
            _activate(client, name)
        answer = client.spots(
            options.sample_size,
            options.sampling_type,
            options.force_refresh,
            options.valid_spots_only,
            options.display_chan,
        )
    served = _name(answer, name, address.public)
    asked = Asked(
        served or urlsplit(address.public).netloc,
        address.uri(served, options),
        options,
        storage,
        address.base,
    )
    return dataset_of(answer, asked, address.public)


def dataset_from_answer(
    source: str | os.PathLike[str] | bytes | Mapping[str, Any],
    *,
    where: str | None = None,
    storage: StorageOptions | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Dataset:
    """Return the dataset of a server's answer that was saved.

    Parameters
    ----------
    source : path, bytes or mapping
        A JSON file, its content, or what it holds.
    where : str, optional
        What messages call it; the path by default.
    storage : StorageOptions, optional
        How the images are reached.
    progress, cancelled : callable, optional
        Called with the share done and a text; asked whether to stop.

    Raises
    ------
    NotFoundError
        When there is no such file.
    ServerError, TableError, RatiosError
        When it holds no answer, or one that makes no dataset.
    """
    task = Task(progress, cancelled)
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).absolute()
        where, default = where or str(path), path.stem
        answer = _read_file(path, where, task)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        where, default = where or "answer", "answer"
        view = memoryview(source)
        pieces = (bytes(view[at : at + PIECE]) for at in range(0, len(view), PIECE))
        answer = read_answer(pieces, where=where, check=task.check)
    else:
        where, default = where or "answer", "answer"
        answer = answer_of_mapping(source, where=where)
    name = _name(answer, None, where) or default
    return dataset_of(answer, Asked(name, where, None, storage), where)


def _read_file(path: Path, where: str, task: Task) -> Answer:
    try:
        size = max(path.stat().st_size, 1)
        with path.open("rb") as file:

            def count(n: int) -> None:
                task.step(min(1.0, file.tell() / size), f"{n:,} spots")

            pieces = iter(lambda: file.read(PIECE), b"")
            return read_answer(pieces, where=where, check=task.check, count=count)
    except OSError as error:
        raise NotFoundError(
            f"it cannot be read: {error.strerror or error}",
            where=where,
            hint="Check that it exists and that you may read it",
        ) from None


def _activate(client: SeeSpotClient, name: str) -> None:
    """Have the server serve a dataset, and download it before when need be."""
    try:
        client.set_active(name)
    except StatusError as error:
        if error.status != 404:
            raise
        client.download(base_of_tile(name))
        client.set_active(name)


def _name(answer: Answer, wanted: str | None, where: str) -> str | None:
    """Return the name of the dataset that was answered.

    The older server does not tell it; the images' addresses begin with it.
    """
    check_refusal(answer.parts, answer.keys, where)
    served = text_of(answer.parts.get("current_dataset"))
    if wanted and served and wanted != served:
        raise ServerError(
            f"the server answers with the dataset {served!r}",
            where=where,
            expected=f"the dataset {wanted!r}",
            hint="Somebody else may have switched the server over: try again",
        )
    if served or wanted:
        return served or wanted
    paths = answer.parts.get("fused_s3_paths")
    for path in paths if isinstance(paths, list) else ():
        match = _NAME_OF_PATH.match(path) if isinstance(path, str) else None
        if match:
            return text_of(match[1])
    return None
