"""The app on a free port and a Chromium to look at it: for benchmarks, screenshots and browser tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

ROOT = Path(__file__).parent.parent
START_SECONDS = 240  # PyTorch's import on a busy machine takes most of it
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Server:
    """A running app: its address, the file that its output goes to, and its process."""

    url: str
    log: Path
    pid: int

    def log_tail(self, lines: int = 60) -> str:
        """The last lines of its output."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])


def free_port() -> int:
    """Finds a port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _hold(port: int) -> socket.socket:
    """Keeps a port from others, who may connect from any that is free, until our server listens on it."""
    holder = socket.socket()
    if sys.platform == "linux":  # elsewhere nobody could listen on it meanwhile, not even our server
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
    return holder


@contextlib.contextmanager
def serve(
    log: Path,
    *,
    app: Path | str = "app.py",
    command: Sequence[Path | str] = (),
    folder: Path = ROOT,
    port: int = 0,
    **environment: str,
) -> Iterator[Server]:
    """Serves the app as `make run` does, with more environment variables, and ends it with the context.

    Args:
        log: the file that its output goes to.
        app: another app in its place, for tests of what the app has no page for.
        command: another command than `streamlit run`.
        folder: its working directory.
        port: the port that the command listens on; one that is free where it is told none.

    Raises:
        RuntimeError: it does not answer within four minutes; the message has the end of its output.
    """
    port = port or free_port()
    holder = _hold(port)
    streamlit = {"STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_HEADLESS": "true"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command or [sys.executable, "-m", "streamlit", "run", str(app)],
            cwd=folder,
            env={**os.environ, **streamlit, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(f"http://localhost:{port}", log, process.pid)
    try:
        with holder:
            _wait_for(server, process)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start; its output ends with\n{server.log_tail()}")


def find_chromium(own: str) -> str | None:
    """A Chromium of this machine, else Playwright's `own` when it is there: the order of tests/browser/install.sh."""
    names = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", _MAC]
    for path in filter(None, (shutil.which(name) for name in names if name)):
        if subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return own if os.path.exists(own) else None


@contextlib.contextmanager
def browsing(*flags: str) -> Iterator[tuple[Browser, Server]]:
    """A headless Chromium, with more command-line flags, and a server with an empty folder of runs.

    Ends the program where there is no Chromium.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder) / "log", EXPLORER_RUNS=folder) as server,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright, *flags)
        if browser is None:
            sys.exit("there is no Chromium here: run `make browser` once")
        yield browser, server
        browser.close()


def launch(playwright: Playwright, *flags: str) -> Browser | None:
    """A headless Chromium with more command-line flags, or None when there is none here."""
    path = find_chromium(playwright.chromium.executable_path)
    return None if path is None else playwright.chromium.launch(executable_path=path, args=[*_FLAGS, *flags])


def cpu_of(name: str) -> float:
    """CPU seconds of all processes below this one whose command has a name in it (Linux)."""
    parents, found = {}, {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            parents[place.name] = fields[1]
            if name in (place / "cmdline").read_text():
                found[place.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def below(pid: str) -> bool:
        return pid == str(os.getpid()) or (pid in parents and below(parents[pid]))

    return sum(seconds for pid, seconds in found.items() if below(pid))
