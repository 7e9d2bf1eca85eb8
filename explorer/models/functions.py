"""Functions of a running Python process as a model: that process answers on this computer to who knows its secret.

`offer` lets the process answer in a thread, and what it returns is all that another process needs to ask. Arrays
travel as safetensors: nothing is unpickled, and a message is bounded before it is read.
"""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
import threading
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from explorer.errors import ModelGone

_HOST = "127.0.0.1"
_GIVEN = ["given", "labels"]  # what a function takes, by its names in a message
_MOST = 1 << 30  # bytes of a message
_SECONDS = 120.0  # without a byte: a first call may compile what it calls
_GONE = (
    "The Python process that this model's functions run in has ended: start it and adopt them there again. The map and "
    "the stored codes are still here."
)


def offer(
    encode: Callable[..., Any], decode: Callable[..., Any], outputs: list[str], *, told: bool = False
) -> tuple[bytes, bytes]:
    """Lets this process answer for two functions of NumPy arrays; returns what `Functions` takes, for each of them.

    Args:
        encode: images, float32 [N, C, H, W], to a code [N, ...], or to a tuple of mean and log variance.
        decode: codes to images.
        outputs: what `encode` gives: its mean, and its log variance where there is one.
        told: whether `decode` takes the class of each code as well, int64 [N].
    """
    server, ident = _server(), secrets.token_hex(8)
    found = []
    for name, function, given, made in (
        ("encode", encode, _GIVEN[:1], outputs),
        ("decode", decode, _GIVEN[: 1 + told], ["pictures"]),
    ):
        server.functions[f"/{ident}/{name}"] = function
        where = {"port": server.server_port, "secret": server.secret, "path": f"/{ident}/{name}"}
        where |= {"inputs": given, "outputs": made}
        found.append(json.dumps(where).encode())
    return found[0], found[1]


class Functions:
    """One of two functions that another process has offered, asked as a session of onnxruntime is."""

    def __init__(self, where: bytes) -> None:
        """Takes what `offer` gave. Raises RuntimeError where it is none."""
        try:
            said = json.loads(where)
            self._port, self._secret, self._path = int(said["port"]), str(said["secret"]), str(said["path"])
            self._inputs = [
                SimpleNamespace(name=name, type="tensor(int64)" if name == _GIVEN[1] else "tensor(float)", shape=[])
                for name in map(str, said.get("inputs", _GIVEN[:1]))
            ]
            self._outputs = [SimpleNamespace(name=str(name)) for name in said["outputs"]]
            self._secret.encode("ascii"), self._path.encode("ascii")
        except (ValueError, KeyError, TypeError) as error:
            raise RuntimeError("it does not say where its functions are") from error

    def get_inputs(self) -> list[Any]:
        return self._inputs

    def get_outputs(self) -> list[Any]:
        return self._outputs

    def run(self, names: None, given: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Asks for the function's values.

        Raises:
            ModelGone: the process has ended, or does not answer.
            RuntimeError: the function failed; the message is its own.
        """
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=_SECONDS)
        try:
            connection.request("POST", self._path, save(given), {"X-Secret": self._secret})
            answer = connection.getresponse()
            length = answer.length
            if answer.status in (403, 404) or length is None or length > _MOST:
                raise ModelGone(_GONE)  # another process has its port by now
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ModelGone(_GONE) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(body.decode("utf-8", "replace"))
        found = load(body)
        return [found[str(i)] for i in range(len(found))]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.secret = secrets.token_hex(32)
        self.functions: dict[str, Callable[..., Any]] = {}
        self.turn = threading.Lock()  # nobody has promised that the functions may be called by two threads


class _Handler(BaseHTTPRequestHandler):
    timeout = _SECONDS
    server: _Server

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        function = self.server.functions.get(self.path)
        if not hmac.compare_digest(self.headers.get("X-Secret", "").encode(), self.server.secret.encode()):
            self._answer(403, b"")
        elif function is None or not length.isdecimal() or int(length) > _MOST:
            self._answer(404, b"")
        else:
            self._answer(*self._called(function, self.rfile.read(int(length))))

    def _called(self, function: Callable[..., Any], data: bytes) -> tuple[int, bytes]:
        try:
            given = load(data)
            with self.server.turn:
                found = function(*(given[name] for name in _GIVEN if name in given))
            parts = found if isinstance(found, tuple) else (found,)
            return 200, save({str(i): np.array(part, np.float32) for i, part in enumerate(parts)})
        except Exception as error:  # whatever a person's function raises
            said = (str(error).strip().splitlines() or [""])[0]
            return 500, f"{type(error).__name__}: {said}"[:300].encode()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@cache
def _server() -> _Server:
    server = _Server()
    threading.Thread(target=server.serve_forever, name="model functions", daemon=True).start()
    return server
