"""The table of families is what its command writes, and its commands train what ships."""

import argparse
import shlex
from dataclasses import replace

import pytest

from benchmarks.families import TABLE, command, commands, measured, text
from explorer.cli import training
from explorer.training.presets import Recipe, TrainConfig


def test_the_table_is_that_of_the_models_that_ship():
    assert TABLE.read_text("utf-8") == text(), "python -m benchmarks families"


@pytest.mark.parametrize("name", sorted(measured()))
def test_the_command_asks_for_the_recipe(name):
    config, _ = measured()[name]
    parser = argparse.ArgumentParser()
    training.add_to(parser.add_subparsers())
    asked = training._config(parser.parse_args(shlex.split(command(config))[3:]))
    wanted = TrainConfig.of_checkpoint(config)
    epochs = wanted.plan[0] if wanted.plan else wanted.epochs
    assert asked.recipe() == replace(Recipe(**config["recipe"]), epochs=epochs)
    assert (asked.only, asked.seed, asked.half) == (wanted.only, wanted.seed, wanted.half)
    last = parser.parse_args(shlex.split(commands(config, "runs/again")[-1])[3:])
    assert (last.epochs or asked.recipe().epochs) == config["recipe"]["epochs"]
