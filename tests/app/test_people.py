"""Who is at a browser: one person on localhost, a cookie where others reach the server, a name that signs in."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from starlette.responses import HTMLResponse
from starlette.types import Message

from explorer.files.owner import NOBODY, Owner
from explorer.ui import access, browser_cookie, people
from explorer.ui.browser_cookie import NAME
from explorer.ui.people import Person

ADA, BOB = Person("p-ada", "Ada", is_host=False), Person("p-bob", "Bob", is_host=False)
HOST = Person("p-host", "Grace", is_host=True)


@pytest.fixture(autouse=True)
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def visit(cookie: str = "", **headers: str) -> str:
    """Opens a page with a cookie; what it sets."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = {"accept": "text/html", "cookie": f"other=1; {NAME}={cookie}", **headers}
    asked = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": "http", "headers": asked}
    asyncio.run(browser_cookie.BrowserCookie(HTMLResponse("<head></head>"))(scope, receive, send))
    return dict(sent[0]["headers"]).get(b"set-cookie", b"").decode()


def value(said: str) -> str:
    return SimpleCookie(said)[NAME].value


@pytest.mark.parametrize("signs_in", [True, False])
def test_people_change_their_own_and_hosts_change_all(monkeypatch, signs_in):
    monkeypatch.setattr(people, "signs_in", lambda: signs_in)
    assert ADA.changes(ADA.owner)
    assert not ADA.changes(BOB.owner)
    assert not ADA.changes(Owner("p-bob", shared=True))
    assert not ADA.changes(NOBODY)
    assert all(HOST.changes(owner) for owner in (ADA.owner, HOST.owner, NOBODY))
    assert not Person("", "", is_host=False).changes(NOBODY)


def test_others_see_what_is_shared_once_people_sign_in(monkeypatch):
    monkeypatch.setattr(people, "signs_in", lambda: True)
    assert ADA.sees(ADA.owner)
    assert ADA.sees(NOBODY)
    assert ADA.sees(Owner("p-bob", shared=True))
    assert not ADA.sees(BOB.owner)
    assert HOST.sees(BOB.owner)
    monkeypatch.setattr(people, "signs_in", lambda: False)
    assert ADA.sees(BOB.owner)


def test_a_browser_keeps_its_id():
    first = value(visit())
    assert browser_cookie.read(first).startswith("b-")
    assert value(visit(first)) == first
    assert value(visit()) != first


def test_no_script_reads_the_cookie_and_https_keeps_it_to_itself():
    said = visit()
    assert "HttpOnly" in said
    assert "SameSite=Lax" in said
    assert "Secure" not in said
    assert "Secure" in visit(x_forwarded_proto="https")


def test_only_pages_set_it():
    assert visit(accept="application/json") == ""


def test_a_made_up_id_is_nobodys():
    good = browser_cookie.written(ident := browser_cookie.new_ident())
    assert browser_cookie.read(good) == ident
    forged = good.replace(ident, other := browser_cookie.new_ident())
    for bad in ("", ident, forged, good[:-1] + ("0" if good[-1] != "0" else "1"), f"{ident}.", ".", "ü"):
        assert browser_cookie.read(bad) == ""
    assert browser_cookie.read(value(visit(forged))) not in ("", ident, other)


def test_the_key_outlives_the_server_and_is_the_owners_alone(space):
    made = browser_cookie.written(ident := browser_cookie.new_ident())
    browser_cookie.key.cache_clear()
    assert browser_cookie.read(made) == ident
    assert [path.name for path in space.iterdir()] == [".browser-key"]
    assert (space / ".browser-key").stat().st_mode & 0o777 == 0o600


def test_on_a_shared_server_a_zip_names_no_pictures_that_one_may_not_see(monkeypatch):
    zips = {name: {"dataset": {"name": name}, "recipe": {}} for name in ("mnist-5k", "folder:/etc", "own:others")}
    adopted = {"dataset": {"name": "mnist-5k"}}
    assert not any(access.why_not_open(config) for config in (*zips.values(), adopted))
    monkeypatch.setattr(people, "is_shared", lambda: True)
    monkeypatch.setattr(people, "here", lambda: ADA)
    assert access.why_not_open(zips["mnist-5k"]) == ""
    assert "is somebody's own" in access.why_not_open(zips["folder:/etc"])
    assert "is somebody's own" in access.why_not_open(zips["own:others"])
    assert "trained elsewhere" in access.why_not_open(adopted)
