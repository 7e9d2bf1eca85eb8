"""One run by several processes: the steps that one process takes, one writer, and what happens when one dies."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest
import torch.distributed as dist

from explorer import runs
from explorer.checkpoints.folder import find, read_history, read_tensors
from explorer.training import processes
from explorer.training.experiment import Experiment
from explorer.training.lifecycle import train
from explorer.training.presets import TrainConfig
from tests.background import python, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # so many runs in turn take long on a busy machine

ROOT = Path(__file__).parents[2]
TOGETHER = Path(__file__).parent / "together.py"
DENSE = {"encoder": (16,), "decoder": (16,)}
CONV = {"network": "conv", "encoder": (4, 8), "decoder": (8, 4)}
RUNS = {
    "plain": DENSE,
    "resumed": {**DENSE, "batch_size": 10},  # which one process has begun
    "free-bits": {**DENSE, "free_bits": 0.5},
    "sigma": {**DENSE, "likelihood": "sigma", "output": "sigmoid"},
    "target": {**DENSE, "likelihood": "gaussian", "target_mse": 0.05},
    "beta-tc": {**DENSE, "family": "beta-tc", "beta": 4.0},
    "iwae": {**DENSE, "family": "iwae", "draws": 3, "binarise": True},
    "vamp": {**DENSE, "family": "cvae", "posterior": "student-t", "prior": "vamp", "components": 5},
    "ladder": {**DENSE, "family": "ladder", "layers": (2, 3)},
}
STEPS = {  # of which rounding makes other runs: weights without a gradient, and vectors between two entries
    "norm": {**DENSE, "batch_norm": True},
    "conv": {**CONV, "batch_norm": True},
    "vq": {**CONV, "family": "vq", "codebook": 16, "entry_size": 4, "batch_norm": True},
}


def config(settings, epochs=1):
    """404 images of zeros, so that the last of 5 batches has 4 of them."""
    known = {"preset": "mlp-2d", "dataset": "mnist-5k", "only": "0", "device": "cpu", "umap": False}
    return TrainConfig(**known, epochs=epochs, settings={"batch_size": 100, **settings})


def torchrun(count, *command, cwd=ROOT):
    """Processes that train together, for as long as the context lasts."""
    return python(
        *("-m", "torch.distributed.run", "--nproc-per-node", count, *command),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def by_two(tmp_path_factory):
    """The folder of runs and steps of two processes."""
    folder = tmp_path_factory.mktemp("two")
    begun = train(config(RUNS["resumed"]), folder / "resumed", should_stop=lambda: True)
    assert begun.status == "cancelled"
    asked = [json.dumps({k: config(v).to_json() for k, v in kinds.items()}) for kinds in (RUNS, STEPS)]
    with torchrun(2, TOGETHER, folder, *asked) as process:
        _, error = process.communicate(timeout=500)
    assert process.returncode == 0, error
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_train_the_weights_of_one(by_two, tmp_path, name):
    alone = train(config(RUNS[name]), tmp_path / name)
    one, two = (read_tensors(path / "model.safetensors") for path in (alone.path, by_two / name))
    assert one.keys() == two.keys()
    assert max(float((one[key].double() - two[key]).abs().max()) for key in one) < 1e-5
    for mine, theirs in zip(alone.history, read_history(by_two / name), strict=True):
        assert mine["train"] == pytest.approx(theirs["train"], rel=1e-5)
        assert mine["test"] == pytest.approx(theirs["test"], rel=1e-4)


@pytest.mark.parametrize("name", STEPS)
def test_two_processes_take_the_step_of_one(by_two, name):
    far = json.loads((by_two / "steps.json").read_text())[name]
    assert max(far.values()) < 1e-6


def test_processes_that_were_asked_for_different_things_say_so(tmp_path):
    command = "import os; from explorer.training import processes; processes.join(os.environ['RANK']).__enter__()"
    (script := tmp_path / "ask.py").write_text(command)
    with torchrun(2, script) as process:
        _, error = process.communicate(timeout=240)
    assert process.returncode
    assert "ValueError: process 1 was asked for something else than the first" in error


def test_a_process_that_never_comes_is_said_in_time(monkeypatch):
    """Where torchrun has found all machines, and the program does not start on one."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    known = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for name, value in {**known, "TORCHELASTIC_RESTART_COUNT": "0", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "_ARRIVAL", timedelta(seconds=1))
    with pytest.raises(ValueError, match="process 1 of 2 has not come: start the same command on every machine"):
        processes.join("the same").__enter__()


def documented(which):
    """What docs/scale.md gives torchrun in its commands, without the number of processes."""
    lines = re.findall(r"^torchrun (.*)", (ROOT / "docs" / "scale.md").read_text("utf-8"), re.M)
    found = next(shlex.split(line) for line in lines if which in line)
    assert found[0] == "--nproc-per-node"
    return found[2:]


def test_a_killed_process_leaves_an_interrupted_run_that_one_process_goes_on_with(folder):
    small = ["--encoder", 16, "--decoder", 16, "--epochs", 400, "--save-seconds", 0, "--no-umap"]
    mine = folder / "together"
    with torchrun(2, *documented("--out runs/together"), *small, cwd=folder.parent) as process:
        until((mine / "config.json").exists)
        os.kill(last_of(process), signal.SIGKILL)
        _, error = process.communicate(timeout=240)
    assert process.returncode, error
    assert "another process of the run has ended" in error
    info = runs.run("together")
    assert (info.state, info.resumable) == ("interrupted", True), error
    epochs = find(mine).config["epochs_done"] + 1
    train(TrainConfig(preset="", epochs=epochs, device="cpu"), mine, resume=True)
    assert runs.run("together").state == "finished"
    assert [line["epoch"] for line in read_history(mine)] == list(range(1, epochs + 1))


def last_of(torchrun):
    """The last of the processes that torchrun has started."""
    for task in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (task / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == torchrun.pid and b"\0RANK=1\0" in (task / "environ").read_bytes():
                return int(task.name)
    raise AssertionError("there is none")


@pytest.mark.parametrize(("device", "reason"), [("cuda:0", "this machine has 0 GPUs"), ("mps", "not all on mps")])
def test_more_processes_than_devices(monkeypatch, device, reason):
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(ValueError, match=reason):
        processes._join_run({"device": device}, None)


def test_a_process_with_other_images_says_so(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    run = Experiment.start(Path(), config(DENSE))
    about = {"config": replace(run.config, precision=run.precision).to_json(), "recipe": asdict(run.recipe)}
    about |= {"created": run.created, "device": "cpu", "threads": 1, "data": [data.fingerprint for data in run.whole]}
    assert processes._join_run(about, None).threads == 1
    about["data"][0] = "of others"
    with pytest.raises(ValueError, match="are others than those of the first process: copy the same data"):
        processes._join_run(about, None)
