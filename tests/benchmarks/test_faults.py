"""The faults of the campaign: each changes a folder, and the same seed makes the same one."""

import os
import random
import shutil

import pytest

from benchmarks.faults.folders import KINDS, damage
from explorer.files.shipped import shipped


def contents(folder):
    """What is in a folder, by name: the bytes of regular files of a sensible size, and what else there is."""
    found = {}
    for path in sorted(folder.rglob("*")):
        regular = path.is_file() and path.stat().st_size < 1 << 28
        found[path.name] = path.read_bytes() if regular else os.lstat(path).st_mode
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_one_and_the_same_for_a_seed(tmp_path, kind):
    shutil.copytree(shipped("checkpoints") / "mnist-mlp-2d", tmp_path / "sound")
    changed = 0
    for seed in range(3):
        made = []
        for _ in range(2):
            shutil.copytree(tmp_path / "sound", tmp_path / "damaged")
            made.append((damage(tmp_path / "damaged", random.Random(seed), kind), contents(tmp_path / "damaged")))
            shutil.rmtree(tmp_path / "damaged")
        assert made[0] == made[1]
        assert made[0][0].startswith(kind)
        changed += made[0][1] != contents(tmp_path / "sound")
    assert changed  # a byte may be replaced by itself
