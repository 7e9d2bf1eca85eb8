"""How many bytes of uploads the server holds in memory for one person, on a server that several people share."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from explorer.ui import browser_cookie

_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+/?$")
_SIGNED_IN = "_streamlit_user"
_MOST_PEOPLE = 10_000  # that are remembered: a cookie costs whoever makes one up nothing


class UploadLimit:
    """Middleware that refuses an upload where its person's sessions would hold more than so many bytes.

    It counts what Streamlit holds: a screen that has taken files in lets them go.
    """

    def __init__(self, app: ASGIApp, most: int, held: Callable[[str], int] | None = None) -> None:
        """Takes the limit in bytes, and how many a session holds: what Streamlit's own manager says, if None."""
        self._app, self._most, self._held = app, most, held or bytes_held
        self._sessions: defaultdict[str, set[str]] = defaultdict(set)  # that have uploaded something, by person
        self._coming: Counter[str] = Counter()  # bytes on their way, by person

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        uploads = scope["type"] == "http" and scope["method"] in ("PUT", "POST")
        found = _UPLOAD.search(scope["path"]) if uploads else None
        if found is None:
            await self._app(scope, receive, send)
            return
        headers, session = Headers(scope=scope), found[1]
        cookies = cookie_parser(headers.get("cookie", ""))
        person = browser_cookie.read(cookies.get(browser_cookie.NAME, "")) or cookies.get(_SIGNED_IN) or session
        length = headers.get("content-length", "")
        if not length.isdecimal() or self._bytes_of(person, session) + int(length) > self._most:
            text = f"Your uploads may take {self._most / 1e6:g} MB here: remove some, or reload the page.\n"
            await PlainTextResponse(text, 413)(scope, receive, send)
            return
        self._coming[person] += int(length)
        try:
            await self._app(scope, receive, send)
        finally:
            self._coming[person] -= int(length)
            if not self._coming[person]:
                del self._coming[person]

    def _bytes_of(self, person: str, session: str) -> int:
        """Counts what is held and what is coming for all of a person's sessions, this one among them."""
        if len(self._sessions) > _MOST_PEOPLE:
            self._sessions.clear()
        known = {other for other in self._sessions.pop(person, set()) if self._held(other)}
        self._sessions[person] = known | {session}
        return sum(map(self._held, self._sessions[person])) + self._coming[person]


def bytes_held(session: str) -> int:
    """Counts the bytes of uploads that Streamlit holds for a session."""
    manager = runtime.get_instance().uploaded_file_mgr
    if not isinstance(manager, MemoryUploadedFileManager):
        return 0
    return sum(len(file.data) for file in dict(manager.file_storage.get(session, {})).values())
