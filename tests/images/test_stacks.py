"""Frames and channels of files, and the numbers of scientific TIFFs."""

import gc
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import tifffile
import torch
from PIL import Image
from pyarrow import parquet

from explorer.datasets import load_folder, own
from explorer.errors import ImageError
from explorer.files.pictures import open_pictures
from explorer.files.results import Results
from explorer.images.decoding import read_one
from explorer.images.reading import Picture
from explorer.images.stacks import Planes, open_stack
from explorer.images.tasks import ReadArray, ReadPicture
from tests.hostile import saved

CASES = Path(__file__).parents[1] / "cases"
RNG = np.random.default_rng(0)


def _tiff(array, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def _read(data, **planes):
    picture = read_one(data, "it", ReadPicture(**planes))
    return np.asarray(picture.image).astype(int), picture


def _frames(data):
    """The frames as Pillow reads them one after another."""
    with Image.open(io.BytesIO(data)) as image:
        return np.stack([np.asarray(image) for image.n in range(image.n_frames) if image.seek(image.n) is None])


def test_frames_of_a_stack_are_counted_and_chosen():
    with zipfile.ZipFile(CASES / "stacks_of_12_frames.zip") as archive:
        data = archive.read("ctrl/0.tif")
    frames = _frames(data)
    assert len(frames) == 12
    pixels, picture = _read(data)
    np.testing.assert_array_equal(pixels, frames[0])
    assert (picture.frames, picture.notes) == (12, ("It has 12 frames; only the first is used.",))
    for how, expected in (("mean", frames.mean(0)), ("max", frames.max(0))):
        np.testing.assert_array_equal(_read(data, frames=how)[0], np.rint(expected))
    every = read_one(data, "it", ReadArray(28, 1, frames="all")).pixels
    np.testing.assert_array_equal(every[:, 0], frames)


@pytest.mark.parametrize(("how", "count"), [("first", 6), ("mean", 6), ("max", 6), ("all", 72)])
def test_stacks_as_a_data_set(how, count):
    found = own.preview(CASES / "stacks_of_12_frames.zip", planes=Planes(how))
    assert sum(found.counts.values()) == count
    assert (found.frames, len(found.notes)) == (12, 1)
    assert found.notes[0].startswith("6 of 6 files have several frames, 72 in all; ")
    dataset = load_folder(CASES / "stacks_of_12_frames.zip", planes=Planes(how))
    assert len(dataset) == count
    assert dataset.labels.bincount().tolist() == [count // 2] * 2
    assert dataset.notes == found.notes
    names = ["0.tif", "1.tif"] if count == 6 else ["0.tif#1", "0.tif#2"]
    assert [name.rpartition("/")[2] for name in dataset.items.files[:2]] == names


def test_a_stack_among_many_pictures_is_seen(tmp_path):
    with zipfile.ZipFile(CASES / "stacks_of_12_frames.zip") as archive, zipfile.ZipFile(tmp_path / "it.zip", "w") as it:
        stack = archive.read("ctrl/0.tif")
        for i in range(401):
            it.writestr(f"{i:03}.tif", stack if i == 101 else saved(Image.new("L", (28, 28), i % 256), "TIFF"))
    found = own.preview(tmp_path / "it.zip")
    assert found.frames == 12
    assert "Some files have several frames or channels, such as 101.tif." in found.notes


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_stacks_of_archives_and_tables(tmp_path, kind):
    with zipfile.ZipFile(CASES / "stacks_of_12_frames.zip") as archive:
        stacks = [(info.filename, archive.read(info)) for info in archive.infolist() if not info.is_dir()]
    if kind == "tar":
        with tarfile.open(tmp_path / "it.tar", "w") as tar:
            for name, data in stacks:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    else:
        pictures = pyarrow.array([data for _, data in stacks], pyarrow.binary())
        parquet.write_table(pyarrow.table({"image": pictures}), tmp_path / "it.parquet")
    found = own.preview(tmp_path / f"it.{kind}", planes=Planes("all"))
    assert (found.frames, sum(found.counts.values())) == (12, 72)


def test_frames_of_one_file_stay_on_one_side(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path))
    own.create("stacks", CASES / "stacks_of_12_frames.zip", planes=Planes("all"))
    own.create("first", CASES / "stacks_of_12_frames.zip")  # which is another data set
    assert own.details("stacks").counts == {"train": 48, "test": 24}
    with pytest.raises(own.AlreadyHere):
        own.create("again", CASES / "stacks_of_12_frames.zip", planes=Planes("all"))


def test_frames_of_animations():
    frames = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (10, 20, 60)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = saved(
            frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
        )
        assert _read(data)[1].frames == 3
        assert np.unique(_read(data, frames="mean")[0]).tolist() == [30]
        assert np.unique(_read(data, frames="max")[0]).tolist() == [60]


def test_frames_that_are_done_are_let_go_of():
    data = _tiff(np.zeros((9, 8, 8), np.uint8), photometric="minisblack")
    values, _pieces = ReadArray(8, 1, frames="all").do(data, "it", 1 << 20)
    assert values["count"] == 9
    assert not [found for found in gc.get_objects() if type(found) is Picture]


def test_sums_of_deep_frames_are_scaled_by_all_of_them():
    stack = RNG.integers(0, 4096, (5, 9, 7)).astype(np.uint16)
    stack[3, 0, 0] = 4095
    for data in (
        _tiff(stack),
        saved(
            Image.fromarray(stack[0]), "TIFF", save_all=True, compression="tiff_lzw",
            append_images=[Image.fromarray(frame) for frame in stack[1:]],
        ),
    ):  # fmt: skip
        np.testing.assert_array_equal(_read(data, frames="mean")[0], np.rint(stack.mean(0) * 255 / 4095))
        np.testing.assert_array_equal(_read(data, frames="max")[0], np.rint(stack.max(0) * 255.0 / 4095))


@pytest.mark.parametrize("kind", ["<f8", "<i8", "<u4", ">f8"])
def test_numbers_that_pillow_does_not_know(kind):
    values = (RNG.random((9, 7)) if "f" in kind else RNG.integers(0, 4096, (9, 7))).astype(kind)
    expected = np.rint(values * (255.0 if "f" in kind else 255.0 / 4095))
    np.testing.assert_array_equal(_read(_tiff(values))[0], expected)


def test_the_case_of_64_bit_floats():
    data = (CASES / "gray_float64.tif").read_bytes()
    values = np.frombuffer(data, "<f8", 120 * 120, 8).reshape(120, 120)
    pixels, picture = _read(data)
    np.testing.assert_array_equal(pixels, np.rint(255 * values))
    assert picture.notes == ("It has more than 8 bits per channel and was scaled to 8.",)


@pytest.mark.parametrize("packed", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("count", [2, 5])
def test_channels_of_a_pixel(count, planar, packed):
    values = RNG.integers(0, 256, (19, 17, count)).astype(np.uint8)
    stored = values if planar == "contig" else values.transpose(2, 0, 1)
    data = _tiff(stored, photometric="minisblack", planarconfig=planar, compression=packed)
    pixels, picture = _read(data)
    np.testing.assert_array_equal(pixels, values[..., 0])
    assert picture.notes == (f"It has {count} channels; only the first is used.",)
    np.testing.assert_array_equal(_read(data, channel=2)[0], values[..., 1])
    with pytest.raises(ImageError, match=rf"it has {count} channels, so there is no channel 9"):
        _read(data, channel=9)


def test_colours_of_a_pixel():
    floats = RNG.random((19, 17, 3)).astype(np.float32)
    np.testing.assert_array_equal(_read(_tiff(floats, photometric="rgb"))[0], np.rint(floats.astype(float) * 255))
    deep = RNG.integers(0, 4096, (19, 17, 3)).astype(np.uint16)
    for planar in ("contig", "separate"):  # Pillow takes each byte of the latter for a pixel
        stored = deep if planar == "contig" else deep.transpose(2, 0, 1)
        data = _tiff(stored, photometric="rgb", planarconfig=planar)
        np.testing.assert_array_equal(_read(data)[0], np.rint(deep * 255.0 / 4095))
    pixels, _ = _read(saved(Image.fromarray(deep.astype(np.uint8)), "PNG"), channel=2)
    np.testing.assert_array_equal(pixels, deep.astype(np.uint8)[..., 1])


@pytest.mark.parametrize("written_by", ["imagej", "ome"])
def test_channels_and_frames_of_microscopes(written_by):
    values = RNG.integers(0, 256, (4, 3, 19, 17)).astype(np.uint8)  # frames, channels
    data = _tiff(values, metadata={"axes": "TCYX"}, **{written_by: True})
    pixels, picture = _read(data)
    np.testing.assert_array_equal(pixels, values[0, 0])
    assert (picture.frames, picture.channels) == (4, 3)
    assert picture.notes == (
        "It has 3 channels; only the first is used.",
        "It has 4 frames; only the first is used.",
    )
    np.testing.assert_array_equal(_read(data, frames="max", channel=3)[0], values[:, 2].max(0))


def test_an_ome_tiff_opens_no_other_file(tmp_path, monkeypatch):
    """One of several files names the others, which tifffile would open from the folder that it runs in."""
    monkeypatch.chdir(tmp_path)
    planes = [_tiff(np.full((19, 17), value, np.uint8)) for value in (1, 77)]
    Path("other.tif").write_bytes(planes[1])
    parts = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{z}</UUID></TiffData>'
        for z, name in enumerate(("it.tif", "other.tif"))
    )
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="17" SizeY="19" SizeZ="2" '
        f'SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{parts}</Pixels></Image></OME>'
    )
    data = _tiff(np.full((19, 17), 1, np.float64), description=xml, metadata=None)
    with open_stack(data) as stack:
        assert [int(stack.plane(frame, 0).max()) for frame in range(stack.frames)] == [1]


