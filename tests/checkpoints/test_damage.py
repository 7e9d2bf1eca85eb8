"""Checkpoint and run folders that somebody has altered: each is refused in a sentence, or what it shows is sound."""

import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
import torch

import explorer
from benchmarks.faults.folders import KINDS, damage, vouch
from explorer import runs
from explorer.checkpoints.folder import read, read_history, save
from explorer.checkpoints.model import load
from explorer.errors import CheckpointError
from explorer.latents import Latents, map_latents
from explorer.latents.items import Items
from explorer.models import ModelConfig, build
from explorer.models.evaluation import evaluate
from explorer.training.frame_files import read_index
from explorer.training.presets import TrainConfig
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState, Status
from explorer.ui.train.history import History, columns
from tests.counted import bytes_read

folder_module = sys.modules["explorer.checkpoints.folder"]  # explorer.checkpoints is the function of that name
pytestmark = pytest.mark.timeout(120)  # a pipe that is waited for never ends

IMAGES, CLASSES = 12, ["one", "two", "three"]
INDEX = {
    "name": "probe-0123456789abcdef",
    "shown": 1,
    "tile": [8, 8],
    "labels": [0, 1, 2],
    "classes": CLASSES,
    "groups": None,
    "rings": [0.0, 0.0, 1.0, 1.0],
    "frames": [{"epoch": 1, "name": "1-0123456789abcdef", "bytes": 9, "reach": [0, 1, 0, 1, 0]}],
}


def write(path, family="vae", latent=2, network="dense", seed=0, **more):
    """A small checkpoint whose parts fit together, of an untrained model, with the files of a run beside."""
    torch.manual_seed(seed)
    settings = {"family": family, "network": network, "latent": latent, "encoder": [4], "decoder": [4]}
    settings |= {"likelihood": "sigma", "batch_norm": network == "conv", **more}
    model_config = ModelConfig.from_json(
        {**settings, "image_shape": [1, 8, 8], "classes": len(CLASSES) if family == "cvae" else 0}
    )
    network_ = build(model_config).eval()
    images = torch.randint(0, 256, (IMAGES, 1, 8, 8), dtype=torch.uint8)
    labels, group = torch.arange(IMAGES) % 3, [f"C{i // 2}" for i in range(IMAGES)]
    found = evaluate(network_, images, labels)
    items = Items([f"{i}.png" for i in range(IMAGES)])
    latents = map_latents(Latents.of(found, labels, group, items), plane=network_.has_plane, final=True, umap=False)
    tensors, metadata = latents.to_tensors()
    metrics = {**found.metrics(), "kl_by_latent": found.kl_by_group.tolist(), "measured_on": {"split": "test"}}
    config = {
        "created": "2025-06-01T12:00:00+00:00",
        "status": "finished",
        "message": "",
        "family": family,
        "model": model_config.to_json(),
        "preset": "mlp-2d",
        "recipe": {**settings, "beta": 1.0, "epochs": 2},
        "dataset": {"name": "mnist-5k", "train_images": 40, "test_images": IMAGES},
        "preprocessing": {"size": [8, 8], "channels": 1},
        "classes": CLASSES,
        "seed": 0,
        "device": "cpu",
        "precision": "float32",
        "epochs_done": 2,
        "seconds": 1.5,
        "versions": {"python": "3.11"},
    }
    history = [
        {
            "epoch": i,
            "seconds": 1.0 * i,
            "train": {"elbo": -1.0},
            "test": metrics,
            "kl_by_latent": [0.1] * network_.latent,
        }
        for i in (1, 2)
    ]
    for row in history:
        row["test"] = {k: v for k, v in metrics.items() if isinstance(v, float | int | None)}
    save(
        path,
        config=config,
        metrics=metrics,
        history=history,
        model=network_.state_dict(),
        latents=tensors,
        latents_metadata=metadata,
    )
    files = RunFiles(path)
    files.write_request(TrainConfig(preset="mlp-2d", dataset="mnist-5k"), "cpu", "2025-06-01T12:00:00+00:00")
    files.write_status(Status(state=RunState.FINISHED, since=1.0, test={"elbo": 1.0}, epochs_done=2))
    (path / "frames").mkdir()
    (path / "frames" / "index.json").write_text(json.dumps(INDEX))


