"""A run's zip becomes a run again; one that is damaged or hostile leaves nothing behind."""

import io
import json
import zipfile
from pathlib import Path

import pytest

import explorer
from explorer import runs
from explorer.checkpoints.folder import FILES
from explorer.errors import RunError
from explorer.files.owner import Owner
from explorer.runs.opening import open_archive
from tests.background import config, finished, stopped

pytestmark = pytest.mark.slow


def rewritten(packed: bytes, change=lambda name, data: data, **more: bytes) -> bytes:
    """The same zip with other contents of its files; None leaves one out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if (data := change(name, old.read(name))) is not None:
                new.writestr(name, data)
        for name, data in more.items():
            new.writestr(name.replace("__", "/"), data)
    return out.getvalue()


@pytest.fixture
def packed(folder) -> bytes:
    finished(folder, "one")
    return runs.archive("one")


def test_a_finished_run_comes_back_under_a_free_name(folder, packed):
    owner = Owner("someone", "Someone")
    info = open_archive(packed, "one.zip", owner)
    assert (info.name, info.state, info.owner, info.resumable) == ("one-2", "finished", owner, False)
    for file in info.path.iterdir():
        if file.name != "owner.json":
            assert file.read_bytes() == (folder / "one" / file.name).read_bytes()
    assert {file.name for file in info.path.iterdir()} <= {*FILES, "owner.json"}
    metrics = [explorer.load(f"runs/{name}", device="cpu").info.metrics for name in ("one", "one-2")]
    assert metrics[0] == metrics[1]
    assert open_archive(packed, "one.zip", name="mine").name == "mine"
    with pytest.raises(RunError, match="There is a run 'mine' already"):
        open_archive(packed, "one.zip", name="mine")


def test_a_run_that_was_stopped_goes_on_bit_for_bit(folder):
    whole = explorer.train(config(2), folder / "whole")
    stopped(folder, "cut", epochs=2)
    info = open_archive(runs.archive("cut"), "cut.zip")
    assert (info.name, info.state, info.resumable) == ("cut-2", "cancelled", True)
    explorer.train(config(2), info.path, resume=True)
    assert (info.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()
    assert runs.run("cut-2").state == "finished"


def test_what_a_zip_says_of_its_state_and_its_owner_is_not_believed(folder, packed):
    state = json.dumps({"state": "queued", "retry": True}).encode()
    hostile = rewritten(
        packed,
        lambda name, data: state if name.endswith("state.json") else data,
        **{"one__owner.json": b'{"ident": "boss", "name": "Boss", "shared": true}', "one__.commit": b"x"},
    )
    info = open_archive(hostile, "hostile.zip")
    assert (info.state, info.owner.ident) == ("finished", "")
    assert runs.active() == []


def broken(packed: bytes) -> dict[str, tuple[bytes, str]]:
    def without(ending):
        return rewritten(packed, lambda name, data: None if name.endswith(ending) else data)

    def flipped(name, data):
        return data[:-1] + bytes([data[-1] ^ 1]) if name.endswith("model.safetensors") else data

    def unvouched(name, data):
        lines = data.splitlines(keepends=True)
        return b"".join(line for line in lines if b"optimizer" not in line) if name.endswith("SHA256SUMS") else data

    inflated = bytearray(packed)
    at = inflated.rfind(b"PK\x01\x02", 0, inflated.rfind(b"model.safetensors"))
    inflated[at + 24 : at + 28] = (2**32 - 2).to_bytes(4, "little")  # what it claims to unpack to
    return {
        "text": (b"no zip", "is no zip of a run"),
        "cut": (packed[: len(packed) // 2], "is no zip of a run"),
        "flipped": (rewritten(packed, flipped), "model.safetensors is damaged"),
        "no sums": (without("SHA256SUMS"), "holds no run that has saved a model"),
        "no weights": (without("model.safetensors"), "cannot be opened: model.safetensors is missing"),
        "not vouched for": (rewritten(packed, unvouched), "does not vouch for optimizer.safetensors"),
        "two": (rewritten(packed, two__SHA256SUMS=b""), "holds no run"),
        "climbs": (rewritten(packed, **{"..__SHA256SUMS": b""}), "is no zip of a run"),
        "inflated": (bytes(inflated), "damaged|no zip|nearly full|could not"),
    }


def test_a_damaged_or_hostile_zip_leaves_nothing_behind(folder, packed):
    before = sorted(folder.iterdir())
    for name, (data, said) in broken(packed).items():
        with pytest.raises(RunError, match=said):
            open_archive(data, f"{name}.zip")
        assert sorted(folder.iterdir()) == before, name


def test_data_that_one_may_not_see_are_not_come_by(folder, packed):
    with pytest.raises(RunError, match="cannot be opened here: it is on mnist-5k"):
        open_archive(packed, "one.zip", why_not=lambda config: f"it is on {config['dataset']['name']}")
    assert [info.name for info in runs.runs()] == ["one"]


def test_the_command(folder, packed, tmp_path, capsys):
    from explorer.__main__ import main

    (tmp_path / "given.zip").write_bytes(packed)
    assert main(["open", str(tmp_path / "given.zip"), "--name", "given"]) == 0
    assert "runs/given is here" in capsys.readouterr().out
    assert Path(folder / "given" / "model.safetensors").exists()
    assert main(["open", str(tmp_path / "nothing.zip")]) != 0
    assert "There is nothing at" in capsys.readouterr().err
