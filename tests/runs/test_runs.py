"""Runs in the background: real processes, started, watched, cancelled, resumed, and what is left of those that died."""

import contextlib
import io
import json
import os
import signal
import subprocess
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import explorer
from explorer import runs
from explorer.checkpoints.folder import is_slug, read_history
from explorer.checkpoints.model import load
from explorer.errors import RunError
from explorer.files.locks import is_locked, lock
from explorer.training import lifecycle
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState
from tests.background import WAIT, config, ended, finished, forever, python, state, trains, until

pytestmark = pytest.mark.usefixtures("warm_workers")

ROOT = Path(__file__).parents[2]


def test_a_run_from_start_to_end(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # which writes every import to the log
    monkeypatch.setattr("explorer.runs.queue.subprocess", subprocess)  # a worker as a person has it
    info = runs.submit(config(3), "first")
    assert info.active
    assert [r.name for r in runs.active()] == ["first"]
    info = until(lambda: ended("first"))
    assert (info.state, info.message, info.epochs_done, info.resumable) == ("finished", "", 3, False)
    assert info.has_checkpoint
    assert runs.active() == []
    opened = load("runs/first", device="cpu")
    assert info.test["elbo"] == opened.info.metrics["elbo"]
    assert info.memory is not None
    assert 50e6 < info.memory < 16e9
    assert "finished after 3 epochs" in runs.log_tail("first")
    log = (folder / "first" / "log.txt").read_text()
    assert "explorer.training.loop" in log
    # torch.compile, which nothing here needs, would double the time to the first step; UMAP and scikit-learn are slow.
    assert not [name for name in ("torch._dynamo", "umap", "sklearn", "scipy", "pandas") if f" {name}\n" in log]
    # The same as a run that nobody put into the background.
    here = explorer.train(config(3), folder.parent / "here")
    assert here.metrics == opened.info.metrics
    assert (folder / "first" / "model.safetensors").read_bytes() == (here.path / "model.safetensors").read_bytes()


def test_it_is_told_as_it_goes_and_can_only_be_cancelled(folder):
    forever("long")
    with pytest.raises(RunError, match="cancel it before"):
        runs.delete("long")
    with pytest.raises(RunError, match="cancel it before"):
        runs.rename("long", "other")
    with pytest.raises(RunError, match="already running"):
        runs.resume("long")
    with pytest.raises(ValueError, match="another process"):
        lifecycle.lock_run(folder / "long")
    with pytest.raises(ValueError, match="There is a run 'long' already"):
        explorer.train(config(1), folder / "long")
    seen = set()
    until(lambda: seen.add(json.dumps(runs.run("long").progress.__dict__)) or len(seen) > 3)
    until(lambda: len(read_history(folder / "long")) > 2)
    info = runs.run("long")
    assert info.progress is not None
    assert info.progress.images_per_second > 0
    assert info.progress.seconds_left > 0
    assert info.progress.elbo is not None
    assert -1000 < info.progress.elbo < -50
    assert info.epochs_done >= 2
    assert info.test["n"] == 1000
    runs.cancel("long")
    info = until(lambda: ended("long"))
    assert (info.state, info.resumable) == ("cancelled", True)
    assert load("runs/long", device="cpu").sample(1).shape == (1, 1, 28, 28)


def test_one_at_a_time_and_the_others_in_order(folder):
    forever("a")
    for name in ("c", "b", "d"):
        runs.submit(config(1), name)
    assert [(r.name, r.state, r.position) for r in runs.active()] == [
        ("a", "running", 0),
        ("c", "queued", 1),
        ("b", "queued", 2),
        ("d", "queued", 3),
    ]
    runs.cancel("b")
    assert state("b") == "cancelled"
    assert runs.run("d").position == 2
    for _ in range(20):
        runs.advance()
    assert state("c") == "queued"
    runs.cancel("a")
    until(lambda: ended("c"))
    until(lambda: ended("d"))
    started = [RunFiles(folder / name).status().since for name in ("a", "c", "d")]
    assert started == sorted(started)
    assert [state(name) for name in "abcd"] == ["cancelled", "cancelled", "finished", "finished"]


def test_a_process_that_is_killed_is_interrupted_and_resumes(folder):
    info = forever("victim")
    os.kill(RunFiles(info.path).status().pid, signal.SIGKILL)
    info = until(lambda: ended("victim"))
    assert info.state == "interrupted"
    assert "killed" in info.message
    assert info.resumable
    runs.resume("victim")
    until(lambda: trains("victim"))
    runs.cancel("victim")
    done = until(lambda: ended("victim")).epochs_done
    with pytest.raises(RunError, match=f"trained for {done} epochs"):
        runs.resume("victim", epochs=done)
    runs.resume("victim", epochs=done + 1)
    info = until(lambda: ended("victim"))
    assert (info.state, info.epochs_done) == ("finished", done + 1)
    with pytest.raises(RunError, match="cannot be resumed"):
        runs.resume("victim")


def test_settings_that_cannot_be_fail_with_a_sentence(folder):
    runs.submit(config(1, network="conv", encoder=(4,) * 6, decoder=(4,) * 6), "odd")
    info = until(lambda: ended("odd"))
    assert info.state == "failed"
    assert "more than 32 pixels a side" in info.message
    until(lambda: "more than 32 pixels a side" in runs.log_tail("odd"))  # the state is written first


def test_a_loss_that_diverges_at_once_is_a_failed_run_without_a_model(folder):
    run = explorer.train(config(2, learning_rate=1e30, optimizer="rmsprop"), folder / "steep")
    info = runs.run("steep")
    assert (info.state, info.epochs_done, info.has_checkpoint, info.resumable) == ("failed", 0, False, False)
    assert "lower learning rate" in info.message
    assert "runs/steep" not in [c.id for c in explorer.checkpoints()]
    # As the version before has left one.
    finished(folder, "model")
    changed = json.loads((folder / "model" / "config.json").read_text())
    changed |= {"status": "failed", "epochs_done": 0, "message": run.message}
    for file in (folder / "model").glob("*.safetensors"):
        (folder / "steep" / file.name).write_bytes(file.read_bytes())
    (folder / "steep" / "config.json").write_text(json.dumps(changed))
    assert not runs.run("steep").has_checkpoint
    with pytest.raises(explorer.CheckpointError, match="diverged before the first epoch had ended"):
        load("runs/steep", device="cpu")


def test_a_disk_that_fills_up_is_said(tmp_path, monkeypatch):
    def full(self, line):
        raise OSError(28, "No space left on device", str(self.path / "history.jsonl"))

    monkeypatch.setattr(RunFiles, "append_history", full)
    lifecycle.create_run(tmp_path / "full", config(2))
    with lifecycle.lock_run(tmp_path / "full"), pytest.raises(OSError, match="No space left"):
        lifecycle.train_run(tmp_path / "full", config(2))
    monkeypatch.undo()
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    info = runs.run("full")
    assert info.state == "failed"
    assert "No space left on device" in info.message
    assert info.resumable


def test_a_folder_that_is_deleted_under_a_run_ends_it(folder):
    info = forever("gone")
    pid = RunFiles(info.path).status().pid
    info.path.rename(folder.parent / "elsewhere")
    until(lambda: not is_locked(folder.parent / "elsewhere"))
    log = (folder.parent / "elsewhere" / "log.txt").read_text()
    assert "is gone" in log
    assert "Traceback" not in log
    assert not info.path.exists()
    with pytest.raises(RunError, match="renamed or deleted"):
        runs.run("gone")
    assert pid


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder_is_said(folder):
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    try:
        with pytest.raises(RunError, match="cannot be written"):
            runs.submit(config(1), "first")
    finally:
        folder.chmod(0o700)


def test_a_file_where_the_runs_folder_should_be_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "file" / "runs"))
    with pytest.raises(RunError, match="cannot be written"):
        runs.submit(config(1), "first")
    assert runs.runs() == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", ".hidden", "a b", "a" * 65, "é", "a\0b"])
