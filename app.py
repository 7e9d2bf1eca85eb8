"""What `streamlit run app.py` serves: the Streamlit script, and beside it the pictures that it refers to."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from explorer.files.hosting import hosting
from explorer.ui import account, assets, monitor, people
from explorer.ui.browser_cookie import BrowserCookie
from explorer.ui.front_page import EarlyTags
from explorer.ui.guard import Guard
from explorer.ui.shell import NAVIGATION
from explorer.ui.upload_limit import UploadLimit

_LOG = logging.getLogger(__name__)


async def keep_queue() -> None:
    """Starts the runs that wait, whether or not somebody has the app open."""
    from explorer import runs

    said = ""
    while True:
        try:
            await asyncio.to_thread(runs.advance)
            monitor.queue_seen()
            said = ""
        except Exception as error:  # such as a runs folder that cannot be written just now
            if said != (said := str(error)):
                _LOG.exception("The queue of runs could not be looked at")
        await asyncio.sleep(1.0)


def warm() -> None:
    """Imports what the first page needs, while its visitor's browser still loads Streamlit."""
    for name in (
        "sidebar",
        "codes.map_view",
        "explore.decoded",
        "explore.group",
        "explore.grid",
        "explore.samples",
        "tours.panel",
    ):
        import_module(f"explorer.ui.{name}")
    assets.plotly()
    gc.freeze()


@asynccontextmanager
async def ready(app: Any) -> AsyncIterator[None]:
    """Imports what every page needs before the first visitor waits for it, and looks after the queue."""
    import explorer.ui.cache  # noqa: F401
    from explorer.ui.folder_jobs import remove_old

    # The imports leave half a million objects that live as long as the server: no collection need look at them.
    gc.collect()
    gc.freeze()
    remove_old()
    if said := account.notice():
        _LOG.warning(said)
    tasks = [asyncio.create_task(keep_queue()), asyncio.create_task(asyncio.to_thread(warm))]
    yield
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


middleware = [Middleware(Guard), Middleware(monitor.Monitoring), Middleware(EarlyTags)]
if people.is_shared() and not people.signs_in():
    middleware.append(Middleware(BrowserCookie))
if (settings := hosting()) and settings.limits.upload_mb is not None:
    middleware.append(Middleware(UploadLimit, most=int(settings.limits.upload_mb * 1e6)))
app = st.App(
    NAVIGATION,
    routes=[*assets.routes(), *monitor.routes()],
    middleware=middleware,
    lifespan=ready,
    secrets=people.sign_in_secrets(),
)
