"""What `streamlit run app.py` serves: the Streamlit script, and beside it the pictures that it refers to."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st

from explorer.ui import assets


@asynccontextmanager
async def warm(app: Any) -> AsyncIterator[None]:
    """Import what every page needs before the first visitor waits for it."""
    import explorer.ui.library  # noqa: F401

    # The imports leave half a million objects that live as long as the server: no collection need look at them.
    gc.collect()
    gc.freeze()
    yield


app = st.App("navigation.py", routes=assets.routes(), lifespan=warm)
