"""Commands that are printed work in any terminal."""

import sys
from pathlib import Path

from explorer.files.shipped import command
from explorer.ui.markdown import plain


def test_a_command_names_this_python_relative_where_it_can(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(Path.cwd() / ".venv" / "bin" / "python"))
    assert command("data list") == ".venv/bin/python -m explorer data list"
    monkeypatch.setattr(sys, "executable", "/opt/other/bin/python3.11")
    assert command("data list") == "/opt/other/bin/python3.11 -m explorer data list"
    monkeypatch.setattr(sys, "executable", "/opt/a b/python")
    assert command("data list") == "'/opt/a b/python' -m explorer data list"


def test_commands_stay_code_on_screens():
    typed = "`'/opt/a b/.venv/bin/python' -m explorer data fetch torchvision:SVHN --data-root /x_y/z`"
    assert plain(f"Run {typed}, or *not*.") == f"Run {typed}, or \\*not\\*."
