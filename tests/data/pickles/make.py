"""Write the pickles of this folder; run once in each environment of README.md.

    python make.py TAG

writes ``TAG_mixed_pN.pkl``, ``TAG_unmixed_pN.pkl`` and ``TAG_variety_pN.pkl`` for
the protocols N = 2 to 5 with whatever pandas, numpy and pyarrow are installed.
The values are formulas of the row number, so that a test can compute them again.
"""

from __future__ import annotations

import contextlib
import importlib
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd

CHANNELS = ("488", "514", "561", "594", "638")
N = 11


def mixed() -> pd.DataFrame:
    """Return a table of every spot, with the columns of a detection."""
    i = np.arange(N)
    columns = {
        "spot_id": i + 1,
        "chan": [CHANNELS[k % 5] for k in range(N)],
        "chan_spot_id": i // 5,
        "cell_id": i % 4,
        "round": ["4"] * N,
        "z": 3 * i,
        "y": 5 * i + 1,
        "x": 7 * i + 2,
        "z_center": i / 8 - 0.5,
        "y_center": -i / 16,
        "x_center": i / 32,
        "dist": i / 4,
        "r": np.where(i == 3, np.nan, 1 - i / 8),
    }
    for k, channel in enumerate(CHANNELS):
        columns[f"chan_{channel}_fg"] = 100.0 * i + k
        columns[f"chan_{channel}_bg"] = 10.0 * i
        columns[f"chan_{channel}_intensity"] = 90.0 * i + k - 300
    columns["over_thresh"] = i % 3 == 0
    return pd.DataFrame(columns)


def unmixed() -> pd.DataFrame:
    """Return the kept spots: other row numbers, verdicts, a filtered index."""
    i = np.arange(N)
    table = mixed()
    table["unmixed_chan"] = [CHANNELS[(k + k // 5) % 5] for k in range(N)]
    table["dye_line_dist_ratio"] = (i / 3).astype(np.float32)
    table["valid_spot"] = i % 2 == 0
    table = table[i % 3 != 1].copy()
    table["spot_id"] = np.arange(1, len(table) + 1)
    return table


def variety() -> pd.DataFrame:
    """Return the other kinds of columns: what pandas can keep a value in."""
    i = np.arange(6)
    text = ["b", None, "a", "b", "ü", ""]
    table = pd.DataFrame(np.arange(12.0).reshape(6, 2), columns=["f0", "f1"])
    table.index = pd.Index([10, 20, 30, 40, 50, 60], name="label")
    table["text"] = pd.Series(text, index=table.index)
    table["objects"] = pd.Series(
        ["s", None, np.nan, 1, 2.5, True], dtype=object, index=table.index
    )
    table["more_objects"] = pd.Series(
        [np.str_("s"), np.float64(0.5), np.int32(7), np.bool_(True), pd.NA, 1 << 70],
        dtype=object,
        index=table.index,
    )
    table["nothing"] = pd.Series([None] * 6, dtype=object, index=table.index)
    table["category"] = pd.Categorical(text[:1] + text[2:] + ["a"])
    table["category_missing"] = pd.Categorical(text, categories=["ü", "b", "", "a"])
    table["category_numbers"] = pd.Categorical([5, 7, 5, 5, 7, 9])
    table["string"] = pd.array(text, dtype="string")
    table["Int64"] = pd.array([1, None, 3, 4, 5, 6], dtype="Int64")
    table["UInt8"] = pd.array([1, 2, 3, 4, 5, 255], dtype="UInt8")
    table["Float32"] = pd.array([0.5, None, 3, 4, 5, 6], dtype="Float32")
    table["boolean"] = pd.array([True, False, None] * 2, dtype="boolean")
    table["boolean_full"] = pd.array([True, False, True] * 2, dtype="boolean")
    for dtype in ("i1", "i2", "i4", "u1", "u2", "u4", "u8", "f2", "f4", ">i4"):
        table[dtype] = i.astype(dtype)
    if "pyarrow" in sys.modules:
        table["string_pyarrow"] = pd.array(text, dtype="string[pyarrow]")
    return table


def main(tag: str) -> None:
    """Write all tables with all protocols."""
    folder = Path(__file__).parent
    for make in (mixed, unmixed, variety):
        for protocol in (2, 3, 4, 5):
            path = folder / f"{tag}_{make.__name__}_p{protocol}.pkl"
            path.write_bytes(pickle.dumps(make(), protocol=protocol))
    mixed().iloc[:0].to_pickle(folder / f"{tag}_empty.pkl")
    mixed()["r"].to_pickle(folder / f"{tag}_series.pkl")


if __name__ == "__main__":
    # Older pandas import it only when asked to.
    with contextlib.suppress(ImportError):
        importlib.import_module("pyarrow")
    main(sys.argv[1])
