"""``python -m napari_seespot``."""

from __future__ import annotations

from napari_seespot.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
