"""Any number of files over Ray Data: `make test-ray`. An object store is moto's server, and workers are killed."""

import contextlib
import csv
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import tarfile
import urllib.request
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

import explorer
from explorer.cells.screening import screen_into
from explorer.errors import DatasetError, RunError
from explorer.evaluation import ranking
from explorer.evaluation.encoded_files import encode_into, encoding
from explorer.images.stacks import FIRST
from explorer.runs import many_files
from tests.background import python, until

ROOT = Path(__file__).parents[2]
WAIT_LONG = 600
DISTINCT = 16


def pictures(count, side=28):
    """So many files in two folders, some of them the same, one of them no picture, by path."""
    draws = np.random.default_rng(0).integers(0, 256, (DISTINCT, side, side), dtype=np.uint8)
    files = []
    for draw in draws:
        Image.fromarray(draw).save(file := io.BytesIO(), "png")
        files.append(file.getvalue())
    found = {f"{'ab'[i % 2]}/{i:05d}.png": files[i % DISTINCT] for i in range(count)}
    return {**found, "a/00002.png": b"no picture"}


def write(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_tar(file, files):
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in files:
            (info := tarfile.TarInfo(name)).size = len(data)
            archive.addfile(info, io.BytesIO(data))


def read_all(source):
    files = many_files._Stored.listed(source)
    return {entry.path: files.read(entry) for entry in files.entries}


def test_the_files_at_an_address():
    store = fsspec.filesystem("memory")
    files = {"a/1.png": b"one", "b/2.png": b"two!", "b/empty.png": b""}
    for name, data in {**files, "a/.hidden.png": b"", "__MACOSX/1.png": b"", "@eaDir/1.png": b""}.items():
        store.pipe_file(f"/cells/{name}", data)
    assert read_all("memory://cells") == files
    assert read_all("memory://cells/a/1.png") == {"1.png": b"one"}
    found = many_files._Stored.listed("memory://cells")
    store.rm("/cells", recursive=True)
    with pytest.raises(DatasetError, match=r"1\.png could not be read: it is no longer there"):
        found.read(found.entries[0])


@pytest.mark.parametrize("place", ["memory://mixed", "local"])
def test_a_result_among_the_files_is_none_of_them(place, tmp_path):
    place = str(tmp_path) if place == "local" else place
    fs, folder = fsspec.url_to_fs(place)
    for name in ("a/1.png", "out/part-000000.parquet", "out/_about.json", "outer/2.png"):
        fs.makedirs(f"{folder}/{name}".rpartition("/")[0], exist_ok=True)
        fs.pipe_file(f"{folder}/{name}", b"x")
    found = many_files._Stored.listed(place, but=f"{place}/out")
    assert [entry.path for entry in found.entries] == ["a/1.png", "outer/2.png"]


def test_the_files_of_a_tar(tmp_path):
    path = tmp_path / "cells.tar"
    with path.open("wb") as file:
        write_tar(file, [("./a/1.png", b"old"), ("b/2.png", b"two"), ("a/._1.png", b"x"), ("./a/1.png", b"new!")])
    assert read_all(str(path)) == {"a/1.png": b"new!", "b/2.png": b"two"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("cut.tar", "cut.tar is cut off or damaged"),
        ("cells.tar.gz", "cells.tar.gz is compressed: unpack it, or make a .tar"),
        ("nowhere", "There is nothing at nowhere"),
        ("memory://nowhere", "There is nothing at memory://nowhere"),
        ("unknown://cells", "unknown://cells cannot be used"),
    ],
    ids=["cut", "compressed", "nothing", "nothing-stored", "unknown"],
)
def test_a_place_that_cannot_be_used_is_a_sentence(tmp_path, monkeypatch, source, said):
    monkeypatch.chdir(tmp_path)
    write_tar(file := io.BytesIO(), [("1.png", b"1" * 2000), ("2.png", b"2" * 2000)])
    Path("cut.tar").write_bytes(file.getvalue()[:3000])
    with pytest.raises(DatasetError, match=re.escape(said)):
        many_files._Stored.listed(source)


def test_a_result_is_gone_on_with_by_the_same_work_alone(tmp_path):
    out = str(tmp_path / "out")
    assert many_files._begin(out, "this", 3) == [0, 1, 2]
    (tmp_path / "out" / "part-000001.parquet").touch()
    (tmp_path / "out" / "_part-000002.parquet.half").touch()
    assert many_files._begin(out, "this", 3) == [0, 2]
    with pytest.raises(DatasetError, match="was begun with another model, source or options"):
        many_files._begin(out, "that", 3)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(DatasetError, match="holds other files"):
        many_files._begin(str(tmp_path / "other"), "this", 3)


@pytest.fixture(scope="module")
def small():
    return explorer.load("mnist-mlp-2d", device="cpu")


