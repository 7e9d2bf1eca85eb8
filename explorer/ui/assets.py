"""Content-addressed blobs served beside the app, so that a rerun sends a URL instead of megabytes.

A page calls `publish(key, make, media_type)` on every run: that costs a dictionary entry. `make` is called on
the first request for the URL, in a thread, once, however many browsers ask at the same time; its bytes then
stay in memory until newer ones need the room, and are made again when asked for after that. The key names
the content (a digest with a suffix), so browsers may keep an answer for ever.

URLs are relative to the page's own, which alone knows the path that a proxy in front has taken off: all pages lie in
one folder.

    app = st.App(script, routes=assets.routes())
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib.metadata import version

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from explorer.checkpoints.folder import is_slug, runs_folder
from explorer.errors import ModelGone
from explorer.files.regular import read_regular
from explorer.training.frame_files import frame_file
from explorer.ui import plotly_js

__all__ = ["frames_url", "keep", "plotly", "plotly_url", "publish", "publish_sheets", "routes"]

_LOG = logging.getLogger(__name__)

_SHEET = re.compile(r"(.*[^0-9])(0|[1-9][0-9]{0,8})(\.[a-z]+)", re.DOTALL)
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PREFIX = "assets"

_MAX_BYTES = 128 * 2**20  # a 40x40 atlas is 0.2 MB, the points of a map 0.5 MB: some hundreds of views
_MAX_RECIPES = 4_000  # a recipe is a closure; what it holds on to, such as a model, stays alive with it
_MAX_AGE = 12 * 3600.0  # seconds since a recipe was published or asked for: a page may lie open for a day's work
_GZIP_FROM = 1_400  # bytes: below, the answer fits one network packet anyway
_MOST_FRAME = 16 << 20  # bytes of a file of a run's frames
_WORKERS = 4  # blobs made at the same time; a slow atlas must not hold up the sprites

# Compressed here, once, because Streamlit's own middleware compresses every answer anew, at level 9.
_COMPRESSIBLE = ("application/json", "application/javascript", "image/svg+xml", "text/")


@dataclass(frozen=True)
class _Recipe:
    make: Callable[[], bytes]
    media_type: str


@dataclass(frozen=True)
class _Sheets:
    make: Callable[[int], bytes]
    media_type: str
    count: int


@dataclass(frozen=True)
class _Blob:
    body: bytes  # gzip-compressed when `gzipped`
    media_type: str
    gzipped: bool


def _blob(body: bytes, media_type: str) -> _Blob:
    gzipped = len(body) >= _GZIP_FROM and media_type.startswith(_COMPRESSIBLE)
    # Level 6: on 1 MB of JSON 40 ms, within 1% of what level 9 saves in four times that.
    return _Blob(gzip.compress(body, 6, mtime=0) if gzipped else body, media_type, gzipped)


class _Store:
    """Recipes, and a bounded cache of what they made. Every method may be called from any thread."""

    def __init__(self, max_bytes: int = _MAX_BYTES, max_recipes: int = _MAX_RECIPES, max_age: float = _MAX_AGE) -> None:
        self._max_bytes = max_bytes
        self._max_recipes = max_recipes
        self._max_age = max_age
        self._lock = threading.Lock()
        self._recipes: OrderedDict[str, _Recipe | _Sheets] = OrderedDict()  # the longest unused first
        self._used: dict[str, float] = {}  # when each of them was
        self._blobs: OrderedDict[str, _Blob] = OrderedDict()
        self._making: dict[str, Future[_Blob]] = {}
        self._size = 0
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="assets")

    def register(self, key: str, recipe: _Recipe | _Sheets) -> None:
        with self._lock:
            self._recipes[key] = recipe
            self._use(key)
            while len(self._recipes) > self._max_recipes or self._age_of_the_oldest() > self._max_age:
                old, _ = self._recipes.popitem(last=False)
                del self._used[old]

    def _use(self, key: str) -> None:
        self._recipes.move_to_end(key)
        self._used[key] = time.monotonic()

    def _age_of_the_oldest(self) -> float:
        return time.monotonic() - self._used[next(iter(self._recipes))]

    def get(self, key: str) -> Future[_Blob] | None:
        """The blob, made or being made; None when nobody published `key`."""
        with self._lock:
            if (blob := self._blobs.get(key)) is not None:
                self._blobs.move_to_end(key)
                self._find(key)
                done: Future[_Blob] = Future()
                done.set_result(blob)
                return done
            if (waiting := self._making.get(key)) is not None:
                return waiting
            if (recipe := self._find(key)) is None:
                return None
            future = self._making[key] = self._pool.submit(self._make, key, recipe)
            return future

    def _find(self, key: str) -> _Recipe | None:
        """Finds what makes a blob, and notes that it was used; a sheet's recipe is that of all of its kind."""
        found = self._recipes.get(key)
        if found is None and (parts := _SHEET.fullmatch(key)):
            key = f"{parts[1]}{{sheet}}{parts[3]}"
            sheets, number = self._recipes.get(key), int(parts[2])
            if isinstance(sheets, _Sheets) and number < sheets.count:
                found = _Recipe(partial(sheets.make, number), sheets.media_type)
        if isinstance(found, _Recipe):
            self._use(key)
            return found
        return None

    def _make(self, key: str, recipe: _Recipe) -> _Blob:
        try:
            blob = _blob(recipe.make(), recipe.media_type)
        except BaseException:
            with self._lock:
                del self._making[key]  # the next request tries again
            raise
        with self._lock:
            del self._making[key]
            self._blobs[key] = blob
            self._size += len(blob.body)
            # The newest blob stays even when it is larger than the whole cache: its readers are waiting.
            while self._size > self._max_bytes and len(self._blobs) > 1:
                _, old = self._blobs.popitem(last=False)
                self._size -= len(old.body)
        return blob


