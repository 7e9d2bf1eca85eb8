"""When the server's script has run to its end, as page and server tell each other so."""

from __future__ import annotations

import time
from weakref import WeakKeyDictionary

from playwright.sync_api import Page, WebSocket, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

WAIT_MS = 90_000
BUSY_MS = 240_000  # for pages that many others are drawn beside, and for what trains or opens several models
TEST_SECONDS = 900  # a test with what its server and its models need before it, on a machine that is slow and busy

IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
_LOST_SECONDS = 10.0  # the server drops what is asked of a fragment that is not there any more, and says nothing
_PAINTED = (
    "() => new Promise((done) =>"
    " requestAnimationFrame(() => requestIdleCallback(() => requestAnimationFrame(() => done()), { timeout: 2000 })))"
)


class Talk:
    """What of a page's requests the server still has to answer. That of a page is found by `of`."""

    _known: WeakKeyDictionary[Page, Talk] = WeakKeyDictionary()

    def __init__(self, page: Page) -> None:
        self._asked: dict[str, float] = {}  # the fragment to run, "" for the whole script, and when it was asked for
        self._running = False
        page.on("websocket", self._meet)
        self._known[page] = self

    @classmethod
    def of(cls, page: Page) -> Talk:
        return cls._known[page]

    @property
    def busy(self) -> bool:
        """Whether the script runs or is about to."""
        lost = time.monotonic() - _LOST_SECONDS
        if not self._running:
            self._asked = {what: at for what, at in self._asked.items() if what == "" or at > lost}
        return self._running or bool(self._asked)

    def _meet(self, socket: WebSocket) -> None:
        self._asked, self._running = {}, False
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _sent(self, payload: bytes | str) -> None:
        if isinstance(payload, str):
            return
        message = BackMsg.FromString(payload)
        if message.WhichOneof("type") == "rerun_script" and not message.rerun_script.is_auto_rerun:
            self._asked[message.rerun_script.fragment_id] = time.monotonic()

    def _received(self, payload: bytes | str) -> None:
        if isinstance(payload, str):
            return
        message = ForwardMsg.FromString(payload)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._running = True
            fragments = message.metadata.run.fragment_ids
            self._asked = {what: at for what, at in self._asked.items() if fragments and what not in fragments}
        elif kind == "script_finished":
            self._running = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN


def painted(page: Page) -> None:
    """Wait until the browser has done what it knows of, and painted it."""
    page.evaluate(_PAINTED)


def idle(page: Page, timeout: float = WAIT_MS) -> None:
    """Wait until the server's script has run to its end, also what was asked for just now, and the page shows it."""
    end = time.monotonic() + timeout / 1000
    painted(page)  # what an input event has led to has left
    while Talk.of(page).busy:
        assert time.monotonic() < end, "the script runs and runs"
        page.wait_for_timeout(10)
    painted(page)
    expect(page.locator(IDLE)).to_have_count(1, timeout=timeout)
