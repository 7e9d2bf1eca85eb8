"""The one menu by which figures, pictures and tables leave the app, each with a caption that says what it is of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st
from PIL import Image
from torch import Tensor

from explorer import __version__
from explorer.checkpoints.folder import CheckpointInfo
from explorer.figures import paper
from explorer.figures.paper import Panel, Pictures
from explorer.images.pictures import encode, mosaic, sheet
from explorer.ui.markdown import plain
from explorer.ui.wording import epochs_text

_PAPER = {
    "svg": ("SVG", "Vectors, to edit"),
    "pdf": ("PDF", "Vectors, for LaTeX"),
    "png": ("PNG", "300 dots an inch"),
}


@dataclass(frozen=True)
class File:
    """One entry of the menu. `ending` is that of the file's name, such as `.svg`, and of the button's key."""

    label: str
    ending: str
    media_type: str
    make: Callable[[], bytes]
    help: str


def download_menu(
    key: str,
    name: str,
    caption: str,
    *,
    figure: Callable[[], Sequence[Panel]] | None = None,
    table: Callable[[], str] | None = None,
    more: Sequence[File] = (),
    label: str = "Download",
    quiet: bool = False,
    lazy: bool = False,
) -> None:
    """Draws the menu; nothing is made before it is asked for.

    Args:
        key: of its own on the page; each button's is this and the ending, joined by underscores.
        name: of the files, without an ending.
        caption: sentences on what they are of, to be copied with the program's version; figures carry both.
        figure: panels that are drawn side by side.
        table: CSV; it is sent with the mark by which spreadsheets know UTF-8.
        more: further files, such as a film.
        label: on the menu.
        quiet: whether the menu shows its icon alone; a screen reader hears the label.
        lazy: whether its entries are there only once it is opened, which reruns the fragment that it is in.
    """
    files: list[File] = []
    caption = f"{caption} Latent Explorer {__version__}."
    if figure is not None:
        make = figure
        for ending, (name_of, text) in _PAPER.items():
            drawn = _drawn(make, ending, caption)
            files.append(File(name_of, f".{ending}", paper.FORMATS[ending], drawn, text))
    if table is not None:
        written = table
        files.append(File("CSV", ".csv", "text/csv", lambda: written().encode("utf-8-sig"), "A table for spreadsheets"))
    box = f"{key}_{'quiet_' if quiet else ''}download"
    with st.popover(
        label,
        icon=":material/download:",
        type="tertiary",
        key=box,
        help="Download" if quiet else None,
        on_change="rerun" if lazy else "ignore",
    ) as menu:
        if lazy and not menu.open:
            return
        with st.container(horizontal=True, gap="small"):
            for file in (*files, *more):
                st.download_button(
                    file.label,
                    file.make,
                    f"{name}{file.ending}",
                    file.media_type,
                    key=f"{key}_{re.sub('[.-]', '_', file.ending[1:])}",
                    on_click="ignore",
                    help=plain(file.help),
                )
        st.caption("Caption")
        st.code(caption, language=None, wrap_lines=True)


def _drawn(figure: Callable[[], Sequence[Panel]], format: str, caption: str) -> Callable[[], bytes]:
    return lambda: paper.draw(figure(), format, caption=caption)


def caption_of(info: CheckpointInfo, what: str, *settings: str) -> str:
    """Writes a caption: what is shown, how, and of which model, with its data, training and seed."""
    config, epochs = info.config, info.config.get("epochs_done")
    how = [
        f"trained on {info.trained_on}",
        "" if epochs is None else f"for {epochs_text(epochs)}",
        "" if config.get("seed") is None else f"from seed {config['seed']}",
    ]
    shown = "; ".join(filter(None, [what, *settings]))
    return f"{shown}. Model {info.id}: {info.traits}; {' '.join(filter(None, how))}."


def panel_of(
    images: Tensor,
    columns: int,
    across: Sequence[str] = (),
    down: Sequence[str] = (),
    axes: tuple[str, str] = ("", ""),
) -> Pictures:
    """Lays images [N, C, H, W] out as a panel; the names are as of `sheet_menu`."""
    return Pictures(sheet(images, columns), columns, -(-len(images) // columns), across, down, axes)


def strip(parts: Sequence[tuple[str, Image.Image]]) -> Pictures:
    """Lays pictures of one size side by side, each with its name below."""
    joined = mosaic([picture.convert("RGB") for _, picture in parts], len(parts))
    return Pictures(joined, len(parts), 1, [name for name, _ in parts])


def side_by_side(parts: Sequence[tuple[str, Image.Image]]) -> list[Panel]:
    """Lays pictures of any sizes side by side, each with its name below."""
    return [Pictures(picture.convert("RGB"), 1, 1, [name]) for name, picture in parts]


def strip_menu(
    key: str,
    name: str,
    caption: str,
    parts: Callable[[], Sequence[tuple[str, Image.Image]]],
    *,
    beside: Callable[[], Panel] | None = None,
    table: Callable[[], str] | None = None,
    quiet: bool = False,
    lazy: bool = False,
) -> None:
    """Draws the menu of pictures in a row, by their names, which also come pixel by pixel.

    Args:
        key: as of `download_menu`, as are name, caption, table, quiet and lazy.
        parts: the pictures, of one size.
        beside: what the figure has to their right.
    """

    def figure() -> list[Panel]:
        return [strip(parts()), *([] if beside is None else [beside()])]

    pixels = pixels_of("The pictures as they are", lambda: strip(parts()).sheet)
    download_menu(key, name, caption, figure=figure, table=table, more=[pixels], quiet=quiet, lazy=lazy)


def pixels_of(what: str, make: Callable[[], Image.Image]) -> File:
    """The entry of a picture pixel by pixel; the menu says what it is."""
    return File("Pixels", "-pixels.png", "image/png", lambda: encode(make(), "PNG"), f"{what}, pixel by pixel (PNG)")


def sheet_menu(
    key: str,
    name: str,
    caption: str,
    make: Callable[[], Tensor],
    columns: int,
    *,
    across: Sequence[str] = (),
    down: Sequence[str] = (),
    axes: tuple[str, str] = ("", ""),
    table: Callable[[], str] | None = None,
    more: Sequence[File] = (),
    quiet: bool = False,
) -> None:
    """Draws the menu of pictures side by side, which also come pixel by pixel.

    Args:
        key: as of `download_menu`, as are name, caption, table, more and quiet.
        make: the images [N, C, H, W].
        columns: how many of them to a row.
        across: names of the columns.
        down: names of the rows.
        axes: names of both axes.
    """

    def figure() -> list[Panel]:
        return [panel_of(make(), columns, across, down, axes)]

    pixels = pixels_of("As the decoder gave them", lambda: sheet(make(), columns))
    download_menu(key, name, caption, figure=figure, table=table, more=[pixels, *more], quiet=quiet)
