from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer
from tests._tables import (
    GENES,
    NAME,
    TABLES,
    TILES,
    assert_same_spots,
    make_tables,
    merged_by_pandas,
    write_dataset,
    write_tiled,
)

from napari_seespot import _requests, _stores
from napari_seespot._addresses import StorageError, StorageOptions
from napari_seespot.errors import (
    CacheError,
    CancelledError,
    NotFoundError,
    TableError,
)
from napari_seespot.sources import (
    _bucket,
    _download,
    iter_datasets,
    list_datasets,
    open_dataset,
)

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t/s3cr3t+s3cr3t"
MIXED = f"{TABLES}/mixed_spots_R4.pkl"
UNMIXED = f"{TABLES}/unmixed_spots_R4_minDist_3.pkl"


class Front(ThreadingHTTPServer):
    """Stands before a store: counts, delays, refuses and cuts as it is told."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = urlsplit(behind)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.requests: list[tuple[str, str, str | None]] = []
        self.faults: list[tuple[str, str, object]] = []  # method, end of path, what
        self.before = None  # called with (method, path)
        self.private = False

    def handle_error(self, request, client_address):
        """Say nothing of connections that a test cuts."""

    def fault(self, method: str, path: str) -> object:
        with self.lock:
            for place, (verb, end, _what) in enumerate(self.faults):
                if verb == method and path.endswith(end):
                    return self.faults.pop(place)[2]
        return None

    def got(self, end: str) -> list[str | None]:
        """Return the ranges that were asked for of a file."""
        return [r for verb, p, r in self.requests if verb == "GET" and p.endswith(end)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Keep the output of the tests clean."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server = self.server
        path = urlsplit(self.path).path
        with server.lock:
            entry = (self.command, path, self.headers.get("Range"))
            server.requests.append(entry)
        if server.before is not None:
            server.before(self.command, path)
        what = server.fault(self.command, path)
        if what == "drop":
            self.close_connection = True
            return
        if server.private and "Authorization" not in self.headers:
            what = 403
        if isinstance(what, int):
            code = {503: "SlowDown", 403: "AccessDenied"}.get(what, "Fault")
            body = f"<Error><Code>{code}</Code></Error>".encode()
            self.answer(what, {}, body)
            return
        behind = HTTPConnection(server.behind.hostname, server.behind.port)
        names = ("Range", "Authorization", "x-amz-date", "x-amz-content-sha256")
        headers = {n: self.headers[n] for n in names if n in self.headers}
        behind.request(self.command, self.path, headers=headers)
        answer = behind.getresponse()
        body = answer.read()
        headers = dict(answer.getheaders())
        behind.close()
        if what == "flip":
            body = bytes([body[0] ^ 1]) + body[1:]
        self.answer(answer.status, headers, body, short=what == "short")

    def answer(self, status, headers, body, short=False):
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "server", "date", "content-length"):
                self.send_header(name, value)
        head = self.command == "HEAD"
        length = headers.get("Content-Length", "0") if head else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        if not head:
            self.wfile.write(body[: len(body) // 2] if short else body)
        if short:
            self.close_connection = True


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """No setting of the machine, and no connection left over."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null/credentials")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null/config")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NAPARI_SEESPOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_requests, "FIRST_PAUSE", 0.01)


@pytest.fixture(scope="module", autouse=True)
def connections():
    """Connections are shared by the tests: each new client costs a second."""
    yield
    _stores.close_all()


@pytest.fixture
def no_connections():
    """Whether there are credentials is found out when a client is made."""
    _stores.close_all()
    yield
    _stores.close_all()


