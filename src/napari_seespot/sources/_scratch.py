"""Names of files that are being written, and whose writer is gone."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["STALE_SECONDS", "abandoned", "host", "writer"]

STALE_SECONDS = 24 * 3600.0
"""After this long, a temporary file belongs to nobody that still writes."""

_TEMPORARY = re.compile(r"\..+\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]+\.tmp")


def host() -> str:
    """Return what tells this machine from others that share a folder."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def writer() -> str:
    """Return what a temporary file's name ends in, before ``.tmp``."""
    return f"{host()}-{os.getpid()}-{secrets.token_hex(4)}"


def abandoned(path: Path) -> bool:
    """Whether nobody writes a temporary file any more.

    Raises
    ------
    OSError
        When it is gone.
    """
    if time.time() - path.stat().st_mtime > STALE_SECONDS:
        return True
    found = _TEMPORARY.fullmatch(path.name)
    # On Windows os.kill would end the process instead of asking for it.
    if found is None or found["host"] != host() or os.name == "nt":
        return False
    try:
        os.kill(int(found["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it runs, as somebody else's
        return False
    return False
