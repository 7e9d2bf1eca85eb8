"""How a page shows a component of ours, and how it hears what a person did there: the one way for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from explorer.ui.components.payloads import PayloadError, moment
from explorer.ui.components.scripts import script

__all__ = ["Component"]

Answer = Callable[[dict[str, Any]], None]


class Component:
    """A component of this folder, known to Streamlit by its folder's name.

    In the browser `shared/mount.js` is its counterpart: it calls the component's `main.js` with the data, and tells
    of what a person does with a `t`, by its clock. That comes back as `ack` once it has been heard here.
    """

    def __init__(self, folder: str, root: str, *, room: str = "") -> None:
        """Registers it.

        Args:
            folder: the one that its `main.js` is in.
            root: CSS class of its outermost element.
            room: CSS of that element until its style sheet is there, so that nothing below it jumps.
        """
        self._mount = st.components.v2.component(
            folder,
            html=f'<div class="lx {root}" data-state="loading"></div>',
            css=f".{root} {{ {room} }}" if room else None,
            js=script(folder),
            isolate_styles=False,  # in a shadow root it would have neither the page's fonts nor plotly.js' style
        )

    def show(
        self, key: str, data: Mapping[str, Any], *, revision: str = "", answers: Mapping[str, Answer] | None = None
    ) -> None:
        """Shows the component, or brings it up to date.

        Args:
            key: of its own on the page.
            data: plain values for the browser, as the component's `Data` type in JavaScript has them.
            revision: names what is shown; answers about anything else are heard, and left at that. Empty: all are
                taken.
            answers: what to call with an answer of each name, before the run that it causes. If that raises a
                PayloadError, its sentence comes to the browser as `problem`, until another answer is taken.
        """
        ack_key, problem_key = f"{key}-answered", f"{key}-problem"

        def listener(name: str, handle: Answer) -> Callable[[], None]:
            def heard() -> None:
                answer = (st.session_state.get(key) or {}).get(name)
                if not isinstance(answer, dict):
                    return
                st.session_state[ack_key] = moment(answer)
                if revision and answer.get("revision") != revision:
                    return
                try:
                    handle(answer)
                except PayloadError as error:
                    st.session_state[problem_key] = (revision, str(error))
                else:
                    st.session_state.pop(problem_key, None)

            return heard

        of, problem = st.session_state.get(problem_key, ("", ""))
        callbacks: dict[str, Any] = {
            f"on_{name}_change": listener(name, handle) for name, handle in (answers or {}).items()
        }
        self._mount(
            key=key,
            data={
                "key": key,
                "revision": revision,
                "ack": st.session_state.get(ack_key, 0),
                "problem": problem if of == revision else "",
                **data,
            },
            **callbacks,
        )
