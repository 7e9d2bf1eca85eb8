"""What a host watches of a shared server: what is wrong with it, and its figures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from explorer.files import hosting
from explorer.files.owner import Owner
from explorer.training import lifecycle
from explorer.ui import monitor
from tests.background import config

TOKEN = "0123456789abcdef"


def status(path: str, authorization: str = "") -> int:
    """The status of an answer behind the guard."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", authorization.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
    asyncio.run(monitor.Monitoring(PlainTextResponse("figures"))(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("settings", "given", "expected"),
    [
        ("", "", 404),
        ("", "Bearer ", 404),
        (f'monitor_token = "{TOKEN}"', "", 401),
        (f'monitor_token = "{TOKEN}"', f"Bearer {TOKEN}x", 401),
        (f'monitor_token = "{TOKEN}"', "Bearer ü", 401),
        (f'monitor_token = "{TOKEN}"', f"Bearer {TOKEN}", 200),
    ],
)
def test_only_who_has_the_token_watches(tmp_path, monkeypatch, settings, given, expected):
    (tmp_path / "hosting.toml").write_text(settings)
    monkeypatch.setenv(hosting.VARIABLE, str(tmp_path / "hosting.toml"))
    for path in ("/monitor/health", "/monitor/metrics", "/latent/monitor/metrics", "/_stcore/metrics"):
        assert status(path, given) == expected
    assert status("/_stcore/health", given) == 200


def test_on_localhost_streamlits_metrics_are_as_before(monkeypatch):
    monkeypatch.delenv(hosting.VARIABLE, raising=False)
    assert status("/_stcore/metrics") == 200


def test_what_is_wrong_is_said_in_sentences(tmp_path, monkeypatch):
    monitor.queue_seen()
    assert monitor.problems(tmp_path / "runs") == []
    (tmp_path / "file").touch()
    (said,) = monitor.problems(tmp_path / "file")
    assert said.startswith("The runs folder cannot be written: ")
    monkeypatch.setattr(monitor, "_queue_seen", monitor._queue_seen - 100)
    assert "Nothing has looked after the queue for 100 seconds." in monitor.problems(tmp_path / "runs")


def test_the_figures_count_runs_and_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    for name, owner in (("a", "p-ada"), ("b", "p-ada"), ("c", "p-bob")):
        lifecycle.create_run(tmp_path / "runs" / name, config(), turn=1, owner=Owner(owner, ""))
    found = dict(line.rsplit(" ", 1) for line in monitor.metrics(tmp_path / "runs").splitlines() if line[0] != "#")
    assert found['latent_explorer_runs{state="queued"}'] == "3"
    assert found["latent_explorer_people_with_active_runs"] == "2"
    assert int(found["latent_explorer_server_memory_bytes"]) > 1e7
    assert "p-ada" not in str(found)
