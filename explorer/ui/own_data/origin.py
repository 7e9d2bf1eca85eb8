"""What a person hands in as data: a zip, or the name of a folder on this computer; and what either should look like."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.ui.origin import Origin, may_name_folders, name_folder

_UPLOAD, _FOLDER = "Upload a zip", "Folder on this computer"

_TREE = """
cells.zip
├── healthy
│   ├── 0001.png
│   └── 0002.png
└── infected
    ├── 0001.png
    └── 0002.png
"""


def choose_origin(*, disabled: bool, on_change: Callable[[], None], on_again: Callable[[], None]) -> Origin | None:
    """Draws the choice of a zip or a folder; returns what was handed in, once there is something.

    Args:
        disabled: whether nothing can be chosen.
        on_change: the callback for something else.
        on_again: the callback for another look at the same folder.
    """
    limit = st.get_option("server.maxUploadSize")
    larger = (
        f"A zip may have up to {limit} MB here. Larger sets: "
        "`python -m explorer data add FOLDER_OR_ZIP --name NAME`, on the computer that runs this app."
    )
    if not may_name_folders():
        st.caption(
            "Only a zip can be uploaded here: other computers can reach this app, so it opens no folder that somebody "
            "names."
        )
    elif _choose_way(disabled, on_change) == _FOLDER:
        return _folder(disabled, on_change, on_again)
    else:
        larger = f"A zip may have up to {limit} MB here; for a larger one, or a folder, choose “{_FOLDER}”."
    upload = st.file_uploader("A zip of images", type=["zip"], key="own_upload", on_change=on_change, disabled=disabled)
    st.caption(larger)
    return None if upload is None else Origin(f"upload {upload.file_id}", upload.name, upload.getvalue())


def _folder(disabled: bool, on_change: Callable[[], None], on_again: Callable[[], None]) -> Origin | None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        origin = name_folder(
            "Folder or zip on this computer",
            "own_folder",
            disabled=disabled,
            help="Its path. The pictures are read once and kept as a data set; the folder itself stays as it is.",
            on_change=on_change,
        )
        if origin is not None:
            st.button("Look again", key="own_again", help="Its contents have changed", on_click=on_again)
    return origin


def _choose_way(disabled: bool, on_change: Callable[[], None]) -> str:
    way: str = st.segmented_control(
        "From",
        [_UPLOAD, _FOLDER],
        key="own_way",
        default=_UPLOAD,
        required=True,
        on_change=on_change,
        label_visibility="collapsed",
        disabled=disabled,
    )
    return way


def how_to() -> None:
    """Says what to hand in, for who has nothing in hand yet."""
    words, tree = st.columns([3, 2], gap="medium")
    words.markdown(
        "Put the pictures into folders, **one folder per class**, named after the class, and zip the folder around "
        "them. No classes? Just zip the pictures.\n\n"
        "PNG, JPEG, TIFF, WebP and other common formats will do, in any size: all pictures are resized alike. A fifth "
        "of each class is set aside for testing. If there are folders `train` and `test` with the classes inside them, "
        "that split is kept."
    )
    tree.code(_TREE.strip("\n"), language=None)
