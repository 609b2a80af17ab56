"""Where the axes of the channel-pair plots end, for each pair."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LIMITS_MODES", "AxisRules"]

LIMITS_MODES = ("auto", "minmax", "percentile")
"""How limits are found that are not fixed."""

Limits = tuple[float, float, float, float]
Pair = tuple[str, str]


@dataclass(frozen=True)
class AxisRules:
    """How the limits of each pair are found, as an `AxisLimits` says.

    Attributes
    ----------
    fixed : tuple of (str, Limits)
        Pairs, as ``"488/594"``, with x low, x high, y low, y high.
    modes : tuple of (str, str)
        Pairs that have a mode of their own.
    mode : str
        One of `LIMITS_MODES`, of all others.
    percentiles : tuple of float
        In percent.
    """

    fixed: tuple[tuple[str, Limits], ...] = ()
    modes: tuple[tuple[str, str], ...] = ()
    mode: str = "auto"
    percentiles: tuple[float, float] = (1.0, 99.0)

    def of(self, pair: Pair) -> tuple[Limits | None, str]:
        """Return a pair's fixed limits, or None, and how others are found.

        What was set for a pair holds for its axes when they are turned round.
        """
        key, turned = "/".join(pair), "/".join(pair[::-1])
        modes, fixed = dict(self.modes), dict(self.fixed)
        mode = modes.get(key) or modes.get(turned) or self.mode
        if key not in fixed and turned in fixed:
            y0, y1, x0, x1 = fixed[turned]
            return (x0, x1, y0, y1), mode
        return fixed.get(key), mode
