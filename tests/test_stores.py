"""Stores: folders, web servers and S3, counted request by request on loopback."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import boto3
import numpy as np
import pytest
import zarr
from moto.server import ThreadedMotoServer
from numcodecs import Blosc

from napari_seespot import (
    _chunk_reader,
    _fast_ranges,
    _lines,
    _requests,
    _stores,
    _zarr_store,
)
from napari_seespot._chunk_reader import reader
from napari_seespot._fast_ranges import FastBucket, fast_bucket
from napari_seespot._lines import Line
from napari_seespot._stores import (
    StorageError,
    StorageOptions,
    ask_many,
    filesystem,
    join,
    list_names,
    normalize,
    read_bytes,
    read_many,
    redact,
)
from napari_seespot._zarr_store import Folder, ReadStore
from napari_seespot.errors import ImageError, NotFoundError
from napari_seespot.images import ChannelImage, open_channels

CHANNELS = ("488", "514", "561", "594", "638")
KEY, SECRET = "AKIAABCDEFGHIJKLMNOP", "s3cr3t/s3cr3t+s3cr3t"


# --- a server that misbehaves as it is told


class Server(ThreadingHTTPServer):
    """Serves ``files``; as a bucket, absent keys and refusals answer in S3's XML."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.files = {}
        self.requests = []
        self.faults = {}  # path -> list of statuses, "drop" or "short", used up
        self.private = False
        self.hides_absent = False
        self.ranges = True
        self.running = self.most = 0
        self.lock = threading.Lock()
        self.barrier = None
        self.more = {}  # headers of all answers
        self.released = threading.Event()  # lets go what hangs

    def handle_error(self, request, client_address):
        """Say nothing of connections that a test cuts."""

    @property
    def counts(self):
        return Counter(method for method, _, _ in self.requests)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Keep the output of the tests clean."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server = self.server
        path = unquote(urlsplit(self.path).path)
        with server.lock:
            server.requests.append((self.command, self.path, self.headers.get("Range")))
            server.running += 1
            server.most = max(server.most, server.running)
            faults = server.faults.get(path)
            fault = faults.pop(0) if faults else None
        try:
            if server.barrier is not None:
                server.barrier.wait(10)
            self.answer(server, path, fault)
        finally:
            with server.lock:
                server.running -= 1

    def answer(self, server, path, fault):
        body = server.files.get(path)
        if fault in ("drop", "hang"):
            if fault == "hang":
                server.released.wait(30)
            self.close_connection = True
            return
        if isinstance(fault, int):
            code = {503: "SlowDown", 403: "AccessDenied"}.get(fault, "Fault")
            return self.send(fault, self.xml(code))
        if server.private and "Authorization" not in self.headers:
            return self.send(403, self.xml("AccessDenied"))
        if body is None:
            hides = server.hides_absent
            code = "AccessDenied" if hides else "NoSuchKey"
            return self.send(403 if hides else 404, self.xml(code))
        status, wanted, more = 200, self.headers.get("Range"), {}
        if wanted and server.ranges:
            first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted).groups()
            size = len(body)
            begin = int(first) if first else max(size - int(last), 0)
            stop = int(last) + 1 if first and last else size
            body = body[begin:stop]
            status = 206
            more = {"Content-Range": f"bytes {begin}-{begin + len(body) - 1}/{size}"}
        self.send(status, body, short=fault == "short", **more)

    def xml(self, code):
        return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()

    def send(self, status, body, short=False, **more):
        self.send_response(status)
        more |= self.server.more | {
            "ETag": '"1"',
            "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
        }
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + (10 if short else 0)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if short:
            self.close_connection = True


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """No setting of the machine, and no connection left over."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION",
                 "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                 "AWS_SESSION_TOKEN", "AWS_PROFILE"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null/credentials")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null/config")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(_requests, "FIRST_PAUSE", 0.01)
    yield
    _stores.close_all()


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.released.set()
    _stores.close_all()  # else a kept connection keeps a handler waiting
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def bucket(server):
    """The same server as a bucket: its address and options."""
    return "s3://bucket", StorageOptions(endpoint_url=server.url, region="us-east-1")


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture(scope="module")
def pyramids(tmp_path_factory):
    """Five channels of six levels: every file, by its path below the folder."""
    root = tmp_path_factory.mktemp("fused")
    values = np.random.default_rng(0).integers(90, 2000, (1, 1, 64, 64, 64), "uint16")
    steps = lambda n: [{"type": "scale", "scale": [1, 1, 2**n, 2**n, 2**n]}]  # noqa: E731
    axes = [
        {"name": a, "unit": "micrometer"} if a in "zyx" else {"name": a}
        for a in "tczyx"
    ]
    for channel in CHANNELS:
        path = root / f"channel_{channel}.zarr"
        datasets = [
            {"path": str(n), "coordinateTransformations": steps(n)} for n in range(6)
        ]
        attributes = {"multiscales": [{"axes": axes, "datasets": datasets}]}
        zarr.create_group(path, zarr_format=2, attributes=attributes)
        for n in range(6):
            level = values[..., :: 2**n, :: 2**n, :: 2**n]
            array = zarr.create_array(
                path, name=str(n), shape=level.shape, chunks=(1, 1, 32, 32, 32),
                dtype="uint16", zarr_format=2,
                chunk_key_encoding={"name": "v2", "separator": "/"},
            )  # fmt: skip
            array[...] = level
    files = {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    return files, values[0, 0]


def serve(server, files, prefix=""):
    server.files = {f"{prefix}/{name}": body for name, body in files.items()}


def channels_at(root):
    return {c: f"{root}/channel_{c}.zarr" for c in CHANNELS}


# --- addresses


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("s3://bucket/a/", "s3://bucket/a"),
        ("S3://Bucket/a", "s3://Bucket/a"),
        ("http://host:80/a/", "http://host:80/a"),
        ("HTTPS://host/a?q=1", "https://host/a?q=1"),
        ("/data/a.zarr/", "/data/a.zarr"),
        ("file:///data/a%20b.zarr", "/data/a b.zarr"),
    ],
)
def test_normalize(given, wanted):
    assert normalize(given) == wanted


def test_normalize_local(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert normalize("a.zarr") == str(tmp_path / "a.zarr")
    assert normalize(tmp_path / "a.zarr") == str(tmp_path / "a.zarr")


@pytest.mark.parametrize("given", ["", " ", "ftp://x/y", "s3://", "http://", "a\0b"])
def test_what_is_no_address(given):
    with pytest.raises(StorageError, match="Expected a folder, s3://bucket/name"):
        normalize(given)


@pytest.mark.parametrize(
    ("uri", "parts", "wanted"),
    [
        ("s3://b/a", ("0", ".zarray"), "s3://b/a/0/.zarray"),
        ("s3://b/a", (), "s3://b/a"),
        ("/data/a", ("0/.zarray",), "/data/a/0/.zarray"),
        ("http://h/a?sig=1", ("0", "c d"), "http://h/a/0/c%20d?sig=1"),
        ("http://h", ("a",), "http://h/a"),
    ],
)
def test_join(uri, parts, wanted):
    assert join(uri, *parts) == wanted


def test_redact():
    text = f'GET "https://me:pw@host/a?X-Amz-Signature=abc" with {KEY}'
    assert redact(text) == 'GET "https://host/a" with ***'
    assert redact("/data/a.zarr") == "/data/a.zarr"


def test_options_from_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:pw@127.0.0.1:9000")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    options = StorageOptions().resolved()
    assert options.endpoint_url == "http://me:pw@127.0.0.1:9000"
    assert options.region == "us-west-2"
    assert "pw" not in repr(options)
    given = StorageOptions("http://other", "eu-west-1", False)
    assert given.resolved() == given
    assert repr(StorageOptions()) == (
        "StorageOptions(endpoint_url=None, region=None, anonymous=None)"
    )


# --- local


def test_local_files(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "d").mkdir()
    paths = [str(tmp_path / name) for name in ("a", "b", "d", "a/b")]
    assert list(read_many(paths).values()) == [b"abc", None, None, None]
    assert read_bytes(tmp_path / "a") == b"abc"
    assert list_names(tmp_path) == ("a", "d")
    fs, path = filesystem(tmp_path / "a")
    assert fs.cat_file(path) == b"abc"


def test_absent_local_files(tmp_path):
    with pytest.raises(NotFoundError, match="there is no such file"):
        read_bytes(tmp_path / "a")
    with pytest.raises(NotFoundError, match="there is no such folder"):
        list_names(tmp_path / "a")


@pytest.mark.parametrize("span", [(0, 3), (2, None), (-2, None), (-20, None), (3, 99)])
def test_spans(tmp_path, server, bucket, span):
    data = bytes(range(10))
    (tmp_path / "a").write_bytes(data)
    server.files = {"/bucket/a": data}
    root, storage = bucket
    for folder in (
        Folder(str(tmp_path)),
        Folder(f"{server.url}/bucket"),
        Folder(root, storage),
    ):
        assert asyncio.run(folder.read("a", span)) == data[slice(*span)]
    assert server.counts == {"GET": 2}


def test_a_server_that_ignores_ranges(server):
    server.files = {"/a": bytes(range(10))}
    server.ranges = False
    folder = Folder(server.url)
    assert asyncio.run(folder.read("a", (2, 5))) == bytes([2, 3, 4])
    assert asyncio.run(folder.read("a", (-3, None))) == bytes([7, 8, 9])


def test_the_zarr_store_reads_only(server):
    server.files = {"/a": b"x"}
    store = ReadStore(Folder(server.url))

    async def check():
        assert await store.exists("a")
        assert not await store.exists("b")
        for listing in (store.list(), store.list_prefix("a"), store.list_dir("a")):
            assert [key async for key in listing] == []
        prototype = zarr.core.buffer.default_buffer_prototype()
        values = await store.get_partial_values(prototype, [("a", None), ("b", None)])
        assert [v and v.to_bytes() for v in values] == [b"x", None]
        with pytest.raises(ValueError, match="read-only"):
            await store.delete("a")
        with pytest.raises(ValueError, match="read-only"):
            await store.set("a", prototype.buffer.from_bytes(b"y"))

    asyncio.run(check())
    assert store == store
    assert store != ReadStore(Folder(server.url))
    assert "127.0.0.1" in repr(store)


# --- opening, counted


def test_five_channels_over_http(server, pyramids):
    files, values = pyramids
    serve(server, files)
    images, errors = open_channels(channels_at(server.url))
    assert errors == {}
    assert server.counts == {"GET": 35}
    assert [len(image.levels) for image in images.values()] == [6] * 5
    assert server.counts == {"GET": 35}
    np.testing.assert_array_equal(images["561"].levels[0].compute(), values)
    assert server.counts == {"GET": 35 + 8}


def test_five_channels_over_s3(server, bucket, pyramids):
    files, values = pyramids
    serve(server, files, "/bucket/data")
    root, storage = bucket
    images, errors = open_channels(channels_at(f"{root}/data"), storage=storage)
    assert errors == {}
    assert server.counts == {"GET": 35}  # no HEAD, no LIST
    assert images["488"].contrast_limits is not None
    assert server.counts == {"GET": 36}
    assert server.requests[-1][1].endswith("/channel_488.zarr/5/0/0/0/0/0")
    np.testing.assert_array_equal(
        images["488"].levels[1].compute(), values[::2, ::2, ::2]
    )
    assert server.counts == {"GET": 37}


def test_requests_of_all_channels_run_at_once(server, bucket, pyramids):
    files, _ = pyramids
    serve(server, files, "/bucket")
    server.barrier = threading.Barrier(35)  # passes only when 35 wait together
    root, storage = bucket
    images, errors = open_channels(channels_at(root), storage=storage)
    assert (len(images), errors) == (5, {})
    assert server.most == 35


def test_five_channels_of_format_3(server, tmp_path):
    attributes = {"ome": {"multiscales": [{"axes": ["z", "y", "x"]}]}}
    attributes["ome"]["multiscales"][0]["datasets"] = [
        {"path": f"{n}"} for n in range(6)
    ]
    zarr.create_group(tmp_path, zarr_format=3, attributes=attributes)
    for n in range(6):
        zarr.create_array(tmp_path, name=f"{n}", shape=(64 >> n,) * 3, dtype="u2")
    files = {
        f"channel_{c}.zarr/{path.relative_to(tmp_path)}": path.read_bytes()
        for path in tmp_path.rglob("zarr.json")
        for c in CHANNELS
    }
    serve(server, files)
    images, errors = open_channels(channels_at(server.url))
    assert (len(images), errors) == (5, {})
    assert server.counts == {"GET": 35 + 35}  # two rounds
    open_channels(channels_at(server.url))
    assert server.counts == {"GET": 70 + 35}  # one, once the folder is known


def test_moto_counts_the_same(pyramids, monkeypatch):
    files, values = pyramids
    moto = ThreadedMotoServer("127.0.0.1", 0)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1",
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip
        client.create_bucket(Bucket="bucket", ACL="public-read")
        for name, body in files.items():
            client.put_object(Bucket="bucket", Key=name, Body=body, ACL="public-read")
        client.close()
        seen = []
        inner = moto._server.app

        def counted(environ, start_response):
            seen.append((environ["REQUEST_METHOD"], environ.get("HTTP_AUTHORIZATION")))
            return inner(environ, start_response)

        moto._server.app = counted
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        images, errors = open_channels(channels_at("s3://bucket"))
        assert errors == {}
        assert seen == [("GET", None)] * 35  # anonymous
        np.testing.assert_array_equal(images["638"].levels[0].compute(), values)
        assert list_names("s3://bucket") == tuple(f"channel_{c}.zarr" for c in CHANNELS)
        assert list_names("s3://bucket/channel_488.zarr")[:3] == (
            ".zattrs",
            ".zgroup",
            "0",
        )
        with pytest.raises(NotFoundError):
            list_names("s3://bucket/nothing")
        with pytest.raises(NotFoundError):
            read_bytes("s3://bucket/nothing")
        with pytest.raises(NotFoundError):
            read_bytes("s3://no-such-bucket/nothing")
    finally:
        _stores.close_all()
        moto.stop()


# --- permissions


def test_a_bucket_that_answers_403_for_absent_keys(server, bucket, pyramids):
    files, values = pyramids
    files = {k: v for k, v in files.items() if ".zarr/0/0/0/1/" not in k}  # z chunk 1
    serve(server, files, "/bucket")
    server.hides_absent = True
    root, storage = bucket
    image = ChannelImage.open(
        f"{root}/channel_488.zarr", channel="488", storage=storage
    )
    wanted = values.copy()
    wanted[32:] = 0
    np.testing.assert_array_equal(image.levels[0].compute(), wanted)
    assert image.failures == set()


def test_permission_lost_after_opening_is_a_failure(server, pyramids):
    files, _ = pyramids
    serve(server, files)
    server.hides_absent = True
    image = ChannelImage.open(f"{server.url}/channel_488.zarr", channel="488")
    server.private = True
    assert not image.levels[1].compute().any()
    ((level, chunk, message),) = image.failures
    assert (level, chunk) == (1, (0, 0, 0))
    assert "access denied" in message


def test_a_refused_chunk_of_an_honest_server_is_a_failure(server, pyramids):
    files, values = pyramids
    serve(server, files)
    image = ChannelImage.open(f"{server.url}/channel_488.zarr", channel="488")
    server.faults["/channel_488.zarr/0/0/0/0/1/1"] = [403]
    wanted = values.copy()
    wanted[:32, 32:, 32:] = 0
    np.testing.assert_array_equal(image.levels[0].compute(), wanted)
    assert {(level, chunk) for level, chunk, _ in image.failures} == {(0, (0, 1, 1))}


def test_anonymous_first_then_credentials(server, bucket, pyramids, credentials):
    files, values = pyramids
    serve(server, files, "/bucket")
    server.private = True
    root, storage = bucket
    uri = f"{root}/channel_488.zarr"
    image = ChannelImage.open(uri, channel="488", storage=storage)
    assert len(server.requests) == 14
    np.testing.assert_array_equal(image.levels[0].compute(), values)
    assert len(server.requests) == 14 + 8  # and chunks at once with credentials
    ChannelImage.open(uri, channel="488", storage=storage)
    assert len(server.requests) == 22 + 7  # the bucket is known by now
    assert read_bytes(f"{uri}/.zattrs", storage) == files["channel_488.zarr/.zattrs"]
    told = repr(image) + repr(storage) + repr(image.levels[0])
    assert SECRET not in told
    assert KEY not in told


@pytest.mark.parametrize("anonymous", [True, None])
def test_a_private_bucket_without_credentials(server, bucket, anonymous):
    server.private = True
    root, storage = bucket
    storage = StorageOptions(storage.endpoint_url, storage.region, anonymous)
    with pytest.raises(ImageError, match="access was refused") as caught:
        ChannelImage.open(f"{root}/a.zarr", channel="488", storage=storage)
    assert "credentials" in str(caught.value)
    for call in (read_bytes, list_names):
        with pytest.raises(StorageError, match=r"access was refused \(403\)"):
            call(f"{root}/a", storage)


def test_credentials_that_are_no_use(server, bucket, credentials):
    server.hides_absent = True  # absent for everybody
    root, storage = bucket
    with pytest.raises(ImageError, match="access was refused") as caught:
        ChannelImage.open(f"{root}/a.zarr", channel="488", storage=storage)
    assert SECRET not in str(caught.value)
    assert KEY not in str(caught.value)
    before = len(server.requests)
    server.files["/bucket/b"] = b"x"
    assert read_bytes(f"{root}/b", storage) == b"x"
    assert len(server.requests) == before + 1  # anonymous again


def test_signed_only(server, bucket, pyramids, credentials):
    files, _ = pyramids
    serve(server, files, "/bucket")
    server.private = True
    root, storage = bucket
    storage = StorageOptions(storage.endpoint_url, storage.region, anonymous=False)
    ChannelImage.open(f"{root}/channel_488.zarr", channel="488", storage=storage)
    assert len(server.requests) == 7


def test_signed_without_credentials(server, bucket):
    root, storage = bucket
    storage = StorageOptions(storage.endpoint_url, storage.region, anonymous=False)
    server.private = True
    with pytest.raises(ImageError, match="access was refused"):
        ChannelImage.open(f"{root}/a.zarr", channel="488", storage=storage)


# --- faults


@pytest.mark.parametrize("fault", [500, 503, "drop", "short"])
@pytest.mark.parametrize("kind", ["http", "s3"])
def test_a_passing_fault_is_tried_again(server, bucket, pyramids, fault, kind):
    files, values = pyramids
    serve(server, files, "/bucket")
    root, storage = bucket if kind == "s3" else (f"{server.url}/bucket", None)
    path = "/bucket/channel_488.zarr"
    server.faults = {f"{path}/.zattrs": [fault], f"{path}/0/0/0/0/0/0": [fault] * 2}
    image = ChannelImage.open(
        f"{root}/channel_488.zarr", channel="488", storage=storage
    )
    np.testing.assert_array_equal(image.levels[0].compute(), values)
    assert image.failures == set()
    assert len(server.requests) == 7 + 1 + 8 + 2


@pytest.mark.parametrize("fault", [500, 503, "drop", "short"])
@pytest.mark.parametrize("kind", ["http", "s3"])
def test_a_lasting_fault_fails_one_chunk(server, bucket, pyramids, fault, kind):
    files, values = pyramids
    serve(server, files, "/bucket")
    root, storage = bucket if kind == "s3" else (f"{server.url}/bucket", None)
    image = ChannelImage.open(
        f"{root}/channel_488.zarr", channel="488", storage=storage
    )
    before = len(server.requests)
    server.faults["/bucket/channel_488.zarr/0/0/0/0/0/0"] = [fault] * 100
    wanted = values.copy()
    wanted[:32, :32, :32] = 0
    np.testing.assert_array_equal(image.levels[0].compute(), wanted)
    assert {(level, chunk) for level, chunk, _ in image.failures} == {(0, (0, 0, 0))}
    # Three attempts, not dozens; aiohttp itself repeats a request whose connection
    # was kept from an earlier one and is lost.
    attempts = len(server.requests) - before - 7
    assert attempts == 3 or (fault == "drop" and attempts <= 6)


@pytest.mark.parametrize("status", [400, 405])
def test_a_final_status_is_not_tried_again(server, status):
    server.faults["/a"] = [status] * 9
    with pytest.raises(StorageError, match=f"HTTP status {status}"):
        read_bytes(f"{server.url}/a")
    assert len(server.requests) == 1


def test_a_slow_server_has_a_deadline(server, monkeypatch):
    server.barrier = threading.Barrier(99)  # never passes
    answers = ask_many([f"{server.url}/a"], deadline=0.2)
    assert answers[f"{server.url}/a"].error == "no answer in time"
    server.barrier.abort()


@pytest.mark.parametrize("kind", ["http", "s3"])
def test_no_server_at_all(kind):
    address = "http://127.0.0.1:1"
    storage = StorageOptions(endpoint_url=address, region="us-east-1")
    root = "s3://bucket" if kind == "s3" else address
    with pytest.raises(ImageError, match="could not be read") as caught:
        ChannelImage.open(f"{root}/a.zarr", channel="488", storage=storage)
    assert "Check the address and the connection" in str(caught.value)
    for call in (read_bytes, list_names):
        with pytest.raises(StorageError, match="could not be read"):
            call(f"{root}/a", storage)
    with pytest.raises(StorageError, match="could not be read"):
        read_many([f"{root}/a"], storage)


def test_a_page_where_metadata_should_be(server):
    server.files["/a.zarr/.zattrs"] = b"<html>Sign in</html>"
    with pytest.raises(ImageError, match="is not JSON"):
        ChannelImage.open(f"{server.url}/a.zarr", channel="488")


# --- chunks by blocks, and obstore


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    """One level of two Blosc chunks that can be read by planes: files, and voxels."""
    root = tmp_path_factory.mktemp("blocks")
    values = np.random.default_rng(0).gamma(2.0, 40.0, (128, 128, 128)).astype("uint16")
    array = zarr.create_array(
        root / "a.zarr", name="0", shape=values.shape, chunks=(64, 128, 128),
        dtype="uint16", zarr_format=2, compressors=Blosc("zstd", 3, Blosc.SHUFFLE),
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )  # fmt: skip
    array[...] = values
    files = {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    return files, values


CHUNK = "/bucket/a.zarr/0/0/0/0"


@pytest.fixture(params=["http", "s3fs", "obstore"])
def planes(request, server, bucket, blocks, monkeypatch):
    """The level with blocks, opened, and how it is read."""
    serve(server, blocks[0], "/bucket")
    monkeypatch.setenv("NAPARI_SEESPOT_OBSTORE", str(int(request.param == "obstore")))
    root, storage = bucket
    if request.param == "http":
        root, storage = f"{server.url}/bucket", None
    reader().clear()
    image = ChannelImage.open(f"{root}/a.zarr", channel="488", storage=storage)
    server.requests.clear()
    yield image.arrays[0]
    reader().clear()


@pytest.fixture
def hurried(monkeypatch):
    """(key, error or None) of what obstore was asked for."""
    seen = []
    for name in ("read", "read_async"):
        monkeypatch.setattr(FastBucket, name, noted(getattr(FastBucket, name), seen))
    return seen


def noted(read, seen):
    @contextmanager
    def note(path):
        try:
            yield
        except Exception as error:
            seen.append((path, type(error)))
            raise
        seen.append((path, None))

    def plain(self, path, span):
        with note(path):
            return read(self, path, span)

    async def awaited(self, path, span):
        with note(path):
            return await read(self, path, span)

    return awaited if asyncio.iscoroutinefunction(read) else plain


def test_planes_come_by_ranges(planes, server, blocks, hurried, request):
    _, values = blocks
    for z in (7, 30, 6, 127):
        np.testing.assert_array_equal(planes[z], values[z])
    assert planes.image.failures == set()
    spans = [span for _, _, span in server.requests]
    assert len(spans) == 2 + 1 + 0 + 2  # head and block, block, none, head and block
    assert all(span is not None for span in spans)
    uses_obstore = "obstore" in request.node.callspec.id
    assert len(hurried) == (5 if uses_obstore else 0)
    assert all(error is None for _, error in hurried)


@pytest.mark.parametrize("fault", [500, 503, "drop", "short"])
def test_a_plane_survives_a_passing_fault(planes, server, blocks, fault):
    server.faults[CHUNK] = [fault, fault]
    np.testing.assert_array_equal(planes[7], blocks[1][7])
    assert len(server.requests) in (4, 5)  # aiohttp repeats on a connection it kept
    assert planes.image.failures == set()


@pytest.mark.parametrize("fault", [503, "drop"])
def test_a_plane_that_fails_for_good_is_tried_three_times(planes, server, fault):
    server.faults[CHUNK] = [fault] * 100
    assert not planes[7].any()
    assert len(server.requests) in ((3,) if fault == 503 else (3, 4, 5, 6))
    ((level, chunk, why),) = planes.image.failures
    assert (level, chunk) == (0, (0, 0, 0))
    if fault == 503:
        assert why in ("SlowDown", "HTTP status 503 Service Unavailable")


def test_a_refused_plane_is_a_failure(planes, server):
    server.faults[CHUNK] = [403] * 100
    assert not planes[7].any()
    ((*_, why),) = planes.image.failures
    assert why in ("access denied (403)", "Access Denied", "AccessDenied"), why


def test_an_absent_chunk_of_an_image_that_is_there(planes, server, blocks):
    del server.files[CHUNK]
    assert not planes[7].any()
    assert planes.image.failures == set()
    assert [path for _, path, _ in server.requests] == [
        CHUNK, "/bucket/a.zarr/0/.zarray",
    ]  # fmt: skip
    del server.files["/bucket/a.zarr/0/1/0/0"]
    assert not planes[70].any()  # nobody looks again so soon
    assert len(server.requests) == 3


def test_many_absent_chunks_are_doubted_once(server, pyramids):
    files, _ = pyramids
    serve(server, {k: v for k, v in files.items() if not re.search(r"/0/0/0/\d", k)})
    image = ChannelImage.open(f"{server.url}/channel_488.zarr", channel="488")
    server.requests.clear()
    assert not image.levels[0].compute(num_workers=8).any()
    paths = Counter(path for _, path, _ in server.requests)
    assert paths["/channel_488.zarr/0/.zarray"] == 1
    assert len(paths) == 8 + 1
    assert image.failures == set()


def test_an_image_that_is_gone_is_no_black_image(planes, server, blocks):
    files, server.files = server.files, {}
    assert not planes[7].any()
    ((*_, why),) = planes.image.failures
    assert why == "the image is no longer there: 0/.zarray is absent"
    server.files = files
    planes.image.retry()
    np.testing.assert_array_equal(planes[7], blocks[1][7])


def test_a_folder_that_is_gone_is_no_black_image(tmp_path, blocks):
    for name, body in blocks[0].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    image = ChannelImage.open(tmp_path / "a.zarr", channel="488")
    (tmp_path / "a.zarr").rename(tmp_path / "b.zarr")
    assert not image.arrays[0][7].any()
    ((*_, why),) = image.failures
    assert "no longer there" in why


def test_a_server_without_ranges_is_asked_once_a_chunk(planes, server, blocks, request):
    _, values = blocks
    server.ranges = False
    for z in range(0, 128, 4):
        np.testing.assert_array_equal(planes[z], values[z])
    spans = [span for _, _, span in server.requests]
    first = ["bytes=0-1023"]  # after this it is known; obstore takes no such answer
    tried = first * 2 if "obstore" in request.node.callspec.id else first
    assert spans == [*tried, None]
    server.ranges = True
    reader().clear()
    planes.image.retry()
    server.requests.clear()
    np.testing.assert_array_equal(planes[7], values[7])
    assert all(span is not None for _, _, span in server.requests)


def test_obstore_reads_what_zarr_decodes_too(server, bucket, pyramids, hurried):
    files, values = pyramids  # of zstd
    serve(server, files, "/bucket")
    root, storage = bucket
    image = ChannelImage.open(
        f"{root}/channel_488.zarr", channel="488", storage=storage
    )
    np.testing.assert_array_equal(image.levels[0].compute(), values)
    assert len(hurried) == 8
    assert all(error is None for _, error in hurried)


def test_obstore_signs_with_what_botocore_finds(
    server, bucket, blocks, hurried, credentials
):
    files, values = blocks
    serve(server, files, "/bucket")
    server.private = True
    root, storage = bucket
    reader().clear()
    image = ChannelImage.open(f"{root}/a.zarr", channel="488", storage=storage)
    np.testing.assert_array_equal(image.arrays[0][7], values[7])
    assert [error for _, error in hurried] == [None, None]


def test_obstore_is_given_up_for_a_minute(server, bucket, blocks, monkeypatch):
    serve(server, blocks[0], "/bucket")
    clock = [1000.0]
    monkeypatch.setattr(
        _fast_ranges, "time", SimpleNamespace(monotonic=lambda: clock[0])
    )
    _, storage = bucket
    fast = fast_bucket("bucket", replace(storage, anonymous=True))
    key = "a.zarr/0/0/0/0"
    server.faults[CHUNK] = [503] * 4
    for _ in range(4):
        with pytest.raises(Exception, match=r"503"):
            fast.read(key, (0, 9))
    assert not fast.gave_up  # a store that is busy is no fault of this way
    server.faults[CHUNK] = ["drop"] * 99
    for _ in range(3):
        with pytest.raises(Exception, match=r"."):
            fast.read(key, (0, 9))
    assert fast.gave_up
    clock[0] += 61
    assert not fast.gave_up
    with pytest.raises(Exception, match=r"."):
        fast.read(key, (0, 9))
    assert fast.gave_up  # one failure more is enough
    fast.forgive()
    assert not fast.gave_up
    server.faults.clear()
    assert fast.read(key, (2, 5)) == server.files[CHUNK][2:5]
    assert fast.read(key, (-5, None)) == server.files[CHUNK][-5:]
    assert fast.read(key, (9, None)) == server.files[CHUNK][9:]
    assert fast.read(key, None) == server.files[CHUNK]
    with pytest.raises(FileNotFoundError):
        fast.read("nothing", None)


@pytest.mark.parametrize("status", [None, 301, 403])
def test_the_region_of_a_bucket_is_asked_for_once(server, monkeypatch, status):
    server.files["/bucket"] = b""
    server.more = {"x-amz-bucket-region": "us-west-2"}
    server.faults["/bucket"] = [status]
    monkeypatch.setattr(_fast_ranges, "_AMAZON", server.url)
    options = StorageOptions(anonymous=True)
    fast = fast_bucket("bucket", options)
    assert fast_bucket("bucket", options) is fast
    assert fast._store.config["region"] == "us-west-2"
    assert server.counts == {"HEAD": 1}


def test_a_region_that_nobody_tells(monkeypatch):
    monkeypatch.setattr(_fast_ranges, "_AMAZON", "http://127.0.0.1:1")
    fast = fast_bucket("bucket", StorageOptions(region="eu-west-1", anonymous=True))
    assert fast._store.config["region"] == "eu-west-1"
    assert _fast_ranges.region_of("bucket") is None


# --- how long it may take


@pytest.mark.parametrize("files", ["blocks", "pyramids"])
def test_all_requests_of_a_chunk_share_one_time_limit(
    server, request, files, monkeypatch
):
    """Also those of zarr, in its own event loop."""
    monkeypatch.setattr(_chunk_reader, "CHUNK_SECONDS", 0.5)
    files = request.getfixturevalue(files)[0]
    serve(server, files)
    name = next(iter(sorted(files))).partition("/")[0]
    image = ChannelImage.open(f"{server.url}/{name}", channel="488")
    (path,) = (p for p in server.files if re.search(f"{name}/0/(0/0/)?0/0/0$", p))
    server.requests.clear()
    server.faults[path] = ["hang"] * 9
    reader().clear()
    assert not image.arrays[0][3, :9, :9].any()
    assert len(server.requests) == 1  # none after the time is over
    ((*_, why),) = image.failures
    assert why == "no answer in time"


def test_the_time_left():
    assert _requests.seconds_left() is None
    with _requests.until(time.monotonic() + 50):
        assert 40 < _requests.seconds_left() <= 50
        with _requests.until(time.monotonic() + 500):
            assert _requests.seconds_left() <= 50
    assert _requests.seconds_left() is None


def test_a_lost_line_is_closed_and_tried_again():
    clock = [100.0]
    line = Line(clock=lambda: clock[0])
    for _ in range(_lines.LOST):
        line.check()
        line.note(ConnectionResetError(), clock[0])
    line.check()  # all of them in one moment: another try may help
    clock[0] += 4
    line.note(TimeoutError(), clock[0] - 4)
    assert line.closed
    with pytest.raises(ConnectionError, match="cannot be reached"):
        line.check()
    clock[0] += _lines.PAUSE
    line.check()  # one finds out
    with pytest.raises(ConnectionError):
        line.check()
    line.note(PermissionError(), clock[0])  # that is an answer
    assert not line.closed
    line.check()


def test_a_dead_server_is_not_waited_for_by_each_chunk(server, pyramids, monkeypatch):
    files, _ = pyramids
    serve(server, files)
    image = ChannelImage.open(f"{server.url}/channel_488.zarr", channel="488")
    monkeypatch.setattr(_lines, "LOST_SECONDS", 0.0)
    tries = []

    async def dead(*_):
        tries.append(1)
        raise ConnectionRefusedError

    monkeypatch.setattr(_zarr_store, "get", dead)
    for array in image.arrays:
        array[...]
    assert len(image.failures) == 8 + 5
    assert _lines.LOST <= len(tries) < 13 * 3 / 2
    assert any("cannot be reached" in why for *_, why in image.failures)
    monkeypatch.undo()
    image.retry()
    assert image.arrays[5][...].any()


# --- web servers


def test_names_on_a_web_page(server):
    links = ["a.zarr/", "b%20c.csv", "../", "/", "http://elsewhere/x", "?C=N;O=D"]
    page = "".join(f'<a href="{link}">x</a>' for link in links)
    server.files["/data/"] = page.encode()
    assert list_names(f"{server.url}/data") == ("a.zarr", "b c.csv")


def test_a_signed_address_keeps_its_query(server, pyramids):
    files, values = pyramids
    serve(server, files)
    uri = f"{server.url}/channel_488.zarr?X-Amz-Signature=topsecret"
    image = ChannelImage.open(uri, channel="488")
    np.testing.assert_array_equal(image.levels[0].compute(), values)
    assert all("?X-Amz-Signature=topsecret" in path for _, path, _ in server.requests)
    assert "topsecret" not in repr(image)


def test_one_file_system_is_shared(server, bucket):
    root, storage = bucket
    first, path = filesystem(f"{root}/a", storage)
    again, _ = filesystem(f"{root}/b/c", storage)
    assert first is again
    assert path == "bucket/a"
    http, _ = filesystem("http://h/a")
    https, _ = filesystem("https://h/a")
    assert http is https


def test_local_reading_loads_no_network_library(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    code = (
        "import sys; from napari_seespot._stores import list_names, read_bytes;"
        f"read_bytes({str(tmp_path / 'a')!r}); list_names({str(tmp_path)!r});"
        "heavy = {'s3fs', 'aiohttp', 'botocore', 'fsspec', 'zarr', 'dask'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
