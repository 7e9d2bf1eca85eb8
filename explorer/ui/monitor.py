"""How a shared server is doing, for its host alone: `/monitor/health` and, as Prometheus reads it, `/monitor/metrics`.

On a shared server both ask for the settings' `monitor_token` (`Authorization: Bearer TOKEN`), as Streamlit's own
`/_stcore/metrics` does then; without a token none of them is there. `/_stcore/health` stays, which every browser asks
and which only says that the server answers.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from explorer import runs
from explorer.checkpoints.folder import runs_folder
from explorer.datasets.base import bytes_text
from explorer.files.hosting import hosting
from explorer.training.run_state import RunState
from explorer.ui import people

_PATHS = ("/monitor/", "/_stcore/metrics")
_QUEUE_SECONDS = 60.0  # since somebody has looked after the queue: longer than any look takes
_LEAST_FREE = 1 << 30  # bytes on the disk of the runs


class Monitoring:
    """Middleware that lets only a host ask how a shared server is doing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not any(path in scope["path"] for path in _PATHS) or not people.is_shared():
            await self._app(scope, receive, send)
            return
        settings = hosting()
        token = settings.monitor_token if settings else ""
        given = Headers(scope=scope).get("authorization", "")
        if not token:
            await PlainTextResponse("Not found", 404)(scope, receive, send)
        elif not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            await PlainTextResponse("For hosts", 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)


_queue_seen = time.monotonic()


def queue_seen() -> None:
    """Notes that the queue of runs has been looked after just now."""
    global _queue_seen
    _queue_seen = time.monotonic()


def routes() -> list[Route]:
    """Starlette routes for `st.App`; `Monitoring` guards them."""
    found = []
    for base in dict.fromkeys((f"/{str(st.get_option('server.baseUrlPath') or '').strip('/')}".rstrip("/"), "")):
        found.append(Route(f"{base}/monitor/health", _health, methods=["GET"]))
        found.append(Route(f"{base}/monitor/metrics", _metrics, methods=["GET"]))
    return found


def problems(folder: Path) -> list[str]:
    """Says in sentences what a host must see to; `folder` is that of the runs."""
    found = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
        if (free := shutil.disk_usage(folder).free) < _LEAST_FREE:
            found.append(f"The disk of the runs has {bytes_text(int(free))} left.")
    except OSError as error:
        found.append(f"The runs folder cannot be written: {error.strerror or error}.")
    if (late := time.monotonic() - _queue_seen) > _QUEUE_SECONDS:
        found.append(f"Nothing has looked after the queue for {late:,.0f} seconds.")
    return found


def metrics(folder: Path) -> str:
    """The figures that a host watches, in Prometheus' text format."""
    found = runs.runs()
    states = Counter(info.state for info in found)
    active = [info for info in found if info.active]
    disk = shutil.disk_usage(folder if folder.is_dir() else Path())
    lines = [
        "# TYPE latent_explorer_runs gauge",
        *(f'latent_explorer_runs{{state="{state}"}} {states[state]}' for state in RunState),
        "# TYPE latent_explorer_people_with_active_runs gauge",
        f"latent_explorer_people_with_active_runs {len({info.owner.ident for info in active})}",
        "# TYPE latent_explorer_longest_wait_seconds gauge",
        f"latent_explorer_longest_wait_seconds {_longest_wait(active):.0f}",
        "# TYPE latent_explorer_queue_seen_seconds gauge",
        f"latent_explorer_queue_seen_seconds {time.monotonic() - _queue_seen:.0f}",
        "# TYPE latent_explorer_disk_free_bytes gauge",
        f"latent_explorer_disk_free_bytes {disk.free}",
        "# TYPE latent_explorer_disk_size_bytes gauge",
        f"latent_explorer_disk_size_bytes {disk.total}",
        "# TYPE latent_explorer_server_memory_bytes gauge",
        f"latent_explorer_server_memory_bytes {_memory()}",
    ]
    return "\n".join(lines) + "\n"


def _longest_wait(active: list[runs.RunInfo]) -> float:
    """Seconds since the run was queued that has waited longest."""
    return max((time.time() - info.since for info in active if info.state is RunState.QUEUED), default=0.0)


def _memory() -> int:
    """Bytes of memory that this process has; 0 where the system does not say so."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


async def _health(request: Request) -> Response:
    found = await asyncio.to_thread(problems, runs_folder())
    return JSONResponse({"ok": not found, "problems": found}, 503 if found else 200)


async def _metrics(request: Request) -> Response:
    return PlainTextResponse(await asyncio.to_thread(metrics, runs_folder()), media_type="text/plain; version=0.0.4")
