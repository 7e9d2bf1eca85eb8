"""A server that several people share: each sees and changes what is theirs to see and change, on every screen."""

from __future__ import annotations

import ast
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer import runs
from explorer.datasets import own
from explorer.errors import DatasetError, RunError
from explorer.files import hosting
from explorer.files.owner import FILE, Owner, read_owner, write_owner
from explorer.training import lifecycle
from explorer.training.lifecycle import Run
from explorer.training.presets import TrainConfig
from explorer.ui import access, people
from explorer.ui.jobs import Job
from tests.app.screens import APP, PAGES, TIMEOUT, act, keys, own_space, press, sound, texts, train
from tests.background import config, until

ROOT = Path(__file__).parents[2]
AUTH = """
url = "https://latent.example.org"
hosts = ["grace@example.org"]
[auth]
client_id = "a"
client_secret = "b"
server_metadata_url = "https://accounts.example.org/.well-known/openid-configuration"
"""
ADA, BOB, GRACE = (
    {"is_logged_in": True, "iss": "https://accounts.example.org", "sub": name, "name": name.capitalize()}
    | {"email": f"{name}@example.org", "email_verified": True}
    for name in ("ada", "bob", "grace")
)


@pytest.fixture(autouse=True)
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with own_space(tmp_path, monkeypatch) as place:
        monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
        yield place


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the server one that is shared, with these settings."""

    def settings(text: str) -> None:
        file = tmp_path / "hosting.toml"
        file.write_text(text, "utf-8")
        monkeypatch.setenv(hosting.VARIABLE, str(file))

    return settings


@pytest.fixture
def trained(tiny_run: Run, space: Path) -> Callable[[str, Owner], None]:
    """Puts a finished run of somebody into the runs folder."""

    def put(name: str, owner: Owner) -> None:
        shutil.copytree(tiny_run.path, space / name)
        write_owner(space / name, owner)

    return put


def ident(user: dict[str, object]) -> str:
    """The id that a person has on this server."""
    at = AppTest.from_function(_say_ident, default_timeout=TIMEOUT)
    at.user = user
    return str(sound(at.run()).text[0].value)


def _say_ident() -> None:
    import streamlit as st

    from explorer.ui import people

    st.text(people.here().ident)


def signed_in(user: dict[str, object], page: str = "train.py") -> AppTest:
    """A screen as somebody sees it who has signed in."""
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.user = user
    sound(at.run())
    return sound(at.switch_page(str(PAGES / page)).run())


def listed(at: AppTest) -> set[str]:
    return {element.value.split('data-run="')[1].split('"')[0] for element in at.html if "data-run=" in element.value}


def menu(at: AppTest, name: str) -> str:
    return " ".join(at.get_by_key(f"run_menu_{name}").options)


CHANGES = ("Cancel", "Resume", "Rename", "Share", "sharing", "Delete")


def changes(at: AppTest, name: str) -> list[str]:
    """What the menu of a run offers to change of it."""
    return [change for change in CHANGES if change in menu(at, name)]


def test_on_localhost_nothing_is_anybodys(space):
    """As it was before there were owners: no file, no line, every button."""
    lifecycle.create_run(space / "mine", config(), turn=1)
    write_owner(space / "mine", Owner("p-1", "Ada"))
    lifecycle.create_run(space / "other", config(), turn=1)
    assert not (space / "other" / FILE).exists()
    at = train()
    assert listed(at) == {"mine", "other"}
    assert [changes(at, name) for name in ("mine", "other")] == [["Cancel"], ["Cancel"]]
    assert "shared" not in texts(at.caption)
    assert "Ada" not in texts(at.html)


def test_without_sign_in_others_runs_can_be_read_and_no_more(space, share, trained):
    share("")
    lifecycle.create_run(space / "waits", config(), turn=1, owner=Owner("b-1", ""))
    trained("done", Owner("b-1", ""))
    trained("old", Owner())
    at = train()
    assert "This server is shared" in texts(at.caption)
    assert listed(at) == {"waits", "done", "old"}
    assert not any(changes(at, name) for name in listed(at))
    assert not {"watch_cancel", "train_cancel", "train_resume"} & keys(at)
    assert "1 run of somebody else" in texts(at.sidebar.caption)
    assert runs.run("waits").state == "queued"


def test_without_sign_in_a_browser_changes_its_own_runs(space, share, trained):
    share("")
    at = train()
    mine = Owner(at.session_state["person_of_session"], "")
    lifecycle.create_run(space / "waits", config(), turn=1, owner=mine)
    trained("done", mine)
    trained("others", Owner("b-1", ""))
    sound(at.run())
    assert listed(at) == {"waits", "done"}  # others' are a click away
    assert changes(at, "waits") == ["Cancel"]
    assert changes(at, "done") == ["Rename", "Delete"]
    act(at, "done", "delete")
    assert "done" not in listed(at)
    assert read_owner(press(at, "run_undo") and space / "done") == mine
    act(at, "waits", "cancel")
    assert runs.run("waits").state == "cancelled"


@pytest.mark.parametrize("page", ["explore.py", "arithmetic.py", "cells.py", "reconstruct.py", "train.py"])
def test_who_has_not_signed_in_sees_nothing(share, trained, page):
    share(AUTH)
    trained("done", Owner())
    at = signed_in({}, page)
    assert keys(at) == {"sign_in_default"}
    assert not at.selectbox
    assert "done" not in texts([*at.markdown, *at.caption, *at.html])


def test_signed_in_people_see_their_own_and_what_is_shared(share, trained):
    share(AUTH)
    ada, bob = Owner(ident(ADA), "Ada"), Owner(ident(BOB), "Bob")
    trained("adas", ada)
    trained("bobs", bob)
    trained("bobs-shared", Owner(bob.ident, "Bob", shared=True))
    trained("everybodys", Owner())
    at = signed_in(ADA)
    assert "Ada" in texts(at.sidebar.caption)
    assert listed(at) == {"adas"}
    at.get_by_key("runs_whose").set_value("All")
    sound(at.run())
    assert listed(at) == {"adas", "bobs-shared", "everybodys"}
    assert "Bob" in texts(at.html)
    assert changes(at, "adas") == ["Rename", "Share", "Delete"]
    assert not changes(at, "bobs-shared")
    models = signed_in(ADA, "explore.py").selectbox(key="explore_model").options
    names = [model.split(" — ")[0] for model in (models[0], *models[-2:])]  # her own first, those of others last
    assert names == [f"mnist-5k · runs/{name}" for name in ("adas", "bobs-shared", "everybodys")]
    assert models[-2].endswith(" · Bob")
    assert "runs/bobs " not in " ".join(models)
    act(at, "adas", "share")
    assert read_owner(runs.run("adas").path) == Owner(ada.ident, "Ada", shared=True)
    assert "shared" in texts(at.html)


def test_an_address_of_a_run_that_is_not_shared_opens_nothing(share, trained):
    share(AUTH)
    trained("bobs", Owner(ident(BOB), "Bob"))
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.user, at.query_params["model"] = ADA, "runs/bobs"
    sound(at.run())
    assert at.selectbox(key="explore_model").value != "runs/bobs"
    assert "which is not here" in texts(at.warning)
    at.query_params["run"] = "bobs"
    assert "bobs" not in listed(sound(at.switch_page(str(PAGES / "train.py")).run()))


def test_a_host_sees_and_stops_everything(space, share, trained):
    share(AUTH)
    lifecycle.create_run(space / "waits", config(), turn=1, owner=Owner(ident(ADA), "Ada"))
    trained("bobs", Owner(ident(BOB), "Bob"))
    at = signed_in(GRACE)
    assert listed(at) == {"waits", "bobs"}
    act(at, "waits", "cancel")
    assert runs.run("waits").state == "cancelled"
    assert ident(GRACE | {"email_verified": False})  # an address that nobody has verified makes no host
    assert not listed(signed_in(GRACE | {"email_verified": False}))


@pytest.fixture
def bob(monkeypatch: pytest.MonkeyPatch) -> people.Person:
    """Bob is at the browser, whatever a widget was offered."""
    found = people.Person("p-bob", "Bob", is_host=False)
    monkeypatch.setattr(people, "current", lambda: found)
    return found


def test_a_run_is_packed_for_who_sees_it(share, trained, bob):
    """A button for it may be older than whose the run is now."""
    share(AUTH)
    trained("run", Owner("p-ada", "Ada", shared=True))
    assert access.archive("run", bob)
    runs.share("run", False)
    with pytest.raises(RunError, match="There is no run"):
        access.archive("run", bob)


@pytest.mark.parametrize("text", ["", AUTH], ids=["cookie", "sign-in"])
def test_what_a_browser_was_not_offered_is_refused_too(space, share, trained, bob, text):
    share(text)
    trained("adas", Owner("p-ada", "Ada"))
    lifecycle.create_run(space / "waits", config(), turn=1, owner=Owner("p-ada", "Ada", shared=True))
    for change in (
        lambda: access.cancel("waits"),
        lambda: access.resume("adas"),
        lambda: access.rename("adas", "bobs"),
        lambda: access.delete("adas"),
        lambda: access.share("adas", True),
    ):
        with pytest.raises(RunError, match=r"is not yours|There is no run"):
            change()
    assert runs.run("waits").state == "queued"
    assert read_owner(space / "adas") == Owner("p-ada", "Ada")


def test_the_list_of_data_sets_offers_changes_of_ones_own(share, picture, write_tree):
    share(AUTH)
    images = write_tree({f"{name}/{n}.png": picture() for name in ("a", "b") for n in range(5)})
    own.create("adas", images, size=28, owner=Owner(ident(ADA), "Ada"))
    own.create("bobs", images, size=28, owner=Owner(ident(BOB), "Bob"))
    at = signed_in(ADA)
    assert "own_remove_adas" in keys(at)
    assert not {key for key in keys(at) if "bobs" in key}
    own.share("bobs", True)
    at = signed_in(ADA)
    assert {key for key in keys(at) if "bobs" in key} == {"own_use_bobs"}
    assert "Bob" in texts(at.caption)
    press(at, "own_share_adas")
    assert own.owner("adas").shared
    press(at, "own_share_adas")
    assert not own.owner("adas").shared
    press(at, "own_remove_adas")
    assert own.names() == ["bobs"]


def test_own_data_belong_to_who_added_them(share, bob, picture, write_tree):
    share(AUTH)
    images = write_tree({f"{name}/{n}.png": picture() for name in ("a", "b") for n in range(5)})
    own.create("adas", images, size=28, owner=Owner("p-ada", "Ada"))
    own.create("bobs", images, size=28, owner=bob.owner)  # the same images: those of others are not told of
    assert access.own_names() == ["bobs"]
    assert "own:adas" not in access.choices_of_data("test set")
    for change in (
        lambda: access.remove_data("adas"),
        lambda: access.share_data("adas", True),
        lambda: access.submit(TrainConfig(preset="mlp-2d", dataset="own:adas"), "run"),
    ):
        with pytest.raises(DatasetError, match=r"is not yours|not on this machine"):
            change()
    own.share("adas", True)
    assert access.own_names() == ["adas", "bobs"]
    with pytest.raises(own.AlreadyHere):
        own.create("again", images, size=28, owner=bob.owner)
    with pytest.raises(DatasetError, match="is not yours"):
        access.remove_data("adas")
    access.remove_data("bobs")
    assert access.own_names() == ["adas"]


FORBIDDEN = {
    "runs": {"archive", "runs", "active", "run", "cancel", "delete", "rename", "resume", "share", "submit"},
    "own": {"names", "remove", "share"},
    "datasets": {"available"},
    "cache": {"all_checkpoints"},
}
ALLOWED = {
    "explorer/ui/access.py",
    "explorer/ui/monitor.py",  # a host's alone
    "explorer/ui/cells/generators.py",  # shipped models alone
    "explorer/ui/cells/initialisation.py",  # likewise
    "explorer/ui/cells/examples.py",  # the program's own data set
    "explorer/ui/codes/computed.py",  # whose images must be those that the model was trained on
}


def test_no_screen_asks_past_the_person():
    """Screens ask `access`, which knows who is at the browser."""
    past = []
    for file in [*(ROOT / "explorer/ui").rglob("*.py"), *(ROOT / "pages").glob("*.py")]:
        name = file.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=verb)) if name not in ALLOWED:
                    past += [f"{name}: {module}.{verb}"] if verb in FORBIDDEN.get(module, ()) else []
    assert not past


def test_what_a_person_may_still_use_stands_where_a_run_is_started(share):
    share(AUTH + "[limits]\nruns = 3\nweights = 100_000")
    at = signed_in(ADA)
    said = "You use 0 of 3 runs and 0.0 of 2 GB. This run: 0.24 of 3 million images, 20 minutes at most."
    assert [element.value for element in at.caption].count(said) == 2  # in the sidebar, and in the form
    assert "a model may have 100,000 here" in texts(at.error)
    runs.submit(config(1), "one", Owner(ident(ADA)))
    assert "You use 1 of 3 runs" in texts(signed_in(ADA).caption)


def test_on_localhost_no_such_line_is_there():
    assert "You use" not in texts(train().caption)


def test_a_person_has_so_many_jobs_at_once(share, monkeypatch):
    share("[limits]\njobs = 1")
    monkeypatch.setattr(people, "current", lambda: people.Person("ada", "Ada", is_host=False))
    go = threading.Event()
    first, second = (Job(lambda job: go.wait(TIMEOUT), "Reading", "It could not be read") for _ in range(2))
    monkeypatch.setattr(people, "current", lambda: people.Person("bob", "Bob", is_host=False))
    other = Job(lambda job: "done", "Reading", "It could not be read")
    other.join(TIMEOUT)
    assert other.result == "done"
    until(lambda: first.waiting or second.waiting)
    assert not (first.waiting and second.waiting)
    go.set()
    for job in (first, second):
        job.join(TIMEOUT)
        assert job.result
