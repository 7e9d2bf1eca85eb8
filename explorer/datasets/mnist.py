"""MNIST (LeCun, Cortes, Burges 1998) and Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): 28x28 gray, 70,000 each.

Both come as four IDX files, gzipped or unpacked.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from explorer.datasets.base import ByteProgress, ImageDataset, Source, incomplete_notes
from explorer.datasets.idx import read_idx
from explorer.errors import DatasetError
from explorer.files.download import WRONG_MD5, Remote, download_all
from explorer.images.arrays import Size

STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True)
class IdxFile:
    """What is known of one of the four files."""

    md5: str
    """Of the unpacked bytes: the same however they were compressed."""
    packed_bytes: int
    """Of the publisher's .gz."""


class IdxSource(Source):
    """A data set of four IDX files in MNIST's naming."""

    image_shape = (1, 28, 28)

    def __init__(
        self,
        name: str,
        title: str,
        origin: str,
        *,
        classes: list[str],
        counts: dict[str, int],
        urls: list[str],
        files: dict[str, IdxFile],
        torchvision_folder: str,
        system_folders: tuple[Path, ...] = (),
        drawable: bool = False,
    ) -> None:
        """`counts` is the number of images of each complete split; `files` is keyed by the names in STEMS."""
        self.name, self.title, self.origin = name, title, origin
        self.classes, self.counts, self.drawable = classes, counts, drawable
        self.urls, self.files = urls, files
        self.torchvision_folder, self.system_folders = torchvision_folder, system_folders
        self.fetch_bytes = sum(file.packed_bytes for file in files.values())

    def _folders(self, root: Path) -> list[Path]:
        return [root / self.name, root / self.torchvision_folder / "raw", *self.system_folders]

    def _find(self, root: Path, stems: tuple[str, ...]) -> list[Path] | None:
        """Finds `stems` in the first folder that has them all, packed or not."""
        for folder in self._folders(root):
            paths = [_packed_or_plain(folder, stem) for stem in stems]
            found = [path for path in paths if path is not None]
            if len(found) == len(stems):
                return found
        return None

    def present(self, root: Path) -> bool:
        return self._find(root, STEMS["train"] + STEMS["test"]) is not None

    def by_hand(self, root: Path) -> str:
        return f"put its four IDX files into {root / self.name}"

    def load(self, split: str, root: Path, size: Size | None, channels: int | None) -> ImageDataset:
        paths = self._find(root, STEMS[split])
        if paths is None:
            raise self.missing(root)
        images, labels = (read_idx(path) for path in paths)
        if images.ndim != 3 or labels.ndim != 1 or not images.size:
            raise DatasetError(f"{paths[0].parent} does not hold images [N, H, W] and labels [N].")
        return ImageDataset(
            name=self.name,
            split=split,
            images=torch.from_numpy(images[:, None]),
            labels=torch.from_numpy(labels.astype("int64")),
            classes=list(self.classes),
            notes=incomplete_notes(len(images), split, self.counts[split], self.title),
        )

    def fetch(self, root: Path, progress: ByteProgress | None) -> None:
        """Downloads the files that are not there or not intact into `<root>/<name>/`."""
        have = self._find(root, STEMS["train"] + STEMS["test"])
        if have and all(
            _intact(path, self.files[path.name.removesuffix(".gz").replace(".idx", "-idx")]) for path in have
        ):
            return
        folder = root / self.name
        wanted = [stem for stem, file in self.files.items() if not _intact(folder / stem, file)]
        download_all(self.name, [self._remote(stem) for stem in wanted], root, progress)
        for stem in wanted:
            (folder / stem).unlink(missing_ok=True)  # damaged, it would go on being read in place of the new one

    def _remote(self, stem: str) -> Remote:
        file = self.files[stem]
        urls = [f"{url.rstrip('/')}/{stem}.gz" for url in self.urls]
        return Remote(f"{self.name}/{stem}.gz", urls, file.packed_bytes, partial(_check, file=file))


def _packed_or_plain(folder: Path, stem: str) -> Path | None:
    """Finds a file; many copies are called `train-images.idx3-ubyte`."""
    names = (stem, stem.replace("-idx", ".idx"))
    return next((path for name in names for end in ("", ".gz") if (path := folder / (name + end)).is_file()), None)


def _intact(path: Path, file: IdxFile) -> bool:
    """Says whether a file, packed or not, is what was published."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with path.open("rb") as packed:
            gzipped = packed.read(2) == b"\x1f\x8b"
            packed.seek(0)
            stream = gzip.GzipFile(fileobj=packed) if gzipped else packed
            while chunk := stream.read(1 << 20):  # in pieces: a hostile .gz may unpack to gigabytes
                digest.update(chunk)
    except (OSError, EOFError, zlib.error):
        return False
    return digest.hexdigest() == file.md5


def _check(path: Path, file: IdxFile) -> None:
    if not _intact(path, file):
        raise DatasetError(WRONG_MD5)


MNIST = IdxSource(
    "mnist",
    "MNIST, handwritten digits",
    "Yann LeCun, Corinna Cortes, Christopher Burges; CC BY-SA 3.0",
    classes=[str(digit) for digit in range(10)],
    counts={"train": 60_000, "test": 10_000},
    urls=["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"],
    files={
        "train-images-idx3-ubyte": IdxFile("6bbc9ace898e44ae57da46a324031adb", 9_912_422),
        "train-labels-idx1-ubyte": IdxFile("a25bea736e30d166cdddb491f175f624", 28_881),
        "t10k-images-idx3-ubyte": IdxFile("2646ac647ad5339dbf082846283269ea", 1_648_877),
        "t10k-labels-idx1-ubyte": IdxFile("27ae3e4e09519cfbb04c329615203637", 4_542),
    },
    torchvision_folder="MNIST",
    drawable=True,
)

FASHION_MNIST = IdxSource(
    "fashion-mnist",
    "Fashion-MNIST, articles of clothing",
    "Zalando Research; MIT",
    classes=[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    counts={"train": 60_000, "test": 10_000},
    urls=["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    files={
        "train-images-idx3-ubyte": IdxFile("f4a8712d7a061bf5bd6d2ca38dc4d50a", 26_421_880),
        "train-labels-idx1-ubyte": IdxFile("9018921c3c673c538a1fc5bad174d6f9", 29_515),
        "t10k-images-idx3-ubyte": IdxFile("8181f5470baa50b63fa0f6fddb340f0a", 4_422_102),
        "t10k-labels-idx1-ubyte": IdxFile("15d484375f8d13e6eb1aabb0c3f46965", 5_148),
    },
    torchvision_folder="FashionMNIST",
    # Where Debian's package dataset-fashion-mnist puts it.
    system_folders=(Path("/usr/share/datasets/fashion-mnist"),),
)
