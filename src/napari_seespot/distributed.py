"""Counts over tables larger than memory: in parts, on dask.

A part is some rows of a table and the way to them: of a cached table, the mapped
file, which a worker opens for itself; of a table in memory, the few columns that
are counted. What a part gives is added up, in whole numbers, so that the result is
that of all rows at once, to the count.

A scheduler is one of dask's own, ``"threads"``, ``"processes"`` or
``"synchronous"``, or the address of a `dask.distributed` cluster
(``"tcp://host:8786"``). Its workers need this package, and the cache folder under
the same path. Round trips make a cluster slower than this computer for what fits
into its memory; it is meant for what does not.

dask's default client is never set: napari would slice its own dask arrays on it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial, reduce
from itertools import starmap
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_seespot._chunks import one_thread, row_mask
from napari_seespot.densities import Density, column_name, density
from napari_seespot.errors import CancelledError, MissingExtraError, SeeSpotError
from napari_seespot.kept_rows import limits_of_extent, raw_extent, wider
from napari_seespot.spots import Spots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["LOCAL", "PART_ROWS", "DaskCounter", "Part", "parts_of", "reduce_parts"]

LOCAL = ("threads", "processes", "synchronous")
"""dask's own schedulers, on this computer."""

PART_ROWS = 1 << 22
"""Rows of a part: some 50 ms of work, against some ms of dask's own."""

