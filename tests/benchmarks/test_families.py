"""The table of families is what its command writes, and its commands train what ships."""

import argparse
import json
import shlex

import pytest

from benchmarks.families import TABLE, command, text
from explorer.checkpoints.folder import SHIPPED
from explorer.cli import training
from explorer.training.presets import Recipe, TrainConfig


def test_the_table_is_that_of_the_models_that_ship():
    assert TABLE.read_text("utf-8") == text(), "python -m benchmarks families"


@pytest.mark.parametrize("name", sorted(folder.name for folder in SHIPPED.iterdir()))
def test_the_command_asks_for_the_recipe(name, monkeypatch):
    config = json.loads((SHIPPED / name / "config.json").read_text())
    parser = argparse.ArgumentParser()
    training.add_to(parser.add_subparsers())
    asked = training._config(parser.parse_args(shlex.split(command(config))[3:]))
    wanted = TrainConfig.of_checkpoint(config)
    assert asked.recipe() == Recipe(**config["recipe"])
    assert (asked.only, asked.seed, asked.half) == (wanted.only, wanted.seed, wanted.half)
