"""How much memory large data take: many images imported, trained on, mapped, encoded, ranked and screened.

`python -m benchmarks.large 2000 20000` takes these many; of more than 100,000, which take hours, it leaves out the
last three. `encode` is also killed in its middle and gone on with. Images are real cells of malaria, turned, flipped
and made lighter or darker, as JPEG files of 64 x 64. Memory is RssAnon of a command and of the processes that it
starts, at its highest: what is resident beyond the page cache and mapped files. A million takes 26 GB below $TMPDIR,
and half an hour.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

import explorer
from explorer import datasets
from explorer.evaluation import encodings

COUNTS = (2_000, 20_000)
_MOST_FILES = 100_000  # that are encoded, ranked and screened
_EACH = 0.05  # seconds between looks
_TRAINED = ("--preset", "mlp-2d-mse", "--dataset", "own:cells", "--epochs", "1", "--now")


def main(counts: tuple[int, ...] = COUNTS) -> None:
    """Prints a table with a row a size: seconds, and MB at most, of each command."""
    cells = datasets.load("malaria", "train", size=64, channels=3).images.numpy()
    print("| images | command | seconds | of CPU | RssAnon, MB | load |\n|---|---|---|---|---|---|")
    for count in counts:
        with tempfile.TemporaryDirectory() as place:
            write(cells, count, Path(place) / "cells")
            measure(count, Path(place))


def measure(count: int, root: Path) -> None:
    """Prints the rows of so many images in `root / "cells"`."""
    folder, table, run = str(root / "cells"), str(root / "table"), str(root / "runs" / "large")
    own = ["--data-root", str(root / "data")]
    program = [sys.executable, "-m", "explorer"]
    commands = {
        "import": [*program, "data", "add", folder, "--name", "cells", "--size", "64", *own],
        "train, an epoch": [*program, "train", *_TRAINED, "--out", run, *own],
        "map": [sys.executable, "-m", "benchmarks.large", "map", run, str(root / "data")],
    }
    if count <= _MOST_FILES:
        commands |= {
            "encode": [*program, "encode", "cells-healthy-conv", folder, "--out", table],
            "rank": [*program, "rank", "mnist-mlp-2d", folder, "--out", table],
            "screen": [*program, "screen", folder, "--out", table],
        }
    for name, command in commands.items():
        used = _measured(command)
        _print_row(count, name, *used)
        if name == "encode":
            whole = Path(table).read_bytes()
            Path(table).unlink()
            _kill(command, used[0] / 2)
            _print_row(count, "encode, once killed halfway", *_measured(command))
            assert Path(table).read_bytes() == whole


def _print_row(count: int, name: str, seconds: float, cpu: float, most: int) -> None:
    row = (f"{count:,}", name, f"{seconds:,.0f}", f"{cpu:,.0f}", f"{most / 1e6:,.0f}", f"{os.getloadavg()[0]:.0f}")
    print(f"| {' | '.join(row)} |", flush=True)


def _kill(command: list[str], seconds: float) -> None:
    """Kills a command after so many seconds, with what it has started."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        for pid in _family(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def map_images(run: str, root: str) -> None:
    """Encodes and places all images, and reads that again, as the app's job does."""
    os.environ["EXPLORER_DATA"] = root
    model = explorer.load(Path(run))
    images = datasets.join_splits(*(datasets.load("own:cells", split) for split in ("train", "test")))
    file = encodings.encodings_file(model.info.content, images)
    encodings.check_room(file, model, images)
    encodings.keep(file, encodings.encode(model, images, lambda done, of: None))
    found = encodings.kept(file, model, images)
    assert found is not None
    print(f"{len(found):,} images on the {', '.join(found.maps)}, {file.stat().st_size / 1e6:,.0f} MB")


def write(cells: np.ndarray, count: int, folder: Path) -> None:
    """Writes variants of the cells, a thousand to a folder below two classes: the same ones for any count."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # compressing and writing release the GIL
        starts = range(0, count, 1000)
        list(pool.map(lambda start: _thousand(cells, start, min(start + 1000, count), folder), starts))


def _thousand(cells: np.ndarray, start: int, end: int, folder: Path) -> None:
    rng = np.random.default_rng(start)
    places = [folder / name / f"{start // 1000}" for name in "ab"]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    for i in range(start, end):
        cell = np.rot90(cells[i % len(cells)].transpose(1, 2, 0), int(rng.integers(4)))[:: rng.choice([-1, 1])]
        lighter = np.clip(cell * rng.uniform(0.8, 1.2), 0, 255).astype(np.uint8)
        Image.fromarray(lighter).save(places[i % 2] / f"{i}.jpg", quality=90)


def _measured(command: list[str]) -> tuple[float, float, int]:
    """Runs a command; its seconds, those of CPU, and the bytes of RssAnon that it and what it started had at most."""
    begun, before, most = time.monotonic(), _cpu(), 0
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    said = b""
    while process.poll() is None:
        most = max(most, sum(map(_anonymous, _family(process.pid))))
        said = (said + (process.stderr.read() or b""))[-2000:]
        time.sleep(_EACH)
    if process.returncode:
        said += process.stderr.read() or b""
        raise RuntimeError(f"{' '.join(command)} failed: {said.decode(errors='replace')}")
    return time.monotonic() - begun, _cpu() - before, most


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return found


def _anonymous(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["map"]:
        map_images(*sys.argv[2:])
    else:
        main(tuple(map(int, sys.argv[1:])) or COUNTS)
