"""What a browser fetches while Streamlit's own scripts start: the app's style sheet, and plotly.js for the maps.

Streamlit sends one HTML page for all addresses. Without this the style would come with the first messages of the
script, and plotly.js, half of all bytes that a first map needs, only once the page is drawn around it. What keeps the
steps of Back and Forward has to be there before the first of them. Where the server is Streamlit would guess by the
page's address, and wait for half a second after it has asked below a screen's own.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.ui import assets

__all__ = ["AT_SCREEN", "ON_ERROR", "EarlyTags"]

ON_ERROR = "this.remove()"
"""What the page does where plotly.js does not load early: the map then asks for it anew."""

AT_SCREEN = 'window.__streamlit={BACKEND_BASE_URL:new URL(".",location).href}'
"""What a screen's page does first: it says where the server is."""

_HERE = Path(__file__).parent
_STYLE = (_HERE / "style.css").read_bytes()
_STYLE_KEY = f"app-{sha256(_STYLE).hexdigest()[:20]}.css"
_STEPS = (_HERE / "components" / "shared" / "history.js").read_bytes()
_STEPS_KEY = f"history-{sha256(_STEPS).hexdigest()[:20]}.js"
_WITHOUT_MAP = ("cells", "train")
_SCREENS = ("arithmetic", "reconstruct", "compare", *_WITHOUT_MAP)  # Explore is at the server's own address


class EarlyTags:
    """Middleware that adds to the head of Streamlit's page; another answer goes through as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        # As plain text, whatever the browser reads, and in full, whatever it has: the page itself is 3 kB.
        unwanted = (b"accept-encoding", b"if-none-match", b"if-modified-since")
        plain = {**scope, "headers": [item for item in scope["headers"] if item[0] not in unwanted]}
        start: Message | None = None
        body = b""

        async def add(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            elif message.get("more_body"):
                body += message.get("body", b"")
            else:
                body = _with_tags(body + message.get("body", b""), scope["path"], scope.get("query_string", b""))
                headers = MutableHeaders(scope=start)
                headers["content-length"] = str(len(body))
                del headers["etag"], headers["last-modified"]  # those of the page without the tags
                await send(start)
                await send({"type": "http.response.body", "body": body})

        await self._app(plain, receive, add)


def _is_page(message: Message) -> bool:
    return message["status"] == 200 and Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")


def _with_tags(page: bytes, path: str, query: bytes) -> bytes:
    """The page with the tags before its head's end; as it is where Streamlit has come to send none."""
    screen = path.rpartition("/")[2]
    tags = f'<link rel="stylesheet" href="{assets.publish(_STYLE_KEY, lambda: _STYLE, "text/css")}">'
    tags += f'<script type="module" src="{assets.publish(_STEPS_KEY, lambda: _STEPS, "text/javascript")}"></script>'
    if screen in _SCREENS and path.strip("/") != st.get_option("server.baseUrlPath").strip("/"):
        tags += f"<script>{AT_SCREEN}</script>"
    if screen not in _WITHOUT_MAP and (screen != "compare" or b"part=maps" in query):
        tags += f'<script async src="{assets.plotly_url()}" onerror="{ON_ERROR}"></script>'
    return page.replace(b"</head>", tags.encode() + b"</head>", 1)
