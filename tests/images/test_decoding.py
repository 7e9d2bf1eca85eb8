"""Files from anywhere start no program, and cost neither gigabytes nor minutes, whichever way they come in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.__main__ import main
from explorer.datasets import load_folder, own
from explorer.errors import DatasetError, ImageError
from explorer.images import processes
from explorer.images.decoding import decode, decode_image, read_one, read_picture
from explorer.images.reading import FORMATS, UPLOAD_BYTES
from explorer.images.suggestion import fit
from explorer.images.tasks import Look, PreparePicture, ReadArray, ReadPicture, ReadSlide, Task
from tests.background import until
from tests.hostile import eps_in_iptc, gif_of_frames, jpeg_of_scans, png, saved, tiff_of_frames

ROOT = Path(__file__).parents[2]


def test_the_processes_that_decode_know_few_formats_and_load_nothing_heavy():
    program = processes._PROGRAM.replace(
        "main()",
        "import json\n"
        "from PIL import Image\n"
        "from explorer.images.reading import register_formats\n"
        "register_formats()\n"
        "Image.init()\n"  # which Pillow calls for whatever it does not know
        "print(json.dumps([sorted(Image.OPEN), sorted(Image.ID), sorted(sys.modules)]))",
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ROOT / "explorer")], check=True, capture_output=True, text=True
    )
    known, tried, modules = json.loads(done.stdout)
    assert known == sorted(tried)
    assert set(known) == FORMATS - {"HEIF"} | ({"HEIF"} & set(known))
    assert not {"torch", "streamlit", "scipy", "pandas"} & set(modules)


_WAYS_IN = """
import sys
import threading
from pathlib import Path

import torch
from PIL import Image

from explorer import rank, screen
from explorer.__main__ import main
from explorer.cells.screening import screen_files
from explorer.checkpoints.model import load
from explorer.datasets import load_folder, own
from explorer.datasets.textures import Textures
from explorer.errors import DatasetError
from explorer.images.decoding import decode_image, read_picture
from explorer.ui.cells.uploads import CellIntake
from explorer.ui.reconstruct.uploads import PictureIntake
from explorer.ui.uploads.store import Uploads

folder, marker = Path(sys.argv[1]), Path(sys.argv[2])
data = next(folder.rglob("*.png")).read_bytes()
archive = str(folder) + ".zip"
model = load("mnist-mlp-2d")
ways = [
    lambda: decode_image(data),
    lambda: decode_image(next(folder.rglob("*.jpg"))),
    lambda: read_picture(data, "x.png", at_most=1024),
    lambda: load_folder(folder),
    lambda: load_folder(archive),
    lambda: own.preview(Path(archive)),
    lambda: own.create("x", Path(archive)),
    lambda: rank(archive, model),
    lambda: screen_files(Path(archive)),
    lambda: screen([data]),
    lambda: main(["encode", "mnist-mlp-2d", archive, "--out", str(folder / "codes.npz")]),
    lambda: Textures().load("train", folder.parent, None, None),
    lambda: PictureIntake().reader(Uploads())("x.png", data, "x"),
    lambda: CellIntake().reader(Uploads())("x.png", data, "x"),
]
for way in ways:
    try:
        way()
    except (DatasetError, SystemExit):
        pass
    if marker.exists():
        print("started a program")
        break
try:  # but Pillow alone does start it
    Image.open(next(folder.rglob("*.png"))).load()
except Exception:
    pass
