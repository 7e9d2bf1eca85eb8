"""The server as browsers find it: its headers, foreign names, and what stands on the screen after a fault."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from benchmarks.serving import ROOT, Server, serve
from explorer.ui.guard import security_headers
from tests.browser.talk import BUSY_MS, idle

pytestmark = pytest.mark.browser

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage]:
    """Status and headers of the answer."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as connection:
        connection.request(method, path, headers=headers)
        with connection.getresponse() as answer:
            return answer.status, answer.headers


@pytest.mark.parametrize("path", ["/", "/reconstruct", "/_stcore/health", "/assets/none", "/media/none", "/../app.py"])
def test_every_answer_has_the_headers(server, path):
    _, headers = ask(server, path, Accept="text/html")
    assert {name: headers[name] for name in security_headers()} == security_headers()


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/assets/plotly.min.js", "/_stcore/upload_file/a/b"])
def test_a_page_elsewhere_that_takes_its_own_name_for_ours_gets_nothing(server, path):
    assert ask(server, path, Host="rebound.example")[0] == 421
    assert ask(server, path, "PUT", Host="rebound.example:8501", Origin="http://rebound.example:8501")[0] == 421


def test_a_foreign_name_opens_no_websocket(server):
    host = urlsplit(server.url).netloc
    assert ask(server, "/_stcore/stream", Host=host, Origin=server.url, **HANDSHAKE)[0] == 101
    foreign = {"Host": "rebound.example", "Origin": "http://rebound.example"}
    assert ask(server, "/_stcore/stream", **foreign, **HANDSHAKE)[0] == 403


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An app with our settings whose script fails, with the name of a folder in its error."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / ".streamlit").symlink_to(ROOT / ".streamlit")
    script = folder / "app.py"
    script.write_text("open('/home/somebody/secret')\n", "utf-8")
    with serve(folder / "server.log", app=script, folder=Path(folder)) as found:
        yield found


def test_a_fault_shows_nothing_of_the_server(new_page, faulty):
    page = new_page(base_url=faulty.url, profile="faulty")
    page.goto("/")
    shown = page.locator('[data-testid="stException"]')
    expect(shown).to_be_visible(timeout=BUSY_MS)
    text = shown.inner_text()
    assert not [word for word in ("secret", "app.py", "Traceback", "FileNotFound") if word in text]
    assert "secret" in faulty.log_tail()


DRAWN = {
    "/": ".st-key-map .lx-map[data-state=ready]",
    "/arithmetic?tool=walk": ".st-key-walk_film canvas",
    "/cells": ".st-key-cells_hue_healthy .js-plotly-plot",
    "/cells?part=init": ".st-key-cells_init_curves .js-plotly-plot",
    "/reconstruct": ".st-key-draw canvas",
    "/compare?models=mnist-mlp-2d,mnist-ae-2d&part=curves": ".st-key-compare_curves .js-plotly-plot",
    "/compare?models=mnist-mlp-2d,mnist-ae-2d&part=maps": ".lx-map[data-state=ready]",
    "/train": ".st-key-train_form_box",
}


def test_every_screen_draws_where_scripts_may_compile_none(new_page):
    """No page may log an error at the end, so neither that of a script that has called `eval` or `Function`."""
    page = new_page(bypass_csp=False)
    for path, drawn in DRAWN.items():
        page.goto(path)
        expect(page.locator(drawn).first).to_be_visible(timeout=BUSY_MS)
        idle(page, BUSY_MS)
