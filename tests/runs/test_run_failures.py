"""What becomes of runs when something goes wrong: causes that pass, deaths at bad moments, hostile files."""

import json
import os
import threading

import pytest

import explorer
from explorer import datasets, runs
from explorer.checkpoints.folder import read_history
from explorer.training import lifecycle
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState, Status
from tests.background import config, ended, finished, state, stopped, until

pytestmark = pytest.mark.usefixtures("warm_workers")


def test_a_cause_that_passes_does_not_cost_the_run(folder, tmp_path, monkeypatch):
    """Data that are not there when a run is resumed may be there the next time."""
    files = stopped(folder, "one")
    there = datasets.load
    with monkeypatch.context() as patched:

        def gone(*args, **options):
            raise explorer.DatasetError("The disk is not mounted.")

        patched.setattr(datasets, "load", gone)
        with lifecycle.lock_run(files.path), pytest.raises(explorer.DatasetError):
            lifecycle.train_run(files.path, files.config())
    assert datasets.load is there
    info = runs.run("one")
    assert (info.state, info.message, info.resumable) == ("failed", "The disk is not mounted.", True)
    runs.resume("one")
    assert until(lambda: ended("one")).state == "finished"


def test_a_process_that_dies_after_its_last_save_has_finished(folder):
    finished(folder, "one")
    files = RunFiles(folder / "one")
    last = files.status()
    files.write_status(Status(state=RunState.RUNNING, since=last.since))
    info = runs.run("one")
    assert (info.state, info.epochs_done, info.resumable) == ("finished", 1, False)
    assert info.test["elbo"] == last.test["elbo"]
    assert runs.active() == []


def test_a_process_that_dies_while_its_first_save_is_moved_can_be_resumed(folder, monkeypatch):
    files = stopped(folder, "one")
    files.change_status(RunState.RUNNING)
    ready = files.path / ".commit"
    ready.mkdir()
    names = ["optimizer.safetensors", "SHA256SUMS"]
    for name in names:
        (files.path / name).rename(ready / name)
    (ready / ".plan").write_text("".join(f"+{name}\n" for name in ["config.json", *names]))
    assert runs.run("one").resumable
    runs.resume("one")
    assert until(lambda: ended("one")).state == "finished"


def test_a_slow_reader_does_not_spoil_the_next_save(tmp_path, monkeypatch):
    """One that stops in the middle of finishing a save while the writer begins another."""
    from explorer.files import journal

    moves, replace = [], os.replace
    resumed = threading.Event()

    def slow(source, target):
        moves.append(source)
        if threading.current_thread().name == "reader" and len(moves) == 2:
            resumed.wait(1.0)
        return replace(source, target)

    ready = tmp_path / ".commit"
    ready.mkdir()
    for name in "abc":
        (ready / name).write_bytes(b"1")
    (ready / ".plan").write_text("+a\n+b\n+c")
    monkeypatch.setattr(os, "replace", slow)
    reader = threading.Thread(target=journal.recover, args=(tmp_path,), name="reader")
    reader.start()
    until(lambda: len(moves) >= 2)
    journal.commit(tmp_path, dict.fromkeys("abc", b"2"))
    resumed.set()
    reader.join()
    assert {(tmp_path / name).read_bytes() for name in "abc"} == {b"2"}
    assert not journal.pending(tmp_path)
    journal.commit(tmp_path, dict.fromkeys("abc", b"3"))
    assert {(tmp_path / name).read_bytes() for name in "abc"} == {b"3"}


def test_more_epochs_asked_for_on_the_command_line_are_kept_for_the_next_time(folder):
    files = stopped(folder, "one", epochs=2, schedule="cosine")
    explorer.train(config(4), files.path, resume=True, should_stop=lambda: True)
    assert runs.run("one").config.epochs == 4
    runs.resume("one")
    assert until(lambda: ended("one")).epochs_done == 4


@pytest.mark.parametrize(("one", "other"), [("cpu", "cpu:0"), ("auto", "auto")])
def test_a_device_has_one_name(one, other):
    from explorer.models.devices import choose_device

    assert str(choose_device(one)) == str(choose_device(other))


@pytest.mark.parametrize(("epochs", "reason"), [(None, "it has finished"), (1, "trained for 1 epochs already")])
def test_a_finished_run_stays_finished_when_nobody_asks_for_more(folder, epochs, reason):
    finished(folder, "one")
    for train in (runs.train, explorer.train):
        with pytest.raises(ValueError, match=reason):
            train(config(epochs), folder / "one", resume=True)
    with pytest.raises(explorer.errors.RunError, match=reason):
        runs.resume("one", epochs)
    assert state("one") == "finished"


def test_a_process_that_dies_before_it_trains_on_leaves_a_run_that_can_go_on(folder):
    finished(folder, "one")
    files = RunFiles(folder / "one")
    with lifecycle.lock_run(files.path):
        lifecycle.resumed_config(files.path, config(3))
        files.change_status(RunState.RUNNING)
    info = runs.run("one")
    assert (info.state, info.resumable) == ("interrupted", True)
    runs.resume("one")
    assert until(lambda: ended("one")).epochs_done == 3


