"""Text as Streamlit's Markdown is given it; `tests/browser/components/test_plain_text.py` looks at the page."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from explorer.ui.markdown import plain


@given(st.text(st.one_of(st.sampled_from("`*_[]()<>!:/@#.-=+1w|~$& "), st.characters(codec="utf-8")), max_size=30))
def test_every_character_is_there_still(text):
    shown = re.sub(r"\\(.)", r"\1", plain(text).replace("\u2060", ""))
    assert shown == " ".join(text.split()).replace("\u2060", "")


def test_commands_of_ours_stay_set_as_code():
    assert plain("Run `pip install mlxtend`: [x](y).") == "Run `pip install mlxtend`\\: \\[x\\]\\(y\\)."
    said = plain("Get it with `python -m explorer data fetch mnist`, or `not so`.")
    assert "`python -m explorer data fetch mnist`" in said
    assert "\\`not so\\`" in said
    assert plain("`python -m explorer ![x](y)`").startswith("\\`")