SOUND = {
    "plane": {},
    "maps": {"latent": 4, "network": "conv"},
    "conditional": {"family": "cvae", "latent": 3, "seed": 1},
    "autoencoder": {"family": "ae", "seed": 2},
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder with a sound checkpoint of each kind."""
    folder = tmp_path_factory.mktemp("sound")
    for name, options in SOUND.items():
        write(folder / name, **options)
    return folder


@pytest.fixture
def place(sound, tmp_path, monkeypatch):
    """The runs folder, with a copy of each, and no shipped checkpoints."""
    shutil.copytree(sound, tmp_path / "runs")
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(folder_module, "SHIPPED", tmp_path / "none")
    return tmp_path / "runs"


def check_sentence(text):
    assert 0 < len(text) < 1000
    assert "\n" not in text


def look(name):
    """Does what screens do with a folder, from its lists to a decoded image; the model if it can be opened."""
    listed = {info.id: info for info in explorer.checkpoints()}
    check_sentence("".join(info.summary for info in listed.values() if info.name == name) or "none")
    for info in listed.values():
        assert info.name == name or info.problem is None
    for run in runs.runs():
        assert all(abs(value) < 1e39 for value in run.test.values())
        run.created.astimezone()
        assert len(run.message) < 3000
        assert (run.name == name) or run.state == "finished"
    runs.active()
    path = runs.listing.runs_folder() / name
    rows = read_history(path)
    grown = History(path / "history.jsonl")
    grown.update()
    json.loads(columns(grown.rows), parse_constant=pytest.fail)
    assert len(rows) == len(grown.rows)
    read_index(path)
    runs.log_tail(name)
    info = listed.get(f"runs/{name}")
    if info is None:
        return None
    try:
        model = load(f"runs/{name}", device="cpu")
    except CheckpointError as error:
        check_sentence(str(error))
        return None
    assert info.problem is None
    check_model(model)
    return model


def check_model(model):
    stored, metrics = model.latents, model.info.metrics
    n = len(stored)
    assert n == len(stored.mean) == len(stored.kl) == len(stored.reconstruction) == IMAGES
    for tensor in (stored.mean, stored.kl, stored.reconstruction, *(m.points for m in stored.maps.values())):
        assert tensor.isfinite().all()
    assert stored.posterior.logvar.isfinite().all() or stored.deterministic
    assert sorted(stored.index.tolist()) == list(range(n))
    if stored.labels is not None:
        assert 0 <= int(stored.labels.min()) <= int(stored.labels.max()) < len(model.classes)
    if stored.group is not None:
        assert len(stored.groups[0]) <= n
    assert ("plane" in stored.maps) or ("pca" in stored.maps)
    for m in stored.maps.values():
        assert m.points.shape == (n, 2)
        assert m.code_at(m.points[:2]).isfinite().all()
    for quality in stored.quality.values():
        assert all(-1 <= value <= 1.01 or value != value for value in quality.values())
    for name in ("elbo", "reconstruction", "kl", "mse"):
        assert metrics.get(name) is None or abs(metrics[name]) < 1e39
    if metrics["elbo"] is not None:
        assert metrics["elbo"] == pytest.approx(float((stored.reconstruction - stored.kl).mean()), rel=0.01, abs=0.01)
    images = model.decode(stored.mean)
    assert images.isfinite().all()
    assert model.encode(images).mean.isfinite().all()
    assert model.image_shape[0] in (1, 3)
    assert all(weights.isfinite().all() for weights in model.network.state_dict().values())


def test_what_is_sound_opens(place):
    for name in SOUND:
        assert look(name) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_altered_is_refused_or_sound(place, sound, kind):
    refused = 0
    for seed in range(10):
        rng = random.Random(f"{kind} {seed}")
        name = rng.choice(list(SOUND))
        said = damage(place / name, rng, kind)
        try:
            refused += look(name) is None
        except BaseException as error:
            error.add_note(f"{name}, seed {seed}: {said}")
            raise
        shutil.rmtree(place / name)
        shutil.copytree(sound / name, place / name)
    assert refused >= 2


def rewrite(folder, name, /, **changes):
    """Changes a JSON file, a value within an object by `a__b`, with hashes that agree."""
    value = json.loads((folder / name).read_text())
    for key, new in changes.items():
        *path, last = key.split("__")
        inside = value
        for step in path:
            inside = inside[step]
        inside[last] = new
    (folder / name).write_text(json.dumps(value))
    vouch(folder)


def change_tensors(folder, name, **changes):
    """Changes tensors by functions, with hashes that agree."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(folder / name, "pt") as stored:
        metadata = stored.metadata()
    tensors = {k: v.clone() for k, v in load_file(folder / name).items()}
    for key, change in changes.items():
        tensors[key] = change(tensors[key])
    save_file(tensors, folder / name, metadata)
    vouch(folder)


def put(place, value):
    def change(tensor):
        tensor[place] = value
        return tensor

    return change


@pytest.mark.parametrize(
    ("name", "changes", "match"),
    [
        ("metrics.json", {"elbo": 10**399}, "elbo must be a finite number"),
        ("metrics.json", {"elbo": float("nan")}, "elbo must be a finite number"),
        ("metrics.json", {"elbo": -1.0}, "its ELBO is not its reconstruction less its KL"),
        ("metrics.json", {"elbo": None}, "its elbo is not one of a model of its kind, VAE"),
        ("metrics.json", {"n": 11}, "latents.safetensors has 12 images, metrics.json 11"),
        ("metrics.json", {"kl_by_latent": [1.0]}, "kl_by_latent is of another number of latents"),
        ("config.json", {"model__encoder": [1] * 100_000}, "encoder must be at most 100 whole numbers, not 100,000"),
        ("config.json", {"model__image_shape": [2, 8, 8]}, "1 channel (gray) or 3 (colour), not 2"),
        ("config.json", {"model__image_shape": [1, 8192, 8]}, "image_shape must be at most 1,024, not 8,192"),
        ("config.json", {"classes": ["one", "two", 3]}, "each of classes must be text"),
        ("config.json", {"classes": ["one", "two", "two"]}, "classes must differ"),
        ("config.json", {"classes": ["one", "two", "x" * 2000]}, "each of classes must be text of at most 1,000"),
        ("config.json", {"classes": ["one", "two", "\u202eeerht"]}, "each of classes must be text"),
        ("config.json", {"classes": ["one", "two"]}, "labels runs from 0 to 2, and there are 2 classes"),
        ("config.json", {"message": "x" * 10**6}, "message must be text of at most 4,000"),
        ("config.json", {"recipe__latent": 3}, "latent of its recipe is not that of its model"),
        ("config.json", {"family": "ae"}, "family of its recipe is not that of its model"),
        ("config.json", {"dataset__test_images": 13}, "latents.safetensors has 12 images, config.json 13"),
        ("config.json", {"dataset__only": "four"}, "the class that it was trained on is none of its classes"),
        ("config.json", {"preprocessing__channels": 3}, "another shape than its model's"),
        ("config.json", {"seed": -1}, "seed must be a whole number"),
    ],
)
def test_json_that_does_not_fit(place, name, changes, match):
    rewrite(place / "plane", name, **changes)
    problem = read(place / "plane").problem or ""
    with pytest.raises(CheckpointError) as caught:
        load(place / "plane", device="cpu")
    check_sentence(str(caught.value))
    assert match in str(caught.value)
    assert match in problem or "labels" in match  # whose numbers are looked at when it is opened


NUMBERS = {
    "labels": (put(3, 2**31 - 1), "labels runs from 0 to 2,147,483,647, and there are 3 classes"),
    "index": (put(3, 2), "index names one twice"),
    "group": (put(3, -1), "group runs from -1 to 5, and there are 6 groups"),
    "mean": (put((3, 0), float("nan")), "mean has values that cannot be"),
    "logvar": (put((3, 0), 1e5), "logvar has values that cannot be"),
    "kl": (put(3, float("inf")), "kl has values that cannot be"),
    "reconstruction": (put(3, -1e6), "reconstruction is"),
    "kl_by_group": (put(1, 30.0), "the KL of its codes is not that in metrics.json"),
    "mean_average": (put(0, float("nan")), "mean_average has values that cannot be"),
    "kept_latents": (put(0, -1), "kept_latents runs from -1 to 1, and there are 2 latents"),
}


def test_a_ladder_of_many_latents_opens(place):
    write(place / "tall", family="ladder", layers=[4096, 4])
    assert load("runs/tall", device="cpu").latent == 4100
    assert [len(line["kl_by_latent"]) for line in read_history(place / "tall")] == [4100, 4100]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_the_codes_that_cannot_be(place, name):
    change, match = NUMBERS[name]
    change_tensors(place / "plane", "latents.safetensors", **{name: change})
    with pytest.raises(CheckpointError, match="runs/plane") as caught:
        load("runs/plane", device="cpu")
    assert match in str(caught.value)
    check_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("index", "why"), [(put(11, 12), "images that the test set has not"), (put(11, 2**31 - 1), "index runs from")]
)
def test_an_index_beyond_the_test_set(place, index, why):
    change_tensors(place / "plane", "latents.safetensors", index=index)
    with pytest.raises(CheckpointError, match=why):
        load("runs/plane", device="cpu")


