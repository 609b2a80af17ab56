"""Units of length that OME-Zarr allows, in micrometres.

The list is that of the specification's section on axes
(https://ngff.openmicroscopy.org/0.4/#axes-md), with the short forms that writers
use instead.
"""

from __future__ import annotations

__all__ = ["MICROMETRES"]

_PREFIXES = {
    "yocto": -24, "zepto": -21, "atto": -18, "femto": -15, "pico": -12, "nano": -9,
    "micro": -6, "milli": -3, "centi": -2, "deci": -1, "": 0, "hecto": 2, "kilo": 3,
    "mega": 6, "giga": 9, "tera": 12, "peta": 15, "exa": 18, "zetta": 21, "yotta": 24,
}  # fmt: skip

_METRIC = {
    f"{prefix}{metre}": float(f"1e{power + 6}")
    for prefix, power in _PREFIXES.items()
    for metre in ("meter", "metre")
}

# The international inch is 25.4 mm; the parsec 648000/pi astronomical units.
_OTHERS = {
    "angstrom": 1e-4,
    "inch": 25.4e3,
    "foot": 304.8e3,
    "yard": 914.4e3,
    "mile": 1609.344e6,
    "parsec": 3.0856775814913673e22,
}

_SHORT = {
    "Å": 1e-4, "pm": 1e-6, "nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0,
    "microns": 1.0, "micrometers": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6,
}  # fmt: skip

MICROMETRES: dict[str, float] = _METRIC | _OTHERS | _SHORT
"""Micrometres in each unit."""
