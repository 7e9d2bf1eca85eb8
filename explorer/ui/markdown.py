"""Text from files and people, where Streamlit reads Markdown: shown as it is, with no links, pictures or formulas."""

from __future__ import annotations

import re

_MARKS = re.compile(r"[\\`*_\[\]()<>~$#|!:&]|^[-+=](?=[-+=\s]|$)")
_NUMBERED = re.compile(r"^\d+(?=\.)")
# What Streamlit looks for in a text once its marks have been read: addresses, icons and emoji, arrows and dashes.
_FOUND = re.compile(
    r"(?<=:)(?=//|material[/_]|[\w+-]+:)|(?<=www)(?=\.)|(?<=@)(?=[-\w])|(?<!\S)(?=(?:<->|->|<-|--|>=|<=|~=)(?!\S))",
    re.IGNORECASE,
)
_JOINER = "\u2060"  # a word joiner, which has no width and breaks no line
_COMMAND = re.compile(r"(`(?:[\w ./~:\\'\"-]+ -m explorer|pip install) [\w ./~:\\'\"-]+`)")


def plain(text: str) -> str:
    """Escapes a text for `st.error` and its like; line breaks become spaces. Our commands stay set as code."""
    commands = _COMMAND.split(" ".join(text.split()))
    return "".join(part if i % 2 else _escaped(part) for i, part in enumerate(commands))


def _escaped(text: str) -> str:
    return _NUMBERED.sub(r"\g<0>\\", _MARKS.sub(r"\\\g<0>", _FOUND.sub(_JOINER, text)))


def sentence(error: Exception) -> str:
    """An error's text as a sentence for `st.error`: with a full stop, and a capital unless a file's name begins it."""
    text = str(error).strip()
    ended = text.endswith((".", "!", "?"))
    named = "." in text.partition(" ")[0]
    return plain(f"{text[:1] if named else text[:1].upper()}{text[1:]}{'' if ended else '.'}")
