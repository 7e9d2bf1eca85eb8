"""Text from files and people, where Streamlit reads Markdown: shown as it is, with no links, pictures or formulas."""

from __future__ import annotations

import re

_MARKS = re.compile(r"([\\`*_\[\]()<>~$#|!:])")


def plain(text: str) -> str:
    """`text` for `st.error` and its like; line breaks become spaces."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def sentence(error: Exception) -> str:
    """An error's text as a sentence for `st.error`: with a capital and a full stop."""
    text = str(error).strip()
    ended = text.endswith((".", "!", "?"))
    return plain(f"{text[:1].upper()}{text[1:]}{'' if ended else '.'}")
