"""What would end or fill the process that it happens in, in a process of its own."""

import subprocess
import sys

import pytest

from explorer.files.shipped import shipped

pytestmark = pytest.mark.slow


def child(script, *arguments):
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


CUT_OFF = """
import shutil, sys
import torch
import explorer
from pathlib import Path
folder = Path(sys.argv[1])
shutil.copytree(sys.argv[2], folder)
model = explorer.load(folder, device="cpu")
mean = model.latents.mean
for name in ("model.safetensors", "latents.safetensors"):
    (folder / name).write_bytes(b"")  # as cp does first of all
assert torch.isfinite(model.decode(mean[:64])).all()
assert torch.isfinite(torch.cat([w.flatten() for w in model.network.state_dict().values()])).all()
assert torch.isfinite(model.latents.kl).all() and model.latents.maps["plane"].points.isfinite().all()
print("alive")
"""


def test_a_file_that_is_cut_off_while_it_is_open_ends_nothing(tmp_path):
    assert child(CUT_OFF, str(tmp_path / "copy"), str(shipped("checkpoints") / "mnist-mlp-2d")) == "alive\n"


MANY = """
import resource
import torch
from explorer.latents import image_votes, maps
count = 10_000
labels = torch.randperm(count)
codes = torch.randn(count, 2)
pictures = torch.rand(count, 1, 8, 8)
images = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert maps.vote_accuracy(codes, labels) == 0.0
votes = image_votes(pictures, images, labels, count)
assert votes.shape == (count, count) and votes[:100].sum() == 1500
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_ten_thousand_classes_fit_into_memory():
    assert int(child(MANY)) < 500  # MB: a one-hot of neighbours and classes would be 12,000
