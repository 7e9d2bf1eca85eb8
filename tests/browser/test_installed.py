"""The wheel, built and installed into an environment of its own, works away from the clone."""

import json
import os
import socket
import subprocess
import sys
import sysconfig
import urllib.request
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.serving import Server, serve
from tests.browser.screen import Explore, follow

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.name for path in (ROOT / "checkpoints").iterdir())
AWAY = {"PYTHONPATH": "", "EXPLORER_RUNS": "", "EXPLORER_DATA": ""}  # nothing that leads to the clone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment that holds the wheel, and sees the dependencies of the one that runs the tests."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    install = ["--python", str(place / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, capture_output=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return place / "bin"


@pytest.fixture
def run(scripts: Path, tmp_path: Path) -> Callable[..., str]:
    """Runs a program of the environment in an empty folder, and returns what it prints."""

    def run(program: str, *arguments: str) -> str:
        command, environment = [scripts / program, *arguments], {**os.environ, **AWAY}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_command_lists_the_shipped_models(run, wheel):
    listed = json.loads(run("latent-explorer", "list", "--json"))
    assert sorted(model["id"] for model in listed) == SHIPPED
    assert wheel.stat().st_size < 70e6  # models may have 60 MB


def test_python_finds_the_shipped_models_screens_a_cell_and_trains_in_a_process_of_its_own(run, tmp_path):
    Image.fromarray(np.full((80, 80, 3), 200, np.uint8)).save(tmp_path / "cell.png")
    script = """
import json, time
import explorer
from explorer import runs
from PIL import Image

config = explorer.TrainConfig(preset="mlp-2d", dataset="mnist-5k", epochs=1, umap=False, settings={"encoder": (8,)})
info = runs.submit(config, "first")
probability = float(explorer.screen([Image.open("cell.png")]).p_infected[0])
while (info := runs.run("first")).active:
    runs.advance()
    time.sleep(0.1)
shipped = sorted(info.id for info in explorer.checkpoints() if info.shipped)
print(json.dumps({"file": explorer.__file__, "shipped": shipped, "infected": probability, "run": str(info.state)}))
"""
    found = json.loads(run("python", "-c", script))
    assert not Path(found["file"]).is_relative_to(ROOT)
    assert found["shipped"] == SHIPPED
    assert 0 <= found["infected"] <= 1
    assert found["run"] == "finished", (tmp_path / "runs" / "first" / "log.txt").read_text()


@pytest.fixture
def served(scripts: Path, tmp_path: Path) -> Iterator[Server]:
    """The app as the command without a verb serves it."""
    with serve(tmp_path / "log", command=[scripts / "latent-explorer"], folder=tmp_path, **AWAY) as server:
        yield server


@pytest.mark.browser
def test_the_command_serves_the_app_in_its_colours_on_localhost_alone(served, new_page):
    with urllib.request.urlopen(f"{served.url}/_stcore/health") as health:
        assert health.read() == b"ok"
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in (str(a) for a in own if not str(a).startswith("127.")):
        with socket.socket() as other:
            assert other.connect_ex((address, int(served.url.rsplit(":", 1)[1]))) != 0
    explore = Explore(new_page(base_url=served.url, profile="installed"))
    explore.open("mnist-mlp-2d")
    follow(explore.page, "dark")
    ground = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    assert explore.page.evaluate(ground) == "rgb(14, 20, 24)"  # .streamlit/config.toml