_store = _Store()


def publish(key: str, make: Callable[[], bytes], media_type: str) -> str:
    """Registers a blob that `make` computes when a browser first asks; returns its URL.

    Args:
        key: identifies the content: whenever the bytes differ, so must the key. 1 to 200 characters of
            `[A-Za-z0-9._-]`, starting with a letter or digit, such as `f"{digest}-atlas-40.webp"`.
        make: returns the bytes. Runs in a thread of the server, outside any session: it must not call Streamlit
            commands. The newest 4,000 of the last twelve hours are kept, so it should hold on to little.
        media_type: sent as the Content-Type.
    """
    if not _KEY.fullmatch(key) or key == plotly_js.FILE:
        raise ValueError(f"not a key for an asset: {key!r}")
    _store.register(key, _Recipe(make, media_type))
    return f"{_PREFIX}/{key}"


def publish_sheets(key: str, make: Callable[[int], bytes], *, count: int, media_type: str = "image/webp") -> str:
    """Registers `count` sheets of one kind, however many; returns the template of their URLs.

    `key` has `{sheet}` where the number of the sheet goes, as the URL has: `f"{digest}-sprites-{{sheet}}.webp"`.
    `make(sheet)` returns the bytes of one.
    """
    if key.count("{sheet}") != 1:
        raise ValueError(f"a key for sheets has {{sheet}} in it once: {key!r}")
    if not _KEY.fullmatch(key.replace("{sheet}", "0")):
        raise ValueError(f"not a key for sheets: {key!r}")
    _store.register(key, _Sheets(make, media_type, count))
    return f"{_PREFIX}/{key}"


_kept: dict[str, _Blob] = {}


def keep(folder: str, file: str, body: bytes, media_type: str) -> None:
    """Serve a file for as long as the server runs, at `assets/{folder}/{file}` from the page's address.

    Its neighbours are where it looks for them, such as the modules that a module imports.

    Args:
        folder: names the contents of all files in it, by a digest: one name.
        file: relative, with slashes where it has folders.
    """
    _kept[f"{folder}/{file}"] = _blob(body, media_type)


@cache
def plotly_url() -> str:
    """URL of plotly.js, with its version, as the browser keeps it for a year."""
    return f"{_PREFIX}/{plotly_js.FILE}?v={version('plotly')}"


def frames_url(run: str) -> str:
    """URL, with a slash at its end, of the files in a run's `frames/`: each name has its contents' digest."""
    return f"{_PREFIX}/frames/{run}/"


def routes() -> list[Route]:
    """Starlette routes for `st.App(..., routes=routes())`.

    Streamlit puts no base path before an app's own routes. They answer below server.baseUrlPath and at the
    root, as a proxy in front may or may not have removed that path.
    """
    bases = dict.fromkeys((_base(), ""))
    found = []
    for base in bases:
        found.append(Route(f"{base}/{_PREFIX}/{plotly_js.FILE}", _serve_plotly, methods=["GET"]))
        found.append(Route(f"{base}/{_PREFIX}/frames/{{run}}/{{name}}", _serve_frame, methods=["GET"]))
        found.append(Route(f"{base}/{_PREFIX}/{{key}}", _serve_blob, methods=["GET"]))
        found.append(Route(f"{base}/{_PREFIX}/{{path:path}}", _serve_kept, methods=["GET"]))
    return found


def _base() -> str:
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


_plotly_lock = threading.Lock()


@lru_cache(maxsize=1)
def _plotly() -> _Blob:
    return _Blob(gzip.compress(plotly_js.source().encode(), 6, mtime=0), "text/javascript", gzipped=True)


def plotly() -> _Blob:
    """Returns plotly.js as it is served; the first call takes a second."""
    with _plotly_lock:  # lru_cache alone lets two first requests both compress
        return _plotly()


async def _serve_plotly(request: Request) -> Response:
    return _answer(request, await asyncio.to_thread(plotly))


async def _serve_blob(request: Request) -> Response:
    key = request.path_params["key"]
    future = _store.get(key) if _KEY.fullmatch(key) else None
    if future is None:
        return _refusal("Unknown asset.", 404)
    try:
        # Shielded: a browser that goes away must not cancel what others are waiting for.
        blob = await asyncio.shield(asyncio.wrap_future(future))
    except ModelGone as error:
        return _refusal(str(error), 503)
    except Exception:
        _LOG.exception("Asset %s could not be made", key)
        return _refusal("This asset could not be made.", 500)
    return _answer(request, blob)


async def _serve_kept(request: Request) -> Response:
    blob = _kept.get(request.path_params["path"])
    return _refusal("Unknown asset.", 404) if blob is None else _answer(request, blob)


async def _serve_frame(request: Request) -> Response:
    run, name = request.path_params["run"], request.path_params["name"]
    file = frame_file(runs_folder() / run, name) if is_slug(run) else None
    media_type = "image/webp" if name.endswith(".webp") else "application/json"
    try:
        blob = await asyncio.to_thread(lambda: _blob(read_regular(file, _MOST_FRAME), media_type)) if file else None
    except OSError:  # thinned out meanwhile
        blob = None
    return _refusal("Unknown frame.", 404) if blob is None else _answer(request, blob)


def _answer(request: Request, blob: _Blob) -> Response:
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    body = blob.body
    if blob.gzipped:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
    return Response(body, media_type=blob.media_type, headers=headers)


def _refusal(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, headers={"Cache-Control": "no-store"})
