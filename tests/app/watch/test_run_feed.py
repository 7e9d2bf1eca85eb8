"""What the live view of a run is fed with: its history as it grows, its frames as pictures and points."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch

from explorer import runs
from explorer.errors import CheckpointError
from explorer.figures import palette
from explorer.ui.train.feed import Feed, feed
from explorer.ui.train.frames import ACROSS
from explorer.ui.train.history import MOST_EPOCHS, History, columns, thinned
from tests.app.watch.published import blob, body
from tests.app.watch.runs import POINTS, SAMPLES, SHOWN, WatchedRun
from tests.browser.screen import pixels


def points_of(found: Feed, name: str) -> np.ndarray:
    return np.reshape(json.loads(body(found.points_url, name))["points"], (-1, 2))


def fed(run: WatchedRun) -> Feed:
    return feed(runs.run(run.path.name))


# The history


def test_a_history_is_read_as_it_grows(tmp_path):
    file = tmp_path / "history.jsonl"
    history = History(file)
    history.update()
    assert history.rows == []
    file.write_text('{"epoch": 1, "kl_by_latent": [1, 2]}\n{"epoch": 2')
    history.update()
    assert history.rows == [{"epoch": 1}]  # the second line is being written
    history.update()
    assert history.rows == [{"epoch": 1}]
    with file.open("a") as f:
        f.write(', "beta": 0.5}\nnot a line\n{"epoch": 3}\n')
    history.update()
    assert history.rows == [{"epoch": 1}, {"epoch": 2, "beta": 0.5}, {"epoch": 3}]
    assert history.writing == 1


def test_a_history_that_was_written_anew_is_read_anew(tmp_path):
    file, fresh = tmp_path / "history.jsonl", tmp_path / "fresh"
    file.write_text('{"epoch": 1, "beta": 1}\n{"epoch": 2, "beta": 1}\n{"epoch": 3, "beta": 1}\n')
    history = History(file)
    history.update()
    before = history.writing
    fresh.write_text('{"epoch": 1, "beta": 2}\n{"epoch": 2, "beta": 2}\n{"epoch": 3, "beta": 2}\n')  # as long
    fresh.replace(file)
    history.update()
    assert [row["beta"] for row in history.rows] == [2, 2, 2]
    assert history.writing > before
    file.unlink()
    history.update()
    assert history.rows == []


def test_columns_hold_what_the_lines_say():
    rows = [
        {"epoch": 1, "beta": 1.0, "train": {"elbo": -200.123456789}, "test": {"elbo": float("nan"), "mse": 0.01}},
        {"epoch": 2, "beta": 1.0, "train": {"elbo": -150.5}, "test": {"elbo": -140.25, "mse": float("inf")}},
    ]
    text = columns(rows)
    found = json.loads(text)
    assert "NaN" not in text
    assert found["epochs"] == [1, 2]
    assert found["train"]["elbo"] == [-200.123, -150.5]
    assert found["test"]["elbo"] == [None, -140.25]
    assert found["test"]["mse"] == [0.01, None]
    assert found["beta"] == 1.0  # never changes
    assert found["train"]["kl"] is None
    assert json.loads(columns([]))["epochs"] == []


def test_a_long_history_is_thinned_out_but_not_where_frames_are():
    rows = [{"epoch": i, "beta": i / 4000} for i in range(1, 4001)]
    sent = thinned(rows, keep={777, 1234})
    epochs = [row["epoch"] for row in sent]
    assert len(epochs) <= MOST_EPOCHS + 3
    assert {1, 777, 1234, 4000} <= set(epochs)
    assert epochs == sorted(epochs)
    assert thinned(rows[:1000]) == rows[:1000]
    assert thinned([]) == []


# The frames


def test_frames_are_the_pictures_and_points_of_their_epochs(watched):
    for _ in range(3):
        watched.end_epoch()
    found = fed(watched)
    assert [name.split("-")[0] for name in found.frames] == ["1", "2", "3"]
    for epoch, name in enumerate(found.frames, 1):
        frame = watched.frame(epoch)
        assert blob(found.sheet_url, name).media_type == "image/png"
        sheet = pixels(body(found.sheet_url, name))
        rows = np.concatenate([frame["reconstructions"][:, 0], frame["samples"][:, 0]])
        tiles = sheet.reshape(1 + SAMPLES // ACROSS, 28, ACROSS, 28).transpose(0, 2, 1, 3).reshape(-1, 28, 28)
        np.testing.assert_array_equal(tiles, rows)
        np.testing.assert_allclose(points_of(found, name), frame["points"], rtol=1e-4)
        np.testing.assert_allclose(json.loads(body(found.points_url, name))["kl"], frame["kl"], rtol=1e-4)
    probe = found.probe
    assert (probe["shown"], probe["tile"], probe["points"]) == (SHOWN, [28, 28], POINTS)
    originals = pixels(body(probe["originals_url"]))
    np.testing.assert_array_equal(originals, np.concatenate(list(watched.originals()[:, 0].numpy()), axis=1))
    points = json.loads(body(probe["points_url"]))
    assert points == {"labels": watched.labels().tolist(), "index": [7 * i for i in range(POINTS)]}


def test_fewer_images_leave_the_samples_in_their_row(folder):
    run = WatchedRun(folder, "few", state="finished", image=(3, 20, 12))
    frame = run.frame(1)
    run.write_frame(1, {**frame, "reconstructions": frame["reconstructions"][:3]})
    found = fed(run)
    sheet = pixels(body(found.sheet_url, found.frames[0]))
    assert sheet.shape == (20 * 9, 12 * 8, 3)
    np.testing.assert_array_equal(sheet[20:40, :12], frame["samples"][0].permute(1, 2, 0))
    assert not sheet[:20, 36:].any()


def test_large_images_come_as_small_files(folder):
    run = WatchedRun(folder, "large", state="finished", image=(3, 64, 64))
    run.write_frame(1)
    found = fed(run)
    assert blob(found.sheet_url, found.frames[0]).media_type == "image/webp"
    assert pixels(body(found.sheet_url, found.frames[0])).shape == (64 * 9, 64 * 8, 3)


def test_a_frame_that_was_written_again_has_another_name(watched):
    watched.end_epoch()
    watched.end_epoch()
    before = fed(watched)
    file = watched.write_frame(2, watched.frame(50))
    os.utime(file, (1_700_000_000, 1_700_000_000))
    after = fed(watched)
    assert after.frames[0] == before.frames[0]
    assert after.frames[1] != before.frames[1]
    np.testing.assert_allclose(points_of(after, after.frames[1]), watched.frame(50)["points"], rtol=1e-4)
    # The browser may still ask for the older one: it must not get the newer under that name, and keep it.
    with pytest.raises(CheckpointError, match="gone"):
        blob(before.sheet_url, before.frames[1])


def test_thinned_out_and_damaged_frames_are_left_out(watched):
    for _ in range(4):
        watched.end_epoch()
    os.utime(watched.path / "frames", (1_700_000_000, 1_700_000_000))
    assert len(fed(watched).frames) == 4
    (watched.path / "frames" / "00002.safetensors").unlink()
    (watched.path / "frames" / "00004.safetensors").write_bytes(b"not a frame")
    (watched.path / "frames" / ".00009.safetensors.77.tmp").write_bytes(b"")
    found = fed(watched)
    assert [name.split("-")[0] for name in found.frames] == ["1", "3"]
    assert len(found.reaches) == 2


def test_axes_take_in_every_point_and_shrink_slowly(watched):
    wide = watched.frame(1)
    wide["points"] = wide["points"] * 10
    watched.write_frame(1, wide)
    for epoch in range(2, 30):
        watched.write_frame(epoch, watched.frame(1))
    reaches = np.array(fed(watched).reaches)
    assert reaches.shape == (29, 5)
    widths = reaches[:, 1] - reaches[:, 0]
    assert (np.diff(widths) <= 1e-9).all()
    assert widths[1] > 0.8 * widths[0]
    points = watched.frame(1)["points"].numpy()
    assert widths[-1] == pytest.approx(np.ptp(points[:, 0]), rel=0.15)
    for low, high, axis in ((0, 1, 0), (2, 3, 1)):
        assert (reaches[1:, low] <= points[:, axis].min() + 0.05).all()
        assert (reaches[1:, high] >= points[:, axis].max() - 0.05).all()


def test_one_point_far_out_does_not_shrink_the_rest(watched):
    frame = watched.frame(1)
    frame["points"][0] = torch.tensor([1e4, float("nan")])
    frame["points"][1] = torch.tensor([1e4, 0.0])
    watched.write_frame(1, frame)
    found = fed(watched)
    x0, x1, *_ = found.reaches[0]
    assert x1 - x0 < 100


def test_the_classes_have_their_names_and_the_colours_of_the_map(watched):
    watched.end_epoch()
    assert fed(watched).classes == [[i, f"kind {i}", palette(4)[i]] for i in range(4)]


def test_a_run_without_classes_or_frames(folder):
    run = WatchedRun(folder, "bare", state="finished", classes=0)
    assert fed(run).probe is None
    assert fed(run).frames == ()
    run.write_frame(1)
    assert fed(run).classes is None
    assert len(fed(run).frames) == 1


def test_nothing_new_is_nothing_made_anew(watched):
    watched.end_epoch()
    first, second = fed(watched), fed(watched)
    assert second.recent is first.recent
    assert second == first
    watched.end_epoch(frame=False)
    third = fed(watched)
    assert third.epochs == 2
    assert third.reaches is first.reaches
