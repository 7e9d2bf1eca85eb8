"""Results of many files: a row for each, exactly one, also after a process has died; none of other work."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.__main__ import main
from explorer.errors import DatasetError
from explorer.files.entries import Entry
from explorer.files.results import FileResult, Results
from tests.background import python


def _entries(*names, size=1, modified=0):
    return [Entry(tuple(name.split("/")), size, name, modified) for name in names]


def _add(results, entries, positions):
    results.add([FileResult(i, entries[i], figures=np.array([i], np.float32)) for i in positions])


def test_what_is_left_is_what_has_no_row(tmp_path):
    entries = _entries("a", "b", "b", "c/d")  # two files in a zip may have one name
    with Results(tmp_path / "r.part") as results:
        assert list(results.left(entries)) == [0, 1, 2, 3]
        _add(results, entries, [0, 1])
    with Results(tmp_path / "r.part") as results:
        assert list(results.left(entries)) == [2, 3]
        with pytest.raises(DatasetError, match=r"r\.part is damaged"):
            _add(results, entries, [2, 1])
        assert len(results) == 2  # all rows or none
        _add(results, entries, [2, 3])
        assert list(results.left(entries)) == []


def test_files_that_came_went_or_changed(tmp_path):
    entries = _entries("a", "b", "c")
    with Results(tmp_path / "r.part") as results:
        _add(results, entries, range(3))
        now = [*_entries("0", "b"), *_entries("c", modified=5), *_entries("d")]
        assert list(results.left(now)) == [0, 2, 3]
        assert next(results.figures())[:2] == ([1], ["b"])


def test_they_are_of_one_piece_of_work(tmp_path):
    path = tmp_path / "r.part"
    with Results(path, "one"), pytest.raises(DatasetError, match=r"r\.part could not be written: another process is"):
        Results(path, "one")
    with pytest.raises(DatasetError, match=r"r\.part was begun with another model, source or options: finish that,"):
        Results(path, "other")
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(DatasetError, match=r"r\.part is damaged: delete it to begin anew\.$"):
        Results(path, "one")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=r"r\.part is there already and is no plain file"):
        Results(path, "one")
    assert not (tmp_path / "elsewhere").exists()


def test_a_disk_that_is_full(tmp_path):
    path = tmp_path / "r.part"
    with Results(path) as results:
        results._db.execute("PRAGMA max_page_count = 8")  # as SQLite tells a full disk
        entries = _entries(*(f"{i:0500}" for i in range(1000)))
        _add(results, entries, range(3))
        with pytest.raises(DatasetError, match=r"r\.part could not be written: database or disk is full\.$"):
            _add(results, entries, range(3, 1000))
    with Results(path) as results:
        assert len(results) == 3


VERBS = {"rank": ["rank", "mnist-mlp-2d"], "encode": ["encode", "mnist-mlp-2d"], "screen": ["screen"]}
COUNT = 300  # two blocks and a part of one


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "pictures"
    folder.mkdir()
    for i in range(COUNT):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (28, 28), np.uint8)).save(folder / f"{i:03}.png")
    (folder / "200.png").write_bytes(b"torn")
    return folder


def _same_in_the_end(verb, pictures, tmp_path, capsys, stop):
    """`stop` ends the work on a file in its middle."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    command = [*VERBS[verb], str(pictures), "--device", "cpu", "--out"]
    assert main([*command, str(whole)]) == 0
    expected = capsys.readouterr()
    stop([*command, str(stopped)])
    assert not stopped.exists()
    assert 0 < _rows(tmp_path / "stopped.part") < COUNT
    capsys.readouterr()
    assert main([*command, str(stopped)]) == 0
    found = capsys.readouterr()
    assert stopped.read_bytes() == whole.read_bytes()
    assert found.out.replace(str(stopped), str(whole)) == expected.out
    told = [[line for line in said.err.splitlines() if line.startswith("explorer:")] for said in (found, expected)]
    assert told[0] == told[1]
    assert any("200.png" in line for line in told[0])
    assert sorted(os.listdir(tmp_path)) == ["stopped", "whole"]


@pytest.mark.parametrize("verb", ["encode", "screen"])
def test_what_was_stopped_is_gone_on_with_to_the_same_result(verb, pictures, tmp_path, capsys, monkeypatch):
    def stop(command):
        add, calls = Results.add, []

        def interrupted(results, rows):
            calls.append(len(rows))
            if len(calls) == 2:
                raise KeyboardInterrupt
            add(results, rows)

        with monkeypatch.context() as patch:
            patch.setattr(Results, "add", interrupted)
            assert main(command) == 130

    _same_in_the_end(verb, pictures, tmp_path, capsys, stop)


@pytest.mark.parametrize("ending", [".png", ""], ids=["pictures", "without-endings"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_result_among_the_files_is_none_of_them(verb, ending, pictures, tmp_path, capsys, monkeypatch):
    """Files without endings are taken for pictures where there are no others, and the result may have none."""
    for i in range(3):
        (tmp_path / f"{i}{ending}").write_bytes((pictures / f"00{i}.png").read_bytes())
    monkeypatch.chdir(tmp_path.parent)
    groups = ["--groups", f"{tmp_path.name}/groups"] if verb == "screen" else []
    command = [*VERBS[verb], str(tmp_path), "--device", "cpu", "--out", f"{tmp_path.name}/result", *groups]
    said = []
    for _ in range(2):
        (tmp_path / "result.part-journal").touch()  # as a process that was killed may leave it
        assert main(command) == 0
        said.append(capsys.readouterr())
    assert said[0].out == said[1].out
    for one in said:
        assert not [line for line in one.err.splitlines() if line.startswith("explorer:")]


# A process that the system kills while it stores its second block of files.
KILLED = """
import os, signal, sys
from explorer.__main__ import main
from explorer.files.results import Results

add, calls = Results.add, []
def add_or_die(results, rows):
    if calls:
        os.kill(os.getpid(), signal.SIGKILL)
    calls.append(add(results, rows))

Results.add = add_or_die
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_killed_process_is_gone_on_with_to_the_same_result(pictures, tmp_path, capsys):
    def stop(command):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with python("-c", KILLED, *command, **quiet) as process:
            assert process.wait() == -signal.SIGKILL

    _same_in_the_end("rank", pictures, tmp_path, capsys, stop)


def _rows(part: Path) -> int:
    """How many rows have been committed."""
    if not part.exists():
        return 0
    copy = part.with_name("copy")
    copy.write_bytes(part.read_bytes())
    try:
        with sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True) as db:
            found = int(db.execute("SELECT COUNT(*) FROM files").fetchone()[0])
        db.close()
        return found
    except sqlite3.Error:
        return 0
    finally:
        copy.unlink()
