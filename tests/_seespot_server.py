"""A SeeSpot server on loopback, of either generation, that fails when told to.

It answers as recorded from real ones (tests/data/answers); faults are queued for
a path and used up one a request, so that a retry meets the server as it is.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ANSWERS = Path(__file__).parent / "data" / "answers"

SPOTS = "/api/real_spots_data"
DATASETS = "/api/datasets"
DOWNLOAD = "/api/datasets/download"
SET_ACTIVE = "/api/datasets/set-active"
LINK = "/api/create-neuroglancer-link"
LINKS = "/api/create-neuroglancer-multi-annotations"

NEWER_NAME = "HCR_900001_2025-05-08_14-00-00_processed_2025-05-17_22-15-31"
OLDER_NAME = "HCR_749315_2025-05-08_14-00-00_processed_2025-05-17_22-15-31"
TILED_NAME = "HCR_900003_2025-10-02_15-10-00_processed_2025-11-06_22-50-54"

Fault = Callable[["_Handler"], None]


def answer(name: str) -> dict[str, Any]:
    """Return a recorded answer, to be changed at will."""
    return json.loads((ANSWERS / f"{name}.json").read_text())


def encode(content: Any) -> bytes:
    """Return JSON as the server writes it."""
    return json.dumps(content, separators=(",", ":")).encode()


@dataclass
class Request:
    """What the server was asked."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass
