"""The app in a browser, opened from Python: a process of its own that ends with this one."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from explorer.checkpoints.folder import CheckpointInfo, find
from explorer.checkpoints.model import Model
from explorer.errors import RunError

_START_SECONDS = 240  # PyTorch's import on a busy machine takes most of it
_EMBED_IN = "http://localhost:* http://127.0.0.1:*"  # where notebooks are


class Shown:
    """The app as `show` has opened it. In a notebook it is seen in a frame.

    Attributes:
        url: its address, on this computer alone.
    """

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url, self._process = url, process
        atexit.register(self.stop)

    def stop(self) -> None:
        """Ends the app."""
        atexit.unregister(self.stop)
        self._process.terminate()
        self._process.wait()

    def __repr__(self) -> str:
        return f"Latent Explorer at {self.url}"

    def _repr_html_(self) -> str:
        url = escape(self.url)
        return f'<iframe src="{url}" width="100%" height="800" style="border: 0"></iframe><a href="{url}">{url}</a>'


def show(model: Model | CheckpointInfo | str | Path, *, open_browser: bool | None = None) -> Shown:
    """Opens the app on a model: on Explore, in a browser, or in a frame of a notebook.

    Args:
        model: a model, a checkpoint, its name or its folder.
        open_browser: whether to open a browser; None for yes, save in a notebook.

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        RunError: the app does not start; the message has the end of what it said.
    """
    info = model.info if isinstance(model, Model) else model if isinstance(model, CheckpointInfo) else find(model)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    environment = {**os.environ, "STREAMLIT_SERVER_HEADLESS": "true", "EXPLORER_EMBED_IN": _EMBED_IN}
    if not info.shipped:
        environment["EXPLORER_RUNS"] = str(info.path.resolve().parent)
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-m", "explorer", "serve", "--port", str(port)]
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        if not _answers(f"http://localhost:{port}/_stcore/health", process):
            process.kill()
            process.wait()
            log.seek(0)
            said = log.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise RunError(f"The app does not start: {said or 'it does not answer'}.")
    name = info.name if info.shipped else f"runs/{info.name}"
    shown = Shown(f"http://localhost:{port}/?{urlencode({'model': name})}", process)
    if open_browser or (open_browser is None and "ipykernel" not in sys.modules):
        webbrowser.open(shown.url)
    return shown


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether a server answers before its process ends, or too long has passed."""
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - of this computer
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False
