"""A channel pair, what reassigned spots have in common, and maps: no napari, no screen.

Each result is a table for further work, and most of them are also a figure in a file.

python examples/pair_patterns_and_maps.py [DATASET [FOLDER]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari_seespot as nss
from napari_seespot.maps import spatial_map
from napari_seespot.neighbours import clustering
from napari_seespot.patterns import flow_distributions, share_by_column


def main(source: str = "sample", target: str = "figures") -> None:
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    session = nss.Session(nss.open_dataset(source))
    session.state.filters.status = {"unchanged", "reassigned", "removed"}
    spots, where = session.dataset.spots, session.view.where  # None: all spots pass
    voxel_um = session.dataset.voxel_size

    # A pair at a glance: six numbers and four panels.
    pair = session.dataset.channel_pairs[-1]
    summed = session.overview(pair)
    print(summed.statistics)
    print(f"written to {summed.figure(folder / 'pair.png')}")

    # From which channel to which: r of reassigned spots beside that of unchanged ones.
    flows = flow_distributions(spots, where)
    r = flows[flows["measure"] == "r"]
    print(r.pivot(index=["chan", "unmixed_chan"], columns="group", values="q50"))

    # Are spots of low r, or deep in the tissue, reassigned more often?
    for column in ("r", "z"):
        print(share_by_column(spots, column, 5, where))

    # Do spots of a status lie together more than by chance?
    print(clustering(spots, voxel_um, k=10, n=2000, where=where))

    # Where in the tissue?
    found = spatial_map(spots, "reassigned", voxel_um, tile_um=20.0, where=where)
    tiles = found.to_pandas()
    print(tiles[tiles["spots"] >= 20].nlargest(5, "value"))
    tiles.to_csv(folder / "reassigned_by_tile.csv", index=False)

    # All figures on the pages of one document.
    print(f"written to {session.figure(folder / 'report.pdf')}")


if __name__ == "__main__":
    main(*sys.argv[1:])