HOSTILE = {
    "endless": {"epochs_done": float("inf"), "state": "queued"},
    "no-number": {"seconds": float("nan"), "turn": "soon", "memory": {}},
    "no-metrics": {"test": [1]},
    "odd-metrics": {"test": {"elbo": "high", "kl": float("inf")}, "progress": {"phase": "training", "epoch": None}},
    "odd-message": {"message": 5, "retry": "no"},
}


@pytest.mark.unchecked
def test_hostile_states_take_nothing_down(folder):
    finished(folder, "sound")
    request = json.loads((folder / "sound" / "run.json").read_text())
    for name, values in HOSTILE.items():
        (folder / name).mkdir()
        (folder / name / "run.json").write_text(json.dumps(request))
        (folder / name / "state.json").write_text(json.dumps({"state": "finished", **values}))
    requests = {
        "early": {**request, "created": "0001-01-01T00:00:00+14:00"},
        "odd-preset": {**request, "config": {**request["config"], "preset": []}},
        "odd-settings": {**request, "config": {**request["config"], "settings": 5}},
    }
    for name, value in requests.items():
        (folder / name).mkdir()
        (folder / name / "run.json").write_text(json.dumps(value))
    (folder / "deep").mkdir()
    (folder / "deep" / "config.json").write_text("[" * 100_000)
    (folder / "sound" / "history.jsonl").write_bytes(b'{"epoch": 1}\n[1]\n3\n{"epoch": 2}\n\xff\xfe\n{"epoch": 3}\n')
    found = {info.name: info for info in runs.runs()}
    assert set(found) == {"sound", "deep", *HOSTILE, *requests}
    for info in found.values():
        assert isinstance(info.dataset, str)
        assert 0 <= info.seconds < 1e9
        assert all(isinstance(value, int | float) for value in info.test.values())
        info.created.astimezone()
    assert [line["epoch"] for line in read_history(folder / "sound")][:2] == [1, 2]
    runs.advance()
    until(lambda: ended("endless"))


def test_what_cannot_be_started_does_not_hold_up_the_others(folder):
    for name in ("bad", "good"):
        lifecycle.create_run(folder / name, config(1), turn=1)
    (folder / "bad" / "log.txt").mkdir()  # where a file has to be
    runs.advance()
    runs.advance()
    assert state("good") == "running"
    assert state("bad") == "failed"
    assert "could not be started" in runs.run("bad").message
    assert until(lambda: ended("good")).state == "finished"


def test_a_process_that_could_not_say_why_it_died_leaves_its_log(folder):
    """Shown with the run: only what was printed since it was last started."""
    files = stopped(folder, "one")
    files.log.write_text('--- 1\nTraceback (most recent call last):\n  File "x"\nKeyError: 1\n')
    files.change_status(RunState.RUNNING)
    assert (state("one"), runs.run("one").resumable) == ("interrupted", True)
    assert runs.log_tail("one").splitlines()[-1] == "KeyError: 1"
    with open(files.log, "a") as log:
        log.write("--- 2\n")
    assert (state("one"), runs.log_tail("one")) == ("interrupted", "")
    with open(files.log, "a") as log:
        log.write("explorer: a file could not be written: No space left on device\n")
    assert runs.log_tail("one").splitlines() == ["explorer: a file could not be written: No space left on device"]


def test_a_full_disk_is_said_in_the_state_that_is_there_already(tmp_path, monkeypatch):
    from explorer.training import run_folder

    def full(file, data):
        raise OSError(28, "No space left on device")

    lifecycle.create_run(tmp_path / "one", config(2))
    with monkeypatch.context() as patched, lifecycle.lock_run(tmp_path / "one"):
        patched.setattr(run_folder, "replace_file", full)
        with pytest.raises(OSError, match="No space left"):
            lifecycle.train_run(tmp_path / "one", config(2))
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    info = runs.run("one")
    assert (info.state, info.resumable) == ("failed", True)
    assert "No space left" in info.message


def test_a_run_is_made_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    from explorer.training import run_folder

    replace, calls = run_folder.replace_file, []

    def full(file, data):
        calls.append(file)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        replace(file, data)

    monkeypatch.setattr(run_folder, "replace_file", full)
    with pytest.raises(OSError, match="No space left"):
        lifecycle.create_run(tmp_path / "runs" / "one", config(2))
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_file_from_before_there_were_zips_is_packed(folder):
    finished(folder, "one")
    os.utime(folder / "one" / "run.json", (0, 0))
    assert runs.archive("one").startswith(b"PK")


def test_a_resumption_says_which_option_it_cannot_take(folder, capsys):
    from explorer.__main__ import main

    stopped(folder, "one")
    for option in (["--learning-rate", "0.1"], ["--seed", "3"], ["--dataset", "mnist"], ["--batch-norm"]):
        assert main(["train", "--resume", str(folder / "one"), *option]) == 1
        assert f"leave {option[0]} out" in capsys.readouterr().err
