"""The four panels about a channel pair, and its numbers in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_seespot.plots.charts import number_text
from napari_seespot.plots.density_charts import density_chart
from napari_seespot.plots.summary_charts import channels_chart, histogram_chart

if TYPE_CHECKING:
    from napari_seespot.overview import Overview
    from napari_seespot.plots.charts import Chart

__all__ = ["COLUMN_LABELS", "overview_charts", "overview_text", "pair_name"]

COLUMN_LABELS = {
    "r": "r: correlation with the point-spread function",
    "dist": "dist: voxels from the fitted centre",
}


def pair_name(summed: Overview) -> str:
    """Return the pair with its genes: ``"488 · Crh / 514 · Penk"``."""
    return " / ".join(map(summed.dataset.label, summed.pair))


def overview_charts(summed: Overview, *, lines: bool = True) -> dict[str, Chart]:
    """Return the panels by name: ``picture``, ``r``, ``dist`` and ``channels``.

    Parameters
    ----------
    summed : Overview
    lines : bool
        Whether to draw the dye lines of the pair.
    """
    dataset = summed.dataset
    a, b = (f"{dataset.label(name)} intensity" for name in summed.pair)
    total = int(summed.statistics["spots"])
    charts = {
        "picture": density_chart(
            summed.picture,
            dataset,
            title="Intensities by status",
            labels=(a, b),
            pair=summed.pair if lines else None,
            caption=_inside(summed.picture.total, total),
        )
    }
    for name, counted in (("r", summed.r), ("dist", summed.dist)):
        if counted is not None:
            charts[name] = histogram_chart(
                counted,
                dataset,
                label=COLUMN_LABELS[name],
                caption=_inside(counted.total, total),
            )
    charts["channels"] = channels_chart(summed.channels, dataset)
    return charts


def _inside(shown: int, total: int) -> str:
    if shown == total:
        return f"All {total:,} spots"
    return (
        f"{shown:,} of {total:,} spots; the others lie beyond the axes or have no value"
    )


def overview_text(summed: Overview) -> str:
    """Return the numbers in words."""
    numbers, dataset = summed.statistics, summed.dataset
    parts = [f"{name} {int(numbers[name]):,}" for name in ("spots", "reassigned")]
    names = {name: f"intensity in {dataset.label(name)}" for name in summed.pair}
    for key, name in {**names, "r": "r", "dist": "dist"}.items():
        if f"mean_{key}" in numbers:
            parts.append(f"mean {name} {number_text(numbers[f'mean_{key}'])}")
    return " · ".join(parts)