class SeeSpot:
    """A server's state; `start` serves it."""

    content: dict[str, Any]
    active: str | None = NEWER_NAME
    downloaded: set[str] = field(default_factory=lambda: {NEWER_NAME})
    available: set[str] = field(default_factory=lambda: {NEWER_NAME, TILED_NAME})
    requests: list[Request] = field(default_factory=list)
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    prefix: str = ""

    @property
    def newer(self) -> bool:
        return "current_dataset" in self.content

    def fail(self, path: str, *faults: Fault) -> None:
        self.faults[path].extend(faults)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def reply(self, request: Request) -> tuple[int, Any]:
        """Return status and content as the real server would."""
        routes = {
            ("GET", SPOTS): self._spots,
            ("GET", DATASETS): self._datasets,
            ("POST", DOWNLOAD): self._download,
            ("POST", SET_ACTIVE): self._set_active,
            ("POST", LINK): self._link,
            ("POST", LINKS): self._links,
        }
        route = routes.get((request.method, request.path))
        return route(request) if route else (404, {"detail": "Not Found"})

    def _spots(self, request: Request) -> tuple[int, Any]:
        size = request.query.get("sample_size", "5000")
        if not size.lstrip("-").isdecimal():
            message = "Input should be a valid integer"
            return 422, {"detail": [{"loc": ["query", "sample_size"], "msg": message}]}
        if self.active is None:
            return 200, answer("no_dataset")
        rows = self.content["spots_data"][: int(size)]
        details = self.content["spot_details"]
        kept = {str(row["spot_id"]) for row in rows}
        found = {**self.content, "spots_data": rows}
        found["spot_details"] = {k: v for k, v in details.items() if k in kept}
        if self.newer:
            found["current_dataset"] = self.active
        return 200, found

    def _datasets(self, request: Request) -> tuple[int, Any]:
        return 200, {
            "datasets": [
                {
                    "name": name,
                    "creation_date": "2026-11-23 14:45:37",
                    "has_data": name != TILED_NAME,
                    "is_current": name == self.active,
                }
                for name in sorted(self.downloaded)
            ]
        }

    def _download(self, request: Request) -> tuple[int, Any]:
        name = (request.body or {}).get("dataset_name")
        if not name:
            return 400, {"error": "Dataset name is required"}
        if "_X_0" in name:
            return 400, {
                "error": f"Cannot download virtual tile dataset '{name}'.",
                "hint": "Remove the tile suffix (e.g., '_X_0000_Y_0000_Z_0000')",
            }
        if name not in self.available:
            return 404, {
                "error": "Dataset not found on S3 - processing_manifest.json not found",
                "checked_paths": [f"s3://bucket/{name}/processing_manifest.json"],
            }
        self.downloaded.add(name)
        found: dict[str, Any] = {"success": True, "dataset_name": name}
        if name == TILED_NAME:
            tiles = [f"{name}_X_{i:04}_Y_0000_Z_0000" for i in range(2)]
            self.downloaded.update(tiles)
            found |= {"is_tiled": True, "tile_count": 2, "virtual_datasets": tiles}
        return 200, found

    def _set_active(self, request: Request) -> tuple[int, Any]:
        name = (request.body or {}).get("dataset_name")
        if not name:
            return 400, {"error": "Dataset name is required"}
        if name not in self.downloaded:
            return 404, {"error": "Dataset not found in local cache"}
        self.active = name
        message = "Active dataset updated successfully"
        return 200, {"success": True, "dataset_name": name, "message": message}

    def _link(self, request: Request) -> tuple[int, Any]:
        missing = {"position", "point_annotation", "spot_id"} - request.body.keys()
        if missing:
            names = "position, point_annotation, or spot_id"
            return 400, {"error": f"Missing required parameters: {names}"}
        url = "https://neuroglancer-demo.appspot.com/#!%7B%7D"
        return 200, {"url": url, "used_json_method": False}

    def _links(self, request: Request) -> tuple[int, Any]:
        ids = request.body["spot_ids"]
        if not ids:
            return 400, {"error": "spot_ids must be a non-empty list"}
        known = [i for i in ids if str(i) in self.content["spot_details"]]
        return 200, {
            "url": "https://neuroglancer-demo.appspot.com/#!%7B%7D",
            "annotation_count": len(known),
            "missing_spots": len(ids) - len(known),
            "layer_name": request.body["layer_name"],
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seespot: SeeSpot

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self._serve(json.loads(self.rfile.read(size) or b"null"))

    def _serve(self, body: Any) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix(self.seespot.prefix)
        query = dict(parse_qsl(parts.query))
        request = Request(self.command, path, query, body, dict(self.headers))
        self.seespot.requests.append(request)
        faults = self.seespot.faults[path]
        if faults:
            faults.popleft()(self)
            return
        code, content = self.seespot.reply(request)
        self.send(code, encode(content))

    def send(
        self,
        code: int,
        body: bytes,
        content_type: str = "application/json",
        length: int | None = None,
        **headers: str,
    ) -> None:
        """Send a reply; `length` is what it claims to be long."""
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hung up is what is tested


def serve(content: dict[str, Any], **state: Any) -> Iterator[SeeSpot]:
    """Serve until the generator is closed; for a fixture to yield from."""
    seespot = SeeSpot(content, **state)
    handler = type("Handler", (_Handler,), {"seespot": seespot})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    seespot.url = f"http://127.0.0.1:{server.server_address[1]}{seespot.prefix}"
    try:
        yield seespot
    finally:
        seespot.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def body(
    content: bytes, content_type: str = "application/json", code: int = 200, **rest: Any
) -> Fault:
    """Answer with these bytes."""
    return lambda handler: handler.send(code, content, content_type, **rest)


def status(code: int, content: Any = None, **headers: str) -> Fault:
    """Answer with a status."""
    text = encode(content) if content is not None else b""
    return lambda handler: handler.send(code, text, **headers)


def zipped(content: bytes, keep: int | None = None) -> Fault:
    """Answer with compressed bytes, of which only the first are kept."""
    packed = gzip.compress(content)[:keep]
    return lambda handler: handler.send(200, packed, Content_Encoding="gzip")


def hang_up(handler: _Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
    handler.connection.close()


def cut(content: bytes, at: int) -> Fault:
    """Promise all of these bytes, send some, and close the connection."""

    def fault(handler: _Handler) -> None:
        handler.send(200, content[:at], length=len(content))
        handler.close_connection = True

    return fault


def chunked(content: bytes, size: int) -> Fault:
    """Send without telling the length, in chunks."""

    def fault(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for at in range(0, len(content), size):
            piece = content[at : at + size]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    return fault


def silent(handler: _Handler) -> None:
    """Never answer, until the server ends."""
    handler.seespot.released.wait(30)
    handler.close_connection = True


def drip(content: bytes, pause: float) -> Fault:
    """Send byte by byte."""

    def fault(handler: _Handler) -> None:
        handler.send(200, b"", length=len(content))
        for byte in content:
            if handler.seespot.released.is_set():
                break
            handler.wfile.write(bytes([byte]))
            time.sleep(pause)
        handler.close_connection = True

    return fault
