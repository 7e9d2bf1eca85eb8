"""What can be told of the Dockerfile without a container engine: what it copies, what it runs, who runs it."""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from pathlib import Path

import pytest

from explorer.__main__ import main

ROOT = Path(__file__).parent.parent
LINES = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text("utf-8")).splitlines()


def said(instruction: str) -> list[str]:
    return [line.split(" ", 1)[1].strip() for line in LINES if line.startswith(f"{instruction} ")]


COPIED = [name for line in said("COPY") if "--from" not in line for name in line.split()[:-1]]


@pytest.mark.parametrize("name", COPIED)
def test_what_it_copies_is_there_and_is_sent_to_the_engine(name):
    assert (ROOT / name).exists()
    rules = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    sent = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert name in sent
    assert not [rule for rule in rules if rule[:1] not in ("!", "#", "*") and fnmatch.fnmatch(name, rule)]


def test_it_copies_all_that_the_wheel_is_made_of():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml", "requirements.txt", "README.md", "LICENSE"}
    assert needed <= set(COPIED)


def test_it_serves_as_nobody_in_particular_and_watches_whether_it_does(capsys):
    command = json.loads(said("CMD")[-1])
    assert command[0] == "latent-explorer"
    assert "latent-explorer" in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    with pytest.raises(SystemExit, match=r"^0$"):
        main([command[1], *command[2:], "--help"])
    assert said("USER") == ["explorer"]
    assert LINES.index("USER explorer") > max(i for i, line in enumerate(LINES) if line.startswith("RUN"))
    port = command[command.index("--port") + 1]
    assert said("EXPOSE") == [port]
    (health,) = said("HEALTHCHECK")
    code = json.loads(health.split("CMD ", 1)[1])[2]
    compile(code, "health", "exec")
    assert f"localhost:{port}/_stcore/health" in code
    capsys.readouterr()


def test_its_python_and_its_torch_are_those_of_the_program():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    for image in said("FROM"):
        version = re.match(r"python:3\.(\d+)-slim", image)
        assert int(version[1]) >= int(wanted.removeprefix(">=3."))
    (line,) = (line for line in said("RUN") if "https://download.pytorch.org/whl/cpu" in line)
    assert "--constraint /tmp/requirements.txt torch torchvision " in line  # PyPI's torchvision asks for CUDA's library
