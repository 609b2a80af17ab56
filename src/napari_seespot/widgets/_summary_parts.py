"""What the Summary dock shows, as a worker makes it: part after part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_seespot.densities import density, histogram
from napari_seespot.errors import SeeSpotError
from napari_seespot.overview import overview
from napari_seespot.plots.density_charts import density_chart
from napari_seespot.plots.overview_charts import COLUMN_LABELS
from napari_seespot.plots.sankey import sankey_chart
from napari_seespot.plots.summary_charts import (
    channels_chart,
    histogram_chart,
    no_column,
    status_chart,
)
from napari_seespot.summary import compare_summary, status_table
from napari_seespot.unmixing import dye_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import pandas as pd

    from napari_seespot.dataset import Dataset
    from napari_seespot.overview import Axes
    from napari_seespot.resolve import View

__all__ = ["Part", "counts_parts", "flow_parts", "pair_parts", "quality_parts"]

Part = tuple[str, Any]
"""The name of what is shown, and what it is to show."""

_BINS = 60


def counts_parts(
    view: View,
    where: np.ndarray | None,
    told: tuple[Dataset, pd.DataFrame] | None,
    cancelled: Callable[[], bool],
) -> Iterator[Part]:
    """Yield the counts by channel, and what the pipeline's summary says of them.

    Parameters
    ----------
    view : View
    where : ndarray of bool, shape (n,), or None
        The rows that count.
    told : (Dataset, DataFrame), optional
        From `compare_summary`, and of which dataset: it takes a while.
    cancelled : callable
        Asked now and then; the work ends when it says True. So in all others.
    """
    dataset = view.dataset
    table = status_table(view.spots, where)
    known = told[1] if told is not None and told[0] is dataset else None
    yield "status", status_chart(table, dataset, known)
    yield "channels", channels_chart(table.sum(axis=1), dataset)
    if known is None:
        known = compare_summary(dataset, cancelled)
        yield "status", status_chart(table, dataset, known)
    yield "told", known


def flow_parts(view: View, where: np.ndarray | None) -> Iterator[Part]:
    """Yield the flow from detected to unmixed channel."""
    flow = view.spots.flow(where)
    labels = {name: view.dataset.label(name) for name in view.spots.channels}
    yield "flow", sankey_chart(flow, labels)
    yield "flow_table", flow


def quality_parts(
    view: View, where: np.ndarray | None, by: str, cancelled: Callable[[], bool]
) -> Iterator[Part]:
    """Yield r and dist by class, each alone and one against the other."""
    spots, dataset = view.spots, view.dataset
    options: dict[str, Any] = {"by": by, "where": where, "cancelled": cancelled}
    missing = [name for name in COLUMN_LABELS if name not in spots.columns]
    for name, label in COLUMN_LABELS.items():
        if name not in missing:
            counted = histogram(spots, name, _BINS, **options)
            yield name, histogram_chart(counted, dataset, by, label)
    if missing:
        for name in (*missing, "r_dist"):  # what another table had
            yield name, no_column(*missing)
        yield "say", f"This table has no column {' and no '.join(missing)}."
        return
    picture = density(spots, "r", "dist", 128, **options)
    labels = ("r", "dist")
    chart = density_chart(picture, dataset, title="r against dist", labels=labels)
    yield "r_dist", chart


def pair_parts(
    view: View, where: np.ndarray | None, axes: Axes, cancelled: Callable[[], bool]
) -> Iterator[Part]:
    """Yield the summary of the view's pair."""
    if view.pair is None:
        yield "say", "A pair needs two spot channels."
        return
    yield "pair", overview(view.dataset, view.pair, where, 256, axes, cancelled)
    if view.dye_lines:
        try:
            dye_lines(view.dataset.ratios, view.pair)
        except SeeSpotError as error:  # drawn without lines: say why
            yield "say", str(error)
