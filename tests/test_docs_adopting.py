"""The scripts of docs/adopt-a-model.md make folders that can be adopted, and that compute what the model does."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from explorer.checkpoints.pairs import read_pair
from explorer.models import Adopted

PAGE = (Path(__file__).parent.parent / "docs" / "adopt-a-model.md").read_text("utf-8")
GRAY = (1, 28, 28)
_PYTHAE = ["pythae", "pydantic", "pydantic_core", "annotated-types", "typing-inspection", "imageio", "cloudpickle"]

MY_VAE = '''
import torch
from torch import nn


class VAE(nn.Module):
    """As in PyTorch's examples."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

    def encode(self, x):
        h1 = torch.relu(self.fc1(x.view(-1, 784)))
        return self.fc21(h1), self.fc22(h1)

    def decode(self, z):
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))
'''


def scripts() -> dict[str, str]:
    return {name: block for block, name in re.findall(r"^```python\n(# (\S+)\n.*?)^```", PAGE, re.S | re.M)}


def test_each_script_has_at_most_fifteen_lines():
    assert set(scripts()) == {f"export_{kind}.py" for kind in ("pytorch", "keras", "pythae", "diffusers")}
    assert all(len(script.splitlines()) <= 15 for script in scripts().values())


def run(name: str, folder: Path, *path: Path) -> Adopted:
    """What a script of the page has made, as it is adopted."""
    (folder / name).write_text(scripts()[name])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run([sys.executable, name], cwd=folder, env=environment, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return read_pair(folder / "pair").network(GRAY, 10)


def agree(network: Adopted, mean: Tensor, logvar: Tensor, images: Tensor, decoded: Tensor) -> None:
    posterior = network.posterior(images)
    torch.testing.assert_close(posterior.mean, mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(posterior.logvar, logvar, atol=1e-4, rtol=0)
    torch.testing.assert_close(network.decode(mean), decoded.view_as(images).clamp(0, 1), atol=1e-4, rtol=0)


@pytest.mark.slow
@torch.no_grad()
def test_pytorch(tmp_path):
    (tmp_path / "my_vae.py").write_text(MY_VAE)
    spec = importlib.util.spec_from_file_location("my_vae", tmp_path / "my_vae.py")
    my_vae = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(my_vae)
    model = my_vae.VAE()
    torch.save(model.state_dict(), tmp_path / "vae.pth")
    images = torch.rand(3, *GRAY)
    mean, logvar = model.encode(images)
    agree(run("export_pytorch.py", tmp_path), mean, logvar, images, model.decode(mean))


@pytest.mark.slow
@torch.no_grad()
def test_pythae(tmp_path):
    """In a place of its own: pythae's requirements are none of ours."""
    place = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place), *_PYTHAE]
    if subprocess.run(pip, capture_output=True, timeout=240).returncode:
        pytest.skip("pythae cannot be installed here")
    make = (
        "import torch; from pythae.models import VAE, VAEConfig; from safetensors.torch import save_file\n"
        "model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=5)); model.save('my_model/final_model')\n"
        "x = torch.rand(3, 1, 28, 28); code = model.eval().encoder(x)\n"
        "made = model.decoder(code.embedding).reconstruction\n"
        "found = dict(mean=code.embedding, logvar=code.log_covariance, images=x, decoded=made)\n"
        "save_file({name: value.detach().contiguous() for name, value in found.items()}, 'expected.safetensors')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(place)}
    subprocess.run([sys.executable, "-c", make], cwd=tmp_path, env=environment, check=True, timeout=240)
    network = run("export_pythae.py", tmp_path, place)
    agree(network, **load_file(tmp_path / "expected.safetensors"))
    assert network.has_elbo
    assert network.noise_variance_value == 1