def test_weights_that_are_no_numbers_beside_a_good_elbo(place):
    change_tensors(place / "plane", "model.safetensors", **{"decoder.0.bias": put(1, float("nan"))})
    with pytest.raises(CheckpointError, match=r"decoder\.0\.bias has values that are no finite numbers"):
        load("runs/plane", device="cpu")


def test_weights_whose_images_are_no_numbers(place):
    change_tensors(
        place / "plane",
        "model.safetensors",
        **{"decoder.0.bias": lambda bias: bias * 0 + 3e38, "decoder.2.weight": lambda weight: weight * 1e10},
    )
    with pytest.raises(CheckpointError, match="no finite numbers"):
        load("runs/plane", device="cpu")


def test_codes_of_another_checkpoint(place, sound):
    write(place / "plane2", seed=5)
    shutil.copy(place / "plane2" / "latents.safetensors", place / "plane" / "latents.safetensors")
    vouch(place / "plane")
    with pytest.raises(CheckpointError, match="its files do not fit together: reconstruction is"):
        load("runs/plane", device="cpu")


EVERY_FILE = [
    *("config.json", "metrics.json", "model.safetensors", "latents.safetensors", "history.jsonl", "SHA256SUMS"),
    *("run.json", "state.json", "lock", "log.txt", "cancel", "owner.json", "frames/index.json", ".commit/.plan"),
]


