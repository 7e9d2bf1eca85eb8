"""What the live view of a run is fed with: its history as it grows, its frames as pictures and points."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer import runs
from explorer.figures import palette
from explorer.training.frame_files import ACROSS
from explorer.ui.train.feed import Feed, feed
from explorer.ui.train.history import MOST_EPOCHS, History, columns, thinned
from tests.app.test_assets import CACHED, request
from tests.app.watch.runs import POINTS, SAMPLES, SHOWN, WatchedRun
from tests.browser.screen import pixels


def names_of(found: Feed) -> list[str]:
    return found.data.frames.split()


def reaches_of(found: Feed) -> np.ndarray:
    """[frames, 5]."""
    return np.reshape([float(text) for text in found.data.reaches.split()], (-1, 5))


def file(found: Feed, name: str) -> bytes:
    """What the server answers for a file of the frames."""
    status, headers, body = request(found.data.frames_url + name)
    assert (status, headers["cache-control"]) == (200, CACHED)
    assert headers["content-type"] == ("image/webp" if name.endswith(".webp") else "application/json")
    return body


def numbers(found: Feed, name: str) -> dict:
    return json.loads(file(found, f"{name}.json"))


def points_of(found: Feed, name: str) -> np.ndarray:
    return np.reshape(numbers(found, name)["points"], (-1, 2))


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
    assert [name.split("-")[0] for name in names_of(found)] == ["1", "2", "3"]
    for epoch, name in enumerate(names_of(found), 1):
        frame = watched.frame(epoch)
        sheet = pixels(file(found, f"{name}.webp"))
        rows = np.concatenate([frame.reconstructions[:, 0], frame.samples[:, 0]])
        assert (sheet == sheet[..., :1]).all()
        tiles = sheet[..., 0].reshape(1 + SAMPLES // ACROSS, 28, ACROSS, 28).transpose(0, 2, 1, 3).reshape(-1, 28, 28)
        np.testing.assert_array_equal(tiles, rows)
        np.testing.assert_allclose(points_of(found, name), frame.points, rtol=1e-4)
        np.testing.assert_allclose(numbers(found, name)["kl"], frame.kl, rtol=1e-4)
    probe = found.data.probe
    assert (probe["shown"], probe["tile"]) == (SHOWN, [28, 28])
    originals = pixels(file(found, f"{probe['name']}.webp"))[..., 0]
    np.testing.assert_array_equal(originals, np.concatenate(list(watched.originals()[:, 0].numpy()), axis=1))
    points = numbers(found, probe["name"])
    assert points == {"labels": watched.labels().tolist(), "index": [7 * i for i in range(POINTS)]}


def test_fewer_images_leave_the_samples_in_their_row(folder):
    run = WatchedRun(folder, "few", state="finished", image=(3, 20, 12))
    frame = run.frame(1)
    run.write_frame(1, replace(frame, reconstructions=frame.reconstructions[:3]))
    found = fed(run)
    sheet = pixels(file(found, f"{names_of(found)[0]}.webp"))
    assert sheet.shape == (20 * 9, 12 * 8, 3)
    np.testing.assert_array_equal(sheet[20:40, :12], frame.samples[0].permute(1, 2, 0))
    assert not sheet[:20, 36:].any()


def test_large_images_come_as_small_files(folder):
    run = WatchedRun(folder, "large", state="finished", image=(3, 64, 64))
    rows = np.linspace(0, 255, 64, dtype=np.uint8)[:, None].repeat(64, 1)
    frame = run.frame(1)
    frame.samples[:] = frame.reconstructions[:] = torch.from_numpy(rows)
    run.write_frame(1, frame)
    found = fed(run)
    body = file(found, f"{names_of(found)[0]}.webp")
    assert len(body) < 20_000
    sheet = pixels(body)
    assert sheet.shape == (64 * 9, 64 * 8, 3)
    assert np.abs(sheet[:64, :64, 0].astype(int) - rows).mean() < 3


def test_a_frame_that_was_written_again_has_another_name(watched):
    watched.end_epoch()
    watched.end_epoch()
    before = fed(watched)
    watched.write_frame(2, watched.frame(50))
    after = fed(watched)
    assert names_of(after)[0] == names_of(before)[0]
    assert names_of(after)[1] != names_of(before)[1]
    np.testing.assert_allclose(points_of(after, names_of(after)[1]), watched.frame(50).points, rtol=1e-4)
    # The browser may still ask for the older one: it must not get the newer under that name, and keep it.
    status, headers, _ = request(f"{before.data.frames_url}{names_of(before)[1]}.webp")
    assert (status, headers["cache-control"]) == (404, "no-store")


@pytest.mark.parametrize("name", ["..%2Frun.json", "index.json", "1-0123456789abcdef.webp", ".index.json.7.tmp"])
def test_nothing_else_of_a_run_is_served(watched, name):
    watched.end_epoch()
    assert request(fed(watched).data.frames_url + name)[0] == 404
    assert request(f"/assets/frames/..%2F{watched.path.name}/{names_of(fed(watched))[0]}.webp")[0] == 404


def test_a_damaged_index_shows_no_frames_and_leaves_the_curves(watched):
    for _ in range(4):
        watched.end_epoch()
    assert len(names_of(fed(watched))) == 4
    (watched.path / "frames" / "index.json").write_bytes(b"not an index")
    found = fed(watched)
    assert (found.data.frames, found.data.probe, found.epochs) == ("", None, 4)


def test_pictures_that_an_older_version_stored_are_known_as_such(watched):
    watched.end_epoch(frame=False)
    assert not fed(watched).older
    (watched.path / "frames").mkdir()
    (watched.path / "frames" / "probe.safetensors").touch()
    assert fed(watched).older
    watched.end_epoch()
    assert not fed(watched).older


def test_axes_take_in_every_point_and_shrink_slowly(watched):
    frame = watched.frame(1)
    watched.write_frame(1, replace(frame, points=frame.points * 10))
    for epoch in range(2, 30):
        watched.write_frame(epoch, frame)
    reaches = reaches_of(fed(watched))
    assert reaches.shape == (29, 5)
    widths = reaches[:, 1] - reaches[:, 0]
    assert (np.diff(widths) <= 1e-9).all()
    assert widths[1] > 0.8 * widths[0]
    points = frame.points.numpy()
    assert widths[-1] == pytest.approx(np.ptp(points[:, 0]), rel=0.15)
    for low, high, axis in ((0, 1, 0), (2, 3, 1)):
        assert (reaches[1:, low] <= points[:, axis].min() + 0.05).all()
        assert (reaches[1:, high] >= points[:, axis].max() - 0.05).all()


def test_one_point_far_out_does_not_shrink_the_rest(watched):
    frame = watched.frame(1)
    frame.points[0] = torch.tensor([1e4, float("nan")])
    frame.points[1] = torch.tensor([1e4, 0.0])
    watched.write_frame(1, frame)
    x0, x1, *_ = reaches_of(fed(watched))[0]
    assert x1 - x0 < 100


def test_the_classes_have_their_names_and_the_colours_of_the_map(watched):
    watched.end_epoch()
    assert fed(watched).data.classes == [[i, f"kind {i}", palette(4)[i]] for i in range(4)]


def test_a_run_without_classes_or_frames(folder):
    run = WatchedRun(folder, "bare", state="finished", classes=0)
    assert fed(run).data.probe is None
    assert fed(run).data.frames == ""
    run.write_frame(1)
    assert fed(run).data.classes is None
    assert len(names_of(fed(run))) == 1


def test_nothing_new_is_nothing_made_anew(watched):
    watched.end_epoch()
    first, second = fed(watched), fed(watched)
    assert second.data is first.data
    assert second == first
    watched.end_epoch(frame=False)
    third = fed(watched)
    assert third.epochs == 2
    assert third.data.reaches == first.data.reaches
