"""What the *Review* dock says, in words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from napari_seespot.review import Judging

__all__ = ["count", "plan_text", "result_text", "spot_text"]


def plan_text(judging: Judging) -> str:
    """Return how much there is to judge, before one begins."""
    queue = judging.queue
    strata = count(len(queue.sizes), "stratum", "strata")
    return f"{strata}, {count(len(queue), 'spot', 'spots')} to judge"


def spot_text(judging: Judging, place: int) -> str:
    """Return which spot is to be judged, and what was said of it."""
    queue = judging.queue
    if place >= len(queue):
        return f"All {len(queue):,} spots are judged."
    lines = [
        f"<b>Spot {judging.spot_ids[place]}</b>, {place + 1:,} of {len(queue):,}",
        escape(queue.stratum[place].replace(" -> ", " → "), quote=False),
    ]
    given = judging.verdict_at(place)
    if given is not None:
        so_far = "Judged" if judging.is_done(place) else "Judged by another plan"
        lines.append(f"{so_far}: <b>{given.verdict}</b>")
    return "<br>".join(lines)


def result_text(judging: Judging, rates: pd.DataFrame | None) -> str:
    """Return the estimate for the whole dataset, and how far reviewers agree."""
    lines = []
    whole = None if rates is None else dict(rates.loc["all"])
    if whole is not None and whole["judged"]:
        error, low, high = (100 * whole[name] for name in ("error", "low", "high"))
        lines.append(
            f"Estimated error of the dataset: <b>{error:.1f} %</b> "
            f"({low:.1f} to {high:.1f} %), from "
            f"{count(int(whole['judged']), 'verdict', 'verdicts')}; "
            f"covers {_share(whole['covered'])} of the spots"
        )
    for other in judging.reviewers:
        kappa, n = judging.agreement(judging.reviewer, other)
        if n and other != judging.reviewer:
            lines.append(
                f"Agreement with {escape(other)}: kappa {kappa:.2f} on "
                f"{count(n, 'spot', 'spots')}"
            )
    return "<br>".join(lines).replace(" %", "\u00a0%")  # a line never begins with it


def _share(part: float) -> str:
    # Never "100 %" as long as a stratum is missing, nor "0 %" when there is one.
    if part >= 1:
        return "100 %"
    return f"{min(max(100 * part, 0.1), 99.9):.{0 if 0.01 < part < 0.99 else 1}f} %"


def count(n: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{n:,} {one if n == 1 else many}"