@pytest.mark.parametrize("how", ["pipe", "device", "folder", "loop"])
@pytest.mark.parametrize("name", EVERY_FILE)
def test_what_is_no_regular_file_holds_up_nobody(place, name, how):
    file = place / "plane" / name
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    if how == "pipe":
        os.mkfifo(file)
    elif how == "folder":
        file.mkdir()
    else:
        file.symlink_to("/dev/zero" if how == "device" else file)
    look("plane")
    runs.advance()


def test_a_queued_run_with_a_pipe_for_a_log_does_not_hold_up_the_queue(place):
    RunFiles(place / "plane").change_status(RunState.QUEUED)
    (place / "plane" / "optimizer.safetensors").touch()
    os.mkfifo(place / "plane" / "log.txt")
    runs.advance()
    assert runs.run("plane").state == "failed"
    assert "could not be started" in runs.run("plane").message


@contextlib.contextmanager
def another_user(folder):
    """What is in a folder belongs to another user, who lets nobody in: root becomes nobody to see that."""
    folder.chmod(0o700 if os.geteuid() == 0 else 0)
    was = os.geteuid()
    try:
        if was == 0:
            os.seteuid(65534)
        yield
    finally:
        if was == 0:
            os.seteuid(was)
        folder.chmod(0o755)


