"""The cookie by which a shared server without sign-in knows a browser again: an id, signed.

It is set with the page itself, so that the session that follows has it, and no script can read it.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
from functools import lru_cache
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.checkpoints.folder import runs_folder

NAME = "latent_explorer_browser"
_SECONDS = 400 * 86_400  # the longest that browsers keep one; every visit renews it
_VALUE = re.compile(r"(b-[0-9a-f]{20})\.([0-9a-f]{64})")
_KEY = ".browser-key"


def new_ident() -> str:
    """Makes the id of a browser that has none."""
    return f"b-{secrets.token_hex(10)}"


def read(value: str) -> str:
    """Returns the id in a cookie; empty where this server has not signed it."""
    found = _VALUE.fullmatch(value)
    return found[1] if found and hmac.compare_digest(_signature(found[1]), found[2]) else ""


def written(ident: str) -> str:
    """The cookie's value for an id."""
    return f"{ident}.{_signature(ident)}"


def _signature(ident: str) -> str:
    return hmac.new(key(runs_folder().absolute()), ident.encode(), "sha256").hexdigest()


@lru_cache(maxsize=8)
def key(folder: Path) -> bytes:
    """The key that belongs to a runs folder: with the runs it outlives the server.

    Where the folder cannot be written the key lasts as long as the server.
    """
    file = folder / _KEY
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f".{secrets.token_hex(8)}.part"
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
                made.write(secrets.token_bytes(32))
            with contextlib.suppress(FileExistsError):
                os.link(fresh, file)  # of two servers the first one counts
        finally:
            fresh.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        if len(found := file.read_bytes()) == 32:
            return found
    return secrets.token_bytes(32)


class BrowserCookie:
    """Middleware that gives every browser that opens a page its id, or renews the one that it has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        ident = read(cookie_parser(headers.get("cookie", "")).get(NAME, "")) or new_ident()
        path = f"/{str(st.get_option('server.baseUrlPath') or '').strip('/')}"
        secure = "https" in (scope.get("scheme"), headers.get("x-forwarded-proto"))
        cookie = f"{NAME}={written(ident)}; Max-Age={_SECONDS}; Path={path}; HttpOnly; SameSite=Lax"

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", f"{cookie}; Secure" if secure else cookie)
            await send(message)

        await self._app(scope, receive, add)
