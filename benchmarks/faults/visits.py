"""Many reruns, and many sessions that come and go: memory, threads and open files of the server stay as they are."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from playwright.sync_api import Browser

from benchmarks.browser import memory
from benchmarks.serving import Server, browsing

_SESSIONS, _RERUNS = 200, 500
_MODEL = "mnist-mlp-2d"
_PATIENCE_MS = 120_000
_MOST_GROWTH = 0.1  # GB, after the first half
_SHOWN = ".st-key-decoded img[data-code]"


def prepare(place: Path) -> None:
    """Nothing: the server starts with the trial."""


def attempt(place: Path, rng: Random) -> str:
    """Opens and closes sessions, then reruns one again and again; compares the second half with the first."""
    with browsing("--process-per-site") as (browser, server):
        sessions = [_open_and_close(browser, server, _SESSIONS // 2) for _ in range(2)]
        reruns = [_rerun(browser, server, _RERUNS // 2, rng) for _ in range(2)]
    for what, (first, second) in (("sessions", sessions), ("reruns", reruns)):
        told = f"{what}: GB, threads and files were {first}, and are {second}"
        assert second[0] - first[0] < _MOST_GROWTH, told
        assert second[1] <= first[1] + 4, told
        assert second[2] <= first[2] + 8, told
    return f"GB, threads and files after {_SESSIONS} sessions {sessions[1]}, after {_RERUNS} reruns {reruns[1]}"


def _open_and_close(browser: Browser, server: Server, count: int) -> tuple[float, int, int]:
    context = browser.new_context(viewport={"width": 900, "height": 900})
    for _ in range(count):
        page = context.new_page()
        page.goto(f"{server.url}/?model={_MODEL}&z=0,0", wait_until="commit", timeout=_PATIENCE_MS)
        page.locator(_SHOWN).wait_for(timeout=_PATIENCE_MS)
        page.close()
    context.close()
    return _held(server.pid)


def _rerun(browser: Browser, server: Server, count: int, rng: Random) -> tuple[float, int, int]:
    context = browser.new_context(viewport={"width": 900, "height": 900})
    page = context.new_page()
    page.goto(f"{server.url}/?model={_MODEL}&z=0,0", wait_until="commit", timeout=_PATIENCE_MS)
    page.wait_for_selector(".lx-map[data-state=ready]", timeout=_PATIENCE_MS)
    for _ in range(count):
        page.keyboard.press("r")  # Streamlit's key for a rerun
        page.wait_for_timeout(rng.uniform(20, 60))
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=_PATIENCE_MS)
    context.close()
    return _held(server.pid)


def _held(pid: int) -> tuple[float, int, int]:
    """Memory in GB, threads and open files of the server, a moment after the last session has gone (Linux)."""
    time.sleep(5)
    process = Path(f"/proc/{pid}")
    return round(memory(pid), 3), len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))
