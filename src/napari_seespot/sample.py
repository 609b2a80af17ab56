"""Sample datasets: invented tissue, written in the layout of real datasets.

The same code makes the sample that comes with the plugin and the large
tables that the benchmarks need.
"""

from __future__ import annotations

import json
import operator
import shutil
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_seespot._sample_dataset import BACKGROUND_CHANNEL, Request, write_dataset
from napari_seespot.errors import CancelledError, SeeSpotError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    Progress = Callable[[float, str], object]
    Cancelled = Callable[[], bool]

__all__ = ["SAMPLE_NAME", "make_sample", "sample_folder"]

SAMPLE_NAME = "hcr-sample-v1"
"""The built-in sample's folder; a sample that looks different gets a new number."""

_CHANNELS = ("488", "514", "561", "594", "638")

SAMPLES = {
    "sample": (SAMPLE_NAME, 20_000, True),
    "sample-million": ("hcr-sample-million-v1", 1_000_000, False),
}
"""The built-in samples, as `open_dataset` calls them: folder, spots, images."""

_MOST_WITH_IMAGES = 500_000
_MARKER = ".sample-complete.json"
_ABANDONED_AFTER_S = 24 * 3600


def make_sample(
    folder: str | os.PathLike[str],
    n_spots: int = 20_000,
    seed: int = 0,
    images: bool = True,
    *,
    channels: Sequence[str] = _CHANNELS,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Path:
    """Write an invented dataset in the layout of a real one.

    Cells are full of molecules, each labelled by one dye. A molecule is
    detected in its dye's channel (mostly) and in others into which the dye
    bleeds; the unmixing keeps one detection, reassigns it where it is not in
    the dye's own channel, and removes the others. With images, the spots are
    in the pixels, and the tables' intensities are measured there.

    The dataset appears complete or not at all: it is written beside `folder`
    and renamed at the end.

    Parameters
    ----------
    folder : path
        Becomes the dataset folder; must not exist, or be empty.
    n_spots : int
        Detected spots, that is rows of the mixed table; 0 gives empty tables.
    seed : int
        The same seed gives the same bytes in all tables.
    images : bool
        Whether to write pictures and the segmentation mask. Without them, a
        million spots and more fill a volume of 1,200 x 12,000 x 12,000 voxels.
    channels : sequence of str
        Wavelengths of the spot channels in nm.
    progress : callable, optional
        Called with a fraction (0..1) and what is being done.
    cancelled : callable, optional
        Asked between steps; when true, nothing is left behind.

    Returns
    -------
    Path
        `folder`, absolute.

    Raises
    ------
    SeeSpotError
        If `folder` holds something, cannot be written, or an argument does
        not make sense.
    CancelledError
        If `cancelled` returned true.
    """
    target = Path(folder).expanduser().absolute()
    request = _check_request(n_spots, seed, images, channels)
    _check_free(target)
    with _partial_folder(target) as partial:
        write_dataset(partial, target.name, request, _Steps(progress, cancelled))
        if target.is_dir():
            target.rmdir()  # was empty; Windows renames onto nothing else
        partial.rename(target)
    return target


def sample_folder(
    cache_folder: str | os.PathLike[str],
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    which: str = "sample",
) -> Path:
    """Return a built-in sample's dataset folder, made at the first call.

    Several processes may call it at once. A sample that lacks a file, for
    example because a tidy-up took it, is made again.

    Parameters
    ----------
    cache_folder : path
        Where the plugin keeps its files.
    progress, cancelled : callable, optional
        As in `make_sample`; not called when the sample is there.
    which : str
        One of `SAMPLES`.

    Returns
    -------
    Path
        ``cache_folder/samples/hcr-sample-v1``, for one; absolute.

    Raises
    ------
    SeeSpotError
        If it cannot be written.
    CancelledError
        If `cancelled` returned true.
    """
    cache = Path(cache_folder).expanduser().absolute()
    name, n_spots, images = SAMPLES[which]
    target = cache / "samples" / name
    if _is_complete(target):
        return target
    _remove_abandoned(target.parent)
    request = _check_request(n_spots, 0, images, _CHANNELS)
    with _partial_folder(target) as partial:
        write_dataset(partial, target.name, request, _Steps(progress, cancelled))
        _write_marker(partial)
        _install(partial, target)
    return target


def _check_request(
    n_spots: int, seed: int, images: bool, channels: Sequence[str]
) -> Request:
    n_spots, seed = operator.index(n_spots), operator.index(seed)
    if n_spots < 0 or seed < 0:
        raise SeeSpotError(
            f"a sample was asked for with n_spots={n_spots}, seed={seed}",
            expected="whole numbers of at least 0",
        )
    if images and n_spots > _MOST_WITH_IMAGES:
        raise SeeSpotError(
            f"a sample was asked for with {n_spots:,} spots and images",
            expected=f"at most {_MOST_WITH_IMAGES:,} spots with images",
            hint="Pass images=False for more",
        )
    names = () if isinstance(channels, str) else tuple(channels)
    known = all(isinstance(n, str) and n.isdecimal() for n in names)
    different = len({*names, BACKGROUND_CHANNEL}) == len(names) + 1
    if not (names and known and different):
        raise SeeSpotError(
            f"a sample was asked for with the channels {channels!r}",
            expected="different wavelengths in nm as text, such as ('488', '561'), "
            f"without {BACKGROUND_CHANNEL}, which is the picture without spots",
        )
    return Request(n_spots, seed, images, tuple(sorted(names)))


def _check_free(target: Path) -> None:
    try:
        taken = target.exists() and (not target.is_dir() or any(target.iterdir()))
    except OSError as error:
        raise _cannot_write(target, error) from error
    if taken:
        raise SeeSpotError(
            "there is something already",
            where=target,
            expected="a folder that does not exist, or is empty",
            hint="Choose another folder; nothing was changed",
        )


class _Steps:
    """Reports progress, and stops when the user wants it."""

    def __init__(self, progress: Progress | None, cancelled: Cancelled | None) -> None:
        self._progress = progress
        self._cancelled = cancelled

    def __call__(self, fraction: float, message: str) -> None:
        if self._cancelled is not None and self._cancelled():
            raise CancelledError("making the sample was cancelled")
        if self._progress is not None:
            self._progress(fraction, message)


@contextmanager
def _partial_folder(target: Path) -> Iterator[Path]:
    """Give a new folder beside `target`; what is left of it in the end is removed."""
    partial = target.with_name(f".{target.name}.partial-{uuid.uuid4().hex[:12]}")
    try:
        partial.mkdir(parents=True)
        yield partial
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _cannot_write(target: Path, error: OSError) -> SeeSpotError:
    return SeeSpotError(
        f"the sample cannot be written ({error.strerror or error})",
        where=target,
        expected="a place that can be written to",
        hint="Look at its permissions and the free space, or choose another folder",
    )


def _files(folder: Path) -> dict[str, int]:
    """Return the size of each file, by its path inside `folder`."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _MARKER
    }


def _write_marker(folder: Path) -> None:
    (folder / _MARKER).write_text(json.dumps(_files(folder)), encoding="utf-8")


def _is_complete(folder: Path) -> bool:
    """Return whether all files are there that the marker names, with their sizes."""
    try:
        wanted = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        return isinstance(wanted, dict) and wanted.items() <= _files(folder).items()
    except (OSError, ValueError):  # no marker, an unreadable one, or files vanish
        return False


def _install(partial: Path, target: Path) -> None:
    """Rename into place; when another process was faster, its sample counts."""
    for _ in range(3):
        try:
            partial.rename(target)
        except OSError:  # something is there, damaged or just finished
            if _is_complete(target):
                return
            _set_aside(target)
        else:
            return
    raise SeeSpotError(
        "the damaged sample cannot be replaced",
        where=target,
        expected="a folder that no other program holds open",
        hint="Close other programs that use it, or remove it, and try again",
    )


def _set_aside(target: Path) -> None:
    stale = target.with_name(f".{target.name}.stale-{uuid.uuid4().hex[:12]}")
    try:
        target.rename(stale)
    except OSError:  # gone by now, or in use: the next renaming will tell
        return
    if stale.is_dir():
        shutil.rmtree(stale, ignore_errors=True)
    else:
        stale.unlink()


def _remove_abandoned(samples: Path) -> None:
    """Remove what killed processes left, once nobody can be writing there."""
    for left in [*samples.glob(".*.partial-*"), *samples.glob(".*.stale-*")]:
        try:
            abandoned = time.time() - left.stat().st_mtime > _ABANDONED_AFTER_S
        except OSError:  # its owner has just finished
            continue
        if abandoned:
            shutil.rmtree(left, ignore_errors=True)
