"""Blobs served beside the app: made once, kept while there is room, answered with the right headers."""

from __future__ import annotations

import asyncio
import gzip
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette

from explorer.errors import ModelGone
from explorer.ui import assets
from explorer.ui.assets import _Recipe, _Store

CACHED = "public, max-age=31536000, immutable"


class Counted:
    """A maker of bytes that counts its calls; with a gate, each waits until it is opened."""

    def __init__(self, data: bytes = b"data", gate: threading.Event | None = None) -> None:
        self.data, self.gate, self.calls = data, gate, 0

    def __call__(self) -> bytes:
        self.calls += 1
        if self.gate:
            assert self.gate.wait(240)
        return self.data


def made(store: _Store, key: str) -> bytes:
    future = store.get(key)
    assert future is not None
    blob = future.result(240)
    return gzip.decompress(blob.body) if blob.gzipped else blob.body


def test_made_once_for_many_at_a_time():
    gate = threading.Event()
    maker, store = Counted(gate=gate), _Store()
    store.register("a", _Recipe(maker, "image/png"))
    assert maker.calls == 0  # nothing until somebody asks
    ready = threading.Barrier(11)

    def ask() -> bytes:
        ready.wait(240)
        future = store.get("a")
        asked.release()
        return future.result(240).body

    asked = threading.Semaphore(0)
    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(ask) for _ in range(10)]
        ready.wait(240)
        for _ in range(10):
            assert asked.acquire(timeout=240)
        gate.set()
        assert [answer.result(240) for answer in answers] == [b"data"] * 10
    assert maker.calls == 1
    assert made(store, "a") == b"data"
    assert maker.calls == 1


def test_evicted_when_there_is_no_room_and_made_again():
    store = _Store(max_bytes=250)
    makers = {key: Counted(bytes(100)) for key in "abc"}
    for key, maker in makers.items():
        store.register(key, _Recipe(maker, "image/png"))
    for key in "ab":
        made(store, key)
    made(store, "a")  # used last, so b goes first
    made(store, "c")
    assert [made(store, key) for key in "ca"] == [bytes(100)] * 2
    assert [maker.calls for maker in makers.values()] == [1, 1, 1]
    assert made(store, "b") == bytes(100)
    assert makers["b"].calls == 2
    assert store._size <= 250


def test_a_blob_larger_than_the_room_is_still_answered():
    store = _Store(max_bytes=10)
    for key in "ab":
        store.register(key, _Recipe(Counted(bytes(100)), "image/png"))
        assert made(store, key) == bytes(100)
    assert store._size == 100