_FAN_IN = 8  # results that one task adds up
_TIMEOUT_S = 10
_POLL_S = 0.02

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Some rows of a table, in a form that can be sent to another process.

    Attributes
    ----------
    start, stop : int
        The rows.
    file : str or None
        The cached table that they are of.
    read : callable or None
        Returns the table of a file.
    columns : mapping of str to ndarray, or None
        The columns themselves, where there is no file.
    channels, categories
        As of `Spots`; with `columns` only.
    mask : bytes or None
        Which of the rows are counted, a bit for each; None for all.
    """

    start: int
    stop: int
    file: str | None = None
    read: Callable[[str], Spots] | None = None
    columns: Mapping[str, np.ndarray] | None = None
    channels: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] | None = None
    mask: bytes | None = None

    def spots(self, names: Sequence[str]) -> Spots:
        """Return the rows as a table with `code` and the named columns."""
        if self.file is not None and self.read is not None:
            return _mapped(self.read, self.file).part(
                slice(self.start, self.stop), names
            )
        return Spots(
            self.columns or {}, channels=self.channels, categories=self.categories
        )

    def where(self) -> np.ndarray | None:
        """Return which of the rows are counted; None for all."""
        if self.mask is None:
            return None
        bits = np.frombuffer(self.mask, np.uint8)
        return np.unpackbits(bits, count=self.stop - self.start).view(np.bool_)


@lru_cache(maxsize=4)
def _mapped(read: Callable[[str], Spots], file: str) -> Spots:
    # Kept by each worker; a file of this name never changes, it is replaced.
    return read(file)


def parts_of(
    spots: Spots,
    names: Sequence[str],
    where: np.ndarray | None = None,
    read: Callable[[str], Spots] | None = None,
    rows: int | None = None,
) -> list[Part]:
    """Return a table in parts; at least one.

    Parameters
    ----------
    spots : Spots
    names : sequence of str
        The columns that are looked at, besides `code`.
    where : ndarray of bool, shape (n,), optional
        The rows that are counted.
    read : callable, optional
        Returns the table of a file. Without it, columns are sent.
    rows : int, optional
        How many make a part; `PART_ROWS` by default.
    """
    rows = rows or PART_ROWS
    parts = []
    for start in range(0, max(len(spots), 1), rows):
        stop = min(start + rows, len(spots))
        mask = None if where is None else np.packbits(where[start:stop]).tobytes()
        if spots.file is not None and read is not None:
            parts.append(Part(start, stop, str(spots.file), read, mask=mask))
            continue
        table = spots.part(slice(start, stop), names)
        parts.append(
            Part(
                start,
                stop,
                columns=dict(table.columns),
                channels=spots.channels,
                categories=dict(table.categories),
                mask=mask,
            )
        )
    return parts


class DaskCounter:
    """Counts over all rows of a table, on dask: a `napari_seespot.spots.Counter`.

    Parameters
    ----------
    scheduler : str
        One of `LOCAL`, or the address of a cluster.
    read : callable, optional
        A function of a module that returns the table of a cache file.

    Raises
    ------
    SeeSpotError
        When it is neither one of `LOCAL` nor an address.
    MissingExtraError
        When it is an address and dask.distributed is not installed.
    """

    def __init__(
        self, scheduler: str, read: Callable[[str], Spots] | None = None
    ) -> None:
        self.scheduler = _checked(scheduler)
        self._read = read

    def count_codes(self, spots: Spots, where: np.ndarray | None = None) -> np.ndarray:
        """Return how many rows have each code, int64, shape (n_codes,).

        Parameters
        ----------
        spots : Spots
        where : ndarray of bool, shape (n,), optional
            The rows to count.

        Raises
        ------
        SeeSpotError
            When the cluster cannot be used.
        """
        n = len(spots.channels)
        parts = parts_of(spots, (), row_mask(where, len(spots)), self._read)
        task = partial(_count_part, n * (n + 1))
        return reduce_parts(task, parts, _add, self.scheduler)

    def density(
        self,
        spots: Spots,
        x_channel: str,
        y_channel: str,
        *,
        cancelled: Callable[[], bool] | None = None,
        **options: Any,
    ) -> Density:
        """Return what `napari_seespot.density` does, to the count.

        Parameters
        ----------
        spots : Spots
        x_channel, y_channel : str
        cancelled : callable, optional
            Asked now and then; the task ends when it says True.
        **options
            As `density` takes them.

        Raises
        ------
        SeeSpotError
            When the cluster cannot be used; else as `density`.
        """
        keep = row_mask(options.pop("where", None), len(spots))
        limits = options.pop("limits", None)
        none = spots.part(slice(0, 0))
        # Without a row: all that is checked, and all of the answer but the counts.
        density(none, x_channel, y_channel, limits=limits, **options)
        names = [column_name(spots, x_channel), column_name(spots, y_channel)]
        by = [options["by"]] if options.get("by") in spots.categories else []
        run = partial(
            reduce_parts,
            parts=parts_of(spots, [*names, *by], keep, self._read),
            scheduler=self.scheduler,
            cancelled=cancelled,
        )
        given = (None, None) if limits is None else limits
        if None in given:
            scales = tuple(options.get("axes", ("linear", "linear")))
            extent = run(partial(_extent_of_part, names, scales), combine=wider)
            found = limits_of_extent(extent, scales)
            given = tuple(a or b for a, b in zip(given, found, strict=True))
        template = density(none, x_channel, y_channel, limits=given, **options)
        columns = ([*names, *by], x_channel, y_channel)
        task = partial(_density_of_part, *columns, given, options)
        return replace(template, counts=run(task, combine=_add))


def _count_part(n_codes: int, part: Part) -> np.ndarray:
    code, where = part.spots(()).code, part.where()
    code = code if where is None else code[where]
    return np.bincount(code, minlength=n_codes).astype(np.int64)


def _extent_of_part(names: Sequence[str], scales: Any, part: Part) -> np.ndarray:
    table = part.spots(names)
    x, y = (table.column(name) for name in names[:2])
    with one_thread():
        return raw_extent(x, y, scales, row_mask(part.where(), len(table)))


def _density_of_part(
    names: Sequence[str],
    x_channel: str,
    y_channel: str,
    limits: Any,
    options: Mapping[str, Any],
    part: Part,
) -> np.ndarray:
    with one_thread():
        return density(
            part.spots(names),
            x_channel,
            y_channel,
            limits=limits,
            where=part.where(),
            **options,
        ).counts


def _add(*counts: np.ndarray) -> np.ndarray:
    return reduce(np.add, counts)


def reduce_parts(
    task: Callable[[Part], T],
    parts: Sequence[Part],
    combine: Callable[..., T],
    scheduler: str,
    cancelled: Callable[[], bool] | None = None,
) -> T:
    """Return what a task gives for all parts, combined.

    Parameters
    ----------
    task : callable
        Of one part; a function of a module, for workers to find it.
    parts : sequence of Part
        At least one.
    combine : callable
        Of several results; the order must not matter.
    scheduler : str
        One of `LOCAL`, or the address of a cluster.
    cancelled : callable, optional
        Asked now and then; the task ends when it says True.

    Raises
    ------
    CancelledError
        When `cancelled` said True.
    SeeSpotError
        When the cluster does not answer, or its workers cannot do the task.
    """
    from dask.delayed import delayed

    results: list[Any] = [
        delayed(partial(task, part), pure=False, traverse=False)() for part in parts
    ]
    together = delayed(combine, pure=False, traverse=False)
    while len(results) > 1:
        groups = [results[i : i + _FAN_IN] for i in range(0, len(results), _FAN_IN)]
        results = list(starmap(together, groups))
    run = _on_this_computer if scheduler in LOCAL else _on_cluster
    result: T = run(results[0], scheduler, cancelled)
    return result


def _on_this_computer(
    result: Any, scheduler: str, cancelled: Callable[[], bool] | None
) -> Any:
    from dask.callbacks import Callback

    def check(*_: Any) -> None:
        if cancelled is not None and cancelled():
            raise CancelledError("the calculation was cancelled")

    with Callback(pretask=check):  # type: ignore[no-untyped-call]  # dask is untyped
        return result.compute(scheduler=scheduler)


def _on_cluster(result: Any, address: str, cancelled: Callable[[], bool] | None) -> Any:
    client = _client(address)
    future = client.compute(result)
    try:
        while not future.done():
            if cancelled is not None and cancelled():
                raise CancelledError("the calculation was cancelled")
            if client.status not in ("running", "connecting"):
                break
            time.sleep(_POLL_S)
        return future.result(timeout=_TIMEOUT_S)
    except SeeSpotError:
        future.cancel()
        raise
    except Exception as error:  # whatever went wrong on the workers
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SeeSpotError(
            f"the dask cluster could not count: {reason}",
            where=address,
            expected="workers with napari-seespot installed that see the cache folder "
            "under the same path",
            hint="Look at the cluster's log, or open the dataset without scheduler",
        ) from error


_clients: dict[str, Any] = {}


def _client(address: str) -> Any:
    """Return the connection to a cluster, made once."""
    from distributed import Client

    client = _clients.get(address)
    if client is not None and client.status == "running":
        return client
    if client is not None:
        with suppress(Exception):  # it is dead already
            client.close(timeout=1)
    try:
        client = Client(address, timeout=_TIMEOUT_S, set_as_default=False)  # type: ignore[no-untyped-call]  # as above
    except (OSError, ValueError, TimeoutError) as error:
        raise SeeSpotError(
            f"no dask scheduler answers: {error}",
            where=address,
            expected="the address of a running scheduler, such as tcp://host:8786",
            hint="Start one with `dask scheduler`, or leave the setting empty",
        ) from None
    _clients[address] = client
    return client


def _checked(scheduler: str) -> str:
    """Return the scheduler, once it is known that it may be one.

    Raises
    ------
    SeeSpotError
        When it is neither one of `LOCAL` nor an address.
    MissingExtraError
        When it is an address and dask.distributed is not installed.
    """
    if scheduler in LOCAL:
        return scheduler
    if "://" not in scheduler:
        raise SeeSpotError(
            f"the scheduler is {scheduler!r}",
            expected=f"the address of a cluster, such as tcp://host:8786, or one of "
            f"{', '.join(LOCAL)}",
        )
    try:
        import distributed  # noqa: F401  # only whether it is there
    except ImportError:
        raise MissingExtraError(
            "a cluster needs dask.distributed, which is not installed",
            where=scheduler,
            hint='Install it with: pip install "napari-seespot[distributed]"',
        ) from None
    return scheduler
