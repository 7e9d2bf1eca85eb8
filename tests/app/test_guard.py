"""Who may ask the server for anything, and what its answers tell browsers to refuse."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from explorer.files.hosting import VARIABLE, hosting
from explorer.ui.guard import Guard, is_allowed, security_headers

LOCAL = ["localhost", "127.0.0.1", "::1"]


def ask(host: str, kind: str = "http") -> list[Message]:
    """What a guarded app sends to a request by that name."""
    app = Guard(Starlette(routes=[Route("/", lambda request: PlainTextResponse("the app"))]))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": f"{kind}.{'request' if kind == 'http' else 'connect'}", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": kind, "path": "/", "query_string": b"", "headers": [(b"host", host.encode())]}
    asyncio.run(app({**scope, "method": "GET", "subprotocols": []}, receive, send))
    return sent


def options(monkeypatch: pytest.MonkeyPatch, **given: object) -> None:
    found = {"server.address": "localhost", "server.allowedHosts": [], "browser.serverAddress": "localhost"}
    found |= {name.replace("_", "."): value for name, value in given.items()}
    monkeypatch.setattr(st, "get_option", found.__getitem__)


@pytest.mark.parametrize(
    ("host", "allowed", "answer"),
    [
        ("localhost:8501", LOCAL, True),
        ("LOCALHOST.", LOCAL, True),
        ("[::1]:8501", LOCAL, True),
        ("127.0.0.1", LOCAL, True),
        ("evil.example", LOCAL, False),
        ("localhost.evil.example", LOCAL, False),
        ("evil.example#localhost", LOCAL, False),
        ("localhost@evil.example", LOCAL, False),
        ("[::1", LOCAL, False),
        ("", LOCAL, False),
        ("a.class.example", ["*.Class.example"], True),
        ("class.example", ["*.class.example"], False),
        ("anything.example", ["*"], True),
    ],
)
def test_names_that_are_answered_to(host, allowed, answer):
    assert is_allowed(host, allowed) is answer


def test_a_local_server_answers_to_this_computers_names_alone(monkeypatch):
    options(monkeypatch)
    assert ask("localhost:8501")[0]["status"] == 200
    start, body = ask("rebound.example:8501")
    assert start["status"] == 421
    assert body["body"] != b"the app"
    assert b"localhost" in body["body"]
    assert [message["type"] for message in ask("rebound.example:8501", "websocket")] == ["websocket.close"]


def test_names_that_the_host_lists_are_answered_to(monkeypatch):
    options(monkeypatch, server_allowedHosts=["class.example"])
    assert [ask(host)[0]["status"] for host in ("class.example", "localhost")] == [200, 421]
    options(monkeypatch, browser_serverAddress="class.example")
    assert [ask(host)[0]["status"] for host in ("class.example", "localhost")] == [200, 200]


def test_a_server_for_others_answers_to_any_name_unless_some_are_listed(monkeypatch):
    options(monkeypatch, server_address="0.0.0.0")
    assert ask("192.168.1.5:8501")[0]["status"] == 200


@pytest.mark.parametrize("host", ["localhost", "rebound.example"])
def test_all_answers_have_the_headers(host, monkeypatch):
    options(monkeypatch)
    found = {name.decode(): value.decode() for name, value in ask(host)[0]["headers"]}
    assert found.items() >= {name.lower(): value for name, value in security_headers().items()}.items()
    assert found["x-content-type-options"] == "nosniff"
    assert found["x-frame-options"] == "DENY"


def test_the_policy_lets_in_no_other_host_no_inline_script_and_no_eval():
    policy = dict(part.split(" ", 1) for part in security_headers()["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert not any(word in text.split() for text in policy.values() for word in ("*", "http:", "https:"))
    assert not {"'unsafe-inline'", "'unsafe-eval'"} & set(policy["script-src"].split())


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with a host's settings, still without any."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "hosting.toml"))
    return tmp_path / "hosting.toml"


def test_the_app_is_embedded_where_the_host_says(settings, monkeypatch):
    settings.write_text('embed_in = ["https://moodle.example.org", "https://*.example.com:8443"]', "utf-8")
    options(monkeypatch)
    found = {name.decode(): value.decode() for name, value in ask("localhost")[0]["headers"]}
    assert "frame-ancestors https://moodle.example.org https://*.example.com:8443" in found["content-security-policy"]
    assert "x-frame-options" not in found


@pytest.mark.parametrize(
    "origin", ["*", "moodle.example.org", "https://a.example;script-src", "https://a.example/path"]
)
def test_what_is_no_origin_is_refused(origin, settings):
    settings.write_text(f'embed_in = ["{origin}"]', "utf-8")
    with pytest.raises(ValueError, match="embed_in"):
        hosting()


def test_a_proxys_name_is_that_of_the_settings(settings, monkeypatch):
    settings.write_text('url = "https://class.example"', "utf-8")
    options(monkeypatch)
    assert [ask(host)[0]["status"] for host in ("class.example", "localhost", "rebound.example")] == [200, 200, 421]


def test_who_opened_it_may_show_it_in_a_frame(monkeypatch):
    """`explorer.show` does, for notebooks on this computer; a browser takes `*` for a port."""
    options(monkeypatch)
    monkeypatch.setenv("EXPLORER_EMBED_IN", "http://localhost:*")
    headers = dict(ask("localhost")[0]["headers"])
    assert headers[b"content-security-policy"].endswith(b"frame-ancestors http://localhost:*")
    assert b"x-frame-options" not in headers
