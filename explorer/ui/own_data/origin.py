"""What a person hands in as data: a zip, a folder, or the path of either here; and what it should look like."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from explorer.files.shipped import command
from explorer.ui.origin import (
    DIRECTORY,
    PATH,
    Origin,
    choose_way,
    may_name_folders,
    name_folder,
    upload_folder,
    uploaded,
)

_TABLES = ["csv", "tsv", "parquet"]
_TYPES = ["zip", "tar", "gz", "tgz", "npz", "npy", *_TABLES]

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
        f"A file may have up to {limit} MB here. Larger sets: "
        f"`{command('data add FOLDER_OR_ZIP --name NAME')}`, on the computer that runs this app."
    )
    local = may_name_folders()
    way = choose_way("Upload a file", "own_way", disabled=disabled, on_change=on_change)
    if way == PATH and local:
        return _folder(disabled, on_change, on_again)
    if local:
        larger = f"A file may have up to {limit} MB here; for a larger zip choose “{PATH}”."
    else:
        st.caption("Other computers can reach this app, so it opens no folder that somebody names.")
    if way == DIRECTORY:
        return upload_folder("A folder of images", "own_directory", disabled=disabled, on_change=on_change)
    upload = st.file_uploader(
        "A zip of images, arrays or a table", type=_TYPES, key="own_upload", on_change=on_change, disabled=disabled
    )
    st.caption(larger)
    return uploaded(upload)


def choose_table(*, disabled: bool, on_change: Callable[[], None]) -> Origin | None:
    """Draws the choice of a table that does not lie beside the pictures; returns it, once there is one."""
    with st.expander("Labels or measurements from a table elsewhere"):
        upload = st.file_uploader(
            "A row a picture: file name, class, patient, measurements",
            type=_TABLES,
            key="own_table",
            on_change=on_change,
            disabled=disabled,
        )
    return uploaded(upload)


def _folder(disabled: bool, on_change: Callable[[], None], on_again: Callable[[], None]) -> Origin | None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        origin = name_folder(
            "Folder or file on this computer",
            "own_folder",
            disabled=disabled,
            help="Its path. The pictures are read once and kept as a data set; the folder itself stays as it is.",
            on_change=on_change,
        )
        if origin is not None:
            st.button("Look again", key="own_again", help="Its contents have changed", on_click=on_again)
    return origin


def how_to() -> None:
    """Says what to hand in, for who has nothing in hand yet."""
    words, tree = st.columns([3, 2], gap="medium")
    words.markdown(
        "Put the pictures into folders, **one folder per class**, named after the class, and hand in the folder "
        "around them, or a zip of it. No classes? One folder of pictures will do.\n\n"
        "PNG, JPEG, TIFF, WebP and other common formats will do, in any size: all pictures are resized alike. A fifth "
        "of each class is set aside for testing. If there are folders `train` and `test` with the classes inside them, "
        "that split is kept. A table beside the pictures (.csv: file name, class, patient, …) gives classes and "
        "columns to colour the map by.\n\n"
        "Arrays and tables, too: .npz, .npy, .parquet, a .csv of pixels, a zip of IDX files, a WebDataset .tar."
    )
    tree.code(_TREE.strip("\n"), language=None)
