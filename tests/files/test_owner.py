"""Whose a folder is, and that nothing in it makes it everybody's by mistake."""

import os

import pytest

from explorer.files.owner import FILE, NOBODY, Owner, read_owner, write_owner


@pytest.mark.parametrize("owner", [Owner("p-1", "Ada"), Owner("p-1", "Åsa \u2028 & <b>", shared=True)])
def test_what_is_written_is_read(tmp_path, owner):
    write_owner(tmp_path, owner)
    assert read_owner(tmp_path) == owner


def test_a_folder_without_the_file_is_nobodys(tmp_path):
    write_owner(tmp_path, NOBODY)
    assert not list(tmp_path.iterdir())
    assert read_owner(tmp_path) == NOBODY
    assert read_owner(tmp_path).open_to("p-1")


def test_people_see_their_own_and_what_is_shared():
    assert Owner("p-1").open_to("p-1")
    assert not Owner("p-1").open_to("p-2")
    assert not Owner("p-1").open_to("")
    assert Owner("p-1", shared=True).open_to("p-2")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b'{"ident": ""}', b'{"ident": "", "name": "", "shared": true}', b"[" * 4000, b"\xff"],
    ids=repr,
)
def test_a_damaged_file_opens_the_folder_to_nobody(tmp_path, text):
    (tmp_path / FILE).write_bytes(text)
    owner = read_owner(tmp_path)
    assert not owner.open_to("")
    assert not owner.open_to("p-1")


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / FILE)
    assert not read_owner(tmp_path).open_to("p-1")
