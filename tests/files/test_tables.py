"""Tables: read back by Python's own reader, whatever is in them, and never a formula."""

import csv
import io
import os
import stat

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from explorer.errors import DatasetError
from explorer.files.tables import check_place, table_text, write_table

FORMULA = tuple("=+-@＝＋－＠﹦﹢﹣﹫−")
NASTY = st.text(
    st.one_of(st.sampled_from("=+-@\t\r\n\",;' aé\x00\u200b＝＋－＠"), st.characters(codec="utf-8")), max_size=12
)
NUMBER = st.one_of(st.integers(), st.floats(width=32).map(np.float32), st.floats())


@given(st.lists(NASTY, min_size=3, max_size=3), st.lists(st.tuples(NASTY, NUMBER, NASTY), max_size=5))
@example(["a;=1+1", "\n", "\t"], [("\r=1", 1.5, "x;=1+1;y"), ("＝1+1", -2, "x\n=1+1"), ('";=1', 0, " =1")])
def test_every_cell_is_read_back_and_text_is_no_formula(header, rows):
    text = table_text(header, rows)
    first, *others = csv.reader(io.StringIO(text, newline=""))
    for found, row in zip([first, *others], [header, *rows], strict=True):
        for cell, value in zip(found, row, strict=True):
            if isinstance(value, str):
                assert not cell.startswith((*FORMULA, "\t", "\r", "\n"))
                assert cell.replace("'", "") == value.replace("'", "")
                if not any(sign in value for sign in (*FORMULA, "\t", "\r", "\n")):
                    assert cell == value
            else:
                assert cell == str(value)


@given(st.lists(st.tuples(NASTY, NASTY, NUMBER, NASTY), max_size=5))
@example([("a", "b;=1+1;c", 1.5, "d;=1")])
@example([("a", "x\n=1+1", 1.5, 'd";"=1')])
def test_no_text_is_a_formula_where_cells_are_split_at_semicolons_or_tabs(rows):
    """As spreadsheets do in languages whose decimals have a comma: there a quote within a line quotes nothing."""
    text = table_text(["a", "b", "c", "d"], rows)
    for separator in ";\t":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            for cell in row:
                assert not cell.lstrip(" \x00\u200b").startswith(FORMULA)


def test_all_text_is_quoted():
    assert table_text(["a", "b"], [("x", 1), ("a;b", None)]) == '"a","b"\n"x",1\n"a;b",\n'


def test_negative_numbers_stay_numbers():
    assert table_text(["a", "b"], [(-1.5, np.float32(-0.1)), ("-1.5", '=HYPERLINK("x")')]) == (
        '"a","b"\n-1.5,-0.1\n"\'-1.5","\'=HYPERLINK(""x"")"\n'
    )


def test_what_is_no_character_can_be_written(tmp_path):
    write_table(tmp_path / "a.csv", ["file"], [["caf\udce9.png"]])
    assert (tmp_path / "a.csv").read_text("utf-8") == '"file"\n"caf?.png"\n'


def test_a_file_is_replaced_and_is_as_readable_as_any(tmp_path):
    path, plain = tmp_path / "a.csv", tmp_path / "plain"
    plain.touch()
    path.write_text("old")
    write_table(path, ["a"], [[1]])
    assert path.read_bytes() == b'"a"\n1\n'
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "plain"]


def test_nothing_is_written_through_a_link(tmp_path):
    """Of the file itself, or of any temporary one whose name can be foreseen."""
    other, path = tmp_path / "other", tmp_path / "a.csv"
    other.write_text("mine")
    path.symlink_to(other)
    (tmp_path / ".a.csv.part").symlink_to(other)
    write_table(path, ["a"], [])
    assert other.read_text() == "mine"
    assert path.read_text() == '"a"\n'
    assert not path.is_symlink()


@pytest.mark.parametrize("name", ["", "sub", "missing/a.csv", "x" * 300, "a\0b", "file/a.csv"])
def test_what_cannot_be_written_is_one_sentence_before_and_after(tmp_path, name):
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").touch()
    for attempt in (check_place, lambda path: write_table(path, ["a"], [])):
        with pytest.raises(DatasetError, match=r"\.$"):
            attempt(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["file", "sub"]


def test_a_place_that_will_do(tmp_path):
    check_place(tmp_path / "new.csv")
    (tmp_path / "old.csv").touch()
    check_place(tmp_path / "old.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "old.csv")
    with pytest.raises(DatasetError, match="no plain file"):
        check_place(tmp_path / "link.csv")