def make_part(source, out, work):
    """What a worker makes of all files at `source`; what it says is wrong."""
    if not out.exists():
        many_files._begin(str(out), "this", 1)
    worker = many_files._Worker(lambda _: work, "cpu", work.about, str(source), str(out))
    entries = many_files._Stored.listed(str(source)).entries if Path(source).exists() else []
    part = json.dumps([(e.parts, e.size, e.key, e.parts[0]) for e in entries])
    said = worker({"number": np.array([0]), "files": np.array([part])})
    return said["error"][0]


def test_a_part_of_pictures_of_which_none_can_be_read_has_the_columns_of_others(small, tmp_path):
    work = encoding(small, FIRST)
    good = write(tmp_path / "good", pictures(2))
    bad = write(tmp_path / "bad", {"a/1.png": b"no", "a/2.png": b""})
    assert [make_part(source, tmp_path / f"{source.name}-out", work) for source in (good, bad)] == ["", ""]
    first, second = (parquet.read_table(tmp_path / f"{name}-out") for name in ("good", "bad"))
    assert first.schema == second.schema
    assert second["file"].to_pylist() == ["a/1.png", "a/2.png"]
    assert second["class"].to_pylist() == ["a", "a"]
    assert all(second["unreadable"].to_pylist())


def test_a_worker_that_lacks_the_files_or_the_model_says_so(small, tmp_path):
    work = ranking.ranking(small, FIRST, 0)
    said = make_part(tmp_path / "elsewhere", tmp_path / "out", work)
    assert said == f"There is nothing at {tmp_path / 'elsewhere'} (on {socket.gethostname()})."
    with pytest.raises(DatasetError, match="has 0 rows of 5 files: name a place that all nodes share"):
        many_files._counted(str(tmp_path / "out"), 5)


def test_a_part_whose_worker_dies_each_time_is_given_up(small, tmp_path):
    work, out = ranking.ranking(small, FIRST, 0), tmp_path / "out"
    source = write(tmp_path / "cells", pictures(3))

    class Died(BaseException):
        pass

    def die(*_):
        raise Died

    for _ in range(many_files._ATTEMPTS):
        with pytest.raises(Died):
            make_part(source, out, replace(work, measure=die))
    said = make_part(source, out, work)
    assert said.startswith("A worker has died 3 times at the files from a/00000.png to b/00001.png: give workers more ")
    assert not list(out.glob("part-*"))
    assert many_files._begin(str(out), "this", 1) == [0]  # the command once more tries it again
    assert make_part(source, out, work) == ""
    assert sorted(path.name for path in out.iterdir()) == ["_about.json", "part-000000.parquet"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("rank mnist-mlp-2d s3://cells", "addresses are read and written by --ray"),
        ("rank mnist-mlp-2d cells --ray", "with --ray the result is a folder of Parquet: name it by --out"),
        ("screen cells --ray --groups groups.csv", "--groups goes without --ray"),
    ],
    ids=["address", "table", "groups"],
)
def test_what_goes_with_ray_and_what_does_not(command, said, capsys):
    from explorer.__main__ import main

    assert main(command.split())
    assert said in capsys.readouterr().err


