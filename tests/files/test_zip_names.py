"""Names in zips that do not say how they are written."""

import io
import zipfile
import zlib
from pathlib import Path

import pytest

from explorer.datasets import own
from explorer.files.zip_names import read_names

CASES = Path(__file__).parents[1] / "cases"


def _infos(names, codec):
    """Zips files whose names are bytes in a code page, without the flag of UTF-8, as Windows does."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(f"{number:04}" + "x" * (len(name.encode(codec)) - 4), b"")
    data = stream.getvalue()
    for number, name in enumerate(names):
        raw = name.encode(codec)
        data = data.replace(f"{number:04}".encode() + b"x" * (len(raw) - 4), raw)
    return zipfile.ZipFile(io.BytesIO(data)).infolist()


def test_a_backslash_in_a_letter_separates_nothing():
    found = own.preview(CASES / "shift_jis_names.zip")
    assert found.classes == ["ソフト", "ソース", "表皮", "表面"]
    assert found.class_counts == {"train": [4] * 4, "test": [1] * 4}
    assert found.notes[0].startswith("The zip does not say how its names are written; they were read as Japanese")


@pytest.mark.parametrize(
    ("codec", "folders"),
    [
        ("cp932", ["健康", "感染", "カモ", "猫の写真"]),
        ("gbk", ["健康的", "感染细胞", "猫和狗"]),
        ("cp949", ["고양이", "정상", "감염된"]),
        ("cp950", ["健康", "感染細胞", "功能"]),
        ("cp866", ["кошки", "Собаки"]),
        ("cp1251", ["кошки", "Собаки"]),
        ("cp437", ["Köln", "Größe", "Bäume", "été"]),
        ("utf-8", ["猫", "Köln", "кошки"]),
    ],
)
def test_the_code_page_is_told_by_all_names_together(codec, folders):
    expected = [f"{folder}/IMG_{n}.png" for folder in folders for n in range(2)]
    names, notes = read_names(_infos(expected, codec))
    assert names == expected
    assert len(notes) == (codec not in ("utf-8", "cp437"))


def test_a_backslash_separates_where_nothing_else_does():
    assert read_names(_infos(["cats\\1.png", "dogs\\2.png"], "ascii"))[0] == ["cats/1.png", "dogs/2.png"]


def test_a_name_that_is_given_in_a_field_of_its_own_counts():
    (info,) = _infos(["r\xe9sum\xe9/\xe4.png"], "cp1252")
    raw = info.orig_filename.encode("cp437")
    field = b"\1" + zlib.crc32(raw).to_bytes(4, "little") + "résumé/ä.png".encode()
    info.extra = b"\x55\x54\1\0\0" + (0x7075).to_bytes(2, "little") + len(field).to_bytes(2, "little") + field
    assert read_names([info]) == (["résumé/ä.png"], [])
    info.extra = info.extra.replace(field[1:5], b"1234")  # of another name: the file was renamed since
    assert read_names([info])[0] != ["résumé/ä.png"]
