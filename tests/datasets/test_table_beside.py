"""A table beside pictures tells their classes, groups, splits and more, whichever way it names their files."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from explorer import datasets
from explorer.datasets import own
from explorer.datasets.own import Roles, sources
from explorer.errors import DatasetError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))


def table(rows: list[list[object]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode()


def rows_of(names: list[str]) -> list[list[object]]:
    """A table of 12 pictures: three a patient, two diagnoses, an age that is not known of one."""
    head = ["image_id", "patient", "diagnosis", "age", "stain"]
    return [head, *([name, f"P{i // 3}", ["ill", "well"][i % 2], i or "", "ab"[i > 5]] for i, name in enumerate(names))]


def loaded(path, table=None, **roles: str) -> dict[str, dict[str, object]]:
    """By file, what is known of each image; its own number is the green of its pixels."""
    own.create("it", path, roles=Roles(**roles), table=table)
    found = {}
    for split in ("train", "test"):
        data = datasets.load("own:it", split)
        for i, name in enumerate(data.items.names):
            label = None if data.labels is None else data.classes[int(data.labels[i])]
            columns = {key: column[i] for key, column in data.items.columns.items()}
            group = None if data.group is None else data.group[i]
            found[name] = {"split": split, "label": label, "group": group, "n": int(data.images[i, 1, 6, 6]), **columns}
    return found


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "name", ["{0:02}.png", "{0:02}", "cells/{0:02}.PNG", "/home/me/cells/{0:02}.png", "cells\\{0:02}.png"]
)
def test_pictures_in_one_folder_get_classes_groups_and_columns(write_tree, picture, zipped, name):
    files = {f"cells/{i:02}.png": picture((0, i, 0), (12, 12)) for i in range(12)}
    files["cells/labels.csv"] = table(rows_of([name.format(i) for i in range(12)]), ";")
    found = loaded(write_tree(files, zipped=zipped))
    assert {int(key[-6:-4]) for key in found} == set(range(12))
    for about in found.values():
        i = about["n"]
        assert about["label"] == ["ill", "well"][i % 2]
        assert about["group"] == about["patient"] == f"P{i // 3}"
        assert about["stain"] == "ab"[i > 5]
        assert np.isnan(float(about["age"])) if i == 0 else about["age"] == i
    patients = [{about["group"] for about in found.values() if about["split"] == split} for split in ("train", "test")]
    assert not patients[0] & patients[1]


def test_folders_stay_classes_unless_another_label_is_asked_for(write_tree, picture):
    files = {f"{'ab'[i % 2]}/{i:02}.png": picture((0, i, 0), (12, 12)) for i in range(12)}
    path = write_tree({**files, "about.csv": table(rows_of([f"{i:02}.png" for i in range(12)]))})
    preview = own.preview(path)
    assert (preview.classes, preview.roles.label, preview.roles.group) == (["a", "b"], "", "patient")
    found = loaded(path, label="diagnosis", group="")
    assert {about["label"] for about in found.values()} == {"ill", "well"}
    assert {about["group"] for about in found.values()} == {None}


def test_columns_of_lists_and_pictures_are_no_column_of_numbers(write_tree, picture, tmp_path):
    place, names = tmp_path / "about.parquet", [f"{i:02}.png" for i in range(12)]
    boxes, small = [[9 * i, 9 * i + 1, 9 * i + 2, 9 * i + 3] for i in range(12)], [picture()] * 12
    columns = {"file": names, "box": boxes, "small": small, "age": list(range(12)), "label": ["u", "v"] * 6}
    parquet.write_table(pyarrow.table(columns), place)
    found = loaded(write_tree({name: picture((0, i, 0), (12, 12)) for i, name in enumerate(names)}), place)
    assert [found[name]["age"] for name in names] == list(range(12))
    assert set(found[names[0]]) == {"split", "label", "group", "n", "age"}


def test_names_that_come_twice_are_told_by_their_folders(write_tree, picture):
    files = {f"{'ab'[i % 2]}/{i // 2}.png": picture((0, i, 0), (12, 12)) for i in range(12)}
    path = write_tree({**files, "about.csv": table(rows_of([f"{'ab'[i % 2]}/{i // 2}.png" for i in range(12)]))})
    assert all(about["patient"] == f"P{about['n'] // 3}" for about in loaded(path, group="").values())


def test_pictures_without_a_row_are_counted(write_tree, picture):
    files = {f"{i:02}.png": picture((0, i, 0), (12, 12)) for i in range(12)}
    path = write_tree({**files, "about.csv": table(rows_of([f"{i:02}.png" for i in range(12)])[:10])})
    found = own.preview(path)
    assert "3 of 12 pictures have no row in the table, such as 09.png." in found.notes
    assert "Left out: 3 files without a class, such as 09.png." in found.notes
    assert sum(found.counts.values()) == 9


def test_a_column_of_splits_is_kept_to(write_tree, picture):
    files = {f"{i:02}.png": picture((0, i, 0), (12, 12)) for i in range(12)}
    rows = [["file", "label", "split"], *([f"{i:02}.png", i % 2, ["train", "test"][i > 8]] for i in range(12))]
    found = loaded(write_tree({**files, "about.csv": table(rows)}))
    assert {about["n"] for about in found.values() if about["split"] == "test"} == {9, 10, 11}


def test_a_name_of_thousands_of_digits_is_no_number(tmp_path, picture):
    """Only a zip can have it."""
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        for name in (*"0123", "4" * 5000):
            archive.writestr(f"{name}.png", picture())
        archive.writestr("about.csv", table([["id", "label"], *([i, "ab"[i % 2]] for i in range(4))]))
    assert own.preview(tmp_path / "it.zip").classes == ["a", "b"]


def test_a_table_about_something_else_is_left_out(write_tree, picture):
    files = {f"{c}/{i}.png": picture((0, i, 0), (12, 12)) for c in "ab" for i in range(4)}
    found = own.preview(write_tree({**files, "about.csv": b"x,y\n1.5,2\n3.5,4\n"}))
    assert (found.classes, found.fields) == (["a", "b"], {})
    assert any("that is no picture, such as about.csv" in note for note in found.notes)


@pytest.mark.parametrize("text", [b"", b"a,b\n1,2\n3\n", bytes(range(256))])
def test_pictures_beside_a_damaged_table_are_taken_without_it(write_tree, picture, text):
    files = {f"{c}/{i}.png": picture((0, i, 0), (12, 12)) for c in "ab" for i in range(4)}
    found = own.preview(write_tree({**files, "about.csv": text}))
    assert found.classes == ["a", "b"]
    assert any(note.startswith("about.csv is no table that can be read") for note in found.notes)


def test_one_group_cannot_be_split(write_tree, picture):
    files = {f"{i:02}.png": picture((0, i, 0), (12, 12)) for i in range(4)}
    rows = [["file", "patient"], *([f"{i:02}.png", "P1"] for i in range(4))]
    with pytest.raises(DatasetError, match="are of one patient: choose no group"):
        own.preview(write_tree({**files, "about.csv": table(rows)}))


def pictures(picture) -> dict[str, bytes]:
    return {f"cells/{i:02}.png": picture((0, i, 0), (12, 12)) for i in range(12)}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "folder"])
def test_a_table_elsewhere_is_one_beside(write_tree, picture, tmp_path, zipped, kind):
    rows = rows_of([f"{i:02}.png" for i in range(12)])
    place = tmp_path / f"labels.{kind}"
    if kind == "csv":
        place.write_bytes(table(rows))
    else:
        ages = [None if row[3] == "" else row[3] for row in rows[1:]]
        texts = {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0]) if name != "age"}
        parquet.write_table(pyarrow.table({**texts, "age": ages}), place)
    found = loaded(write_tree(pictures(picture), zipped=zipped), place)
    for about in found.values():
        i = about["n"]
        assert (about["label"], about["group"], about["stain"]) == (["ill", "well"][i % 2], f"P{i // 3}", "ab"[i > 5])
        np.testing.assert_equal(float(about["age"]), i or np.nan)
    assert len(found) == 12
    path = write_tree(pictures(picture), zipped=zipped)
    assert own.preview(path, table=place).fields == {**dict.fromkeys(rows[0], "text"), "age": "numbers"}
    with pytest.raises(own.AlreadyHere):
        own.create("again", path, table=place)
    place.write_bytes(table([row[:3] for row in rows]))
    other = place.rename(tmp_path / "other.csv")
    own.create("again", path, table=other)  # the same pictures, and something else is known of them
    with pytest.raises(DatasetError, match=r"has no array or column 'x': it has patient, diagnosis\."):
        own.preview(path, table=other, roles=Roles(label="x"))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("none.csv", None, "There is no file"),
        ("a.csv", b"name,label\nx.png,u\ny.png,v\n", "No column of .* has the names of the pictures .* name, label"),
        ("a.csv", b'"', "is no table that can be read|has the names"),
        ("a.txt", b"name,label\n", "is no table: hand in a .csv"),
        ("a.parquet", b"PAR1", "is no Parquet file"),
        ("a.tar", b"", "is no table: hand in a .csv"),
    ],
    ids=["none", "others", "damaged", "text", "parquet", "tar"],
)
def test_a_table_that_does_not_fit_is_refused(write_tree, picture, tmp_path, name, text, says):
    place = tmp_path / name
    if text is not None:
        place.write_bytes(text)
    with pytest.raises(DatasetError, match=says):
        own.create("it", write_tree(pictures(picture)), table=place)


def test_a_table_of_too_many_values_is_refused_and_left_out_beside_pictures(write_tree, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MOST_CELLS", 50)
    large = table(rows_of([f"{i:02}.png" for i in range(12)]))
    (tmp_path / "a.csv").write_bytes(large)
    says = "a.csv has 60 values, more than the limit of 50: leave out columns or rows."
    with pytest.raises(DatasetError, match=says):
        own.create("it", write_tree(pictures(picture)), table=tmp_path / "a.csv")
    assert f"cells/{says}" in own.preview(write_tree(pictures(picture) | {"cells/a.csv": large})).notes
