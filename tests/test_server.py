"""The client of a SeeSpot server, against one on loopback that fails when told to."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import numpy as np
import pandas as pd
import pytest
from tests import _seespot_server as fake
from tests._seespot_server import (
    DATASETS,
    DOWNLOAD,
    LINK,
    LINKS,
    NEWER_NAME,
    OLDER_NAME,
    SET_ACTIVE,
    SPOTS,
    TILED_NAME,
    answer,
    encode,
)

from napari_seespot.errors import (
    CancelledError,
    SeeSpotError,
    ServerError,
    TableError,
)
from napari_seespot.server import SeeSpotClient, StatusError
from napari_seespot.sources._server_address import SampleOptions, parse_server_address
from napari_seespot.sources.server import list_server, open_server

TILE = f"{TILED_NAME}_X_0001_Y_0000_Z_0000"


@pytest.fixture
def server():
    yield from fake.serve(answer("newer"))


@pytest.fixture
def older():
    yield from fake.serve(answer("older"), active=OLDER_NAME)


@pytest.fixture
def client(server):
    with SeeSpotClient(server.url, timeout=2, backoff=0.01) as client:
        yield client


def message(error) -> str:
    return str(error.value)


# What a server answers becomes a dataset


def test_a_newer_server_becomes_a_dataset(server):
    content = answer("newer")
    ds = open_server(server.url)

    rows = pd.DataFrame(content["spots_data"]).set_index("spot_id").sort_index()
    details = pd.DataFrame.from_dict(content["spot_details"], orient="index")
    details.index = details.index.astype(int)
    table = ds.spots.to_pandas().set_index("spot_id").sort_index()
    assert ds.name == NEWER_NAME
    assert ds.uri == f"{server.url}/?dataset={NEWER_NAME}"
    assert ds.channels == ["488", "514", "561", "594", "638"]
    assert ds.genes == {
        "488": "Crh", "514": "Penk", "561": "Ptprt", "594": "Pvalb", "638": "Sst",
    }  # fmt: skip
    assert ds.round == "4"
    assert ds.min_dist == "3"
    assert list(table.index) == list(rows.index)
    for column in ("r", "dist", "chan_594_intensity"):
        np.testing.assert_array_equal(table[column], rows[column].astype(np.float32))
    for column in ("z", "y", "x"):
        np.testing.assert_array_equal(table[column], details[column].loc[rows.index])
    cells = details["cell_id"].loc[rows.index].astype(int)
    np.testing.assert_array_equal(table["cell_id"], cells)
    np.testing.assert_array_equal(ds.ratios.to_numpy(), content["ratios"])
    assert list(ds.ratios.index) == list(ds.ratios.columns) == ds.channels
    assert list(ds.summary["channel"]) == ds.channels
    assert list(ds.images) == ds.channels
    assert ds.notes == ("a sample: 14 of 2,000 spots (class balanced)",)
    assert ds.info["sankey_data"]["threshold_used"] == 5


def test_a_status_follows_from_the_channels_and_never_from_the_flag(server):
    rows = pd.DataFrame(answer("newer")["spots_data"]).set_index("spot_id")
    expected = pd.Series("unchanged", index=rows.index)
    expected[rows["chan"] != rows["unmixed_chan"]] = "reassigned"
    expected[rows["unmixed_chan"].isna()] = "removed"
    assert rows["reassigned"][expected == "removed"].all()  # the flag's lie

    ds = open_server(server.url)
    found = ds.spots.to_pandas().set_index("spot_id")["status"].astype(str)
    assert found.sort_index().to_dict() == expected.sort_index().to_dict()
    assert set(expected) == {"unchanged", "reassigned", "removed"}


def test_an_older_server_becomes_a_dataset(older):
    ds = open_server(older.url)
    table = ds.spots.to_pandas().set_index("spot_id")
    assert ds.name == OLDER_NAME
    assert ds.round == "4"
    assert table.loc[7966486, ["cell_id", "z", "y", "x"]].tolist() == [
        41951, 1150, 5895, 2717,
    ]  # fmt: skip
    assert table.loc[4108598, "status"] == "reassigned"
    assert ds.summary["removed_spots"].sum() == 691
    assert ds.notes == (
        "a sample: 5 of 2,000 spots (class balanced)",
        "removed spots are unknown: this server sends only kept ones "
        "(the summary counts 691)",
    )


def test_options_are_sent_and_kept_in_the_uri(server):
    ds = open_server(
        server.url,
        sample_size=3,
        sampling_type="random",
        force_refresh=True,
        valid_spots_only=True,
        display_chan="unmixed",
    )
    assert server.asked(SPOTS)[0].query == {
        "sample_size": "3",
        "force_refresh": "true",
        "valid_spots_only": "true",
        "sampling_type": "random",
        "display_chan": "unmixed",
    }
    assert ds.uri == (
        f"{server.url}/?dataset={NEWER_NAME}&sample_size=3&valid_spots_only=true"
        "&sampling_type=random&display_chan=unmixed"
    )
    assert ds.notes[0] == "a sample: 3 of 2,000 spots (random, valid ones only)"
    again = open_server(ds.uri)
    assert server.asked(SPOTS)[1].query["sample_size"] == "3"
    assert again.uri == ds.uri


def test_a_dataset_is_made_active_first(server):
    server.active = None
    ds = open_server(f"{server.url}/?dataset={NEWER_NAME}")
    assert [request.path for request in server.requests] == [SET_ACTIVE, SPOTS]
    assert ds.name == NEWER_NAME


def test_a_dataset_is_downloaded_when_need_be(server):
    server.downloaded.clear()
    server.active = None
    open_server(server.url, dataset=NEWER_NAME)
    paths = [request.path for request in server.requests]
    assert paths == [SET_ACTIVE, DOWNLOAD, SET_ACTIVE, SPOTS]


def test_of_a_tile_the_whole_is_downloaded_and_no_image_shown(server):
    ds = open_server(server.url, dataset=TILE)
    assert server.asked(DOWNLOAD)[0].body == {"dataset_name": TILED_NAME}
    assert ds.name == TILE
    assert len(ds.images) == 0
    assert "a tile has no fused images" in ds.notes


def test_an_unknown_dataset_is_said_to_be_so(server):
    with pytest.raises(ServerError, match="Dataset not found on S3"):
        open_server(server.url, dataset="HCR_000000_nope")


def test_a_path_before_the_endpoints(server):
    for proxied in fake.serve(answer("newer"), prefix="/seespot"):
        assert len(open_server(f"{proxied.url}/unmixed-spots").spots) == 14


def test_another_dataset_than_asked_for_is_an_error(server):
    lie = {**answer("newer"), "current_dataset": "HCR_of_somebody_else"}
    server.fail(SPOTS, fake.body(encode(lie)))
    with pytest.raises(ServerError) as error:
        open_server(server.url, dataset=NEWER_NAME)
    assert "the dataset 'HCR_of_somebody_else'" in message(error)
    assert f"Expected the dataset '{NEWER_NAME}'" in message(error)
    assert "Somebody else may have switched" in message(error)


def test_images_are_opened_when_they_are_used(server, monkeypatch):
    asked = []

    def open_channels(uris, *, genes, storage):
        asked.append((uris, genes["514"], storage))
        return dict.fromkeys(uris, "an image"), {}

    monkeypatch.setattr("napari_seespot.images.open_channels", open_channels)
    ds = open_server(server.url)
    assert asked == []
    assert ds.images["514"] == "an image"
    assert ds.images["488"] == "an image"
    ((uris, gene, storage),) = asked  # all of them in one round
    assert uris["514"] == (
        f"s3://aind-open-data/{NEWER_NAME}/image_tile_fusing/fused/channel_514.zarr"
    )
    assert (gene, storage) == ("Penk", None)


# The endpoints


def test_datasets_are_listed(server):
    server.downloaded |= {TILED_NAME, TILE}
    found = {info.name: info for info in list_server(server.url)}
    assert found[NEWER_NAME].active
    assert found[NEWER_NAME].created == "2026-11-23 14:45:37"
    assert found[NEWER_NAME].uri == f"{server.url}/?dataset={NEWER_NAME}"
    assert found[TILED_NAME].contents == ("tiles",)
    assert found[TILE].contents == ("spots",)
    assert not found[TILE].active


def test_downloads_return_the_new_names(client):
    assert client.download(NEWER_NAME) == (NEWER_NAME,)
    assert client.download(TILED_NAME)[1] == TILE


def test_a_tile_cannot_be_downloaded_and_the_servers_hint_is_passed_on(client):
    with pytest.raises(ServerError, match="Remove the tile suffix"):
        client.download(TILE)


def test_a_link_reverses_the_position(client, server):
    url = client.neuroglancer_link(["s3://b/c.zarr"], (99, 68.5, np.int64(69)), 227)
    assert url.startswith("https://neuroglancer-demo")
    assert server.requests[0].body == {
        "fused_s3_paths": ["s3://b/c.zarr"],
        "position": [69, 68.5, 99, 0],
        "point_annotation": [69, 68.5, 99, 0.5, 0],
        "spot_id": 227,
        "annotation_color": "#FFFF00",
        "cross_section_scale": 0.2,
    }
    client.neuroglancer_link([], (1, 2, 3), 1, cell_id=np.int32(28))
    assert server.requests[1].body["cell_id"] == "28"


def test_a_link_needs_a_position(client):
    with pytest.raises(ServerError, match="the position of spot 3 is unknown"):
        client.neuroglancer_link([], (np.nan, 1, 2), 3)


def test_links_of_several_spots(client, server):
    known = answer("newer")["spots_data"][0]["spot_id"]
    links = client.neuroglancer_links(np.array([known, 99_999_999]), layer_name="mine")
    assert (links.annotation_count, links.missing_spots) == (1, 1)
    assert links.layer_name == "mine"
    assert server.requests[0].body["spot_ids"] == [known, 99_999_999]
    with pytest.raises(StatusError, match="must be a non-empty list") as error:
        client.neuroglancer_links([])
    assert error.value.status == 400


@pytest.mark.parametrize(
    ("path", "content", "call", "found"),
    [
        (DATASETS, {"data": 1}, "datasets", "'datasets' is 'None'. Expected a list"),
        (DATASETS, {"datasets": [{"name": 3}]}, "datasets", "'name' is '3'"),
        (DATASETS, {"datasets": ["a"]}, "datasets", "'name' is 'None'"),
        (DATASETS, {"error": "disk full"}, "datasets", "refuses: 'disk full'"),
        (DATASETS, [1], "datasets", "no object"),
        (SET_ACTIVE, {"success": "yes"}, "set_active", "'success' is 'yes'"),
        (DOWNLOAD, {}, "download", "'success' is 'None'. Expected true"),
        (
            DOWNLOAD,
            {"success": True, "virtual_datasets": "x"},
            "download",
            "'virtual_datasets' is 'x'",
        ),
        (LINK, {"url": None}, "link", "'url' is 'None'. Expected a text"),
        (LINK, {"url": "javascript:alert(1)"}, "link", "Expected an https:// address"),
        (LINKS, {"url": "https://a"}, "links", "'annotation_count' is 'None'"),
        (
            LINKS,
            {"url": "https://a", "annotation_count": True},
            "links",
            "'annotation_count' is 'True'. Expected a whole number",
        ),
    ],
)
def test_small_answers_that_are_not_what_they_must_be(
    client, server, path, content, call, found
):
    calls = {
        "datasets": client.datasets,
        "set_active": lambda: client.set_active("a"),
        "download": lambda: client.download("a"),
        "link": lambda: client.neuroglancer_link([], (0, 0, 0), 1),
        "links": lambda: client.neuroglancer_links([1]),
    }
    server.fail(path, fake.body(encode(content)))
    with pytest.raises(ServerError) as error:
        calls[call]()
    assert found in message(error)
    assert path in message(error)


# Statuses


@pytest.mark.parametrize(
    ("code", "content", "found"),
    [
        (400, {"error": "bad  \n request"}, "answers 400 Bad Request: 'bad request'"),
        (401, None, "it may want a user and a password"),
        (403, None, "answers 403 Forbidden. Ask who runs the server"),
        (404, None, "this may be no SeeSpot server"),
        (404, {"error": "no table"}, "answers 404 Not Found: 'no table'"),
        (418, {"message": "tea"}, "'tea'"),
        (418, ["x"], """'["x"]'"""),
        (500, {"error": "KeyError: 'chan'"}, "Look at the server's log"),
        (422, {"detail": "no"}, "422"),
        (204, None, "204"),
    ],
)
def test_refusals(client, server, code, content, found):
    server.fail(SPOTS, fake.status(code, content))
    with pytest.raises(StatusError) as error:
        client.spots()
    assert found in message(error)
    assert error.value.status == code
    assert len(server.requests) == 1


def test_a_validation_error_names_the_field(client, server):
    detail = [{"loc": ["query", "sample_size"], "msg": "should be an integer"}, 3]
    server.fail(SPOTS, fake.status(422, {"detail": detail}))
    with pytest.raises(StatusError, match=r"query\.sample_size: should be an integer"):
        client.spots()


def test_plain_text_and_html_errors(client, server):
    text = b"Internal Server Error"
    server.fail(SPOTS, fake.body(text, "text/plain", 500))
    with pytest.raises(StatusError, match=r"500 .*: 'Internal Server Error'"):
        client.spots()
    server.fail(SPOTS, fake.body(b"<html>" * 1000, "text/html", 500))
    with pytest.raises(StatusError, match=r"Error\. Look at the server's log\.$"):
        client.spots()
    server.fail(SPOTS, fake.body(b"[" * 60_000, "text/html", 500))
    with pytest.raises(StatusError):
        client.spots()


def test_a_redirect_is_not_followed(client, server):
    target = "https://user:secret@elsewhere/login?token=secret"
    server.fail(SPOTS, fake.status(302, Location=target))
    with pytest.raises(StatusError) as error:
        client.spots()
    assert "302 Found and points to 'https://elsewhere/login'" in message(error)
    assert "secret" not in message(error)


@pytest.mark.parametrize("code", [502, 503, 504])
def test_a_busy_server_is_asked_again(client, server, code):
    server.fail(SPOTS, *[fake.status(code)] * 2)
    assert len(client.spots().spots["spot_id"]) == 14
    server.fail(SPOTS, *[fake.status(code)] * 3)
    with pytest.raises(StatusError, match="try again in some minutes"):
        client.spots()
    assert len(server.requests) == 6


def test_a_server_may_ask_for_a_pause(client, server):
    server.fail(SPOTS, fake.status(503, Retry_After="1"))
    began = time.monotonic()
    client.spots()
    assert time.monotonic() - began >= 1


# Connections


@pytest.mark.parametrize("at", [0, 1, 1000])
def test_a_lost_connection_is_tried_again(client, server, at):
    whole = encode(answer("newer"))
    server.fail(SPOTS, fake.cut(whole, at), fake.hang_up)
    assert len(client.spots().spots["spot_id"]) == 14
    assert len(server.requests) == 3


def test_tries_are_bounded(client, server):
    server.fail(SPOTS, *[fake.hang_up] * 10)
    with pytest.raises(ServerError, match="the connection was lost"):
        client.spots()
    assert len(server.requests) == 3


def test_a_download_is_not_asked_for_twice(client, server):
    server.fail(DOWNLOAD, fake.hang_up, fake.status(503))
    with pytest.raises(ServerError, match="the connection was lost"):
        client.download(NEWER_NAME)
    with pytest.raises(StatusError, match="503"):
        client.download(NEWER_NAME)
    assert len(server.requests) == 2


def test_what_can_be_repeated_is(client, server):
    server.fail(SET_ACTIVE, fake.hang_up)
    client.set_active(NEWER_NAME)
    assert len(server.asked(SET_ACTIVE)) == 2


def test_no_server():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tries = []
    with (
        SeeSpotClient(
            f"http://127.0.0.1:{port}",
            backoff=0.01,
            progress=lambda share, text: tries.append(text),
        ) as client,
        pytest.raises(ServerError) as error,
    ):
        client.datasets()
    assert f"http://127.0.0.1:{port}/api/datasets" in message(error)
    assert "nothing answers at this address. Expected a SeeSpot" in message(error)
    assert "the server does not answer; trying again" in tries


def test_no_such_host(monkeypatch):
    def fail(*args, **rest):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ServerError, match="the host's name cannot be found"):
        list_server("http://no-such-host.invalid:5555")


def test_https_where_there_is_none(server):
    with pytest.raises(ServerError, match="Try http:// in place of https://"):
        list_server(server.url.replace("http:", "https:"))


def test_something_else_that_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet():
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        with (
            SeeSpotClient(
                f"http://127.0.0.1:{port}", retries=1, backoff=0.01
            ) as client,
            pytest.raises(ServerError, match="the connection was lost"),
        ):
            client.datasets()
        thread.join()


def test_a_silent_server(server):
    server.fail(DATASETS, fake.silent)
    with (
        SeeSpotClient(server.url, timeout=0.3) as client,
        pytest.raises(ServerError, match="did not answer in time"),
    ):
        client.datasets()
    assert len(server.requests) == 1


@pytest.mark.parametrize("pause", [0.05, 30])
def test_a_server_that_drips(server, pause):
    server.fail(SPOTS, fake.drip(encode(answer("newer")), pause))
    with (
        SeeSpotClient(server.url, timeout=0.4) as client,
        pytest.raises(ServerError, match=r"sends hardly anything: .* bytes in"),
    ):
        client.spots()
    server.released.set()


def test_a_slow_start_is_waited_for(server):
    def slow(handler):
        time.sleep(1.3)
        handler.send(200, encode(answer("newer")))

    server.fail(SPOTS, slow)
    texts = []
    with SeeSpotClient(
        server.url, timeout=1, progress=lambda share, text: texts.append(text)
    ) as client:
        assert len(client.spots().spots["spot_id"]) == 14
    assert "waiting for the server, 0 s" in texts


def test_compressed_and_chunked(client, server):
    whole = encode(answer("newer"))
    server.fail(SPOTS, fake.zipped(whole), fake.chunked(whole, 7))
    for _ in range(2):
        assert len(client.spots().spots["spot_id"]) == 14


def test_damaged_compression(client, server):
    whole = encode(answer("newer"))
    server.fail(SPOTS, fake.body(b"no gzip", Content_Encoding="gzip"))
    with pytest.raises(ServerError, match="the compressed answer is damaged"):
        client.spots()
    server.fail(SPOTS, fake.zipped(whole, keep=500))
    with pytest.raises(ServerError, match="ends in the middle"):
        client.spots()


def test_a_length_that_is_too_short(client, server):
    whole = encode(answer("newer"))

    def fault(handler):
        handler.send(200, whole, length=len(whole) // 2)
        handler.close_connection = True

    server.fail(SPOTS, fault)
    with pytest.raises(ServerError, match="ends in the middle"):
        client.spots()


# Lies in the answer, as they come over the wire (test_answer.py has the rest)


@pytest.mark.parametrize(
    ("content", "content_type", "found"),
    [
        (b"<!doctype html><title>Sign in", "text/html", "it is HTML, not JSON"),
        (b"", "application/json", "it is empty"),
        (b"Not now", "text/plain", "a value was expected, and there is 'Not now'"),
        (b'"text"', "application/json", "it is 'text', no object"),
        (b'{"error": "no table"}', "application/json", "refuses: 'no table'"),
        (b'{"a": 1}', "application/json", "holds no 'spots_data', but 'a'"),
    ],
)
def test_no_answer_at_all(server, content, content_type, found):
    server.fail(SPOTS, fake.body(content, content_type))
    with pytest.raises(ServerError) as error:
        open_server(server.url)
    assert found in message(error)
    assert server.url in message(error)


def test_no_dataset_is_active(server):
    server.active = None
    with pytest.raises(ServerError) as error:
        open_server(server.url)
    assert "the server has no active dataset" in message(error)
    assert "add ?dataset=NAME to the address" in message(error)


def test_a_table_error_leaves_no_thread_behind(server):
    lie = answer("newer")
    lie["spots_data"][3]["r"] = "high"
    server.fail(SPOTS, fake.body(encode(lie)))
    with pytest.raises(TableError, match="column 'r' holds 'high'"):
        open_server(server.url)
    assert not _threads()


# Cancelling and progress


def _threads():
    return [t for t in threading.enumerate() if t.name == "seespot-http"]


def test_waiting_can_be_cancelled(server):
    server.fail(SPOTS, fake.silent)
    cancelled = threading.Event()
    timer = threading.Timer(0.3, cancelled.set)
    timer.start()
    with pytest.raises(CancelledError):
        open_server(server.url, cancelled=cancelled.is_set)
    timer.join()
    assert not _threads()
    assert len(open_server(server.url).spots) == 14


def test_reading_can_be_cancelled(server):
    content = answer("newer")
    row = content["spots_data"][0]
    content["spots_data"] = [{**row, "spot_id": i} for i in range(20_000)]
    server.content = content
    seen = []

    def progress(share, text):
        seen.append((share, text))

    with pytest.raises(CancelledError):
        open_server(
            server.url,
            sample_size=10**6,
            progress=progress,
            cancelled=lambda: any(text.endswith("spots") for _, text in seen),
        )
    assert not _threads()


def test_pauses_can_be_cancelled(server):
    server.fail(SPOTS, fake.status(503, Retry_After="1000"))
    with pytest.raises(CancelledError):
        open_server(server.url, cancelled=lambda: bool(server.requests))


def test_progress_rises_to_the_whole(server):
    content = answer("newer")
    row = content["spots_data"][0]
    content["spots_data"] = [{**row, "spot_id": i} for i in range(5_000)]
    server.content = content
    shares = []
    open_server(
        server.url, sample_size=10**6, progress=lambda share, text: shares.append(share)
    )
    assert shares == sorted(shares)
    assert len(set(shares)) > 5
    assert shares[-1] > 0.9


def test_a_reader_that_fails_in_another_way_is_not_hidden(client, monkeypatch):
    def broken(*args, **rest):
        raise ZeroDivisionError

    monkeypatch.setattr(client._http._client, "send", broken)
    with pytest.raises(ZeroDivisionError):
        client.datasets()


def test_any_other_failure_of_the_exchange(client, monkeypatch):
    def broken(*args, **rest):
        raise httpx.ProxyError("407 Proxy Authentication Required")

    monkeypatch.setattr(client._http._client, "send", broken)
    with pytest.raises(ServerError, match="the request failed: '407 Proxy Auth"):
        client.datasets()


# Addresses


@pytest.mark.parametrize(
    "uri",
    [
        "", "http://", "ftp://host", "host:5555", "http://host:port",
        "http://host:99999999", "http://[::1", "http://ho st", "http://host\n", "http://\\",
    ],
)  # fmt: skip
def test_what_is_no_address(uri):
    if uri == "http://host\n":  # the ends are stripped
        assert parse_server_address(uri).base == "http://host"
        return
    with pytest.raises(ServerError, match="this is not the address of a server"):
        list_server(uri)


@pytest.mark.parametrize(
    ("uri", "base"),
    [
        ("http://h:1", "http://h:1"),
        ("http://h:1/", "http://h:1"),
        ("http://h:1/a/b/?dataset=x#y", "http://h:1/a/b"),
        ("http://h:1/unmixed-spots", "http://h:1"),
        ("http://h:1/api/real_spots_data?sample_size=3", "http://h:1"),
    ],
)
def test_addresses_are_taken_apart(uri, base):
    assert parse_server_address(uri).base == base


def test_a_password_is_sent_and_never_shown(server):
    uri = server.url.replace("://", "://me:secret@")
    ds = open_server(uri)
    assert server.requests[0].headers["Authorization"].startswith("Basic ")
    server.fail(SPOTS, fake.status(500))
    with pytest.raises(ServerError) as error:
        open_server(uri)
    with SeeSpotClient(uri) as client:
        texts = [ds.uri, message(error), repr(client), list_server(uri)[0].uri]
    texts.append(repr(parse_server_address(uri)))
    assert not any("secret" in text for text in texts)
    with pytest.raises(ServerError) as error:
        list_server("http://me:secret@ho st")
    assert "secret" not in message(error)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sample_size=many", "sample_size is 'many'. Expected a whole number"),
        ("sample_size=0", "sample_size is 0. Expected 1 or more"),
        ("force_refresh=perhaps", "force_refresh is 'perhaps'. Expected true or false"),
        ("sampling_type=best", "Expected class_balanced or random"),
        ("display_chan=red", "Expected mixed or unmixed"),
    ],
)
def test_options_that_no_server_knows(query, found):
    with pytest.raises(ServerError) as error:
        open_server(f"http://127.0.0.1:1/?{query}")
    assert found in message(error)


def test_names_are_quoted_in_uris():
    address = parse_server_address("http://h:1")
    uri = address.uri("a b&c=d", SampleOptions(sample_size=9))
    assert uri == "http://h:1/?dataset=a%20b%26c%3Dd&sample_size=9"
    assert parse_server_address(uri).query["dataset"] == "a b&c=d"


def test_every_error_is_a_seespot_error():
    assert issubclass(StatusError, SeeSpotError)
