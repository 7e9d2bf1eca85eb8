"""What the pages share of Streamlit: cached loading, the view and its URL, components and panels."""

from streamlit.runtime.pages_manager import PagesManager

# Until the first visitor has run `navigation.py`, Streamlit takes a folder `pages/` for its older kind of app: whoever
# came first, by an address such as /train, would get that page without navigation and sidebar.
PagesManager.uses_pages_directory = False
