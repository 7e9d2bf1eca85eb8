"""Images that are in the training set and in the test set, as they are or nearly so."""

import io

import numpy as np
import torch
from PIL import Image

from explorer import datasets
from explorer.datasets import own
from explorer.datasets.base import ImageDataset
from explorer.datasets.duplicates import duplicate_notes
from explorer.latents.items import Items


def _set(split, images):
    names = Items([f"{split}/{i}.png" for i in range(len(images))])
    return ImageDataset("it", split, torch.as_tensor(np.stack(images)), None, [], items=names)


def _jpeg(image, quality=75):
    stream = io.BytesIO()
    Image.fromarray(image[0]).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))[None]


def _digits(split):
    return datasets.load("mnist-5k", split).images.numpy()


def test_the_same_and_nearly_the_same_are_counted_and_named():
    train, test = list(_digits("train")[:300]), list(_digits("test")[:100])
    noise = np.random.default_rng(0).normal(0, 3, (1, 28, 28))
    test[7], test[9] = train[20], _jpeg(train[30])
    test[11] = (train[40] * 0.9 + noise + 8).clip(0, 255).astype(np.uint8)
    assert duplicate_notes(_set("train", train), _set("test", test)) == [
        "1 test image is also in the training set, such as test/7.png, which is train/20.png. "
        "Figures on the test set flatter the model there.",
        "2 test images are nearly the same as a training image, such as test/9.png, which is like train/30.png. "
        "Figures on the test set flatter the model there.",
    ]


def test_different_images_of_a_class_are_no_duplicates():
    """Also of MNIST's ones, which are much alike; flat images have nothing to be alike in."""
    flat = [np.full((1, 28, 28), value, np.uint8) for value in (10, 20)]
    train, test = [*_digits("train"), flat[0]], [*_digits("test"), flat[1]]
    assert duplicate_notes(_set("train", train), _set("test", test)) == []


def test_images_smaller_than_what_they_are_reduced_to():
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 8, 9)).astype(np.uint8)
    (note,) = duplicate_notes(_set("train", images[:2]), _set("test", images[1:]))
    assert note.startswith("1 test image is also in the training set, such as test/0.png, which is train/1.png.")


def test_an_own_data_set_says_so_beforehand_and_afterwards(tmp_path, monkeypatch, write_tree, picture):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    splits = enumerate(("train", "test"))
    tree = {f"{split}/a/{n}.png": picture((9 * n, 99 * m, 0), (32, 32)) for m, split in splits for n in range(3)}
    path = write_tree(tree | {"test/a/copy.png": tree["train/a/1.png"]}, zipped=True)
    noted = "1 test file is a copy of training files, such as test/a/copy.png of train/a/1.png."
    assert own.preview(path).notes == [noted]
    own.create("it", path)
    (note,) = own.details("it").notes["test"]
    assert note.startswith("1 test image is also in the training set, such as test/a/copy.png, which is train/a/1.png.")
    assert datasets.load(f"folder:{path}", "test").notes == [note]
    assert datasets.load(f"folder:{path}", "train").notes == []
