"""An S3-like server on loopback with latency, counting what it is asked.

It serves fused channels of the size that microscopes make: 1,200 x 12,000 x 12,000
voxels of uint16 in six levels, chunks of 128 x 128 x 128, Blosc zstd. A few
different chunks stand for all of them, so that it takes no disk.

Run by itself: ``python benchmarks/_image_server.py PORT LATENCY_MS``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numcodecs import Blosc

__all__ = ["BUCKET", "CHANNELS", "LEVELS", "SHAPE", "chunk_number", "templates"]

BUCKET = "fused"
CHANNELS = ("488", "514", "561", "594", "638")
SHAPE = (1200, 12000, 12000)
LEVELS = 6
CHUNK = 128
TEMPLATES = 4
VOXEL = (1.0, 0.24, 0.24)
# of the channels, and one that opens nothing else
_HEADERS = "HTTP/1.1 {} X\r\nContent-Length: {}\r\nContent-Type: {}\r\n{}\r\n"


def templates() -> list[np.ndarray]:
    """Return the chunks that stand for all: blurred noise above a background."""
    made = []
    for seed in range(TEMPLATES):
        rng = np.random.default_rng(seed)
        values = rng.gamma(2.0, 6.0, (CHUNK,) * 3) + 110 + 5 * seed
        made.append(values.astype("<u2"))
    return made


def chunk_number(channel: str, level: int, chunk: tuple[int, int, int]) -> int:
    """Return which template stands for a chunk."""
    z, y, x = chunk
    return (CHANNELS.index(channel) + level + z + 2 * y + 3 * x) % TEMPLATES


def shape_of(level: int) -> tuple[int, ...]:
    """Return the voxels of a level."""
    return tuple(-(-n // 2**level) for n in SHAPE)


def documents() -> dict[str, bytes]:
    """Return the metadata of all channels, by key."""
    found = {}
    for channel in CHANNELS:
        datasets = []
        for level in range(LEVELS):
            step = [1, 1, *(v * 2**level for v in VOXEL)]
            shift = [0, 0, *(v * (2**level - 1) / 2 for v in VOXEL)]
            transforms = [{"type": "scale", "scale": step}]
            if level:
                transforms.append({"type": "translation", "translation": shift})
            datasets.append(
                {"path": str(level), "coordinateTransformations": transforms}
            )
            found[f"channel_{channel}.zarr/{level}/.zarray"] = {
                "zarr_format": 2,
                "shape": [1, 1, *shape_of(level)],
                "chunks": [1, 1, CHUNK, CHUNK, CHUNK],
                "dtype": "<u2",
                "fill_value": 0,
                "order": "C",
                "filters": None,
                "dimension_separator": "/",
                "compressor": {
                    **{"id": "blosc", "cname": "zstd", "clevel": 3},
                    **{"shuffle": 1, "blocksize": 0},
                },
            }
        kinds = {"t": "time", "c": "channel"}
        axes = [
            {"name": a, "type": kinds.get(a, "space")}
            | ({"unit": "micrometer"} if a in "zyx" else {})
            for a in "tczyx"
        ]
        entry = {"version": "0.4", "axes": axes, "datasets": datasets}
        found[f"channel_{channel}.zarr/.zattrs"] = {"multiscales": [entry]}
        found[f"channel_{channel}.zarr/.zgroup"] = {"zarr_format": 2}
    return {key: json.dumps(value).encode() for key, value in found.items()}


class Server:
    """Answers as S3 does, each request after a while."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.documents = documents()
        codec = Blosc("zstd", 3, Blosc.SHUFFLE)
        self.chunks = [bytes(codec.encode(values)) for values in templates()]
        self.requests = self.bytes = 0

    async def serve(self, reader, writer) -> None:
        """Answer one connection until it ends."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                await self.answer(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, head: str, writer) -> None:
        """Answer one request."""
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        parts = urlsplit(target)
        path = unquote(parts.path).removeprefix("/")
        if path == "stats":
            body = json.dumps([self.requests, self.bytes]).encode()
            writer.write(_HEADERS.format(200, len(body), "text/plain", "").encode())
            writer.write(body)
            return
        self.requests += 1
        await asyncio.sleep(self.latency)
        status, body = self.body(path.removeprefix(BUCKET).strip("/"), parts.query)
        extra = ""
        span = [
            line for line in head.split("\r\n") if line.lower().startswith("range:")
        ]
        size = len(body)
        if span and status == 200:
            first, _, last = span[0].partition("=")[2].partition("-")
            start = int(first) if first else max(size - int(last), 0)
            stop = min(int(last) + 1 if first and last else size, size)
            body, status = body[start:stop], 206
            extra = f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n"
        extra += 'ETag: "x"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n'
        kind = "application/xml" if status == 404 or parts.query else "binary/stream"
        writer.write(_HEADERS.format(status, len(body), kind, extra).encode())
        if method != "HEAD":
            writer.write(body)
            self.bytes += len(body)
        await writer.drain()

    def body(self, key: str, query: str) -> tuple[int, bytes]:
        """Return status and body for a key, or for a listing."""
        asked = parse_qs(query)
        if "list-type" in asked:
            return 200, self.listing(asked.get("prefix", [""])[0])
        if key in self.documents:
            return 200, self.documents[key]
        parts = key.split("/")
        if len(parts) == 7 and parts[0].startswith("channel_"):
            channel = parts[0].removeprefix("channel_").removesuffix(".zarr")
            level = int(parts[1])
            chunk = tuple(int(n) for n in parts[4:])
            inside = zip(chunk, shape_of(level), strict=True)
            if all(n * CHUNK < length for n, length in inside):
                return 200, self.chunks[chunk_number(channel, level, chunk)]
        return 404, b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>"

    def listing(self, prefix: str) -> bytes:
        """Return the documents below a prefix, as S3 lists them."""
        rows = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(body)}</Size>"
            "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
            for key, body in self.documents.items()
            if key.startswith(prefix)
        )
        return (
            f"<ListBucketResult><Name>{BUCKET}</Name>{rows}</ListBucketResult>".encode()
        )


async def main(port: int, latency: float) -> None:
    """Serve for ever."""
    server = Server(latency)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", port)
    print("ready", flush=True)
    async with listening:
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000))