def test_a_name_that_is_a_path_is_refused(folder, name):
    for action in (lambda: runs.submit(config(1), name), lambda: runs.run(name), lambda: runs.delete(name)):
        with pytest.raises(RunError, match="cannot be a run's name"):
            action()
    with pytest.raises(RunError):
        runs.restore(f"{name}~00000000")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 10**9}, "epochs"),
        ({"latent": 0}, "latent"),
        ({"learning_rate": -1.0}, "learning_rate|rate"),
        ({"batch_size": 0}, "batch"),
    ],
)
def test_a_bad_setting_is_refused_before_anything_is_made(folder, options, reason):
    with pytest.raises(ValueError, match=reason):
        runs.submit(config(**options), "bad")
    assert not (folder / "bad").exists()


def test_data_that_are_not_here_are_refused_at_once(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "none"))
    with pytest.raises(explorer.DatasetError, match="cifar10 is not on this machine"):
        runs.submit(explorer.TrainConfig(preset="mlp-2d", dataset="cifar10"), "bad")
    assert runs.runs() == []


def test_two_of_one_name(folder):
    finished(folder, "one")
    with pytest.raises(RunError, match="'one-2'"):
        runs.submit(config(1), "one")
    assert runs.propose_name("mnist-5k", "mlp-2d") == "mnist-5k-mlp-2d"
    (folder / "mnist-5k-mlp-2d").mkdir()
    assert runs.propose_name("mnist-5k", "mlp-2d") == "mnist-5k-mlp-2d-2"


