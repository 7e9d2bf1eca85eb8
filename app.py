"""What `streamlit run app.py` serves: the Streamlit script, and beside it the pictures that it refers to."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st

from explorer.ui import assets

_LOG = logging.getLogger(__name__)


async def keep_queue() -> None:
    """Start the runs that wait, whether or not somebody has the app open."""
    from explorer import runs

    said = ""
    while True:
        try:
            await asyncio.to_thread(runs.advance)
            said = ""
        except Exception as error:  # such as a runs folder that cannot be written just now
            if said != (said := str(error)):
                _LOG.exception("The queue of runs could not be looked at")
        await asyncio.sleep(1.0)


@asynccontextmanager
async def ready(app: Any) -> AsyncIterator[None]:
    """Import what every page needs before the first visitor waits for it, and look after the queue."""
    import explorer.ui.cache  # noqa: F401

    # The imports leave half a million objects that live as long as the server: no collection need look at them.
    gc.collect()
    gc.freeze()
    queue = asyncio.create_task(keep_queue())
    yield
    queue.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await queue


app = st.App("navigation.py", routes=assets.routes(), lifespan=ready)
