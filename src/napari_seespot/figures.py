"""All figures of a session on the pages of one PDF; a channel pair's on one page.

A room above the plots: it needs Qt's painter, and no window. `Session.figure` and
`Overview.figure` reach it through the package's own lazily loaded names, so that no
import points from the data up to the screen.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.densities import density, histogram
from napari_seespot.errors import StateError
from napari_seespot.filter_text import filters_text
from napari_seespot.maps import MEASURES, spatial_map
from napari_seespot.neighbours import clustering
from napari_seespot.overview import overview
from napari_seespot.patterns import flow_distributions, share_by_column
from napari_seespot.plots.density_charts import density_chart
from napari_seespot.plots.exports import need_application, save_page, save_pages
from napari_seespot.plots.map_charts import automatic_tile, map_chart
from napari_seespot.plots.overview_charts import (
    COLUMN_LABELS,
    overview_charts,
    overview_text,
    pair_name,
)
from napari_seespot.plots.pages import Page
from napari_seespot.plots.pair_grid import GridRequest, PairGridPainter, cell_chart
from napari_seespot.plots.pattern_charts import (
    clustering_chart,
    flow_chart,
    share_chart,
)
from napari_seespot.plots.sankey import sankey_chart
from napari_seespot.plots.summary_charts import (
    channels_chart,
    histogram_chart,
    ratio_chart,
    status_chart,
)
from napari_seespot.plots.theme import DARK, PAPER
from napari_seespot.resolve import Mask
from napari_seespot.summary import compare_summary, status_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_seespot.overview import Overview
    from napari_seespot.plots.charts import Chart
    from napari_seespot.resolve import View
    from napari_seespot.session import Session

__all__ = ["figure", "overview_figure", "overview_page", "report_pages"]

_NEIGHBOURS = 10
_SAMPLE = 5000


def figure(session: Session, path: str | Path, *, follow: bool = True) -> Path:
    """Write all figures of a session to a PDF; see `Session.figure`."""
    path = Path(path)
    if path.suffix.lower() != ".pdf":  # told before minutes of counting
        raise StateError(
            f"a report cannot be saved as {path.suffix or 'a file without ending'}",
            expected=".pdf",
            hint="Single figures are saved from the menu of each plot",
        )
    need_application()
    pages = list(
        report_pages(session.view, filters_text(session.state, follow), follow)
    )
    return save_pages(pages, path, title=session.dataset.name)


def overview_figure(
    summed: Overview,
    path: str | Path,
    size: tuple[int, int] = (1200, 900),
    *,
    dark: bool = False,
) -> Path:
    """Write a channel pair's panels to a file; see `Overview.figure`."""
    need_application()
    theme = DARK if dark else PAPER
    return save_page(overview_page(summed), Path(path), size, theme)


def overview_page(summed: Overview, *, lines: bool = True) -> Page:
    """Return a channel pair's four panels, with its numbers above them."""
    heading = f"{pair_name(summed)}\n{summed.dataset.name}: {overview_text(summed)}"
    charts = overview_charts(summed, lines=lines)
    return Page(heading, list(charts.values()), columns=2)


def report_pages(
    view: View,
    filters: str = "",
    follow: bool = True,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Page]:
    """Yield the pages of a report: headings and charts.

    Parameters
    ----------
    view : View
    filters : str
        What to say of the filters.
    follow : bool
        Count the spots that pass the filters; otherwise all.
    cancelled : callable, optional
        Asked where a count can be ended.

    Raises
    ------
    CancelledError
        When `cancelled` said True.
    """
    if not follow:
        every = np.ones_like(view.mask.codes)
        view = replace(view, mask=Mask(view.spots, every))
    where = view.where
    heading = f"{view.dataset.name}\n{view.count_text}. {filters}".strip()
    yield Page(heading, _counts(view, where, cancelled))
    yield Page("Quality\nBy status", _quality(view, where, cancelled))
    if view.pair is not None:
        summed = overview(view.dataset, view.pair, where, cancelled=cancelled)
        charts = overview_charts(summed, lines=view.dye_lines)
        heading = f"{pair_name(summed)}\n{overview_text(summed)}"
        yield Page(heading, list(charts.values()))
        yield Page(f"All channel pairs\n{_colors(view)}", _pairs(view, cancelled))
    flows = _flows(view, cancelled)
    for first in range(0, len(flows), 2):
        # The boxes of twenty flows need the width of a page.
        yield Page(
            "Patterns: flows\nReassigned spots against unchanged ones; boxes 25 to "
            "75 %, whiskers 5 to 95 %, lines medians, dots means",
            flows[first : first + 2],
            columns=1,
        )
    yield Page("Patterns: shares and clustering", _shares(view, where, cancelled))
    yield Page("Maps", _maps(view, where, cancelled))


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
    known = [name for name in COLUMN_LABELS if name in spots.columns]
    charts = [
        histogram_chart(
            histogram(spots, name, 60, **options), dataset, label=COLUMN_LABELS[name]
        )
        for name in known
    ]
    if len(known) == 2:
        picture = density(spots, known[0], known[1], 256, **options)
        title = " against ".join(known)
        labels = (known[0], known[1])
        charts.append(density_chart(picture, dataset, title=title, labels=labels))
    return charts


def _colors(view: View) -> str:
    """Return in words what is coloured, faded and marked in the pictures of pairs."""
    parts = [f"Coloured by {view.coloring.by}"]
    if view.highlight is not None:
        parts.append(f"{view.highlight} spots highlighted")
    if view.selected is not None:
        parts.append(f"{np.count_nonzero(view.selected):,} selected spots marked")
    return ", ".join(parts)


def _pairs(view: View, cancelled: Callable[[], bool] | None) -> list[Chart]:
    pairs = view.dataset.channel_pairs
    request = GridRequest(view, pairs, {}, (256, 256), PAPER)
    painted = PairGridPainter().paint(request, cancelled)
    return [
        cell_chart(picture, view, PAPER, lines=view.dye_lines) for picture in painted
    ]


def _flows(view: View, cancelled: Callable[[], bool] | None) -> list[Chart]:
    table = flow_distributions(view.spots, view.where, cancelled)
    measures = dict.fromkeys(table["measure"])
    return [flow_chart(table, view.dataset, str(name)) for name in measures] or [
        flow_chart(table, view.dataset, "r")
    ]


def _removed_pass(view: View) -> bool:
    removed = view.spots.class_of_code("status") == 2
    return bool(view.mask.codes[removed].any())


def _shares(
    view: View, where: np.ndarray | None, cancelled: Callable[[], bool] | None
) -> list[Chart]:
    charts = [
        share_chart(
            share_by_column(view.spots, column, 10, where), column, _removed_pass(view)
        )
        for column in ("r", "z")
        if column in view.spots.columns
    ]
    table = clustering(
        view.spots,
        view.dataset.voxel_size,
        _NEIGHBOURS,
        _SAMPLE,
        where=where,
        cancelled=cancelled,
    )
    return [*charts, clustering_chart(table, _NEIGHBOURS)]


def _maps(
    view: View, where: np.ndarray | None, cancelled: Callable[[], bool] | None
) -> list[Chart]:
    spots, voxel = view.spots, view.dataset.voxel_size
    tile = automatic_tile(spots, voxel)
    told = {"removed": _removed_pass(view), "median_r": "r" in spots.columns}
    return [
        map_chart(spatial_map(spots, name, voxel, tile, where, cancelled))
        for name in MEASURES
        if told.get(name, True)
    ]
