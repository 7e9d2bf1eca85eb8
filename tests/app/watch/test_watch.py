"""Watching a run: what is sent to the browser, what is said when a run waits or fails."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui.markdown import plain
from explorer.ui.train.history import MOST_EPOCHS
from tests.app.screens import TIMEOUT
from tests.app.watch.published import body
from tests.app.watch.runs import WatchedRun


def page() -> None:
    import streamlit as st

    from explorer import runs
    from explorer.ui.train.watch import watch_panel

    watch_panel(runs.run(st.query_params["run"]))


def watch(name: str = "watched") -> AppTest:
    at = AppTest.from_function(page, default_timeout=TIMEOUT)
    at.query_params["run"] = name
    at.run()
    assert not at.exception
    return at


def sent(at: AppTest) -> dict[str, Any]:
    """The data of the component."""
    (component,) = at.get("bidi_component")
    return json.loads(component.proto.json)


def test_a_run_in_its_third_epoch(watched):
    watched.end_epoch()
    watched.end_epoch()
    data = sent(watch())
    status = data["status"]
    assert status["text"] == "Epoch 3 of 12"
    assert status["live"]
    assert status["share"] == pytest.approx((2 + 10 / 40) / 12)
    assert dict(status["facts"]) == {
        "images a second": "4,321",
        "device": "cpu",
        "memory": "640 MB",
        "elapsed": "0:05",
        "time left": "1:23",
    }
    history = json.loads(data["recent"])
    assert history["epochs"] == [1, 2]
    assert history["test"]["elbo"] == [round(watched.line(e)["test"]["elbo"], 3) for e in (1, 2)]
    assert len(data["frames"].split()) == 2
    assert len(data["reaches"].split()) == 10
    assert data["has_prior"]
    assert data["plane"]


def test_a_run_that_starts(watched):
    watched.starting()
    data = sent(watch())
    assert data["status"]["text"].startswith("Starting")
    assert data["status"]["so_far"] == []
    assert data["probe"] is None
    watched.state("running")
    status = sent(watch())["status"]
    assert status["text"] == "Epoch 1 of 12"
    assert status["so_far"] == [["ELBO", "−222.2"], ["Reconstruction", "−212.5"], ["KL", "9.8"]]
    watched.state("running", "mapping")
    assert "map" in sent(watch())["status"]["text"]


def test_a_run_that_waits_says_for_how_many(folder):
    first = WatchedRun(folder, "first")
    for i, name in enumerate(("second", "third")):
        WatchedRun(folder, name, state="queued").state("queued", turn=i + 1)
    assert sent(watch("second"))["status"]["text"] == "Waiting: 1 run before this one on cpu"
    status = sent(watch("third"))["status"]
    assert status["text"] == "Waiting: 2 runs before this one on cpu"
    assert status["live"]
    first.let_go()


def test_a_run_that_failed_shows_the_end_of_its_log(watched):
    watched.end_epoch()
    (watched.path / "log.txt").write_text(
        "\n".join(f"line {i}" for i in range(40)) + "\nOutOfMemoryError: no <b>room</b>"
    )
    watched.end("failed", "the loss was not finite: try a lower learning rate")
    at = watch()
    said = plain("The loss was not finite: try a lower learning rate.")
    assert at.error[0].value == f"Failed after 1 of 12 epochs. {said}"
    lines = at.code[0].value.splitlines()
    assert lines[-1] == "OutOfMemoryError: no <b>room</b>"
    assert len(lines) == 12
    status = sent(at)["status"]
    assert status["text"] == "Failed after 1 of 12 epochs"
    assert not status["live"]
    assert status["share"] is None


def test_a_run_that_failed_before_its_first_epoch_has_no_curves(watched):
    watched.end("failed", "the data set is missing.")
    at = watch()
    assert "before the first epoch had ended" in at.error[0].value
    assert not at.get("bidi_component")
    assert not at.code  # there is no log


def test_what_a_run_says_of_itself_is_no_markup(watched):
    watched.end("failed", "no file *x* in [a](http://b)")
    (watched.path / "log.txt").write_text("# <b>no</b> *file*")
    at = watch()
    assert at.error[0].value == f"Failed before the first epoch had ended. {plain('No file *x* in [a](http://b).')}"
    assert "*x*" not in at.error[0].value
    assert at.code[0].value == "# <b>no</b> *file*"


def test_a_run_that_was_killed_says_how_far_it_got(watched):
    for _ in range(3):
        watched.end_epoch()
    watched.let_go()  # as the system does for a process that is killed
    assert not watch().code  # there is no log
    (watched.path / "log.txt").write_text("--- before\nold\n--- now\nRuntimeError: no room\n")
    at = watch()
    assert at.code[0].value == "RuntimeError: no room"
    assert at.warning[0].value.startswith("Interrupted after 3 of 12 epochs. ")
    assert sent(at)["status"]["state"] == "interrupted"


def test_a_cancelled_and_a_finished_run(watched):
    watched.end("cancelled")
    at = watch()
    assert "before the first epoch" in at.info[0].value
    assert not at.get("bidi_component")
    watched.hold()
    for _ in range(2):
        watched.end_epoch()
    watched.end("cancelled")
    at = watch()
    assert not at.info
    assert sent(at)["status"]["text"] == "Cancelled after 2 of 12 epochs"
    watched.hold()
    while watched.done < 12:
        watched.end_epoch()
    watched.end()
    status = sent(watch())["status"]
    assert (status["text"], status["live"]) == ("Finished: 12 epochs", False)
    assert "time left" not in dict(status["facts"])


def test_a_run_of_an_older_version_says_that_its_pictures_are_not_shown(watched):
    watched.end_epoch(frame=False)
    assert not watch().caption
    (watched.path / "frames").mkdir()
    (watched.path / "frames" / "probe.safetensors").touch()
    at = watch()
    assert "older version" in at.caption[0].value
    assert json.loads(sent(at)["recent"])["epochs"] == [1]


def test_a_plain_autoencoder_and_free_bits(folder):
    run = WatchedRun(folder, "plain", preset="ae-2d", state="finished")
    run.end_epoch()
    run.state("finished")
    assert not sent(watch("plain"))["has_prior"]
    run = WatchedRun(folder, "free", state="finished", free_bits=0.25)
    run.end_epoch()
    run.state("finished")
    data = sent(watch("free"))
    assert data["has_prior"]
    assert data["free_bits"] == 0.25


def test_a_run_of_another_version_is_still_shown(watched):
    watched.end_epoch()
    request = json.loads((watched.path / "run.json").read_text())
    request["config"]["preset"] = "of-another-version"
    (watched.path / "run.json").write_text(json.dumps(request))
    assert sent(watch())["has_prior"]


def test_an_update_of_a_long_run_is_small(folder):
    run = WatchedRun(folder, "long", epochs=3000, state="finished")
    for epoch in range(1, 3001):
        run.files.append_history(run.line(epoch))
    small = run.frame(1)
    small = replace(small, reconstructions=small.reconstructions[..., :4, :4], samples=small.samples[..., :4, :4])
    for epoch in range(8, 1921, 8):
        run.write_frame(epoch, small)
    (component,) = watch("long").get("bidi_component")
    data = json.loads(component.proto.json)
    assert len(data["frames"].split()) == 240
    assert component.proto.ByteSize() < 30_000
    past, recent = json.loads(body(data["past_url"])), json.loads(data["recent"])
    epochs = past["epochs"] + recent["epochs"]
    assert 1000 <= len(epochs) <= MOST_EPOCHS + 240
    assert 1 <= len(recent["epochs"]) <= 100
    assert epochs == sorted(set(epochs))
    assert set(range(8, 1921, 8)) | {1, 3000} <= set(epochs)
    row = run.line(epochs[len(past["epochs"]) - 1])
    assert past["test"]["reconstruction"][-1] == pytest.approx(row["test"]["reconstruction"], abs=0.01)
    code = len(component.proto.js_content) + len(component.proto.css_content) + len(component.proto.html_content)
    assert code < 1_000  # sent with every update: the rest of it is an asset
