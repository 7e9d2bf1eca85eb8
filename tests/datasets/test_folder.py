"""A person's own images: which classes and splits are found, what is left out, what shape is chosen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from explorer import datasets
from explorer.datasets import sinks
from explorer.datasets.layout import arrange
from explorer.errors import DatasetError, DatasetMissing
from explorer.files import entries
from explorer.files.entries import Entry


def _load(path, **options):
    return datasets.load_folder(path, **options)


def _cells(picture, prefix="", good=5, sick=5):
    """Two classes that differ by their colour; the number of an image is its green."""
    tree = {f"{prefix}good/{n}.png": picture((10, n, 0), (32, 32)) for n in range(good)}
    return tree | {f"{prefix}sick/{n}.png": picture((200, n, 0), (32, 32)) for n in range(sick)}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", ["", "cell_images/", "x/cell_images/", "cell_images/cell_images/"])
def test_a_subfolder_is_a_class(prefix, zipped, write_tree, picture):
    path = write_tree(_cells(picture, prefix), zipped=zipped)
    dataset = _load(path)
    assert dataset.classes == ["good", "sick"]
    assert dataset.labels.tolist() == [0] * 5 + [1] * 5
    assert dataset.images[:, 0, 0, 0].tolist() == [10] * 5 + [200] * 5
    assert dataset.images[:, 1, 0, 0].tolist() == [0, 1, 2, 3, 4] * 2
    assert (dataset.split, dataset.notes) == ("all", [])


def test_the_split_is_stratified_complete_and_the_same_everywhere(write_tree, picture):
    tree = _cells(picture, good=40, sick=10)
    loaded = [
        {split: datasets.load(f"folder:{path}", split) for split in ("train", "test")}
        for path in (
            write_tree(tree),
            write_tree(tree, zipped=True),
            write_tree({f"wrapped/{name}": data for name, data in tree.items()}, name="other"),
        )
    ]
    for splits in loaded:
        assert splits["train"].labels.bincount().tolist() == [32, 8]
        assert splits["test"].labels.bincount().tolist() == [8, 2]
        seen = np.concatenate([ds.images[:, :2, 0, 0].numpy() for ds in splits.values()])
        assert len(np.unique(seen, axis=0)) == 50
        for split, dataset in splits.items():
            assert dataset.fingerprint == loaded[0][split].fingerprint
            assert dataset.split == split


def test_a_file_that_is_added_moves_few_others(write_tree, picture):
    before = _test_names(_cells(picture, good=100))
    after = _test_names(_cells(picture, good=101))
    assert len(before ^ after) <= 3


def _test_names(tree):
    layout = arrange([Entry(tuple(name.split("/")), 1, "") for name in sorted(tree)], "it")
    return {entry.path for entry, _ in layout.splits["test"]}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", ["", "set/"])
def test_train_and_test_folders_are_the_splits(prefix, zipped, write_tree, picture):
    tree = {f"{prefix}Train/{c}/{n}.png": picture((10, n, 0)) for c in "ab" for n in range(3)}
    tree |= {f"{prefix}test/{c}/{n}.png": picture((90, n, 0)) for c in "bc" for n in range(2)}
    tree |= {f"{prefix}valid/a/1.png": picture()}
    path = write_tree(tree, zipped=zipped)
    train, test = (datasets.load(f"folder:{path}", split) for split in ("train", "test"))
    assert train.classes == test.classes == ["a", "b", "c"]
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert test.labels.tolist() == [1, 1, 2, 2]
    assert set(train.images[:, 0, 0, 0].tolist()) == {10}
    assert set(test.images[:, 0, 0, 0].tolist()) == {90}
    assert train.notes == [
        f"Left out: 1 file neither in Train/ nor in test/, such as {prefix}valid/a/1.png.",
        "The train set has no images of c.",
        "The test set has no images of a.",
    ]


def test_train_and_test_without_classes(write_tree, picture):
    path = write_tree({f"{split}/{n}.png": picture() for split in ("train", "test") for n in range(2)})
    dataset = datasets.load(f"folder:{path}", "train")
    assert (len(dataset), dataset.labels, dataset.classes) == (2, None, [])


def test_images_without_subfolders(write_tree, picture):
    path = write_tree({f"{n}.png": picture((0, n, 0)) for n in range(10)})
    dataset = datasets.load(f"folder:{path}", "train")
    assert (len(dataset), dataset.labels, dataset.classes) == (8, None, [])


def test_one_subfolder_is_one_class(write_tree, picture):
    dataset = _load(write_tree({f"cats/{n}.png": picture() for n in range(3)}))
    assert (dataset.classes, dataset.labels.tolist()) == (["cats"], [0, 0, 0])


def test_folders_within_a_class_belong_to_it(write_tree, picture):
    tree = {"a/x/1.png": picture(), "a/y/z/2.png": picture(), "b/3.png": picture()}
    assert _load(write_tree(tree)).labels.tolist() == [0, 0, 1]


def test_clutter_is_ignored_and_other_files_are_noted(write_tree, picture):
    tree = _cells(picture) | {
        "good/Thumbs.db": b"x",
        "sick/THUMBS.DB": b"x",
        ".DS_Store": b"x",
        "good/.hidden.png": b"x",
        ".git/a.png": b"x",
        "__MACOSX/good/._1.png": b"x",
        "desktop.ini": b"x",
    }
    for zipped in (True, False):
        assert _load(write_tree(tree, zipped=zipped, name="clutter")).notes == []
    tree |= {"labels.csv": b"x", "README": b"x", "overview.png": picture(), "good/script.eps": b"x"}
    for zipped in (True, False):
        dataset = _load(write_tree(tree, zipped=zipped, name="more"))
        assert len(dataset) == 10
        assert dataset.notes == [
            "Left out: 3 files that are no pictures, such as README.",
            "Left out: 1 file beside the folders of classes, such as overview.png.",
        ]


def test_an_image_beside_the_wrapping_folder_hides_no_classes(write_tree, picture):
    dataset = _load(write_tree(_cells(picture, "cell_images/") | {"overview.png": picture()}))
    assert dataset.classes == ["good", "sick"]
    assert dataset.notes == ["Left out: 1 file beside the folders of classes, such as overview.png."]


def test_names_without_endings(write_tree, picture):
    dataset = _load(write_tree({"a/one": picture(), "a/two": picture(), "b/three": picture(), "b/4": b"text"}))
    assert dataset.labels.tolist() == [0, 0, 1]
    assert dataset.notes == ["1 of 4 files could not be read: b/4 (it is not a picture of a known format, or damaged)."]


@pytest.mark.parametrize("zipped", [True, False])
def test_broken_files_are_counted(zipped, write_tree, picture):
    tree = _cells(picture) | {"good/2.png": picture()[:50], "sick/4.png": b"", "sick/0.png": picture()[:60]}
    dataset = _load(write_tree(tree, zipped=zipped))
    assert dataset.notes == ["3 of 10 files could not be read, such as good/2.png (it is cut off or damaged)."]
    assert dataset.labels.tolist() == [0] * 4 + [1] * 3
    assert dataset.images[:, 1, 0, 0].tolist() == [0, 1, 3, 4, 1, 2, 3]


def test_nothing_readable(write_tree):
    with pytest.raises(DatasetError, match=r"no readable test images\. 1 of 1 files could not be read: a/"):
        datasets.load(f"folder:{write_tree({f'a/{n}.png': b'x' for n in range(5)})}")


def test_a_class_with_a_single_image(write_tree, picture):
    path = write_tree(_cells(picture, sick=1))
    note = "The test set has no images of sick: a single image goes to the training set."
    train, test = (datasets.load(f"folder:{path}", split) for split in ("train", "test"))
    assert train.labels.bincount().tolist() == [4, 1]
    assert test.labels.tolist() == [0]
    assert test.classes == ["good", "sick"]
    assert train.notes == test.notes == [note]
    assert _load(path).notes == []


def test_too_few_for_a_test_set(write_tree, picture):
    path = write_tree({"a.png": picture()})
    assert len(datasets.load(f"folder:{path}", "train")) == 1
    with pytest.raises(DatasetError, match="too few images for a test set"):
        datasets.load(f"folder:{path}", "test")


def test_nothing_there(tmp_path):
    with pytest.raises(DatasetMissing, match="There is nothing at"):
        datasets.load(f"folder:{tmp_path / 'nothing'}")
    with pytest.raises(DatasetMissing, match="There is nothing at"):
        datasets.load("folder:a\0b")
    with pytest.raises(DatasetError, match="holds no images"):
        datasets.load(f"folder:{tmp_path}")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DatasetError, match="holds no images"):
        datasets.load(f"folder:{tmp_path}")
    with pytest.raises(DatasetError, match="neither a folder nor an intact"):
        datasets.load(f"folder:{tmp_path / 'notes.txt'}")


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(entries.os, "scandir", refuse)
    with pytest.raises(DatasetError, match="could not be read: Permission denied"):
        datasets.load(f"folder:{tmp_path}")


def test_a_link_that_leads_round_and_one_that_leads_nowhere(write_tree, picture):
    path = write_tree(_cells(picture))
    (path / "good" / "round").symlink_to(path, target_is_directory=True)
    (path / "good" / "nowhere.png").symlink_to(path / "gone.png")
    (path / "good" / "linked.png").symlink_to(path / "sick" / "1.png")
    assert len(_load(path)) == 11


@pytest.mark.parametrize(
    ("side", "size"), [(8, 28), (28, 28), (29, 32), (32, 32), (47, 32), (48, 64), (64, 64), (500, 64)]
)
def test_the_size_follows_the_median_of_the_longer_side(side, size, write_tree, picture):
    shapes = [(side, side), (side, side // 2), (side // 2, side), (5, 5)]
    path = write_tree({f"{n}.png": picture(size=shape) for n, shape in enumerate(shapes)})
    assert _load(path).image_shape == (3, size, size)


def test_the_channels_follow_the_content(write_tree, picture):
    gray = {f"{n}.png": picture((n, n, n)) for n in range(5)}
    assert _load(write_tree(gray, name="gray")).image_shape[0] == 1
    colour = gray | {"x.png": picture((90, 10, 10))}
    assert _load(write_tree(colour, name="colour")).image_shape[0] == 3
    assert _load(write_tree(colour, name="colour"), channels=1, size=40).image_shape == (1, 40, 40)


def test_both_splits_have_the_same_shape(write_tree, picture):
    tree = {f"train/{n}.png": picture((n, n, n), (20, 20)) for n in range(9)}
    tree |= {f"test/{n}.png": picture((200, n, 9), (100, 100)) for n in range(3)}
    path = write_tree(tree)
    shapes = {datasets.load(f"folder:{path}", split).image_shape for split in ("train", "test")}
    assert shapes == {(3, 28, 28)}


def test_images_of_many_kinds_and_sizes(write_tree, picture):
    tree = {
        "a/gray.png": picture(50, mode="L"),
        "a/alpha.png": picture((9, 9, 9, 9), mode="RGBA"),
        "a/cmyk.jpg": picture((0, 9, 9, 0), (90, 30), mode="CMYK", kind="JPEG"),
        "a/deep.tif": picture(900, mode="I;16", kind="TIFF"),
        "b/palette.gif": picture(3, mode="P", kind="GIF"),
        "b/new.webp": picture(kind="WEBP"),
        "b/UPPER.JPEG": picture(kind="JPEG", size=(1, 70)),
    }
    dataset = _load(write_tree(tree), size=24)
    assert dataset.images.shape == (7, 3, 24, 24)
    assert dataset.notes == ["More than 8 bits per channel were scaled to 8 in 1 of 7 images."]


def test_files_that_change_are_read_anew(write_tree, picture):
    tree = _cells(picture)
    path = write_tree(tree)
    first = datasets.load(f"folder:{path}", "train")
    assert datasets.load(f"folder:{path}", "train") is first
    write_tree({"good/new.png": picture((1, 2, 3))})
    second = datasets.load(f"folder:{path}", "train")
    assert len(second) == 9
    (path / "good" / "new.png").unlink()
    assert datasets.load(f"folder:{path}", "train").fingerprint == first.fingerprint


def test_progress_and_cancelling(write_tree, picture):
    tree = {f"a/{n}.png": picture() for n in range(300)}
    path = write_tree(tree)
    calls = []
    _load(path, progress=lambda *call: calls.append(call))
    total = sum(len(data) for data in tree.values())
    assert calls[-1] == (total, total)
    assert len(calls) >= 5  # 64 files at a time
    assert calls == sorted(calls)

    def cancel(done: int, total: int | None) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        _load(path, progress=cancel)


def test_more_than_fits_into_memory(write_tree, picture, monkeypatch):
    monkeypatch.setattr(sinks, "MAX_BYTES", 10_000)
    with pytest.raises(DatasetError, match=r"10 images of 64 × 64 would take .* Choose a smaller size"):
        _load(write_tree(_cells(picture)), size=64)


PARTS = st.lists(st.sampled_from(["a", "b", "train", "test", "x"]), max_size=4)


@given(paths=st.lists(st.tuples(PARTS, st.sampled_from(["1.png", "2.png", "3.gif", "no"])), min_size=1, unique_by=str))
def test_every_layout_makes_sense(paths):
    found = [Entry((*parts, name), 1, "") for parts, name in paths]
    found.sort(key=lambda entry: entry.parts)
    layout = arrange(found, "it")
    train, test = (layout.splits[split] for split in ("train", "test"))
    kept = {entry for entry, _ in train} | {entry for entry, _ in test}
    assert len(kept) == len(train) + len(test) == len(layout.everything)
    labels = {label for _, label in train + test}
    assert labels in (set(layout.classes), {None}) or not kept
    assert len(kept) == len(found) or layout.notes


def test_right_sized_images_keep_their_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    for n, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{n}.png")
    np.testing.assert_array_equal(_load(tmp_path).images.numpy(), pixels.transpose(0, 3, 1, 2))


def test_names_in_no_known_encoding(write_tree, picture):
    path = write_tree(_cells(picture))
    (path / "good" / "0.png").rename(path / "good" / "\udcff.png")
    (path / "sick").rename(path / "s\udcffck")
    dataset = _load(path)
    assert len(dataset) == 10
    assert dataset.classes == ["good", r"s\xffck"]
