"""What every answer of the server tells browsers to refuse, and the names under which the server may be asked."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Collection
from hashlib import sha256
from importlib.resources import files
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.files.hosting import hosting
from explorer.ui.front_page import AT_SCREEN, ON_ERROR
from explorer.ui.people import LOCAL

__all__ = ["Guard"]

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class Guard:
    """Middleware, the outermost: refuses requests to a foreign name, and sets the security headers of all answers.

    A page elsewhere can have its own name lead to this computer (DNS rebinding), and a browser then lets it talk to
    the app as if the app were its own. The name it was asked by is in `Host`. A server that listens on this computer
    only answers to this computer's names, and to that of the address in a host's settings, unless
    `server.allowedHosts` lists others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._hosts = _hosts()
        settings = hosting()
        framed = settings.embed_in if settings else os.environ.get("EXPLORER_EMBED_IN", "").split()  # `explorer.show`
        self._headers = security_headers(framed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        if is_allowed(Headers(scope=scope).get("host", ""), self._hosts):
            await self._app(scope, receive, guarded)
        elif scope["type"] == "http":
            text = (
                "This server does not answer to this name. "
                "Start it with --name and this name, or open the app as localhost on the computer that runs it.\n"
            )
            await PlainTextResponse(text, 421)(scope, receive, guarded)
        else:
            await send({"type": "websocket.close", "code": 1008})


def _hosts() -> list[str]:
    if allowed := st.get_option("server.allowedHosts"):
        return list(allowed)
    if st.get_option("server.address") in LOCAL:
        settings = hosting()
        named = (urlsplit(settings.url).hostname if settings else "") or "localhost"
        return [*LOCAL, named, st.get_option("browser.serverAddress")]
    return ["*"]


def is_allowed(host: str, allowed: Collection[str]) -> bool:
    """Whether a Host header names one of the allowed hosts, whatever its port; `*.` before a name allows all below."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    for pattern in (entry.strip().lower().rstrip(".") for entry in allowed):
        if pattern == "*" or name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:])):
            return True
    return False


def security_headers(embed_in: Collection[str] = ()) -> dict[str, str]:
    """Lists the headers of every answer.

    The policy allows what Streamlit needs: components come as modules in `blob:` addresses, scripts set styles, and a
    style sheet contains a font. It refuses `eval` and `Function`, by which plotly.js compiles the programs of its WebGL
    plots: no figure here is one.

    Args:
        embed_in: origins whose pages may show the app in a frame, such as `https://moodle.example.org`.
    """
    page = files("streamlit").joinpath("static", "index.html").read_text("utf-8")
    inline = " ".join(_hash(script) for script in [*_INLINE.findall(page), AT_SCREEN, ON_ERROR])
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' blob: 'unsafe-hashes' {inline}",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": " ".join(embed_in) or "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {allowed}" for name, allowed in policy.items()),
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return headers if embed_in else {**headers, "X-Frame-Options": "DENY"}


def _hash(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
