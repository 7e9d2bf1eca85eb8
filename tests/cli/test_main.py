"""The command line: every verb, and every error as one line."""

import dataclasses
import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import explorer
from explorer.__main__ import installed, main
from explorer.checkpoints.folder import read
from explorer.checkpoints.model import load
from explorer.files import hosting
from explorer.training.presets import PRESETS, Recipe

ROOT = Path(__file__).parents[2]
VERBS = [
    [],
    ["serve"],
    ["train"],
    ["evaluate"],
    ["encode"],
    ["sample"],
    ["list"],
    ["screen"],
    ["rank"],
    ["export"],
    ["data"],
    ["data", "list"],
    ["data", "fetch"],
]
LIGHT = [*("--dataset", "mnist-5k"), *("--encoder", "16"), *("--decoder", "16"), *("--device", "cpu")]


def command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "explorer", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def said(capsys, *arguments):
    """What a verb that succeeds writes to stdout."""
    assert main([str(a) for a in arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_is_there(capsys, verb):
    with pytest.raises(SystemExit) as done:
        main([*verb, "--help"])
    assert done.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m explorer")
    options = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", out))
    assert options >= {"-h", "--help"}


def becoming(monkeypatch, work):
    """The command that this process would become."""

    def become(path, command):
        became.extend(command)
        raise SystemExit(0)  # it does not come back

    became = []
    monkeypatch.setattr(os, "execv", become)
    with pytest.raises(SystemExit):
        work()
    return became


def test_serve_becomes_the_server_of_the_app(monkeypatch):
    became = becoming(monkeypatch, lambda: main(["serve", "--port", "9000", "--host", "0.0.0.0"]))
    main_part, options = became[:-2], became[-2:]
    assert main_part == [sys.executable, "-P", "-m", "streamlit", "run", str(ROOT / "app.py")]
    assert options == ["--server.port=9000", "--server.address=0.0.0.0"]


def test_serve_takes_its_options_from_a_settings_file(monkeypatch, tmp_path, capsys):
    file = tmp_path / "class.toml"
    file.write_text('url = "https://example.org/latent"\nport = 8600\n')
    monkeypatch.setenv(hosting.VARIABLE, "")  # which the command sets
    became = becoming(monkeypatch, lambda: main(["serve", "--settings", str(file), "--port", "9000"]))
    assert set(became[6:]) == {
        "--server.port=9000",
        "--server.address=localhost",
        "--server.headless=true",
        "--server.baseUrlPath=latent",
        "--browser.serverAddress=example.org",
        "--browser.serverPort=443",
    }
    assert os.environ[hosting.VARIABLE] == str(file)
    file.write_text("hots = []")
    assert main(["serve", "--settings", str(file)]) == 1
    assert "“hots”" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["hub.example.org", "https://hub.example.org/user/ada/proxy/8501/"])
def test_serve_takes_the_name_of_a_proxy(monkeypatch, name):
    became = becoming(monkeypatch, lambda: main(["serve", "--name", name]))
    assert became[6:] == ["--browser.serverAddress=hub.example.org", "--server.headless=true"]


@pytest.mark.parametrize(
    ("typed", "options"),
    [([], []), (["--port", "9000"], ["--server.port=9000"]), (["serve", "--host", "::1"], ["--server.address=::1"])],
    ids=" ".join,
)
def test_the_installed_command_serves_without_a_verb(monkeypatch, typed, options):
    monkeypatch.setattr(sys, "argv", ["latent-explorer", *typed])
    assert becoming(monkeypatch, installed)[6:] == options


def test_the_installed_command_has_the_other_verbs(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["latent-explorer", "list"])
    assert installed() == 0
    assert "mnist-conv-100" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["latent-explorer", "-h"])
    with pytest.raises(SystemExit, match="0"):
        installed()
    assert capsys.readouterr().out.startswith("usage: latent-explorer [-h] VERB")


