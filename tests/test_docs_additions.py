"""The complete examples of `docs/add-….md` work: a copy of the program takes them in, runs their tests and commands."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("add-*.md"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program that has what all the pages add."""
    copy = tmp_path_factory.mktemp("program")
    for folder in ("explorer", "pages"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy / "pyproject.toml")
    (copy / "checkpoints").symlink_to(ROOT / "checkpoints")
    for page in PAGES:
        add(page.read_text("utf-8"), copy)
    return copy


def add(page: str, copy: Path) -> None:
    """Write the page's new files, and change those that it changes."""
    for name, text in re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", page, re.S | re.M):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text, "utf-8")
    for name, change in re.findall(r"^```diff\n--- (\S+)\n(.*?)^```", page, re.S | re.M):
        lines = change.splitlines()
        before = "\n".join(line[1:] for line in lines if line[0] in " -")
        after = "\n".join(line[1:] for line in lines if line[0] in " +")
        text = (copy / name).read_text("utf-8")
        assert text.count(before) == 1, f"{name} has the lines of this change {text.count(before)} times:\n{before}"
        (copy / name).write_text(text.replace(before, after), "utf-8")


def test_the_examples_pass_their_own_tests(program):
    tests = [re.findall(r"^```python\n# (tests/\S+\.py)$", page.read_text("utf-8"), re.M) for page in PAGES]
    assert all(tests)
    run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chain.from_iterable(tests)], program)


def test_the_commands_run(program):
    """One after the other in one process, which imports PyTorch once."""
    blocks = [re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.S | re.M) for page in PAGES]
    typed = [shlex.split(command, comments=True) for block in chain(*blocks) for command in block.splitlines()]
    assert [words[:3] for words in typed] == [["python", "-m", "explorer"]] * len(typed)
    script = "import json, sys; from explorer.__main__ import main; sys.exit(any(map(main, json.loads(sys.argv[1]))))"
    run([sys.executable, "-c", script, json.dumps([words[3:] for words in typed])], program)


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