def test_what_nobody_has_used_for_long_lets_go_of_what_it_holds(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("explorer.ui.assets.time.monotonic", lambda: now[0])
    store = _Store(max_age=60)
    maker = Counted()
    held = weakref.ref(maker)
    store.register("old", _Recipe(maker, "image/png"))
    store.register("asked", _Recipe(Counted(b"asked"), "image/png"))
    del maker
    now[0] += 50
    assert made(store, "asked") == b"asked"
    now[0] += 20
    store.register("new", _Recipe(Counted(), "image/png"))
    assert held() is None
    assert store.get("old") is None
    assert made(store, "asked") == b"asked"


def test_the_oldest_recipes_are_forgotten():
    store = _Store(max_recipes=2)
    for key in "abc":
        store.register(key, _Recipe(Counted(), "image/png"))
    assert store.get("a") is None
    assert made(store, "b") == b"data"
    store.register("d", _Recipe(Counted(), "image/png"))
    assert store.get("c") is None  # b has been used since
    assert made(store, "b") == b"data"


def test_a_failure_is_not_kept():
    attempts = []

    def make() -> bytes:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("the disk was away")
        return b"there"

    store = _Store()
    store.register("a", _Recipe(make, "image/png"))
    with pytest.raises(OSError, match="the disk was away"):
        made(store, "a")
    assert made(store, "a") == b"there"


def request(path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a GET, asked of the routes without a server."""
    app = Starlette(routes=assets.routes())
    path = f"/{path.removeprefix('/')}"  # as a page in the root folder asks for it
    scope = {
        "type": "http",
        "method": "GET",
        "path": path.split("?")[0],
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("localhost", 80),
        "client": ("localhost", 1),
        "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()],
    }
    messages: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message) -> None:
        messages.append(message)

    asyncio.run(app(scope, receive, send))
    start = messages[0]
    body = b"".join(m.get("body", b"") for m in messages[1:])
    return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body


@pytest.fixture
def fresh_store(monkeypatch):
    monkeypatch.setattr(assets, "_store", _Store())


@pytest.mark.usefixtures("fresh_store")
def test_a_picture_is_served_as_it_is():
    url = assets.publish("one.webp", lambda: bytes(5000), "image/webp")
    assert url == "assets/one.webp"
    status, headers, body = request(url, Accept_Encoding="gzip")
    assert (status, body) == (200, bytes(5000))
    assert headers["content-type"] == "image/webp"
    assert headers["cache-control"] == CACHED
    assert "content-encoding" not in headers


@pytest.mark.usefixtures("fresh_store")
def test_json_is_compressed_for_who_takes_it():
    text = b'{"x": [' + b"1, " * 2000 + b"1]}"
    url = assets.publish("figure.json", lambda: text, "application/json")
    status, headers, body = request(url, Accept_Encoding="br, gzip")
    assert (status, headers["content-encoding"], headers["vary"]) == (200, "gzip", "Accept-Encoding")
    assert gzip.decompress(body) == text
    status, headers, body = request(url)
    assert (status, body) == (200, text)
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"


@pytest.mark.usefixtures("fresh_store")
@pytest.mark.parametrize("path", ["/assets/none.webp", "/assets/..%2Fapp.py", "/assets/.hidden", "/assets/a b"])
def test_what_nobody_published_is_not_there(path):
    status, headers, _ = request(path)
    assert status == 404
    assert headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("fresh_store")
def test_pictures_of_a_model_that_has_gone_are_no_fault_of_the_server(caplog):
    def make() -> bytes:
        raise ModelGone("Its process has ended.")

    status, headers, body = request(assets.publish("gone.png", make, "image/png"))
    assert (status, headers["cache-control"], body) == (503, "no-store", b"Its process has ended.")
    assert not caplog.text


@pytest.mark.usefixtures("fresh_store")
def test_a_maker_that_fails_is_a_500_that_is_not_cached(caplog):
    def make() -> bytes:
        raise ValueError("secret detail")

    status, headers, body = request(assets.publish("broken.png", make, "image/png"))
    assert (status, headers["cache-control"]) == (500, "no-store")
    assert b"secret" not in body
    assert "broken.png could not be made" in caplog.text


def test_plotly_is_served_from_the_installed_package():
    url = assets.plotly_url()
    status, headers, body = request(url, Accept_Encoding="gzip")
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert (headers["content-encoding"], headers["cache-control"]) == ("gzip", CACHED)
    assert b"plotly.js" in gzip.decompress(body)[:200]


@pytest.mark.usefixtures("fresh_store")
def test_sheets():
    def sheet(number: int) -> bytes:
        return b"sheet %d" % number

    template = assets.publish_sheets("set-{sheet}.webp", sheet, count=3)
    assert template == "assets/set-{sheet}.webp"
    assert [request(template.replace("{sheet}", str(n)))[2] for n in range(3)] == [b"sheet 0", b"sheet 1", b"sheet 2"]
    assert request(template.replace("{sheet}", "3"))[0] == 404


@pytest.mark.parametrize(
    "publish",
    [
        lambda: assets.publish("", bytes, "image/png"),
        lambda: assets.publish("../up.png", bytes, "image/png"),
        lambda: assets.publish(".hidden", bytes, "image/png"),
        lambda: assets.publish("a" * 201, bytes, "image/png"),
        lambda: assets.publish("plotly.min.js", bytes, "text/javascript"),
        lambda: assets.publish_sheets("no-number.webp", lambda n: b"", count=1),
    ],
)
def test_bad_keys(publish: Callable[[], str]):
    with pytest.raises(ValueError, match="key"):
        publish()