print("the stand-in works" if marker.exists() else "no program was started at all")
"""


@pytest.mark.slow
def test_a_picture_never_starts_a_program(tmp_path):
    tools, folder, marker = tmp_path / "bin", tmp_path / "textures", tmp_path / "started"
    tools.mkdir()
    (tools / "gs").write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    (tools / "gs").chmod(0o755)
    for name in ("a/1.png", "a/2.jpg", "b/3.tif", "b/4.gif", "5.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(eps_in_iptc())
    with zipfile.ZipFile(tmp_path / "textures.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "EXPLORER_DATA": str(tmp_path / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-c", _WAYS_IN, str(folder), str(marker)], env=environment, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["the stand-in works"], done.stdout + done.stderr


def _costs(task: Task, data: bytes) -> tuple[str, int]:
    """Why a file cannot be read, if so; the megabytes of a new process at their peak."""
    processes._close()
    read_one(png(9, 9), "warm", Look())
    (process,) = (one for one in processes._alive if one.alive)
    reason = ""
    try:
        read_one(data, "x", task)
    except ImageError as error:
        reason = error.reason
    status = Path(f"/proc/{process._process.pid}/status").read_text()
    return reason, int(status.partition("VmHWM:")[2].split()[0]) >> 10


def _deep() -> bytes:
    return png(9_400, 9_400, depth=16)


def _float(side: int) -> bytes:
    return saved(Image.new("F", (side, side), 0.5), "TIFF", compression="tiff_adobe_deflate")


def _webp() -> bytes:
    return saved(Image.new("RGB", (3_700, 3_600)), "WEBP", lossless=True, quality=0, method=0)


# A file, a part of what is said of it as an upload (nothing: it is read), and as a part of data.
COSTLY: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "16 bits": (_deep, "million that a picture of its kind may have", ""),
    "16 bits, the largest upload": (lambda: png(7_000, 7_000, depth=16), "", ""),
    "floats": (lambda: _float(9_400), "million that a picture of its kind may have", ""),
    "floats, the largest upload": (lambda: _float(5_300), "", ""),
    "one row": (lambda: png(89_478_485, 1), "", ""),
    "colour, the largest upload": (lambda: png(5_700, 5_700, colour=2), "", ""),
    "WebP, the largest upload": (_webp, "", ""),
    "scans": (lambda: jpeg_of_scans(2_000), "it has 2,0", "it has 2,0"),
    "fewer scans": (lambda: jpeg_of_scans(60), "", ""),
    "frames of a TIFF": (lambda: tiff_of_frames(100_000), "", ""),
    "frames of a GIF": (lambda: gif_of_frames(600_000), "", ""),
    "a claim": (lambda: png(60_000, 60_000, rows=1), "more than the limit of 89,478,485", "more than the limit of"),
}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is measured, and limited, on Linux alone")
@pytest.mark.parametrize("kind", COSTLY)
def test_small_files_cost_no_gigabytes(kind, monkeypatch):
    monkeypatch.setattr(processes, "FILE_SECONDS", 240.0)  # on a machine that may be busy
    make, as_upload, as_data = COSTLY[kind]
    data = make()
    uploaded = _costs(ReadPicture(at_most=1024, most_bytes=UPLOAD_BYTES), data)
    assert as_upload in uploaded[0]
    assert bool(as_upload) == bool(uploaded[0])
    assert uploaded[1] < 300
    for task in (ReadArray(28, 1, 56), ReadSlide(64)):
        reason, megabytes = _costs(task, data)
        assert as_data in reason, (task, reason)
        assert bool(as_data) == bool(reason), (task, reason)
        assert megabytes < 600, task


def test_frames_are_counted_only_so_far():
    for data in (tiff_of_frames(2_000), gif_of_frames(2_000)):
        assert read_picture(data, "x").notes == ("It has more than 1,000 frames; only the first is used.",)
    for data in (tiff_of_frames(7), gif_of_frames(7)):
        assert read_picture(data, "x").notes == ("It has 7 frames; only the first is used.",)


def test_a_picture_of_one_endless_row_spoils_no_zip(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a/long.png", png(89_478_485, 1))
        for i in range(4):
            archive.writestr(f"{'ab'[i % 2]}/{i}.png", png(8, 8))
    assert sum(own.preview(tmp_path / "x.zip").counts.values()) == 5
    assert len(load_folder(tmp_path / "x.zip", size=28, channels=1)) == 5


def test_a_file_that_ends_the_process_spoils_no_other():
    """The process is killed while it is at the second of three files."""
    data = saved(Image.new("L", (9, 9), 7), "PNG")
    slow = png(9_000, 9_000)
    found = decode([("a", data), ("b", slow), ("c", data)], ReadPicture())
    first = next(found)

    def kill():
        for process in until(lambda: [p for p in list(processes._alive) if p._deadline]):
            process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    second, third = found
    killer.join()
    assert not isinstance(first, ImageError)
    assert isinstance(second, ImageError)
    assert str(second) == "b could not be read: the decoder broke down on it."
    assert not isinstance(third, ImageError)
    assert third.image.getpixel((4, 4)) == 7


def _slow() -> bytes:
    """Numbers in words, which Pillow reads in Python."""
    return b"P2 3000 3000 255\n" + b"0 " * 3_000**2


def test_a_file_that_takes_too_long_is_given_up():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "FILE_SECONDS", 1.0)
        with pytest.raises(ImageError, match=r"slow\.ppm could not be read: it was not decoded in 1 seconds\."):
            read_picture(_slow(), "slow.ppm")
    assert decode_image(saved(Image.new("L", (9, 9), 7), "PNG")).getpixel((4, 4)) == 7


# What was forked from a process that decodes pictures: it decodes others, and ends those that take too long.
_FORKED = """
import os, sys
from tests.images.test_decoding import _slow
from explorer.errors import ImageError
from explorer.images import processes
from explorer.images.decoding import decode_image