def test_help_of_train_names_every_preset_and_setting(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    for name, preset in PRESETS.items():
        assert name in out
        assert preset.summary in out
    for option in ("--epochs", "--latent", "--beta", "--learning-rate", "--noise-variance", "--resume", "--seed"):
        assert option in out


def test_it_trains(tmp_path, capsys):
    out = said(capsys, "train", "--preset", "mlp-2d", "--epochs", 1, "--out", tmp_path / "run", *LIGHT)
    assert out.startswith(f"{tmp_path / 'run'}: elbo -")
    assert len(out.splitlines()) == 1
    info = read(tmp_path / "run")
    assert info.config["recipe"]["encoder"] == [16]
    assert info.config["recipe"]["epochs"] == 1


def test_every_setting_is_an_option(tmp_path, capsys):
    said(
        capsys,
        *("train", "--preset", "mlp-2d", "--epochs", 1, "--out", tmp_path / "run", *LIGHT, "--seed", 7),
        *("--family", "ae", "--likelihood", "gaussian", "--noise-variance", 0.1, "--beta", 2, "--optimizer", "adam"),
        *("--learning-rate", 0.01, "--schedule", "cosine", "--batch-size", 500, "--init", "pytorch"),
        *("--network", "dense", "--latent", 2, "--precision", "float32", "--batch-norm", "--output", "linear"),
        *("--warmup-epochs", 1, "--warmup-share", 0, "--free-bits", 0.1, "--decay", 1e-6, "--patience", 5),
        "--keep-best",
    )
    config = load(tmp_path / "run", device="cpu").info.config
    expected = {
        "family": "ae",
        "network": "dense",
        "latent": 2,
        "encoder": [16],
        "decoder": [16],
        "likelihood": "gaussian",
        "noise_variance": 0.1,
        "beta": 2.0,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "schedule": "cosine",
        "batch_size": 500,
        "epochs": 1,
        "init": "pytorch",
        "batch_norm": True,
        "output": "linear",
        "warmup_epochs": 1,
        "warmup_share": 0.0,
        "free_bits": 0.1,
        "decay": 1e-6,
        "patience": 5,
        "keep_best": True,
        "binarise": False,
        "mixture_components": 5,
    }
    of_families = {f.name for f in dataclasses.fields(Recipe) if f.metadata.get("of_family")}
    assert {k: v for k, v in config["recipe"].items() if k not in of_families} == expected
    assert (config["seed"], config["precision"]) == (7, "float32")


def test_it_evaluates(tiny_run, capsys):
    metrics = json.loads(said(capsys, "evaluate", tiny_run.path, "--json", "--device", "cpu"))
    names = ("elbo", "reconstruction", "kl", "loss", "mse", "active_units", "n", "kl_by_latent")
    assert {k: metrics[k] for k in names} == {k: pytest.approx(tiny_run.metrics[k], rel=1e-4) for k in names}
    assert "bernoulli" in metrics["absent"]["bits_per_dim"]
    assert {"log_likelihood", "k"}.isdisjoint(metrics)
    out = said(capsys, "evaluate", tiny_run.path, "--device", "cpu")
    assert re.search(rf"^elbo +{metrics['elbo']:.6g} nats$", out, re.M)
    assert re.search(r"^n +1000 images$", out, re.M)


def test_it_keeps_what_it_measures_with_the_checkpoint(tiny_run, capsys, tmp_path, monkeypatch):
    own = shutil.copytree(tiny_run.path, tmp_path / "runs" / "copy")
    monkeypatch.setenv("EXPLORER_RUNS", str(own.parent))
    found = json.loads(said(capsys, "evaluate", "runs/copy", "--k", 3, "--device", "cpu", "--json", "--save"))
    assert found["log_likelihood"] > found["elbo"]
    assert found["k"] == 3
    info = load("runs/copy", device="cpu").info  # whose hashes agree
    assert info.metrics == tiny_run.metrics | {"measures": {k: found[k] for k in info.metrics["measures"]}}
    said(capsys, "evaluate", "runs/copy", "--device", "cpu", "--save")
    assert "k" not in load("runs/copy", device="cpu").info.metrics["measures"]


def test_it_evaluates_on_other_data(tiny_run, capsys, tmp_path):
    for split in ("train", "test"):
        (tmp_path / "mine" / split / "a").mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (50, 40), (i, 2 * i, 90)).save(tmp_path / "mine" / split / "a" / f"{i}.png")
    out = said(capsys, "evaluate", tiny_run.path, "--dataset", f"folder:{tmp_path / 'mine'}", "--json")
    assert json.loads(out)["n"] == 3


def test_it_samples(tiny_run, capsys, tmp_path):
    out = tmp_path / "s.png"
    for name in (out, tmp_path / "again.png"):
        said(capsys, "sample", tiny_run.path, "-n", 10, "--seed", 3, "--temperature", 0.5, "--out", name)
    with Image.open(out) as picture:
        assert picture.size == (4 * 28, 3 * 28)
        first = np.asarray(picture)[:28, :28]
    expected = load(tiny_run.path, device="cpu").sample(10, temperature=0.5, seed=3)[0, 0] * 255
    assert np.abs(first - expected.numpy()).max() <= 0.51
    assert out.read_bytes() == (tmp_path / "again.png").read_bytes()


