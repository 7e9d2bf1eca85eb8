"""Signing in and out, and what a shared server says to a person of itself."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st
from streamlit.auth_util import is_authlib_installed

from explorer.files.hosting import hosting
from explorer.ui import people
from explorer.ui.markdown import plain
from explorer.ui.people import Person

NO_AUTHLIB = "Signing in needs Authlib, which is not installed here: pip install 'latent-explorer[hosting]'."


def sign_in_page() -> None:
    """What who has yet to sign in sees, in place of every screen."""
    settings = hosting()
    assert settings is not None
    with st.container(key="sign_in"):
        st.markdown("### Latent Explorer")
        st.markdown("Train variational autoencoders, then see and steer what they learnt.")
        if not is_authlib_installed():
            st.error(NO_AUTHLIB)
            return
        if st.context.url and _origin(st.context.url) != _origin(settings.url):
            st.warning(f"Signing in works at {plain(settings.url)} alone: open the app there.")
        for name in settings.providers:
            st.button(
                "Sign in" if len(settings.providers) == 1 else f"Sign in with {name}",
                key=f"sign_in_{name}",
                type="primary",
                icon=":material/login:",
                on_click=st.login,
                args=(name,),
            )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def account(person: Person) -> None:
    """Draws in the sidebar who the person is to this server; nothing where there is but one."""
    if not people.is_shared():
        return
    with st.container(key="account", horizontal=True, vertical_alignment="center"):
        role = " (host)" if person.is_host else ""
        if people.signs_in():
            st.caption(
                f"{plain(person.name)}{role}",
                width="stretch",
                help=f"Your id on this server is {person.ident}. Others see what you share, and cannot change it.",
            )
            st.button("Sign out", key="sign_out", type="tertiary", on_click=st.logout)
        else:
            st.caption(
                f"This server is shared{role}",
                help="Everyone who reaches it sees your runs and data sets; only this browser and a host can change "
                f"them. This browser's id is {person.ident}.",
            )


def notice() -> str:
    """What a shared server says as it starts; empty where there is nothing to say."""
    if not people.is_shared():
        return ""
    if people.signs_in():
        return "" if is_authlib_installed() else NO_AUTHLIB
    return (
        "This server is shared and nobody signs in: everyone who reaches it sees all runs and data sets, and each "
        "browser changes only its own. docs/hosting.md tells how to let people sign in."
    )
