"""A proxy that takes a path off what it passes on, as JupyterHub, code-server and most rules of nginx do."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

HEAD = re.compile(rb"(\w+) (\S+) (HTTP/1\.1\r\n.*\r\n\r\n)", re.DOTALL)


@contextlib.contextmanager
def stripping(url: str, prefix: str) -> Iterator[str]:
    """Passes what is below a prefix on to a server, websockets too, and refuses all else; gives the page's address.

    Args:
        url: of the server.
        prefix: such as `/user/ada/proxy/8501`.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = asyncio.start_server(lambda *ends: _serve(*ends, url, prefix.encode()), "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(30)
    try:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}{prefix}/"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, url: str, prefix: bytes) -> None:
    """One request to a connection: after its head bytes go both ways as they come."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
        found = HEAD.fullmatch(await reader.readuntil(b"\r\n\r\n"))
        if found is None or not found[2].startswith(prefix + b"/"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        method, path, rest = found.groups()
        if b"\r\nupgrade: websocket" not in rest.lower():
            rest = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", rest).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        there, back = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        with contextlib.closing(back):
            back.write(b" ".join((method, path.removeprefix(prefix), rest)))
            ways = [asyncio.create_task(_pass_on(*way)) for way in ((reader, back), (there, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
        await target.drain()