@pytest.fixture
def pictures(tmp_path):
    """Twelve digits in two classes, as a folder; and the digits uint8 [12, 28, 28]."""
    digits = explorer.dataset("mnist-5k", split="test").images[:12, 0].numpy()
    for i, digit in enumerate(digits):
        path = tmp_path / "pictures" / ("even" if i % 2 == 0 else "odd") / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digit).save(path)
    return tmp_path / "pictures", digits


def encoded(capsys, tmp_path, model, source):
    out = said(capsys, "encode", model, source, "--out", tmp_path / "codes.npz", "--device", "cpu")
    assert out == f"12 codes of 2 latents in {tmp_path / 'codes.npz'}\n"
    with np.load(tmp_path / "codes.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def assert_codes_of(tiny_run, arrays, digits):
    expected = load(tiny_run.path, device="cpu").encode(torch.from_numpy(digits)[:, None])
    np.testing.assert_allclose(arrays["mean"], expected.mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(arrays["logvar"], expected.logvar, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["folder", "zip", "ZIP"])
def test_it_encodes_all_images_of_a_folder_or_a_zip(tiny_run, capsys, tmp_path, pictures, kind):
    source, digits = pictures
    if kind != "folder":
        with zipfile.ZipFile(tmp_path / f"pictures.{kind}", "w") as archive:
            for path in source.rglob("*.png"):
                archive.write(path, path.relative_to(source))
        source = tmp_path / f"pictures.{kind}"
    arrays = encoded(capsys, tmp_path, tiny_run.path, source)
    assert_codes_of(tiny_run, arrays, np.concatenate([digits[::2], digits[1::2]]))
    assert arrays["classes"].tolist() == ["even", "odd"]
    assert arrays["labels"].tolist() == [0] * 6 + [1] * 6


@pytest.mark.parametrize("packed", [True, False])
def test_it_encodes_an_idx_file(tiny_run, capsys, tmp_path, pictures, packed):
    _, digits = pictures
    data = struct.pack(">HBB3I", 0, 8, 3, *digits.shape) + digits.tobytes()
    source = tmp_path / "digits-idx3-ubyte"
    source.write_bytes(gzip.compress(data) if packed else data)
    arrays = encoded(capsys, tmp_path, tiny_run.path, source)
    assert_codes_of(tiny_run, arrays, digits)
    assert set(arrays) == {"mean", "logvar"}


def test_what_was_left_out_is_said(tiny_run, capsys, tmp_path, pictures):
    source, _ = pictures
    (source / "odd" / "broken.png").write_bytes(b"\x89PNG\r\n")
    first = min((source / "even").iterdir())
    (source / "odd" / "copy.png").write_bytes(first.read_bytes())
    (source / "@eaDir").mkdir()
    (source / "@eaDir" / "thumbnail.png").write_bytes(first.read_bytes())
    assert main(["encode", str(tiny_run.path), str(source), "--out", str(tmp_path / "c.npz")]) == 0
    captured = capsys.readouterr()
    assert "13 codes" in captured.out
    assert "broken.png" in captured.err
    assert f"1 file is a copy of another, such as odd/copy.png of even/{first.name}." in captured.err
    assert "Left out: 1 picture in folders of a system" in captured.err


def test_it_lists(tiny_runs, tmp_path, capsys):
    rows = {row["id"]: row for row in json.loads(said(capsys, "list", "--json"))}
    tiny = rows["runs/tiny"]
    assert tiny["problem"] is None
    assert tiny["shipped"] is False
    assert tiny["metrics"]["n"] == 1000
    assert tiny["config"]["preset"] == "mlp-2d"
    assert re.search(r"^runs/tiny +mnist-5k · dense VAE · 2 latents · squared error 0\.", said(capsys, "list"), re.M)


def test_it_lists_a_damaged_one_with_its_reason(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    (tmp_path / "foreign").mkdir()
    assert re.search(r"^runs/foreign +damaged: config\.json is missing", said(capsys, "list"), re.M)
    rows = {row["id"]: row for row in json.loads(said(capsys, "list", "--json"))}
    assert rows["runs/foreign"]["problem"]


def test_it_exports(tiny_run, tmp_path, capsys):
    out = said(capsys, "export", tiny_run.path, "--out", tmp_path / "parts")
    assert out.splitlines() == [str(tmp_path / "parts" / name) for name in ("encoder.pt2", "decoder.pt2")]
    decoder = torch.export.load(tmp_path / "parts" / "decoder.pt2").module()
    codes = torch.randn(3, 2)
    torch.testing.assert_close(decoder(codes), load(tiny_run.path, device="cpu").decode(codes))


def test_it_lists_data(tmp_path, capsys):
    out = said(capsys, "data", "list", "--data-root", tmp_path)
    assert re.search(r"^mnist-5k +here ", out, re.M)
    assert re.search(r"^mnist +not here +12 MB: MNIST.*CC BY-SA", out, re.M)
    assert re.search(r"^medmnist:bloodmnist_64 +not here .*: Blood cells, 64 px .*CC BY 4.0", out, re.M)
    assert re.search(r"^textures +not here .*Put pictures of textures", out, re.M)
    assert out.endswith("-m explorer data fetch NAME\n")


@pytest.fixture
def damaged(tiny_run, tmp_path):
    copy = tmp_path / "damaged"
    shutil.copytree(tiny_run.path, copy)
    with (copy / "model.safetensors").open("r+b") as f:
        f.seek(-1, 2)
        f.write(b"\x7f")
    return copy


def one_line(capsys, *arguments):
    """What a verb that fails says."""
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    assert code == 1
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("explorer: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "VERB"),
        (["fly"], "'fly'"),
        (["serve", "--port", "0"], "65535"),
        (["list", "--all"], "--all"),
        (["train"], "--preset"),
        (["train", "--preset", "mlp-2d"], "--out"),
        (["train", "--preset", "mlp-9d", "--out", "{tmp}/run"], "mlp-9d"),
        (["train", "--pre", "mlp-2d", "--out", "{tmp}/run"], "--pre"),
        (["train", "--preset", "mlp-2d", "--epochs", "0", "--out", "{tmp}/run"], "epochs must be more than zero"),
        (["train", "--preset", "mlp-2d", "--epochs", "many", "--out", "{tmp}/run"], "'many'"),
        (["train", "--preset", "mlp-2d", "--encoder", "256,x", "--out", "{tmp}/run"], "256,x"),
        (["train", "--preset", "mlp-2d", "--encoder", "9999999999", "--out", "{tmp}/run"], "encoder"),
        (["train", "--preset", "mlp-2d", "--beta", "nan", "--out", "{tmp}/run"], "beta"),
        (["train", "--preset", "mlp-2d", "--seed", "-3", "--out", "{tmp}/run"], "seed"),
        (["train", "--preset", "mlp-2d", "--family", "gan", "--out", "{tmp}/run"], "gan"),
        (["train", "--preset", "mlp-2d", "--device", "abacus", "--out", "{tmp}/run"], "abacus"),
        (["train", "--preset", "mlp-2d", "--precision", "half", "--out", "{tmp}/run"], "half"),
        (["train", "--preset", "mlp-2d", "--dataset", "imagenet", "--out", "{tmp}/run"], "imagenet"),
        (["train", "--preset", "mlp-2d", "--data-root", "{tmp}", "--out", "{tmp}/run"], "data fetch mnist"),
        (["train", "--preset", "mlp-2d", "--dataset", "folder:{tmp}/none", "--out", "{tmp}/run"], "{tmp}/none"),
        (["train", "--preset", "mlp-2d", "--dataset", "mnist-5k", "--out", "{tmp}/a b"], "cannot be a run's name"),
        (["train", "--preset", "mlp-2d", "--dataset", "mnist-5k", "--out", "{tmp}"], "there already"),
        (["train", "--resume", "{tmp}/none"], "there is no checkpoint"),
        (["train", "--resume", "{tiny}"], "cannot be resumed"),
        (["train", "--resume", "{tiny}", "--preset", "mlp-2d"], "leave --preset out"),
        (["evaluate"], "name"),
        (["evaluate", "no-such-model"], "there is no checkpoint 'no-such-model'"),
        (["evaluate", "../no-such-model"], "there is no checkpoint"),
        (["evaluate", "{tmp}/model.pt"], "export the model to ONNX"),
        (["evaluate", "{damaged}"], "model.safetensors is damaged"),
        (["evaluate", "{tiny}", "--dataset", "imagenet"], "imagenet"),
        (["evaluate", "{tiny}", "--dataset", "fashion-mnist", "--data-root", "{tmp}"], "fashion-mnist"),
        (["evaluate", "{tiny}", "--k", "0"], "k must be at least 1, not 0"),
        (["evaluate", "{tiny}", "--dataset", "folder:{tmp}/empty", "--save"], "leave --dataset or --save out"),
        (["sample", "no-such-model"], "there is no checkpoint"),
        (["sample", "{damaged}"], "model.safetensors is damaged"),
        (["sample", "{tiny}", "-n", "0"], "-n must be at least 1"),
        (["sample", "{tiny}", "-n", "few"], "few"),
        (["sample", "{tiny}", "--seed", "99999999999999999999999"], "seed"),
        (["sample", "{tiny}", "--temperature", "-1"], "temperature"),
        (["sample", "{tiny}", "--out", "{tmp}/none/s.png"], "none/s.png"),
        (["encode", "no-such-model", "{tmp}"], "there is no checkpoint"),
        (["encode", "{tiny}", "{tmp}/none"], "there is no {tmp}/none"),
        (["encode", "{tiny}", "{tmp}/empty"], "empty"),
        (["encode", "{tiny}", "{tmp}/text.zip"], "text.zip"),
        (["encode", "{tiny}", "{tmp}/text.idx"], "text.idx"),
        (["export", "no-such-model", "--out", "{tmp}/x"], "there is no checkpoint"),
        (["export", "{damaged}", "--out", "{tmp}/x"], "model.safetensors is damaged"),
        (["export", "{tiny}", "--out", "{tmp}/text.idx"], "text.idx"),
        (["export", "{tiny}"], "--out"),
        (["data", "fetch", "imagenet"], "imagenet"),
        (["data", "fetch", "mnist-5k", "--data-root", "{tmp}"], "mnist-5k"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else None,
)
def test_an_error_is_one_line(capsys, tmp_path, tiny_run, damaged, monkeypatch, arguments, reason):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    (tmp_path / "empty").mkdir()
    for name in ("text.zip", "text.idx", "model.pt"):
        (tmp_path / name).write_text("no images")
    places = {"tmp": tmp_path, "tiny": tiny_run.path, "damaged": damaged}
    assert reason.format(**places) in one_line(capsys, *[a.format(**places) for a in arguments])
    assert not (tmp_path / "run").exists()


def test_a_run_that_diverges_is_an_error(capsys, tmp_path):
    arguments = ["--preset", "mlp-2d", "--epochs", "1", "--learning-rate", "1e30", "--out", str(tmp_path / "run")]
    assert main(["train", *arguments, *LIGHT]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("explorer: the ")
    assert "not finite" in last


@pytest.mark.slow
def test_the_process_says_the_same():
    failed = command("evaluate", "no-such-model")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith("explorer: there is no checkpoint 'no-such-model'")
    assert len(failed.stderr.splitlines()) == 1


@pytest.mark.slow
def test_importing_the_package_loads_nothing_heavy():
    """Streamlit would tie it to the app; the others cost seconds that a command or a page would wait for."""
    # torch's own imports, whatever they are, are not this package's doing.
    script = "import sys, torch, safetensors.torch, jaxtyping; anyway = set(sys.modules); import explorer; "
    script += "print(*(set(sys.modules) - anyway))"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    imported = set(found.stdout.split())
    assert {"explorer.training", "explorer.checkpoints.model"} <= imported
    heavy = {
        *("streamlit", "umap", "numba", "torchvision", "matplotlib", "mlxtend", "sklearn", "pandas", "scipy"),
        *("plotly", "tqdm", "torch._dynamo", "torch._inductor"),
    }
    assert not imported & heavy


def test_a_folder_of_ones_own_becomes_a_data_set_and_goes_again(tmp_path, capsys):
    from PIL import Image

    for i in range(12):
        for name in ("a", "b"):
            (tmp_path / "pictures" / name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (30, 20), 20 * i + (name == "b")).save(tmp_path / "pictures" / name / f"{i}.png")
    (tmp_path / "pictures" / "a" / "broken.png").write_bytes(b"no picture")
    root = ("--data-root", tmp_path / "data")
    out = said(capsys, "data", "add", tmp_path / "pictures", "--name", "mine", "--size", 28, *root)
    assert out.strip() == "own:mine is here: train on it with --dataset own:mine"
    assert explorer.dataset("own:mine", "train", root=tmp_path / "data").classes == ["a", "b"]
    assert any(line.split()[:2] == ["own:mine", "here"] for line in said(capsys, "data", "list", *root).splitlines())
    assert main(["data", "add", str(tmp_path / "pictures"), "--name", "again", "--size", "28", *map(str, root)]) == 1
    assert "already here as own:mine" in capsys.readouterr().err
    (tmp_path / "ages.csv").write_text("file,age\n" + "".join(f"a/{i}.png,{i}\nb/{i}.png,{i}\n" for i in range(12)))
    said(capsys, "data", "add", tmp_path / "pictures", "--name", "old", "--table", tmp_path / "ages.csv", *root)
    assert "age" in explorer.dataset("own:old", "train", root=tmp_path / "data").items.columns
    said(capsys, "data", "remove", "own:mine", *root)
    assert "own:mine" not in said(capsys, "data", "list", *root)
    assert main(["data", "remove", "own:mine", *map(str, root)]) == 1
