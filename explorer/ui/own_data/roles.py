"""Which array or column of a table is what: what was guessed, for a person to change."""

from __future__ import annotations

import streamlit as st

from explorer.datasets.own import Preview, Roles
from explorer.datasets.tables.roles import NONE
from explorer.ui.widget_binding import bind

_CHOSEN = "own_roles"
_LABELS = {"image": "Images", "label": "Class", "group": "Keep together", "split": "Split"}
_HELP = {
    "image": "The array or column that holds the images.",
    "label": "The column with the class of each image.",
    "group": "What must not be in both training and test set, such as the patient.",
    "split": "A column that says train or test of each image.",
}


def asked() -> Roles:
    """Gives what the person has chosen; the rest is guessed."""
    return Roles(**st.session_state.get(_CHOSEN, {}))


def forget() -> None:
    """Forgets what was chosen: it was of something else."""
    st.session_state.pop(_CHOSEN, None)


def pick_roles(found: Preview, *, disabled: bool) -> None:
    """Draws the choices, where the preview is of arrays or of a table."""
    if not found.fields:
        return
    beside = found.roles.image == NONE  # the table is beside pictures
    roles = [role for role in _LABELS if not (beside and role == "image")]
    with st.container(key="own_roles_box"):
        columns = st.columns(len(roles), gap="small")
        for role, column in zip(roles, columns, strict=True):
            now = getattr(found.roles, role)
            options = [*([] if role == "image" else [NONE]), *found.fields]

            def named(name: str, role: str = role) -> str:
                if name:
                    return f"{name} ({found.fields[name]})"
                return "by folders" if beside and role == "label" else "by names" if role == "split" else "none"

            bind(f"own_role_{role}", now)
            column.selectbox(
                _LABELS[role],
                options,
                format_func=named,
                key=f"own_role_{role}",
                help=_HELP[role],
                disabled=disabled,
                on_change=_choose,
                args=(role,),
            )
        if not beside:
            bind("own_role_turned", bool(found.roles.turned))
            st.toggle(
                "Swap rows and columns",
                key="own_role_turned",
                help="EMNIST's images are stored on their side. Switch it if the images below do not stand upright.",
                disabled=disabled,
                on_change=_choose,
                args=("turned",),
            )


def _choose(role: str) -> None:
    st.session_state[_CHOSEN] = {**st.session_state.get(_CHOSEN, {}), role: st.session_state[f"own_role_{role}"]}
