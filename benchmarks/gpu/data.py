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
from explorer.datasets.cifar10 import CLASSES
from explorer.datasets.mnist import STEMS

ROOT = Path(__file__).parents[2]
_IDX = {"images": 0x803, "labels": 0x801}
_PHOTOGRAPHS = 8 << 20  # bytes of them in the bundle


def pack(out: Path, *, limit: int) -> int:
    """Writes the bundle into a folder: this package, its benchmarks, MNIST, textures, some photographs, and as many
    blood cells as fit.

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
    if (root / "textures").is_dir():
        shutil.copytree(root / "textures", packed / "textures")
    for archive, most in (("cifar10-subset.zip", _PHOTOGRAPHS), ("malaria/cell_images_64.zip", limit)):
        if (root / archive).is_file():
            _some_of(root / archive, packed / archive, min(most, limit - size_of(out)))
    return size_of(out)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _some_of(source: Path, target: Path, room: int) -> None:
    """Copies as many files as the room allows, every n-th, so that patients and classes keep their shares."""
    with zipfile.ZipFile(source) as archive:
        files = sorted((i for i in archive.infolist() if not i.is_dir()), key=lambda i: i.filename)
        whole = sum(i.compress_size + 2 * len(i.filename) + 128 for i in files)
        every = max(1, -(-whole // max(room, 1)))
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w") as chosen:
            for info in files[::every]:
                chosen.writestr(info.filename, archive.read(info))


def generate(root: Path, *, train: int = 96, test: int = 32) -> None:
    """Writes small data sets of smooth noise in place of those that presets name."""
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
            name = f"cell_images/{('Parasitized', 'Uninfected')[i % 2]}/C{i // 2}P1thin_cell_{i}.png"
            cells.writestr(name, _png(pixels.transpose(1, 2, 0)))
    (root / "textures").mkdir()
    for name, pixels in zip("ab", _smooth(noise, 2, 128, 1)[:, 0], strict=True):
        (root / "textures" / f"{name}.png").write_bytes(_png(pixels))
    with zipfile.ZipFile(root / "cifar10-subset.zip", "w") as photographs:
        for i, pixels in enumerate(_smooth(noise, train + test, 32, 3)):
            name = f"cifar10/{'train' if i < train else 'test'}/{CLASSES[i % len(CLASSES)]}/{i}.png"
            photographs.writestr(name, _png(pixels.transpose(1, 2, 0)))


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _smooth(noise: np.random.Generator, count: int, side: int, channels: int) -> np.ndarray:
    coarse = torch.from_numpy(noise.random((count, channels, 7, 7)))
    fine = torch.nn.functional.interpolate(coarse, side, mode="bilinear")
    return (255 * fine).to(torch.uint8).numpy()


def _write_idx(path: Path, magic: int, values: np.ndarray) -> None:
    path.write_bytes(struct.pack(f">I{values.ndim}I", magic, *values.shape) + values.tobytes())
