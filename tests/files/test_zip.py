"""Zips of images: limits, names that lead out, damage; each is an error or a note, never a traceback."""

import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from explorer.datasets import load_folder
from explorer.errors import DatasetError
from explorer.files import entries


def _tree(picture):
    return {f"{name}/{n}.png": picture((10, n, 0)) for name in ("good", "sick") for n in range(5)}


def test_limits_of_a_zip(write_tree, picture, monkeypatch):
    path = write_tree(_tree(picture), zipped=True)
    monkeypatch.setattr(entries, "MAX_TOTAL_BYTES", 500)
    with pytest.raises(DatasetError, match="would unpack to"):
        load_folder(path)
    monkeypatch.setattr(entries, "MAX_ENTRIES", 9)
    monkeypatch.setattr(entries, "MAX_FILES", 9)
    with pytest.raises(DatasetError, match="10 files, more than the limit of 9"):
        load_folder(path)
    with pytest.raises(DatasetError, match="has more than 9 files: take them a part at a time"):
        load_folder(write_tree(_tree(picture)))


def test_a_file_too_large(write_tree, picture, monkeypatch):
    monkeypatch.setattr(entries, "MAX_FILE_BYTES", 1 << 20)
    tree = {"a.bmp": picture(size=(700, 700), kind="BMP"), "b.png": picture()}
    for zipped in (True, False):
        notes = load_folder(write_tree(tree, zipped=zipped)).notes
        assert notes == ["1 of 2 files could not be read: a.bmp (it has 1 MB, more than the limit of 1)."]


@pytest.mark.parametrize("name", ["../a.png", "a/../../b.png", "/etc/a.png", "C:\\a.png", "..\\a.png"])
def test_a_zip_that_climbs_out_of_itself(name, write_tree, picture):
    path = write_tree(_tree(picture) | {name: picture()}, zipped=True)
    with pytest.raises(DatasetError, match="leads out of it"):
        load_folder(path)


def test_a_zip_with_backslashes(write_tree, picture):
    path = write_tree({name.replace("/", "\\"): data for name, data in _tree(picture).items()}, zipped=True)
    assert load_folder(path).classes == ["good", "sick"]


def test_an_encrypted_zip(write_tree, picture):
    path = write_tree({f"{n}.png": picture() for n in range(3)}, zipped=True)
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1  # the first file claims to need a password
    path.write_bytes(data)
    assert load_folder(path).notes == ["1 of 3 files could not be read: 0.png (it is encrypted)."]


def test_a_zip_whose_contents_are_not_what_its_directory_says(write_tree, picture):
    path = write_tree({f"{n}.png": picture() for n in range(3)}, zipped=True)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 8] ^= 255
    path.write_bytes(data)
    assert load_folder(path).notes == ["1 of 3 files could not be read: 0.png (its place in the zip is damaged)."]


def test_a_bomb_in_a_zip(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(300 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DatasetError, match=r"a\.png \(it has 300 MB, more than the limit of 256"):
        load_folder(path)


@given(changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6))
@example(changes=[(1642, 0)])  # an entry without a name
def test_damaged_zips_are_never_a_traceback(changes, tmp_path_factory, picture):
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(3):
            archive.writestr(f"a/{n}.png", picture())
    data = bytearray(path.read_bytes())
    for position, value in changes:
        data[-1 - position % len(data)] = value
    path.write_bytes(data)
    try:
        dataset = load_folder(path)
    except DatasetError:
        return
    assert 1 <= len(dataset) <= 3
