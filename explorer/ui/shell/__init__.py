"""The script that Streamlit runs, in a folder of its own.

Beside a folder `pages/` Streamlit would take it for its older kind of app until the first visitor has run it: whoever
came first, by an address such as /train, would get that page without navigation and sidebar.
"""

from pathlib import Path

NAVIGATION = Path(__file__).parent / "navigation.py"
