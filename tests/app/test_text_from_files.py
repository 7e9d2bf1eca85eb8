"""A foreign model may call its data and classes anything: no screen reads that as Markdown."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui import cache
from tests.app.screens import PAGES, TIMEOUT
from tests.app.tiny_runs import CONV

LINK = "![x](http://evil.example/x.png) [y](http://evil.example)"
_READ = ("body", "label", "help", "text", "content")  # fields of Streamlit's messages that it reads as Markdown
_AS_TEXT = ("html", "selectbox", "multiselect", "text_input", "bidi_component", "component_instance", "data_frame")
SCREENS = [("explore", {"index": "0"}), ("explore", {"index": "0", "color": "kl"}), ("train", {})]
SCREENS += [("reconstruct", {"source": source}) for source in ("upload", "test")]
SCREENS += [("arithmetic", {"tool": tool}) for tool in ("expression", "walk", "traversal", "sliders", "directions")]


@pytest.fixture
def hostile(own_runs, tmp_path, monkeypatch) -> Iterator[None]:
    """A model whose data set, classes and preset have such names, and a damaged one that says so by such a name."""
    runs = tmp_path / "hostile"
    for name in ("tiny-conv", "damaged"):
        shutil.copytree(own_runs / CONV.removeprefix("runs/"), runs / name)
        config = json.loads((runs / name / "config.json").read_text())
        config["dataset"] |= {"name": LINK, "only": LINK}
        config["classes"] = [f"{LINK} {i}" for i in range(len(config["classes"]))]
        config["preset"] = LINK
        if name == "damaged":
            config["model"]["family"] = LINK
        text = json.dumps(config)
        sums = (runs / name / "SHA256SUMS").read_text().splitlines()
        own = f"{hashlib.sha256(text.encode()).hexdigest()}  config.json"
        (runs / name / "config.json").write_text(text)
        lines = [own if line.endswith("  config.json") else line for line in sums]
        (runs / name / "SHA256SUMS").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("EXPLORER_RUNS", str(runs))
    cache.all_checkpoints.clear()
    yield
    cache.all_checkpoints.clear()


def read_as_markdown(message: Any, kind: str = "") -> Iterator[str]:
    """The texts of a message, and of those within it, that Streamlit reads as Markdown."""
    for field, value in message.ListFields():
        inner = list(value) if field.is_repeated else [value]
        for one in inner:
            if hasattr(one, "ListFields"):
                yield from read_as_markdown(one, field.name)
            elif isinstance(one, str) and field.name in _READ:
                yield one


@pytest.mark.parametrize(("screen", "query"), SCREENS)
@pytest.mark.usefixtures("hostile")
def test_no_screen_reads_a_foreign_name_as_markdown(screen, query):
    at = AppTest.from_file(PAGES / f"{screen}.py", default_timeout=TIMEOUT)
    for name, value in {"model": CONV, **query}.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    seen = 0
    for node in at:
        proto = getattr(node, "proto", None)
        if not hasattr(proto, "ListFields") or node.type in _AS_TEXT:
            continue
        for text in read_as_markdown(proto):
            seen += "evil" in text
            assert not re.search(r"(?<!\\)\]\(|://evil", text), (node.type, text)
    assert seen or screen == "train"
