"""How much one person may upload to a server that several share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from explorer.ui import browser_cookie
from explorer.ui.upload_limit import UploadLimit


class Server:
    """Streamlit's store of uploads behind the limit of 100 bytes; files come as the browser sends them."""

    def __init__(self) -> None:
        self.files = MemoryUploadedFileManager("/_stcore/upload_file")
        self.limited = UploadLimit(
            self._take, 100, lambda session: sum(len(f.data) for f in self.files.file_storage.get(session, {}).values())
        )

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, session, name = scope["path"].rsplit("/", 2)
        data = await Request(scope, receive).body()
        await asyncio.sleep(0)
        self.files.add_file(session, UploadedFileRec(name, name, "", data))
        await PlainTextResponse("", 204)(scope, receive, send)

    async def put(self, session: str, name: str, size: int, cookie: str = "") -> int:
        """The status of the answer."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(size), "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"content-length", str(size).encode()), (b"cookie", cookie.encode())]
        path = f"/base/_stcore/upload_file/{session}/{name}"
        await self.limited({"type": "http", "method": "PUT", "path": path, "headers": headers}, receive, send)
        return int(sent[0]["status"])

    def together(self, *puts: tuple[str, str, int]) -> Iterable[int]:
        async def run() -> list[int]:
            return await asyncio.gather(*(self.put(*put) for put in puts))

        return asyncio.run(run())


@pytest.fixture
def cookies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those of two browsers."""
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    return [f"{browser_cookie.NAME}={browser_cookie.written(browser_cookie.new_ident())}" for _ in range(2)]


def test_a_session_may_hold_so_much_until_it_lets_go():
    server = Server()
    assert server.together(("s", "one", 60)) == [204]
    assert server.together(("s", "two", 60)) == [413]
    server.files.remove_file("s", "one")
    assert server.together(("s", "two", 60)) == [204]


def test_files_that_come_at_once_are_counted_together():
    assert sorted(Server().together(*(("s", str(i), 40) for i in range(5)))) == [204, 204, 413, 413, 413]


def test_more_sessions_give_a_person_no_more_room(cookies):
    server = Server()
    ada, bob = cookies
    assert asyncio.run(server.put("one", "a", 60, ada)) == 204
    assert asyncio.run(server.put("two", "b", 60, ada)) == 413
    assert asyncio.run(server.put("three", "c", 60, bob)) == 204
    server.files.remove_session_files("one")
    assert asyncio.run(server.put("two", "b", 60, ada)) == 204