decode_image(sys.argv[1])
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
decode_image(sys.argv[1])
processes.FILE_SECONDS = 1.0
try:
    decode_image(_slow())
except ImageError:
    os._exit(0)
os._exit(1)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_gives_up_what_takes_too_long(tmp_path):
    (tmp_path / "9.png").write_bytes(png(9, 9))
    subprocess.run([sys.executable, "-c", _FORKED, str(tmp_path / "9.png")], check=True, cwd=ROOT)


@pytest.mark.parametrize("text", ["many", "0", "-2", "1.5"])
def test_a_wrong_number_of_decoders_is_a_sentence(text, tmp_path, monkeypatch, capsys):
    (tmp_path / "1.png").write_bytes(png(28, 28))
    monkeypatch.setenv("EXPLORER_DECODERS", text)
    assert main(["rank", "mnist-mlp-2d", str(tmp_path), "--device", "cpu", "--out", str(tmp_path / "out.csv")]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(f"EXPLORER_DECODERS is how many processes decode pictures, such as 4, not {text!r}.")


def test_files_that_take_longer_than_their_size_explains_end_the_job(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_SECONDS", 0.1)
    monkeypatch.setattr(processes, "_SECONDS_PER_MEGABYTE", 0.0)
    slow = png(3_000, 3_000)
    with zipfile.ZipFile(tmp_path / "bombs.zip", "w") as archive:
        for i in range(20):
            archive.writestr(f"{i}.png", slow)
    with pytest.raises(
        DatasetError, match=r"bombs\.zip was given up: decoding 0\.\d MB of pictures took more than the limit of 0 sec"
    ):
        load_folder(tmp_path / "bombs.zip")
    with pytest.raises(DatasetError, match="was given up"):
        own.preview(tmp_path / "bombs.zip", label="bombs.zip")


def test_who_ends_the_work_does_not_wait_for_it(tmp_path):
    """While no file is done it can be ended, and then the processes are killed: they have no next file."""
    with zipfile.ZipFile(tmp_path / "slow.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for i in range(2 * processes.decoders()):
            archive.writestr(f"{i}.pgm", _slow())
    processes._close()

    class Gone(BaseException):
        pass

    calls = []

    def progress(done: int, of: int) -> None:
        calls.append(done)
        if len(calls) == 4:
            raise Gone

    with pytest.raises(Gone):
        own.preview(tmp_path / "slow.zip", progress=progress)
    assert calls == [0] * 4
    assert not any(process.alive for process in processes._alive)


def test_tiny_pictures_may_not_become_a_large_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for i in range(8_000):
            archive.writestr(f"{i}.png", png(1, 1))
    with pytest.raises(DatasetError, match=r"would take 393 MB, more than the limit of 100 times the 0\.5 MB of their"):
        own.create("tiny", tmp_path / "x.zip", size=128, channels=3)
    assert not (tmp_path / "data" / "own").exists()


def test_the_same_pixels_by_every_task():
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    data = saved(Image.fromarray(pixels), "PNG")
    np.testing.assert_array_equal(np.asarray(decode_image(data)), pixels)
    np.testing.assert_array_equal(read_one(data, "x", ReadArray(40, 3)).pixels[0], pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(read_one(data, "x", ReadSlide(40)).seen, pixels.transpose(2, 0, 1))
    large = np.random.default_rng(0).integers(0, 255, (1_500, 2_000, 3), np.uint8)  # comes in several strips
    np.testing.assert_array_equal(np.asarray(decode_image(saved(Image.fromarray(large), "BMP"))), large)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_large_picture_is_prepared_in_the_memory_that_there_is(channels):
    pixels = np.full((1_024, 1_024, 3), (200, 190, 170), np.uint8) - np.linspace(0, 60, 1_024).astype(np.uint8)[:, None]
    pixels[256:768, 490:530] = 30
    task = PreparePicture(28, channels, (True, True), None, 1_024, UPLOAD_BYTES)
    found = read_one(saved(Image.fromarray(pixels), "PNG"), "x", task).pixels[0]
    expected = fit(Image.fromarray(pixels), (True, True), 28, channels)
    np.testing.assert_array_equal(found, expected.pixels)
    assert "background made plain" in expected.words