def test_no_run_takes_the_name_of_a_model_that_ships(folder):
    assert runs.propose_name("mnist", "mlp-2d") == "mnist-mlp-2d-2"
    finished(folder, "one")
    for action in (
        lambda: runs.submit(config(1), "mnist-mlp-2d"),
        lambda: explorer.train(config(1), folder / "mnist-mlp-2d"),
        lambda: runs.rename("one", "mnist-mlp-2d"),
    ):
        with pytest.raises(RunError, match=r"A model that ships is called 'mnist-mlp-2d': choose .* 'mnist-mlp-2d-2'"):
            action()


@given(st.text(), st.sampled_from(["mlp-2d", "conv-100"]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_proposed_name_is_a_slug_whatever_the_data_are_called(folder, dataset, preset):
    assert is_slug(runs.propose_name(dataset, preset))


def test_rename_delete_and_undo(folder):
    finished(folder, "one", "two")
    with pytest.raises(RunError, match="already"):
        runs.rename("one", "two")
    assert runs.rename("one", "three").name == "three"
    assert load("runs/three", device="cpu").latent == 2
    token = runs.delete("three")
    assert [r.name for r in runs.runs()] == ["two"]
    assert [c.id for c in explorer.checkpoints() if not c.shipped] == ["runs/two"]
    finished(folder, "three")
    assert runs.restore(token).name == "three-2"
    with pytest.raises(RunError, match="no longer in the trash"):
        runs.restore(token)
    assert {r.name for r in runs.runs()} == {"two", "three", "three-2"}


def test_a_zip_has_all_that_a_run_is(folder):
    finished(folder, "one")
    with zipfile.ZipFile(io.BytesIO(runs.archive("one"))) as packed:
        names = {Path(n).name for n in packed.namelist()}
        assert {"config.json", "model.safetensors", "history.jsonl", "run.json", "SHA256SUMS"} <= names
        packed.extractall(folder.parent / "unpacked")
    assert load(folder.parent / "unpacked" / "one", device="cpu").latent == 2


def test_odd_folders_are_listed_and_never_raise(folder):
    finished(folder, "sound")
    for name, text in {"a": "", "b": "[]", "c": "{", "d": '{"config": 3}', "e": '{"config": {"preset": 1}}'}.items():
        (folder / name).mkdir()
        (folder / name / "run.json").write_text(text)
    (folder / "nothing").mkdir()
    (folder / "file").write_text("")
    (folder / "half").mkdir()
    (folder / "half" / "config.json").write_text("{}")
    found = {info.name: info for info in runs.runs()}
    assert set(found) == {"sound", "a", "b", "c", "d", "e", "half"}
    assert found["sound"].state == "finished"
    assert all(found[name].state == "failed" for name in found if name != "sound")
    assert all("\n" not in info.message for info in found.values())
    assert runs.active() == []


def test_a_checkpoint_from_elsewhere_is_a_run(folder):
    finished(folder, "one")
    for name in ("run.json", "state.json"):
        (folder / "one" / name).unlink()
    info = runs.run("one")
    assert (info.state, info.epochs_done, info.dataset, info.preset) == ("finished", 1, "mnist-5k", "mlp-2d")
    assert info.config.recipe() == config(1).recipe()
    assert info.test["elbo"] == load("runs/one", device="cpu").info.metrics["elbo"]


def test_the_lock_dies_with_its_process(tmp_path):
    script = (  # without the package around it, which would import PyTorch
        "import runpy, sys, time; from pathlib import Path\n"
        "lock = runpy.run_path('explorer/files/locks.py')['lock']\n"
        "held = lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with python("-c", script, tmp_path, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert is_locked(tmp_path)
        assert lock(tmp_path, wait=0.05) is None
        child.kill()
    assert not is_locked(tmp_path)
    held = lock(tmp_path)
    assert held is not None
    assert is_locked(tmp_path)
    held.release()
    assert not is_locked(tmp_path)


def test_a_lock_on_a_file_that_was_deleted_is_none(tmp_path):
    file = tmp_path / "file"
    file.touch()
    found = []
    held = lock(file)
    waiting = threading.Thread(target=lambda: found.append(lock(file)))
    waiting.start()
    file.rename(tmp_path / "gone")
    file.touch()
    held.release()
    waiting.join()
    assert lock(file, wait=0) is None
    found[0].release()
    assert not is_locked(file)


def test_no_file_lets_two_processes_into_a_run_when_it_is_deleted(folder):
    lifecycle.create_run(folder / "one", config(1))
    with lifecycle.lock_run(folder / "one"):
        for file in [*folder.glob("*/*"), *folder.glob(".*")]:
            file.unlink()
        assert RunFiles(folder / "one").alive
        assert RunFiles(folder / "one").hold(wait=0) is None
    assert not RunFiles(folder / "one").alive


def test_a_run_of_the_version_before_is_not_taken_from_its_process(folder):
    lifecycle.create_run(folder / "one", config(1))
    (folder / "one" / "lock").touch()
    with lock(folder / "one" / "lock"):
        assert state("one") == "running"
        assert RunFiles(folder / "one").hold(wait=0) is None
    assert state("one") == "interrupted"


def test_a_clock_that_is_set_back_lets_nobody_overtake(folder, monkeypatch):
    lifecycle.create_run(folder / "busy", config(1))
    with lifecycle.lock_run(folder / "busy"):
        for hour, name in enumerate(["c", "b", "a"]):
            monkeypatch.setattr(time, "time", lambda hour=hour: 1e9 - 3600 * hour)
            runs.submit(config(1), name)
        assert [info.name for info in runs.active()] == ["busy", "c", "b", "a"]
        for name in "abc":
            runs.cancel(name)


def test_runs_that_waited_when_the_version_changed_keep_their_order(folder):
    lifecycle.create_run(folder / "busy", config(1))
    with lifecycle.lock_run(folder / "busy"):
        for name, queued_at in {"b": 1.7e9, "a": 1.8e9}.items():
            lifecycle.create_run(folder / name, config(1))
            (folder / name / "state.json").write_text(json.dumps({"state": "queued", "queued_at": queued_at}))
        runs.submit(config(1), "Z")
        assert [(info.name, info.position) for info in runs.active()[1:]] == [("b", 1), ("a", 2), ("Z", 3)]
        for name in "abZ":
            runs.cancel(name)


def test_a_clock_that_is_set_forward_empties_no_trash(folder, monkeypatch):
    for name in ("one", "other"):
        lifecycle.create_run(folder / name, config(1))
        RunFiles(folder / name).change_status(RunState.CANCELLED)
    token = runs.delete("one")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1e7)
    runs.delete("other")
    assert runs.restore(token).name == "one"


def test_training_from_python_can_be_stopped_while_it_waits(folder):
    lifecycle.create_run(folder / "busy", config(1))
    with lifecycle.lock_run(folder / "busy"), pytest.raises(KeyboardInterrupt):
        explorer.train(config(1), folder / "never", should_stop=lambda: True)
    assert state("never") == "cancelled"


@contextlib.contextmanager
def shell(folder, name):
    """`python -m explorer train` into a folder of that name, which waits behind another run."""
    command = ["-m", "explorer", "train", "--preset", "mlp-2d", "--dataset", "mnist-5k"]
    command += ["--device", "cpu", "--epochs", "1", "--encoder", "16", "--decoder", "16", "--out", str(folder / name)]
    environment = {**os.environ, "EXPLORER_RUNS": str(folder)}
    with python(*command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        assert b"waiting for cpu: one run goes first" in child.stderr.readline()
        yield child


def test_the_command_line_waits_for_its_turn_is_seen_and_can_be_cancelled_from_the_app(folder):
    lifecycle.create_run(folder / "busy", config(1))
    held = lifecycle.lock_run(folder / "busy")
    with shell(folder, "shell") as child:
        assert (state("shell"), runs.run("shell").position) == ("queued", 1)
        runs.advance()
        assert state("shell") == "queued"
        runs.cancel("shell")
        child.stderr.read()
        assert child.wait(WAIT) == 130
    assert state("shell") == "cancelled"
    assert state("busy") == "running"
    with shell(folder, "other") as child:
        runs.advance()
        assert (state("other"), runs.run("other").position) == ("queued", 1)
        held.release()
        child.stderr.read()
        assert child.wait(WAIT) == 0
    assert state("other") == "finished"


def test_five_at_once_leave_every_run_in_a_consistent_state(folder):
    """Sessions that start, watch, cancel and delete at the same time."""
    problems = []

    def session(number):
        try:
            for turn in range(3):
                name = f"run-{number}-{turn}"
                ends = turn == 1 and number < 3
                runs.submit(config(1 if ends else 50_000), name)
                runs.runs()
                if not ends:
                    runs.cancel(name)
                with contextlib.suppress(RunError):  # one of the five is the first
                    runs.submit(config(1), "shared")
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=session, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems

    def idle():
        runs.advance()
        running = [r for r in runs.active() if r.state == "running"]
        assert len(running) <= 1
        return not runs.active()

    until(idle, 300)
    found = {info.name: info for info in runs.runs()}
    assert len(found) == 16
    for name, info in found.items():
        ends = name in ("shared", "run-0-1", "run-1-1", "run-2-1")
        wanted = {"finished"} if ends else {"cancelled", "finished"}
        assert info.state in wanted, (name, info.state, info.message)
        if info.state == "finished":
            assert load(f"runs/{name}", device="cpu").info.problem is None


def test_a_thousand_runs_are_listed_quickly_enough_to_be_read_at_all(folder):
    """No time is asserted: what is counted is that a list reads two small files a run, and hashes nothing."""
    finished(folder, "one")
    request = json.loads((folder / "one" / "run.json").read_text())
    done = json.loads((folder / "one" / "state.json").read_text())
    for i in range(1000):
        path = folder / f"many-{i:04d}"
        path.mkdir()
        (path / "run.json").write_text(json.dumps(request))
        (path / "state.json").write_text(json.dumps(done))
    found = runs.runs()
    assert len(found) == 1001
    assert all(info.state == "finished" for info in found)


def test_python_waits_for_its_turn_too(folder):
    lifecycle.create_run(folder / "busy", config(1))
    held, seen = lifecycle.lock_run(folder / "busy"), []

    def wait(info):
        seen.append((info.name, info.state, info.position))
        held.release()

    assert explorer.train(config(1), folder / "here", on_wait=wait).status == "finished"
    assert seen[0] == ("here", "queued", 1)
    assert state("here") == "finished"


def test_python_says_that_it_waits(folder, caplog):
    lifecycle.create_run(folder / "busy", config(1))
    with lifecycle.lock_run(folder / "busy"), pytest.raises(KeyboardInterrupt):
        explorer.train(config(1), folder / "here", should_stop=lambda: len(caplog.messages) > 0)
    assert caplog.messages == ["waiting for cpu: one run goes first (wait=False does not wait)"]


def test_an_error_while_python_waits_takes_the_run_out_of_the_queue(folder):
    lifecycle.create_run(folder / "busy", config(1))

    def wait(info):
        raise RuntimeError("of the caller")

    with lifecycle.lock_run(folder / "busy"), pytest.raises(RuntimeError, match="of the caller"):
        explorer.train(config(1), folder / "here", on_wait=wait)
    assert state("here") == "cancelled"


def test_a_run_from_python_that_cannot_begin_leaves_its_name_free(folder):
    with pytest.raises(ValueError, match="no class"):
        explorer.train(replace(config(1), only="eleven"), folder / "here")
    assert not (folder / "here").exists()
