"""Who uses the app in this browser, and what of others this person may see and change.

- A server that listens on localhost alone, without a settings file, has one person, who may do everything.
- A server is shared that listens on more, or has a settings file. There a browser is a person, by a signed cookie: it
  sees everything and changes its own.
- Where the settings file has `[auth]`, people sign in. They see their own and what is shared, and change their own.

A host, whom the settings file names, sees and changes everything. What is nobody's, everybody sees and hosts change.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import streamlit as st

from explorer.checkpoints.folder import runs_folder
from explorer.errors import RunError
from explorer.files.hosting import hosting
from explorer.files.owner import Owner
from explorer.ui import browser_cookie

LOCAL = ("localhost", "127.0.0.1", "::1")
_SESSION = "person_of_session"


@dataclass(frozen=True)
class Person:
    """Who uses the app.

    `ident` is opaque, and the same whenever this person comes back; it is empty where a server has but one person.
    """

    ident: str
    name: str
    is_host: bool

    @property
    def owner(self) -> Owner:
        """Whose the runs and data sets are that this person makes."""
        return Owner(self.ident, self.name)

    def sees(self, owner: Owner) -> bool:
        """Says whether the person may see what is somebody's."""
        return self.is_host or not signs_in() or owner.open_to(self.ident)

    def changes(self, owner: Owner) -> bool:
        """Says whether the person may change, stop and remove what is somebody's."""
        return self.is_host or (owner.ident != "" and owner.ident == self.ident)


def is_shared() -> bool:
    """Says whether several people use this server."""
    return hosting() is not None or st.get_option("server.address") not in LOCAL


def signs_in() -> bool:
    """Says whether people sign in."""
    settings = hosting()
    return settings is not None and bool(settings.auth)


def sign_in_secrets() -> dict[str, Any] | None:
    """The secrets by which Streamlit lets people sign in; None where nobody does."""
    settings = hosting()
    if settings is None or not settings.auth:
        return None
    made = {
        "redirect_uri": f"{settings.url.rstrip('/')}/oauth2callback",
        # With the runs it outlives the server, so that nobody signs in again after a restart.
        "cookie_secret": browser_cookie.key(runs_folder().absolute()).hex(),
    }
    return {"auth": {**made, **settings.auth}}


def current() -> Person | None:
    """The person at this browser; None for who has yet to sign in. Asked anew on every run: it costs microseconds."""
    if not is_shared():
        return Person("", "", is_host=True)
    if signs_in():
        return _signed_in()
    ident = browser_cookie.read(st.context.cookies.to_dict().get(browser_cookie.NAME, ""))
    # A browser that keeps no cookies is another person in every session.
    ident = ident or st.session_state.setdefault(_SESSION, browser_cookie.new_ident())
    return Person(ident, "", is_host=ident in _hosts())


def here() -> Person:
    """The person at this browser. Raises RunError for who has yet to sign in."""
    person = current()
    if person is None:
        raise RunError("Sign in first.")
    return person


def _signed_in() -> Person | None:
    if not st.user.get("is_logged_in"):
        return None
    claims = st.user.to_dict()
    subject = f"{claims.get('iss', claims.get('provider', ''))}\n{claims['sub']}"
    ident = f"p-{sha256(subject.encode()).hexdigest()[:20]}"
    email = str(claims.get("email") or "")
    # An address that nobody has verified may be anybody's.
    known = {ident, email.lower()} if claims.get("email_verified") is True else {ident}
    return Person(ident, str(claims.get("name") or email or ident), is_host=not _hosts().isdisjoint(known))


def _hosts() -> frozenset[str]:
    settings = hosting()
    return frozenset() if settings is None else settings.hosts
