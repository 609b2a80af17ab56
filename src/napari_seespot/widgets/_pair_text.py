"""What a channel-pair dock says in words: counts, legend, what is pointed at."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.coloring import gradient

if TYPE_CHECKING:
    from napari_seespot.dataset import Dataset
    from napari_seespot.plots.pair_picture import PairPicture

__all__ = [
    "counts_text",
    "describe_bin",
    "describe_row",
    "legend_html",
    "selected_text",
]

_SQUARE = "\N{BLACK SQUARE}"
_RAMP_STEPS = 16  # of a colour bar


def counts_text(picture: PairPicture) -> str:
    """Return how many spots there are, pass, are drawn, and lie outside."""
    parts = [f"{picture.n_passing:,} of {picture.n_total:,} spots"]
    if picture.points is not None and len(picture.points.rows) < picture.n_inside:
        parts.append(f"{len(picture.points.rows):,} of {picture.n_inside:,} drawn")
    outside = picture.n_passing - picture.n_inside
    if outside:
        parts.append(f"{outside:,} outside the axes")
    return " · ".join(parts)


def selected_text(picture: PairPicture) -> str:
    """Return how many spots are selected; empty where none is."""
    if not picture.n_selected:
        return ""
    hidden = picture.n_selected - picture.n_selected_passing
    more = f" ({hidden:,} filtered out)" if hidden else ""
    return f"{picture.n_selected:,} selected{more}"


def legend_html(picture: PairPicture, dataset: Dataset) -> str:
    """Return what the colours mean, with the counts within the axes."""
    coloring = picture.request.view.coloring
    if coloring.names:
        channels = dataset.channels
        items = []
        for (name, count), color in zip(
            picture.class_counts.items(), coloring.table.tolist(), strict=True
        ):
            label = dataset.label(name) if name in channels else name
            items.append(f"{_swatch(color)}&nbsp;{escape(label)}&nbsp;{count:,}")
        return " &nbsp; ".join(items)
    if coloring.limits is not None:
        low, high = (_number(end) for end in coloring.limits)
        name = escape(coloring.by)
        if picture.points is None:
            name = f"mean {name} of a bin"
        return f"{name}: {low}&nbsp;{_ramp(coloring.table)}&nbsp;{high}"
    scale = picture.request.view.count_scale
    if picture.points is not None:
        return "each cell has a colour; grey lies in none"
    ramp = _ramp(gradient())
    return f"spots per bin ({scale}): 1&nbsp;{ramp}&nbsp;{picture.fullest:,}"


def describe_bin(picture: PairPicture, x: float, y: float) -> str:
    """Return what lies in the bin under the pointer; empty outside the picture."""
    place = picture.bin_at(x, y)
    if place is None:
        return ""
    first, second = picture.request.pair
    where = f"{first}: {_number(x)} · {second}: {_number(y)}"
    counts = picture.counts_at(*place)
    total = sum(counts.values())
    text = f"{where} · {total:,} {'spot' if total == 1 else 'spots'} here"
    dataset = picture.request.view.dataset
    held = {name: count for name, count in counts.items() if count and name}
    if held:
        text += ": " + ", ".join(
            f"{dataset.label(name) if name in dataset.channels else name}: {count:,}"
            for name, count in held.items()
        )
    if picture.means is not None and np.isfinite(picture.means[place]):
        by = picture.request.view.coloring.by
        text += f" · mean {by} {_number(picture.means[place])}"
    return text


def describe_row(dataset: Dataset, row: int, pair: tuple[str, str]) -> str:
    """Return what is known of one spot."""
    spots = dataset.spots
    table = spots.to_pandas(rows=np.array([row]))
    spot = {str(name): table[name].iloc[0] for name in table.columns}
    parts = [f"spot {spot['spot_id']}"]
    parts += [
        f"{channel}: {_number(spots.intensity(channel)[row])}" for channel in pair
    ]
    parts += [f"{name} {_number(spot[name])}" for name in ("r", "dist") if name in spot]
    parts.append(f"{_flow(dataset, spot)} ({spot['status']})")
    if "cell_id" in spot:
        parts.append(f"cell {spot['cell_id']}" if spot["cell_id"] else "no cell")
    return " · ".join(parts)


def _flow(dataset: Dataset, spot: dict[str, object]) -> str:
    found = dataset.label(str(spot["chan"]))
    if spot["status"] == "unchanged":
        return found
    if spot["status"] == "removed":
        return f"{found} → removed"
    return f"{found} → {dataset.label(str(spot['unmixed_chan']))}"


def _number(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]  # numpy's and Python's numbers
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _swatch(color: list[int]) -> str:
    return f'<span style="color:{_hex(color)}">{_SQUARE}</span>'


def _ramp(table: np.ndarray) -> str:
    steps = table[np.linspace(0, len(table) - 1, _RAMP_STEPS).astype(int)].tolist()
    return "".join(f'<font color="{_hex(color)}">█</font>' for color in steps)


def _hex(color: list[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color[:3])
