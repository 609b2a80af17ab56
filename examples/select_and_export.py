"""Filter, lasso and export, as one would with the mouse, but from a script.

python examples/select_and_export.py [DATASET [CSV]]
"""

from __future__ import annotations

import sys

import napari_seespot as nss


def main(source: str = "sample", target: str = "selected.csv") -> None:
    session = nss.Session(nss.open_dataset(source))
    state = session.state
    state.filters.ranges["r"] = (0.5, 1.0)
    state.filters.status = {"reassigned"}
    print(session.view.count_text)

    # Everything that is bright in both channels of the pair, drawn or not.
    x, y = (session.visible()[f"chan_{c}_intensity"] for c in state.pair)
    x0, y0, x1, y1 = x.median(), y.median(), x.max() + 1, y.max() + 1
    n = session.select_polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    print(f"{n:,} spots selected")
    if n:
        print(f"written to {session.export(target)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
