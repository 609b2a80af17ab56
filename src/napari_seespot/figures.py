"""All figures of a session on the pages of one PDF.

A room above the plots: it needs Qt's painter, and no window. `Session.figure`
reaches it through the package's own lazily loaded names, so that no import
points from the session up to the screen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_seespot.densities import density, histogram
from napari_seespot.errors import SeeSpotError, StateError
from napari_seespot.maps import MEASURES, spatial_map
from napari_seespot.neighbours import clustering
from napari_seespot.overview import overview
from napari_seespot.patterns import flow_distributions, share_by_column
from napari_seespot.plots.exports import Page, need_application, save_pages
from napari_seespot.plots.map_charts import automatic_tile, map_chart
from napari_seespot.plots.pair_grid import GridRequest, PairGridPainter, cell_chart
from napari_seespot.plots.pattern_charts import (
    clustering_chart,
    flow_chart,
    share_chart,
)
from napari_seespot.plots.sankey import sankey_chart
from napari_seespot.plots.summary_charts import (
    channels_chart,
    density_chart,
    histogram_chart,
    ratio_chart,
    status_chart,
)
from napari_seespot.plots.theme import PAPER
from napari_seespot.summary import compare_summary, status_table
from napari_seespot.unmixing import dye_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from napari_seespot.plots.charts import Chart
    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["figure", "filters_text", "report_pages"]

_NEIGHBOURS = 10
_SAMPLE = 5000
_COLUMNS = ("r", "dist")


def figure(session: Session, path: str | Path) -> Path:
    """Write all figures of a session to a PDF; see `Session.figure`."""
    path = Path(path)
    if path.suffix.lower() != ".pdf":  # told before minutes of counting
        raise StateError(
            f"a report cannot be saved as {path.suffix or 'a file without ending'}",
            expected=".pdf",
            hint="Single figures are saved from the menu of each plot",
        )
    need_application()
    pages = list(report_pages(session.view, filters_text(session)))
    return save_pages(pages, path, title=session.dataset.name)


def report_pages(
    view: View,
    filters: str = "",
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Page]:
    """Yield the pages of a report: headings and charts; all spots that pass count.

    Parameters
    ----------
    view : View
    filters : str
        What to say of the filters.
    cancelled : callable, optional
        Asked where a count can be ended.

    Raises
    ------
    CancelledError
        When `cancelled` said True.
    """
    where = view.where
    heading = f"{view.dataset.name}\n{view.count_text}. {filters}".strip()
    yield Page(heading, _counts(view, where, cancelled))
    yield Page("Quality\nBy status", _quality(view, where, cancelled))
    if view.pair is not None:
        name = " / ".join(map(view.dataset.label, view.pair))
        yield Page(f"{name}\n{_statistics(view, where)}", _pair(view, where))
        yield Page("All channel pairs", _pairs(view, cancelled))
    flows = _flows(view)
    for first in range(0, len(flows), 2):
        # The boxes of twenty flows need the width of a page.
        yield Page(
            "Patterns: flows\nReassigned spots against unchanged ones; boxes 25 to "
            "75 %, whiskers 5 to 95 %, lines medians, dots means",
            flows[first : first + 2],
            columns=1,
        )
    yield Page("Patterns: shares and clustering", _shares(view, where))
    yield Page("Maps", _maps(view, where))


def filters_text(session: Session) -> str:
    """Return the filters in words."""
    filters = session.state.filters
    parts = [f"status {', '.join(sorted(filters.status)) or 'none'}"]
    for name, chosen in (
        ("channels", filters.channels),
        ("detected", filters.chan),
        ("unmixed", filters.unmixed_chan),
    ):
        if chosen is not None:
            parts.append(f"{name} {', '.join(sorted(chosen)) or 'none'}")
    for column, (low, high) in sorted(filters.ranges.items()):
        low_text = "" if low is None else f"{low:g} ≤ "
        high_text = "" if high is None else f" ≤ {high:g}"
        parts.append(f"{low_text}{column}{high_text}")
    if filters.valid_only:
        parts.append("valid only")
    return f"Filters: {'; '.join(parts)}."


def _counts(
    view: View, where: np.ndarray | None, cancelled: Callable[[], bool] | None
) -> list[Chart]:
    dataset = view.dataset
    table = status_table(view.spots, where)
    labels = {name: dataset.label(name) for name in dataset.channels}
    told = compare_summary(dataset, cancelled)
    return [
        status_chart(table, dataset, told),
        sankey_chart(view.spots.flow(where), labels),
        channels_chart(table.sum(axis=1), dataset),
        ratio_chart(dataset),
    ]


def _quality(
    view: View, where: np.ndarray | None, cancelled: Callable[[], bool] | None
) -> list[Chart]:
    spots, dataset = view.spots, view.dataset
    options: dict[str, Any] = {"by": "status", "where": where, "cancelled": cancelled}
    known = [name for name in _COLUMNS if name in spots.columns]
    charts = [
        histogram_chart(histogram(spots, name, 60, **options), dataset)
        for name in known
    ]
    if len(known) == 2:
        picture = density(spots, "r", "dist", 256, **options)
        charts.append(
            density_chart(
                picture,
                dataset,
                title="r against dist",
                labels=("r", "dist"),
                dark=False,
            )
        )
    return charts


def _statistics(view: View, where: np.ndarray | None) -> str:
    assert view.pair is not None  # asked before
    numbers = overview(view.spots, view.pair, where, bins=1).statistics
    return " · ".join(
        f"{str(name).replace('_', ' ')} {value:,.4g}"
        if str(name).startswith("mean")
        else f"{name} {value:,.0f}"
        for name, value in numbers.items()
    )


def _pair(view: View, where: np.ndarray | None) -> list[Chart]:
    dataset, pair = view.dataset, view.pair
    assert pair is not None  # asked before
    summed = overview(view.spots, pair, where)
    try:
        lines = tuple(dye_lines(dataset.ratios, pair))
    except SeeSpotError:  # ratios of other channels have no lines here
        lines = ()
    a, b = (f"{dataset.label(name)} intensity" for name in pair)
    charts = [
        density_chart(
            summed.picture,
            dataset,
            title="Intensities",
            labels=(a, b),
            dark=False,
            lines=lines,
        )
    ]
    for counted in (summed.r, summed.dist):
        if counted is not None:
            charts.append(histogram_chart(counted, dataset))
    return [*charts, channels_chart(summed.channels, dataset)]


def _pairs(view: View, cancelled: Callable[[], bool] | None) -> list[Chart]:
    pairs = view.dataset.channel_pairs
    request = GridRequest(view, pairs, {}, (256, 256), PAPER)
    painted = PairGridPainter().paint(request, cancelled)
    return [cell_chart(picture, view) for picture in painted]


def _flows(view: View) -> list[Chart]:
    table = flow_distributions(view.spots, view.where)
    measures = dict.fromkeys(table["measure"])
    return [flow_chart(table, view.dataset, str(name)) for name in measures] or [
        flow_chart(table, view.dataset, "r")
    ]


def _shares(view: View, where: np.ndarray | None) -> list[Chart]:
    removed = view.spots.class_of_code("status") == 2
    counts_removed = bool(view.mask.codes[removed].any())
    charts = [
        share_chart(
            share_by_column(view.spots, column, 10, where), column, counts_removed
        )
        for column in ("r", "z")
        if column in view.spots.columns
    ]
    voxel = view.dataset.voxel_size
    table = clustering(view.spots, voxel, _NEIGHBOURS, _SAMPLE, where=where)
    return [*charts, clustering_chart(table, _NEIGHBOURS)]


def _maps(view: View, where: np.ndarray | None) -> list[Chart]:
    spots, voxel = view.spots, view.dataset.voxel_size
    tile = automatic_tile(spots, voxel)
    measures = [name for name in MEASURES if name != "median_r" or "r" in spots.columns]
    return [
        map_chart(spatial_map(spots, name, voxel, tile, where)) for name in measures
    ]
