"""Small files in the user's configuration folder, for what is remembered.

What cannot be read counts as forgotten, and what cannot be written is not
remembered: neither ever keeps a user from working.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["CONFIG_ENV", "config_folder", "recall", "remember"]

CONFIG_ENV = "NAPARI_SEESPOT_CONFIG"
"""The environment variable that says where else to remember things."""

_LOG = logging.getLogger(__name__)


def config_folder() -> Path:
    """Return the folder; it need not exist yet."""
    chosen = os.environ.get(CONFIG_ENV, "").strip()
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    from platformdirs import user_config_path

    return user_config_path("napari-seespot", appauthor=False)


def recall(name: str) -> list[Any]:
    """Return the items of a file; none when it is absent or damaged."""
    try:
        content = json.loads((config_folder() / name).read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    return content if isinstance(content, list) else []


def remember(name: str, items: list[Any]) -> bool:
    """Put items into the place of a file's; return whether they are on disk.

    Another process sees the old file or the new one, never half of one.
    """
    folder = config_folder()
    temporary = folder / f".{name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(items, indent=1), encoding="utf-8")
        os.replace(temporary, folder / name)
    except OSError as error:
        _LOG.warning("%s is not remembered: %s", name, error)
        with suppress(OSError):
            temporary.unlink()
        return False
    return True