@pytest.fixture(scope="module")
def client(moto):
    return boto3.client(
        "s3",
        endpoint_url=moto,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@pytest.fixture
def bucket(client, request):
    name = "b-" + re.sub(r"\W", "-", request.node.name)[:40].strip("-").lower()
    name += f"-{random.randrange(10**9)}"
    client.create_bucket(Bucket=name, ACL="public-read")
    return name


@pytest.fixture(scope="module")
def front_of_all(moto):
    server = Front(moto)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def front(front_of_all):
    front_of_all.reset()
    yield front_of_all
    front_of_all.reset()


def upload(client, bucket: str, folder: Path, prefix: str) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


@pytest.fixture
def dataset(client, bucket, tmp_path):
    """Put a dataset into the bucket; return its address and merged table."""
    mixed, unmixed = make_tables(500)
    folder = write_dataset(tmp_path / "made", mixed, unmixed)
    upload(client, bucket, folder, NAME)
    for channel in ("488", "405"):
        key = f"{NAME}/image_tile_fusing/fused/channel_{channel}.zarr/.zattrs"
        client.put_object(Bucket=bucket, Key=key, Body=b"{}")
    return f"s3://{bucket}/{NAME}", merged_by_pandas(mixed, unmixed)


@pytest.fixture
def downloads(tmp_path):
    return tmp_path / "cache" / "downloads"


# --- opened ---


def test_a_dataset_of_a_bucket(dataset, front, downloads):
    uri, merged = dataset
    opened = open_dataset(uri, endpoint_url=front.url)
    assert_same_spots(opened.spots, merged)
    assert opened.name == NAME
    assert opened.uri == uri
    assert opened.genes == GENES
    assert opened.min_dists == ("3",)
    assert opened.ratios.shape == (5, 5)
    assert len(opened.summary) == 5
    assert list(opened.images) == ["488", "405"]
    assert opened.notes == ()
    # Each table once; nothing of an image; what was downloaded is gone again.
    assert len(front.got("mixed_spots_R4.pkl")) == 1
    assert len(front.got("minDist_3.pkl")) == 1
    assert not front.got(".zattrs")
    assert list(downloads.iterdir()) == []


def test_the_cached_dataset_is_not_downloaded_again(dataset, front):
    uri, merged = dataset
    open_dataset(uri, endpoint_url=front.url)
    front.requests.clear()
    assert_same_spots(open_dataset(uri, endpoint_url=front.url).spots, merged)
    assert not front.got(".pkl")
    assert len(front.requests) <= 12


def test_a_new_version_is_downloaded(dataset, front, client, bucket, tmp_path):
    uri, _ = dataset
    open_dataset(uri, endpoint_url=front.url)
    mixed, _ = make_tables(500)
    path = tmp_path / "new.pkl"
    mixed.iloc[:-7].to_pickle(path)
    client.put_object(Bucket=bucket, Key=f"{NAME}/{MIXED}", Body=path.read_bytes())
    assert len(open_dataset(uri, endpoint_url=front.url).spots) == 493


def test_the_endpoint_from_the_environment(dataset, front, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", front.url)
    assert len(open_dataset(dataset[0]).spots) == 500


def test_options_in_one(dataset, front):
    storage = StorageOptions(endpoint_url=front.url)
    assert len(open_dataset(dataset[0], storage=storage).spots) == 500
    with pytest.raises(TypeError, match="sample_size"):
        open_dataset(dataset[0], storage=storage, sample_size=3)


def test_tiles_of_a_bucket(client, bucket, tmp_path, moto):
    made = write_tiled(tmp_path / "tiled")
    upload(client, bucket, tmp_path / "tiled", NAME)
    tile = f"s3://{bucket}/{NAME}_{TILES[1][5:]}"
    opened = open_dataset(tile, endpoint_url=moto)
    assert opened.uri == tile
    expected = merged_by_pandas(*made[TILES[1]]).drop(columns="tile_name")
    assert_same_spots(opened.spots, expected)
    assert len(open_dataset(f"s3://{bucket}/{NAME}", endpoint_url=moto).spots) == 240
    infos = list_datasets(f"s3://{bucket}", endpoint_url=moto)
    assert [info.name for info in infos] == [
        NAME,
        *(f"{NAME}_{tile[5:]}" for tile in TILES),
    ]
    assert infos[0].contents == ("spots", "tiles")
    assert tile in [info.uri for info in infos]


# --- faults ---


@pytest.mark.parametrize("fault", [503, 500, "drop", "short"])
@pytest.mark.parametrize("where", ["mixed_spots_R4.pkl", "processing_manifest.json"])
def test_a_fault_that_passes(dataset, front, fault, where):
    uri, merged = dataset
    front.faults = [("GET", where, fault)] * 2
    assert_same_spots(open_dataset(uri, endpoint_url=front.url).spots, merged)
    assert front.faults == []


def test_a_throttling_store_is_asked_a_few_times_only(dataset, front, downloads):
    uri, _ = dataset
    front.faults = [("GET", "mixed_spots_R4.pkl", 503)] * 100
    with pytest.raises(StorageError, match=r"mixed_spots_R4.pkl: could not be read"):
        open_dataset(uri, endpoint_url=front.url)
    assert 100 - len(front.faults) <= 5
    front.faults = []
    assert len(open_dataset(uri, endpoint_url=front.url).spots) == 500
    assert list(downloads.iterdir()) == []


def test_bytes_that_were_changed_on_the_way(dataset, front, downloads):
    uri, merged = dataset
    front.faults = [("GET", "mixed_spots_R4.pkl", "flip")]
    with pytest.raises(StorageError, match=r"mixed_spots_R4.pkl: what arrived has the"):
        open_dataset(uri, endpoint_url=front.url)
    assert not [path for path in downloads.iterdir() if path.suffix != ".pkl"]
    assert_same_spots(open_dataset(uri, endpoint_url=front.url).spots, merged)


def test_a_table_that_changes_while_it_is_downloaded(
    dataset, front, client, bucket, tmp_path
):
    uri, _ = dataset
    path = tmp_path / "new.pkl"
    make_tables(480)[0].to_pickle(path)
    new = path.read_bytes()

    def change(method, what):
        if method == "GET" and what.endswith("/mixed_spots_R4.pkl"):
            front.before = None
            client.put_object(Bucket=bucket, Key=f"{NAME}/{MIXED}", Body=new)

    front.before = change
    with pytest.raises(StorageError, match=r"could not be read|changed while"):
        open_dataset(uri, endpoint_url=front.url)
    assert len(open_dataset(uri, endpoint_url=front.url).spots) == 480


def test_a_missing_dataset(bucket, moto):
    with pytest.raises(NotFoundError, match=r"no such folder in the bucket.*list_data"):
        open_dataset(f"s3://{bucket}/absent", endpoint_url=moto)
    with pytest.raises(NotFoundError, match="no such folder"):
        open_dataset(f"s3://{bucket}/absent_X_0001_Y_0000_Z_0000", endpoint_url=moto)


def test_a_missing_bucket(moto):
    uri = "s3://no-such-bucket-at-all"
    with pytest.raises(NotFoundError):
        open_dataset(f"{uri}/x", endpoint_url=moto)
    with pytest.raises(NotFoundError, match="no-such-bucket-at-all"):
        list_datasets(uri, endpoint_url=moto)


def test_a_missing_table(dataset, client, bucket, moto):
    uri, _ = dataset
    client.delete_object(Bucket=bucket, Key=f"{NAME}/{UNMIXED}")
    with pytest.raises(NotFoundError, match="no unmixed one") as error:
        open_dataset(uri, endpoint_url=moto)
    assert f"{uri}/{TABLES}" in str(error.value)


def test_a_damaged_table_is_named_by_its_address(dataset, client, bucket, moto):
    uri, _ = dataset
    client.put_object(Bucket=bucket, Key=f"{NAME}/{MIXED}", Body=b"\x80\x04]q\x00.")
    with pytest.raises(TableError) as error:
        open_dataset(uri, endpoint_url=moto)
    assert f"{uri}/{MIXED}" in str(error.value)
    assert "downloads" not in str(error.value)


def test_no_server_at_all(dataset):
    with pytest.raises(StorageError, match="could not be read"):
        open_dataset(dataset[0], endpoint_url="http://127.0.0.1:9")


def test_a_private_bucket_without_credentials(dataset, front, no_connections):
    front.private = True
    with pytest.raises(StorageError, match="access was refused"):
        open_dataset(dataset[0], endpoint_url=front.url)
    with pytest.raises(StorageError, match="access was refused"):
        list_datasets(dataset[0].rpartition("/")[0], endpoint_url=front.url)


def test_a_private_bucket_with_credentials(
    dataset, front, no_connections, monkeypatch, tmp_path, caplog
):
    uri, merged = dataset
    front.private = True
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAABCDEFGHIJKLMNOP")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    opened = open_dataset(uri, endpoint_url=front.url)
    assert_same_spots(opened.spots, merged)
    infos = list_datasets(uri.rpartition("/")[0], endpoint_url=front.url)
    assert [info.uri for info in infos] == [uri]
    # Nothing of the credentials is kept or told.
    told = [repr(opened), repr(infos), caplog.text, opened.uri]
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            told.append(path.read_bytes().decode("latin-1"))
    for text in told:
        assert SECRET not in text
        assert "AKIAABCDEFGHIJKLMNOP" not in text


def test_a_folder_that_cannot_be_written(dataset, moto, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(CacheError, match="the download cannot be written"):
        open_dataset(dataset[0], endpoint_url=moto)


def test_a_full_disk(dataset, moto, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match=r"No space left.*0\.0 GB of free space"):
        open_dataset(dataset[0], endpoint_url=moto)


# --- resumed ---


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(_download, "PIECE", 9_000)
    monkeypatch.setattr(_download, "AT_ONCE", 2)


def test_pieces_make_the_whole(dataset, front, small_pieces):
    uri, merged = dataset
    steps = []
    opened = open_dataset(
        uri, endpoint_url=front.url, progress=lambda share, text: steps.append(share)
    )
    assert_same_spots(opened.spots, merged)
    ranges = front.got("/mixed_spots_R4.pkl")
    assert len(ranges) > 4
    assert len(set(ranges)) == len(ranges)
    assert steps == sorted(steps)


def test_a_cancelled_download_is_continued(dataset, front, small_pieces, downloads):
    uri, merged = dataset

    def cancelled():
        return len(front.got("/mixed_spots_R4.pkl")) >= 6

    with pytest.raises(CancelledError):
        open_dataset(uri, endpoint_url=front.url, cancelled=cancelled)
    done = Counter(front.got("/mixed_spots_R4.pkl"))
    assert [path.suffix for path in downloads.iterdir()].count(".part") == 1
    front.requests.clear()
    assert_same_spots(open_dataset(uri, endpoint_url=front.url).spots, merged)
    again = Counter(front.got("/mixed_spots_R4.pkl"))
    assert again
    assert not done & again
    assert not front.got("minDist_3.pkl")  # complete, and kept
    assert list(downloads.iterdir()) == []


def test_a_left_over_that_is_wrong_is_of_no_consequence(
    dataset, front, small_pieces, downloads
):
    uri, merged = dataset
    asked = iter(range(1000))
    with pytest.raises(CancelledError):
        open_dataset(uri, endpoint_url=front.url, cancelled=lambda: next(asked) >= 8)
    left = [path for path in downloads.iterdir() if path.suffix == ".part"]
    assert left
    left[0].write_bytes(b"x" * left[0].stat().st_size)
    with pytest.raises(StorageError, match="MD5"):
        open_dataset(uri, endpoint_url=front.url)
    assert_same_spots(open_dataset(uri, endpoint_url=front.url).spots, merged)


def test_a_left_over_that_is_too_long(dataset, front, small_pieces, downloads):
    uri, merged = dataset
    asked = iter(range(1000))
    with pytest.raises(CancelledError):
        open_dataset(uri, endpoint_url=front.url, cancelled=lambda: next(asked) >= 8)
    left = next(path for path in downloads.iterdir() if path.suffix == ".part")
    left.write_bytes(b"x" * 10**6)
    assert_same_spots(open_dataset(uri, endpoint_url=front.url).spots, merged)


def test_old_downloads_are_swept(dataset, moto, downloads):
    downloads.mkdir(parents=True)
    old, new = downloads / "old.pkl", downloads / "new.pkl"
    for path in (old, new):
        path.write_text("x")
    at = time.time() - 25 * 3600
    os.utime(old, (at, at))
    open_dataset(dataset[0], endpoint_url=moto)
    assert list(downloads.iterdir()) == [new]


KILLS = 50 if os.environ.get("NAPARI_SEESPOT_NIGHTLY") == "1" else 5

CHILD = """
import sys
from napari_seespot.sources import _download, open_dataset
import napari_seespot.sources.folder, napari_seespot.sources.table, s3fs
_download.PIECE, _download.AT_ONCE = 4000, 1
sys.stdout.write("ready\\n")
sys.stdout.flush()
open_dataset(sys.argv[1], endpoint_url=sys.argv[2])
"""


def test_killed_at_any_moment_of_a_download(dataset, front, downloads):
    uri, merged = dataset
    rng = random.Random()
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, uri, front.url], stdout=subprocess.PIPE
        )
        child.stdout.readline()
        time.sleep(rng.uniform(0, 1.2))
        child.kill()
        child.wait()
        child.stdout.close()
        opened = open_dataset(uri, endpoint_url=front.url)
        assert_same_spots(opened.spots, merged)
        assert list(downloads.iterdir()) == []
        for path in (downloads.parent / "spots").iterdir():
            path.unlink()


# --- lists ---


def put_names(client, bucket, names, inside="derived/processing_manifest.json"):
    for name in names:
        client.put_object(Bucket=bucket, Key=f"{name}/{inside}", Body=b"{}")


def test_datasets_of_a_bucket(dataset, client, bucket, moto):
    put_names(client, bucket, ["something", "a b"], "else.txt")
    put_names(client, bucket, ["plain"])
    client.put_object(Bucket=bucket, Key="README", Body=b"x")
    infos = list_datasets(f"s3://{bucket}", endpoint_url=moto)
    assert [(info.name, info.contents) for info in infos] == [
        (NAME, ("spots", "images")),
        ("plain", ()),
    ]
    assert infos[0].created == "2025-05-17 22:15:31"
    assert len(open_dataset(infos[0].uri, endpoint_url=moto).spots) == 500
    itself = list_datasets(f"s3://{bucket}/{NAME}/", endpoint_url=moto)
    assert itself == infos[:1]


def test_a_large_bucket_is_listed_page_by_page(client, bucket, front, monkeypatch):
    monkeypatch.setattr(_bucket, "PAGE", 10)
    monkeypatch.setattr(_bucket, "SMALL_PAGE", 5)
    dated = [f"below/HCR_7000{i:02}_2025-05-08_14-00-00" for i in range(25)]
    put_names(client, bucket, dated)
    put_names(client, bucket, [f"below/other{i:02}" for i in range(9)])
    found = iter_datasets(f"s3://{bucket}/below", endpoint_url=front.url)
    assert next(found).uri == f"s3://{bucket}/{dated[0]}"
    pages = [p for _, p, _ in front.requests if p.rstrip("/") == f"/{bucket}"]
    # The first page and what is in its folders; no further page yet.
    assert len(pages) <= 1 + 10 * 2
    rest = list(found)
    # On a page of nine the names without a date are not looked into; on one of
    # four they are.
    assert [info.name for info in rest][:24] == [name[6:] for name in dated[1:]]
    assert {info.name for info in rest[24:]} == {f"other{i:02}" for i in range(5, 9)}


def test_an_empty_bucket(bucket, moto):
    assert list_datasets(f"s3://{bucket}", endpoint_url=moto) == []


def test_a_list_that_fails(dataset, front):
    front.faults = [("GET", "", 503)] * 100
    with pytest.raises(StorageError, match="could not be read"):
        list_datasets(dataset[0].rpartition("/")[0], endpoint_url=front.url)


def test_opening_the_bucket_itself_tells_what_is_in_it(dataset, bucket, moto):
    with pytest.raises(NotFoundError, match=f"holds 1 dataset folders, such as {NAME}"):
        open_dataset(f"s3://{bucket}", endpoint_url=moto)


def test_both_ways_to_open_are_the_same(dataset, moto, tmp_path):
    remote = open_dataset(dataset[0], endpoint_url=moto)
    local = open_dataset(tmp_path / "made")
    pd.testing.assert_frame_equal(remote.spots.to_pandas(), local.spots.to_pandas())
    pd.testing.assert_frame_equal(remote.summary, local.summary)
    pd.testing.assert_frame_equal(remote.ratios, local.ratios)
