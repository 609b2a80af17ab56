"""Open a dataset in napari on the spots that were reassigned, at the first of them.

python examples/view_reassigned.py [DATASET]
"""

from __future__ import annotations

import sys

import napari

import napari_seespot as nss


def main(source: str = "sample") -> nss.Session:
    session = nss.view(source)
    with session.one_change():
        session.state.color_by = "unmixed_chan"
        session.state.filters.status = {"reassigned"}
    table = session.visible()
    if len(table):
        session.go_to(int(table["spot_id"].iloc[0]))
    return session


if __name__ == "__main__":
    main(*sys.argv[1:])
    napari.run()
