"""Fixtures for tests of data sets, files and images: small files of each format, and a server on this machine."""

from __future__ import annotations

import gzip
import io
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def idx_bytes() -> Callable[[np.ndarray], bytes]:
    """An array uint8 as an IDX file, written from the format's description and not with the code under test."""

    def make(array: np.ndarray) -> bytes:
        return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()

    return make


@pytest.fixture
def mnist_files(idx_bytes: Callable[[np.ndarray], bytes]) -> Callable[..., dict[str, np.ndarray]]:
    """Writes MNIST's four files with random images to a folder and returns the arrays by name."""

    def write(folder: Path, *, packed: bool = True, train: int = 30, test: int = 10) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(1)
        arrays = {}
        for prefix, count in (("train", train), ("t10k", test)):
            arrays[f"{prefix}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
            arrays[f"{prefix}-labels-idx1-ubyte"] = (np.arange(count) % 10).astype(np.uint8)
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in arrays.items():
            data = idx_bytes(array)
            (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(data) if packed else data)
        return arrays

    return write


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """A picture as the bytes of a file: `picture(colour, size, mode, format, **options)`."""

    def make(
        colour: object = (200, 30, 60),
        size: tuple[int, int] = (20, 20),
        mode: str = "RGB",
        kind: str = "PNG",
        **options: object,
    ) -> bytes:
        out = io.BytesIO()
        Image.new(mode, size, colour).save(out, kind, **options)
        return out.getvalue()

    return make


@pytest.fixture
def write_tree(tmp_path: Path) -> Callable[..., Path]:
    """Writes files, given as {path: bytes}, as a folder or as a zip, and returns where."""

    def write(files: dict[str, bytes], *, zipped: bool = False, name: str = "mine") -> Path:
        if zipped:
            path = tmp_path / f"{name}.zip"
            with zipfile.ZipFile(path, "w") as archive:
                for inner, data in files.items():
                    archive.writestr(inner, data)
            return path
        for inner, data in files.items():
            target = tmp_path / name / inner
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return tmp_path / name

    return write


class Server:
    """What the server on this machine serves, and what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        """Paths whose connection drops half-way."""
        self.silent_length: set[str] = set()
        """Paths that are served without a Content-Length."""
        self.tags: dict[str, str] = {}
        """The entity tags of paths that are served from any byte on, as RFC 9110 has it; others are served whole."""
        self.held: dict[str, threading.Event] = {}
        """Paths whose second half waits for an event."""
        self.asked: list[str] = []
        self.ranges: list[str] = []
        """What was asked for of a part that the client has kept."""
        self.url = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An HTTP server on 127.0.0.1."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            data = state.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            tag, start = state.tags.get(self.path), 0
            if "Range" in self.headers:
                state.ranges.append(self.headers["Range"])
                if tag and self.headers["If-Range"] == tag:
                    start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(data) > 0:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if tag:
                self.send_header("ETag", tag)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                data = data[start:]
            if self.path not in state.silent_length:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            half = len(data) // 2
            if gate := state.held.get(self.path):
                self.wfile.write(data[:half])
                gate.wait(240)
                data = data[half:]
            self.wfile.write(data[:half] if self.path in state.cut else data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    try:
        yield state
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