def test_a_broken_or_unreadable_tiff_is_one_sentence():
    data = _tiff(RNG.random((40, 40)))
    for short in (20, 100, len(data) // 2, len(data) - 200):
        with pytest.raises(ImageError, match="not a picture of a known format, or damaged"):
            _read(data[:short])
    with pytest.raises(ImageError, match="not a picture of a known format"):
        _read(_tiff(RNG.random((8, 8)).astype(np.complex64)))


def test_a_large_claim_takes_no_memory():
    data = bytearray(_tiff(RNG.random((40, 40))))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tags = file.pages[0].tags
        for name in ("ImageWidth", "ImageLength"):
            at = tags[name].valueoffset
            data[at : at + 4] = (
                (60_000).to_bytes(4, "little") if tags[name].dtype == 4 else (60_000).to_bytes(2, "little") + bytes(2)
            )
    with pytest.raises(ImageError, match="more than the limit of"):
        _read(bytes(data))


def test_copies_and_depth_are_told_where_many_are_read(write_tree, picture):
    tree = {
        "a/1.png": picture((1, 2, 3)),
        "b/2.png": picture((1, 2, 3)),
        "c.png": (CASES / "colour_12_bits_in_16.png").read_bytes(),
    }
    with Results() as results, open_pictures(write_tree(tree), ReadArray(8, 3), results) as found:
        found.work(lambda read: torch.tensor(read.pixels[0]), lambda images, _: (images.float().flatten(1), None))
    assert found.notes == [
        "More than 8 bits per channel were scaled to 8 in 1 of 3 images.",
        "1 file is a copy of another, such as b/2.png of a/1.png.",
    ]