@pytest.mark.parametrize("whole", [False, True], ids=["one run", "all runs"])
def test_another_users_folder_takes_nothing_down(sound, monkeypatch, whole):
    top = Path(tempfile.mkdtemp())  # not below pytest's, which is the person's own
    try:
        top.chmod(0o755)
        shutil.copytree(sound, top / "runs")
        (top / "runs").chmod(0o755)
        monkeypatch.setenv("EXPLORER_RUNS", str(top / "runs"))
        monkeypatch.setattr(folder_module, "SHIPPED", top / "none")
        with another_user(top / "runs" if whole else top / "runs" / "plane"):
            checkpoints, listed = explorer.checkpoints(), runs.runs()
            runs.active()
            assert read_history(top / "runs" / "plane") == []
            assert read_index(top / "runs" / "plane") is None
            with pytest.raises(CheckpointError):
                load("runs/plane", device="cpu")
        if whole:
            assert (checkpoints, listed) == ([], [])
            return
        problems = {info.name: info.problem for info in checkpoints}
        assert problems.pop("plane") == "config.json cannot be read: Permission denied."
        assert set(problems.values()) == {None}
        states = {info.name: (str(info.state), info.message) for info in listed}
        assert states.pop("plane") == ("failed", "Its files cannot be read: Permission denied.")
        assert {state for state, _ in states.values()} == {"finished"}
    finally:
        shutil.rmtree(top)


def test_a_link_that_leads_to_itself_hides_no_other_run(place):
    (place / "round").symlink_to(place / "round")
    assert {info.name for info in runs.runs()} == set(SOUND)
    assert {info.name for info in explorer.checkpoints()} == set(SOUND)


def test_a_list_costs_headers_and_json(place):
    """Terabytes that are a hole are not read, and what is known is not read again."""
    for name in ("model.safetensors", "latents.safetensors", "history.jsonl"):
        with open(place / "plane" / name, "r+b") as file:
            file.truncate(1 << 40)
        assert bytes_read(lambda: read(place / "plane")) < 1 << 20
        assert read(place / "plane").problem
        assert bytes_read(lambda: read_history(place / "plane")) < 100 << 20
        shutil.copy(place / "maps" / name, place / "plane" / name)


ODD_STATES = [
    {"since": 1e14},
    {"message": "x" * 10**6},
    {"test": {"elbo": 10**399}},
    {"progress": {"phase": "training", "epoch": "3"}},
    {"progress": {"phase": "training", "seconds_left": float("inf")}},
    {"progress": {"phase": "x" * 10**6}},
    {"epochs_done": 10**399},
    {"pid": -5},
]


@pytest.mark.parametrize("changes", ODD_STATES)
def test_a_status_is_checked_value_by_value(place, changes):
    rewrite(place / "plane", "state.json", **changes)
    status = RunFiles(place / "plane").status()
    assert status.since < 1e11
    assert len(status.message) <= 2000
    assert status.test.keys() <= {"elbo"}
    assert all(abs(value) < 1e39 for value in status.test.values())
    assert status.progress is None
    assert status.epochs_done < 1e15
    assert status.state == "finished"


@pytest.mark.parametrize(
    "changes",
    [
        {"shown": "8"},
        {"tile": [8]},
        {"tile": [10**399, 8]},
        {"labels": [2**31 - 1]},
        {"classes": [1]},
        {"rings": [1, 2]},
        {"groups": 3},
        {"name": "../probe"},
        {"frames": [{"epoch": 10**399, "name": "1-0123456789abcdef", "bytes": 9, "reach": [0, 1, 0, 1, 0]}]},
        {"frames": [{"epoch": 1, "name": "1-0123456789abcdef", "bytes": 9, "reach": [0, 1, 0, 1, 10**399]}]},
        {"frames": [{"epoch": 1}]},
        {"unknown": 1},
    ],
)
def test_an_index_of_frames_is_checked_as_a_whole(place, changes):
    assert read_index(place / "plane") is not None
    rewrite(place / "plane" / "frames", "index.json", **changes)
    assert read_index(place / "plane") is None


@pytest.mark.parametrize(
    "line",
    [
        *('{"epoch": "3"}', '{"epoch": 1e400}', '{"epoch": 3, "test": [1]}', '{"epoch": 3, "test": {"elbo": "x"}}'),
        *('{"epoch": true}', "[3]", "[" * 10_000, f'{{"epoch": 3, "seconds": {"9" * 400}}}'),
    ],
)
def test_a_line_that_is_none_of_a_history_is_left_out(place, line):
    file = place / "plane" / "history.jsonl"
    file.write_text(file.read_text() + line + "\n")
    grown = History(file)
    grown.update()
    assert [row["epoch"] for row in read_history(place / "plane")] == [row["epoch"] for row in grown.rows] == [1, 2]
