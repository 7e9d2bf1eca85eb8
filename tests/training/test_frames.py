"""What a run shows after each epoch: its pictures and points are the model's, and there are never too many."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist

from explorer import datasets
from explorer.checkpoints.model import load
from explorer.latents import maps
from explorer.training import frame_files, frames
from explorer.training.frame_files import Frame, FrameFolder, Probe, frame_file, read_index
from explorer.training.frames import FrameWriter, choose_probe
from tests.training.frames import frame_epochs, frame_index, read_frame, read_probe


@pytest.fixture
def digits():
    return datasets.load("mnist-5k", "test")


def test_the_last_frame_is_the_finished_model(small_train, digits):
    run = small_train(epochs=3, latent=5)
    model = load(run.path, device="cpu")
    probe, frame = read_probe(run.path), read_frame(run.path, 3)
    assert len(probe.index) == len(probe.labels) == 500
    assert torch.equal(probe.labels, digits.labels[probe.index])
    assert probe.classes == digits.classes
    assert torch.equal(probe.originals, digits.images[probe.index[:8]])
    codes = model.encode(digits.images[probe.index]).mean
    shown = model.decode(codes[:8]) * 255
    assert (frame.reconstructions.float() - shown).abs().max() <= 0.51
    noise = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    assert (frame.samples.float() - model.decode(noise) * 255).abs().max() <= 0.51
    assert frame.kl.numpy() == pytest.approx(model.latents.kl_by_latent.numpy(), rel=1e-4)
    # A principal plane, turned: distances between points are those of the plane.
    plane = maps.pca(codes).points
    assert torch.cdist(frame.points, frame.points).numpy() == pytest.approx(torch.cdist(plane, plane).numpy(), abs=1e-2)


def test_two_latents_are_the_points_as_they_are(small_train, digits):
    run = small_train(epochs=1)
    model = load(run.path, device="cpu")
    codes = model.encode(digits.images[read_probe(run.path).index]).mean
    assert read_frame(run.path, 1).points.numpy() == pytest.approx(codes.numpy(), rel=1e-4)


def test_an_autoencoder_draws_from_its_own_codes(small_train):
    run = small_train(epochs=2, family="ae")
    assert read_frame(run.path, 2).samples.float().std() > 5
    assert read_frame(run.path, 2).kl.tolist() == [0.0, 0.0]


def test_the_images_shown_are_of_different_classes(digits):
    index = choose_probe(digits.labels, len(digits))
    assert digits.labels[index[:8]].tolist() == list(range(8))
    assert len(set(index.tolist())) == 500
    assert torch.equal(index, choose_probe(digits.labels, len(digits)))
    assert len(choose_probe(None, 3)) == 3


def writer(path, data, model, **options):
    path.mkdir(exist_ok=True)
    return FrameWriter(path, data, model, **options)


def test_frames_are_thinned_and_the_last_is_always_there(tiny_run, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(frame_files, "MOST", 24)
    monkeypatch.setattr(frames, "SHARE", 1e9)
    model = load(tiny_run.path, device="cpu")
    book = writer(tmp_path / "run", digits, model.network)
    for epoch in range(1, 102):
        book.offer(epoch, torch.zeros(2), last=epoch == 101)
    epochs = frame_epochs(tmp_path / "run")
    assert epochs == [frame.epoch for frame in book.files.frames]
    assert 12 <= len(epochs) <= 24
    assert epochs[-1] == 101
    gaps = np.diff(epochs[:-2])  # the newest stay whatever their number
    assert gaps.min() == gaps.max()


def test_a_run_that_went_back_forgets_the_frames_that_it_had_after_that(tiny_run, digits, tmp_path):
    model = load(tiny_run.path, device="cpu")
    book = writer(tmp_path / "run", digits, model.network)
    for epoch in (1, 2, 3):
        book.offer(epoch, torch.zeros(2), last=True)
    assert writer(tmp_path / "run", digits, model.network, epoch=2).files.frames == list(
        frame_index(tmp_path / "run").frames
    )
    assert frame_epochs(tmp_path / "run") == [1, 2]


def test_frames_leave_the_training_its_time(tiny_run, digits, tmp_path, monkeypatch):
    """Epochs that end at once: next to none of them is drawn."""
    model = load(tiny_run.path, device="cpu")
    book = writer(tmp_path / "run", digits, model.network)
    for epoch in range(1, 200):
        book.offer(epoch, torch.zeros(2))
    assert 1 <= len(book.files.frames) < 20


def test_large_images_are_shrunk(tmp_path):
    from explorer.models import ModelConfig, build

    images = torch.randint(0, 256, (20, 3, 128, 128), dtype=torch.uint8)
    data = datasets.ImageDataset("noise", "test", images, None, [])
    config = ModelConfig(
        family="vae", network="dense", image_shape=(3, 128, 128), latent=3, encoder=(4,), decoder=(4,),
        likelihood="bernoulli",
    )  # fmt: skip
    (tmp_path / "run").mkdir()
    book = FrameWriter(tmp_path / "run", data, build(config))
    book.offer(1, torch.zeros(3))
    frame = read_frame(tmp_path / "run", 1, 3)
    assert frame.samples.shape == (64, 3, 64, 64)
    assert frame.points.shape == (20, 2)
    assert read_probe(tmp_path / "run").labels is None


def noise(epoch, side=64):
    draw = torch.Generator().manual_seed(epoch)
    pictures = torch.randint(0, 256, (72, 3, side, side), generator=draw, dtype=torch.uint8)
    return Frame(pictures[:8], pictures[8:], torch.randn(500, 2, generator=draw), torch.rand(2, generator=draw))


def test_the_frames_of_a_run_never_take_more_than_their_room(tmp_path, monkeypatch):
    """Of noise, which nothing makes small."""
    monkeypatch.setattr(frame_files, "MOST_BYTES", 10 << 20)
    frame = noise(0)
    book = FrameFolder(tmp_path, Probe(frame.reconstructions, None, torch.arange(500), []))
    for epoch in range(1, 61):
        book.add(epoch, noise(epoch))
        assert sum(file.stat().st_size for file in (tmp_path / "frames").iterdir()) < 11 << 20
    assert 24 <= len(book.frames) < 60
    assert frame_epochs(tmp_path)[-1] == 60


def test_no_file_outlives_its_frame(tmp_path):
    book = FrameFolder(tmp_path, Probe(noise(0, 8).reconstructions, None, torch.arange(500), []))
    (tmp_path / "frames" / "00001.safetensors").write_bytes(b"of an older version")
    (tmp_path / "frames" / ".index.json.77.tmp").write_bytes(b"of a process that died")
    for epoch, drawn in ((1, 1), (2, 2), (2, 3)):
        book.add(epoch, noise(drawn, 8))
    stems = {index.name for index in (frame_index(tmp_path), *frame_index(tmp_path).frames)}
    assert len(stems) == 3
    files = {file.name for file in (tmp_path / "frames").iterdir()}
    assert files == {"index.json"} | {f"{stem}.{kind}" for stem in stems for kind in ("webp", "json")}
    assert torch.equal(read_frame(tmp_path, 2, 3).samples, noise(3, 8).samples)
    assert all(frame_file(tmp_path, name) == tmp_path / "frames" / name for name in files - {"index.json"})


@pytest.mark.parametrize("name", ["index.json", "../run.json", "1-0.json", "", "1-0123456789abcdef.json/..", "probe"])
def test_no_other_name_is_a_frames_file(tmp_path, name):
    assert frame_file(tmp_path, name) is None


FRAME = {"epoch": 1, "name": "1-0123456789abcdef", "bytes": 1, "reach": [0, 1, 0, 1, 0]}
INDEX = {"name": "probe-0123456789abcdef", "shown": 1, "tile": [28, 28], "labels": [0], "classes": ["0"]}
DAMAGED = [{"name": "../run"}, {"epoch": "1"}, {"reach": [0, 1]}, {"reach": [0, 1, 0, 1, None]}]


def test_an_index_is_read(tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "index.json").write_text(json.dumps({**INDEX, "frames": [FRAME]}))
    found = read_index(tmp_path)
    assert found is not None
    assert found.frames[0].reach == (0, 1, 0, 1, 0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "[" * 10_000, '{"frames": 1}', '{"frames": [{"epoch": 1}]}'),
        *(json.dumps({**INDEX, "frames": [{**FRAME, **damage}]}) for damage in DAMAGED),
        json.dumps({**INDEX, "labels": ["x"], "frames": []}),
    ],
)
def test_an_index_that_is_not_there_or_damaged_names_no_frames(tmp_path, digits, tiny_run, text):
    assert read_index(tmp_path) is None
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "index.json").write_text(text)
    assert read_index(tmp_path) is None
    assert FrameWriter(tmp_path, digits, load(tiny_run.path, device="cpu").network).last is None  # begins anew
    assert frame_epochs(tmp_path) == []


def test_drawing_leaves_the_model_as_it_was(tiny_run, digits, tmp_path):
    model = load(tiny_run.path, device="cpu").network.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    torch.manual_seed(5)
    (tmp_path / "run").mkdir()
    FrameWriter(tmp_path / "run", replace(digits, labels=None, classes=[]), model).offer(1, torch.zeros(2))
    drawn = torch.rand(1)
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))


@given(st.integers(0, 2**31), st.integers(3, 40))
@settings(max_examples=40, deadline=None)
def test_aligned_points_are_as_near_as_a_turn_can_bring_them(seed, n):
    generator = torch.Generator().manual_seed(seed)
    points, to = (torch.randn(n, 2, generator=generator) for _ in range(2))
    found = maps.align(points, to)
    centred, target = (points - points.mean(0)).numpy(), (to - to.mean(0)).numpy()
    turn, _ = orthogonal_procrustes(centred, target)
    expected = np.square(centred @ turn - target).sum()
    assert np.square((found - found.mean(0)).numpy() - target).sum() == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert pdist(found.numpy()) == pytest.approx(pdist(points.numpy()), abs=1e-4)
