"""An app of one page with a component of ours on it, beside the assets that it refers to."""

import streamlit as st
from starlette.middleware import Middleware

from explorer.ui import assets
from explorer.ui.front_page import EarlyTags
from explorer.ui.guard import Guard

app = st.App("page.py", routes=assets.routes(), middleware=[Middleware(Guard), Middleware(EarlyTags)])
