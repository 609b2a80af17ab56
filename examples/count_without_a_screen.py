"""Counts, flows and a picture of a channel pair: no napari, no screen.

python examples/count_without_a_screen.py [DATASET]
"""

from __future__ import annotations

import sys

import napari_seespot as nss


def main(source: str = "sample") -> None:
    ds = nss.open_dataset(source)
    print(ds)
    print(ds.spots.flow())
    print(ds.spots.status.value_counts())

    pair = ds.channel_pairs[0]
    picture = nss.density(ds.spots, *pair, bins=256, by="status")
    for name, counts in zip(picture.classes, picture.counts, strict=True):
        print(f"{name}: {counts.sum():,} spots in {(counts > 0).sum():,} bins")
    for line in nss.dye_lines(ds.ratios, pair):
        print(f"dye {line.channel}: direction {line.direction}")


if __name__ == "__main__":
    main(*sys.argv[1:])
