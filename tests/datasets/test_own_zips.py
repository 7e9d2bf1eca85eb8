"""Zips that are not what they seem: each is refused in a sentence or has its bad parts left out with a note."""

from __future__ import annotations

import bz2
import io
import stat
import subprocess
import sys
import zipfile
import zlib

import pytest

from explorer import datasets
from explorer.datasets import own
from explorer.files import entries
from explorer.images import memory
from tests.datasets.own_images import cells, refused
from tests.hostile import png


@pytest.fixture
def root(tmp_path, monkeypatch):
    place = tmp_path / "data"
    monkeypatch.setenv("EXPLORER_DATA", str(place))
    return place


@pytest.mark.parametrize("name", ["../a.png", "a/../../b.png", "/etc/a.png", "C:\\a.png", "..\\a.png"])
def test_names_that_lead_out(name, root, write_tree, picture):
    refused(write_tree(cells(picture) | {name: picture()}, zipped=True), "leads out of it")


def test_links_in_a_zip_are_not_followed(root, tmp_path, write_tree, picture):
    path = write_tree(cells(picture), zipped=True)
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture((1, 2, 3)))
    with zipfile.ZipFile(path, "a") as archive:
        for name, target in (("good/link.png", str(secret)), ("sick", "/etc")):
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    note = (
        "Left out: 2 links, such as good/link.png; links in a zip are not followed, so put the files themselves "
        "into it."
    )
    assert note in own.preview(path).notes
    own.create("cells", path)
    stored = own.details("cells")
    assert sum(stored.counts.values()) == 12
    assert note in stored.notes["train"]


def _encrypt(path, all_of_it=True):
    """Set the flag of a password on each file, as an archiver would."""
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = data.find(signature)
        while position >= 0:
            data[position + flags] |= 1
            position = data.find(signature, position + 4) if all_of_it else -1
    path.write_bytes(data)


def test_an_encrypted_zip(root, write_tree, picture):
    path = write_tree(cells(picture), zipped=True)
    _encrypt(path)
    refused(path, "is encrypted; make the .zip again without a password")
    path = write_tree(cells(picture), zipped=True, name="one")
    _encrypt(path, all_of_it=False)
    assert "it is encrypted" in " ".join(own.preview(path).notes)
    own.create("cells", path)
    assert sum(own.details("cells").counts.values()) == 11


def test_a_zip_that_unpacks_to_gigabytes(root, tmp_path, write_tree, picture):
    path = write_tree(cells(picture), zipped=True)
    data = bytearray(path.read_bytes())
    position = 0
    for _ in range(3):  # each claims 4 GB
        position = data.index(b"PK\x01\x02", position + 1)
        data[position + 24 : position + 28] = b"\xf0\xff\xff\xff"
    path.write_bytes(data)
    refused(path, "would unpack to 12.0 GB, more than the limit of 8")


_MEMORY = """
import resource, sys
from explorer.datasets import DatasetError, load_folder
load_folder(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(load_folder(sys.argv[1]).notes[-1])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_an_entry_that_lies_about_its_size_takes_no_memory(method, root, tmp_path, write_tree, picture):
    plain = write_tree(cells(picture), zipped=True, name="plain")
    lying = write_tree(cells(picture), zipped=True, name="lying")
    bomb = bytes(200 << 20)
    packed = bz2.compress(bomb) if method == zipfile.ZIP_BZIP2 else zlib.compress(bomb, 9)[2:-4]
    with zipfile.ZipFile(lying, "a") as archive:
        archive.writestr("good/bomb.png", b"\0" * len(packed))
    data = lying.read_bytes()
    data = data.replace(b"\0" * len(packed), packed)
    fields = method.to_bytes(2, "little")
    # The method stands in front of the CRC and the sizes, of which the unpacked one stays as small as it was.
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        position = data.index(b"good/bomb.png") if signature.endswith(b"\x04") else data.rindex(b"good/bomb.png")
        start = data.rindex(signature, 0, position)
        data = data[: start + offset] + fields + data[start + offset + 2 :]
    lying.write_bytes(data)
    result = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(lying), str(plain)], capture_output=True, text=True, check=True
    )
    note, grown = result.stdout.strip().splitlines()
    assert note.startswith("1 of 13 files could not be read: good/bomb.png (")
    assert int(grown) < 60  # MB


def test_a_bomb_of_a_picture(root, write_tree, picture):
    own.create("cells", write_tree(cells(picture) | {"good/large.png": png(10_000, 10_000, rows=1)}, zipped=True))
    assert "more than the limit of 89,478,485 in all" in " ".join(own.details("cells").notes["train"])


def test_large_pictures_are_decoded_one_at_a_time(root, write_tree, picture, monkeypatch):
    monkeypatch.setattr(memory, "decoding", memory.Room(1))
    own.create("cells", write_tree(cells(picture)))
    assert sum(own.details("cells").counts.values()) == 12


def test_more_files_than_are_listed(root, tmp_path, write_tree, picture, monkeypatch):
    path = write_tree(cells(picture), zipped=True)
    monkeypatch.setattr(entries, "MAX_ENTRIES", 11)
    refused(path, "lists 12 files, more than the limit of 11")
    monkeypatch.undo()
    monkeypatch.setenv("EXPLORER_DATA", str(root))
    monkeypatch.setattr("explorer.files.zips.MAX_DIRECTORY_BYTES", 100)
    refused(path, "lists millions of files, more than the limit of 500,000")


def test_names_that_occur_twice(root, write_tree, picture):
    path = write_tree(cells(picture), zipped=True)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("good/0.png", picture((77, 0, 0), (32, 32)))
    every = datasets.load_folder(path)
    assert len(every) == 12
    assert every.images[0, 0, 0, 0] == 77
    assert every.notes == ["Left out: 1 file, good/0.png, whose name comes again in the zip; the last one counts."]


def test_folders_that_differ_in_capitals(root, write_tree, picture):
    tree = cells(picture) | {f"Good/{n}.png": picture((0, n, 9)) for n in range(3)}
    found = own.preview(write_tree(tree, zipped=True))
    assert found.classes == ["Good", "good", "sick"]
    assert found.notes == ["Folders that differ only in capitals are classes of their own: Good and good."]


def test_names_in_other_encodings(root, write_tree, picture):
    """macOS writes UTF-8 without saying so; older Windows the code page of its country."""
    path = write_tree({f"{c}/{n}.png": picture() for c in ("M_us", "K_tz") for n in range(4)}, zipped=True)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"M_us", "Müs".encode()).replace(b"K_tz", b"K\x84tz"))
    assert own.preview(path).classes == ["Kätz", "Müs"]
    # Neither a terminal's commands nor bytes of no encoding do harm.
    path.write_bytes(data.replace(b"M_us", b"M\x1b[u").replace(b"K_tz", b"K\xff\xfe\xfd"))
    own.create("cells", path)
    classes = own.details("cells").classes
    assert len(classes) == 2
    assert "M?[u" in classes


@pytest.mark.slow
def test_more_files_than_a_small_zip_can_count(root, tmp_path, picture):
    data = picture((9, 9, 9), (4, 4))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(70_000):
            archive.writestr(f"{n % 4}/{n}.png", data)
    path = tmp_path / "many.zip"
    path.write_bytes(out.getvalue())
    found = own.preview(path)
    assert found.counts == {"train": 56_000, "test": 14_000}