def test_a_cluster_that_is_not_there_leaves_what_is_there(small, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RAY", "127.0.0.1:1")
    source = write(tmp_path / "cells", pictures(3))
    with pytest.raises(RunError, match=r"cannot be reached|Ray is not installed"):
        many_files.work_over(lambda _: ranking.ranking(small, FIRST, 0), str(source), str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_about.json"]


# Over Ray.


@pytest.fixture(scope="module")
def store():
    """An object store of moto's, by its address on the web."""
    pytest.importorskip("moto.server")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    place = f"http://127.0.0.1:{port}"
    known = {"AWS_ENDPOINT_URL": place, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
    server = python("-m", "moto.server", "-H", "127.0.0.1", "-p", port, stderr=subprocess.DEVNULL)
    with server, pytest.MonkeyPatch.context() as patch:
        for name, value in {**known, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)

        def answers():
            with contextlib.suppress(OSError):
                put(place, "cells", b"")
                return True

        until(answers)
        yield place


def put(place, name, data):
    kind = {"Content-Type": "application/octet-stream"}  # else moto reads a form
    request = urllib.request.Request(f"{place}/{name}", data, kind, method="PUT")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def one_node(store):
    """A cluster of one node with two CPUs, whose workers know the store."""
    utils = pytest.importorskip("ray.cluster_utils")
    made = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        yield made.address
    finally:
        made.shutdown()


def started(address, folder, *command):
    return python(
        *("-m", "explorer", *command),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "EXPLORER_RAY": address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said_by(command):
    with command as process:
        out, error = process.communicate(timeout=WAIT_LONG)
    assert process.returncode == 0, error
    return out


def documented(verb):
    """The command of docs/scale.md, with the local store's names."""
    (line,) = re.findall(
        rf"^python -m explorer ({verb} .*--ray.*)", (ROOT / "docs" / "scale.md").read_text("utf-8"), re.M
    )
    return shlex.split(line)


def workers():
    """The processes that make parts, below this one."""
    found, parents = [], {}
    for task in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(task.name)] = int((task / "stat").read_text().rpartition(")")[2].split()[1])
            if b"ray::" in (line := (task / "cmdline").read_bytes()) and b"_Worker" in line:
                found.append(int(task.name))

    def below(pid):
        return pid == os.getpid() or (pid in parents and below(parents[pid]))

    return [pid for pid in found if below(pid)]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_each_file_has_one_row_after_workers_were_killed(one_node, store, small, tmp_path):
    files = pictures(6 * many_files.PART)
    write_tar(tar := io.BytesIO(), files.items())
    put(store, "cells/all.tar", tar.getvalue())
    command = documented("rank")
    bucket = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    out = command[command.index("--out") + 1]
    with started(one_node, tmp_path, *command) as process:
        made = until(lambda: bucket.glob(f"{out}/part-*") or process.poll() is not None, WAIT_LONG)
        assert made is not True, process.communicate()
        for pid in until(workers):
            os.kill(pid, signal.SIGKILL)
        assert len(made) < 6
        said, error = process.communicate(timeout=WAIT_LONG)
    assert "1,536 files, 1 of which could not be read" in said, error
    found = parquet.read_table(out.removeprefix("s3://"), filesystem=bucket).to_pylist()
    assert sorted(row["file"] for row in found) == sorted(files)
    assert not bucket.glob(f"{out}/_part-*")

    # As one process ranks them.
    ranking.rank_into(tmp_path / "one.csv", write(tmp_path / "cells", files), small)
    with (tmp_path / "one.csv").open(encoding="utf-8") as file:
        expected = {row["file"]: float(row["elbo"]) for row in csv.DictReader(file)}
    assert {r["file"]: r["elbo"] for r in found if not r["unreadable"]} == pytest.approx(expected, rel=1e-5)
    assert [(r["file"], r["elbo"]) for r in found if r["unreadable"]] == [("a/00002.png", None)]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_file_that_ends_every_worker_ends_the_work_in_a_sentence(one_node, small, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RAY", one_node)
    source = write(tmp_path / "cells", pictures(3))

    def make(device):
        def die(*_):
            os.kill(os.getpid(), signal.SIGKILL)

        return replace(ranking.ranking(explorer.load("mnist-mlp-2d", device=device), FIRST, 0), measure=die)

    with pytest.raises(DatasetError, match=r"A worker has died 3 times at the files from a/00000\.png to b/00001\.png"):
        many_files.work_over(make, str(source), str(tmp_path / "out"))


@pytest.mark.ray
@pytest.mark.slow
def test_cells_of_a_store_are_screened(one_node, store, tmp_path):
    files = pictures(many_files.PART + 3, 44)
    for name, data in files.items():
        put(store, f"cells/slides/{name}", data)
    said_by(started(one_node, tmp_path, *documented("screen")))
    screen_into(tmp_path / "one.csv", write(tmp_path / "cells", files), device="cpu")
    with (tmp_path / "one.csv").open(encoding="utf-8") as file:
        expected = {row["file"]: row for row in csv.DictReader(file)}
    found = parquet.read_table(tmp_path / "screened").to_pylist()
    assert sorted(row["file"] for row in found) == sorted(expected)
    for row in found:
        other = expected[row["file"]]
        assert [row[k] or "" for k in ("verdict", "model", "unreadable")] == [
            other[k] for k in ("verdict", "model", "unreadable")
        ]
        if not row["unreadable"]:
            assert row["log_ratio"] == pytest.approx(float(other["log_ratio"]), rel=1e-3, abs=1e-3)


@pytest.mark.ray
@pytest.mark.slow
def test_a_folder_is_encoded_with_its_classes(one_node, small, tmp_path):
    files = pictures(40)
    source = write(tmp_path / "cells", files)
    said_by(started(one_node, tmp_path, *documented("encode")))
    encode_into(tmp_path / "one.npz", source, small)
    expected = np.load(tmp_path / "one.npz", allow_pickle=False)
    found = parquet.read_table(tmp_path / "codes").to_pylist()
    assert {row["file"]: row["class"] for row in found} == {name: name[0] for name in files}
    read = sorted((row for row in found if not row["unreadable"]), key=lambda row: row["file"])
    for name in ("mean", "logvar"):
        np.testing.assert_allclose([row[name] for row in read], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.ray
@pytest.mark.slow
def test_a_cluster_with_fewer_cpus_than_asked_for_is_said(one_node, tmp_path, monkeypatch):
    write(tmp_path / "cells", pictures(3))
    monkeypatch.setenv("EXPLORER_RAY_CPUS", "64")
    with started(one_node, tmp_path, *documented("encode")) as process:
        _, error = process.communicate(timeout=WAIT_LONG)
    assert process.returncode
    assert "No node of the Ray cluster has 64 CPUs" in error
