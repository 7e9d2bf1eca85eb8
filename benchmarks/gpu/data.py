"""Code and data for a machine that has neither, and small generated data for a dry run."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from explorer.datasets import data_root
from explorer.datasets.mnist import STEMS

ROOT = Path(__file__).parents[2]
_IDX = {"images": 0x803, "labels": 0x801}


def pack(out: Path, *, limit: int) -> int:
    """Writes the bundle into a folder: this package, its benchmarks, MNIST, and as many blood cells as fit.

    Returns:
        Its size in bytes, at most `limit`.

    Raises:
        OSError: MNIST is not in the data folder, or the bundle cannot be written.
    """
    shutil.rmtree(out, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "ui", "results")
    for package in ("explorer", "benchmarks"):
        shutil.copytree(ROOT / package, out / package, ignore=ignored)
    root, packed = data_root(), out / "packed-data"
    (packed / "mnist").mkdir(parents=True)
    for stem in (*STEMS["train"], *STEMS["test"]):
        shutil.copy(root / "mnist" / f"{stem}.gz", packed / "mnist")
    cells = root / "malaria" / "cell_images_64.zip"
    if cells.is_file():
        _some_cells(cells, packed / "malaria" / cells.name, limit - size_of(out))
    return size_of(out)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _some_cells(source: Path, target: Path, room: int) -> None:
    """Copies as many cells as the room allows, every n-th, so that patients and classes keep their shares."""
    with zipfile.ZipFile(source) as cells:
        files = sorted((i for i in cells.infolist() if not i.is_dir()), key=lambda i: i.filename)
        whole = sum(i.compress_size + 2 * len(i.filename) + 128 for i in files)
        every = max(1, -(-whole // max(room, 1)))
        target.parent.mkdir(parents=True)
        with zipfile.ZipFile(target, "w") as chosen:
            for info in files[::every]:
                chosen.writestr(info.filename, cells.read(info))


def generate(root: Path, *, train: int = 96, test: int = 32) -> None:
    """Writes small data sets of smooth noise in place of `mnist` and `malaria`."""
    noise = np.random.default_rng(0)
    (root / "mnist").mkdir(parents=True)
    for split, count in (("train", train), ("test", test)):
        images, labels = STEMS[split]
        pixels = _smooth(noise, count, 28, 1)[:, 0]
        _write_idx(root / "mnist" / images, _IDX["images"], pixels)
        _write_idx(root / "mnist" / labels, _IDX["labels"], (np.arange(count) % 10).astype(np.uint8))
    (root / "malaria").mkdir()
    with zipfile.ZipFile(root / "malaria" / "cell_images_64.zip", "w") as cells:
        for i, pixels in enumerate(_smooth(noise, 160, 64, 3)):
            buffer = io.BytesIO()
            Image.fromarray(pixels.transpose(1, 2, 0)).save(buffer, "PNG")
            name = f"cell_images/{('Parasitized', 'Uninfected')[i % 2]}/C{i // 2}P1thin_cell_{i}.png"
            cells.writestr(name, buffer.getvalue())


def _smooth(noise: np.random.Generator, count: int, side: int, channels: int) -> np.ndarray:
    coarse = torch.from_numpy(noise.random((count, channels, 7, 7)))
    fine = torch.nn.functional.interpolate(coarse, side, mode="bilinear")
    return (255 * fine).to(torch.uint8).numpy()


def _write_idx(path: Path, magic: int, values: np.ndarray) -> None:
    path.write_bytes(struct.pack(f">I{values.ndim}I", magic, *values.shape) + values.tobytes())
