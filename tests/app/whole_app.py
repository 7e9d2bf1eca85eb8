"""What Streamlit's test runner runs as the app: `navigation.py`, from a folder that has no `pages/` beside it.

With one beside the script, the runner takes every page for a script of its own and leaves navigation and sidebar out.
"""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[2] / "navigation.py"))
