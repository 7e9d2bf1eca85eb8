"""What the view of a run shows of an epoch, as files to take away: KL bars, the map, pictures and samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from explorer.figures import kl_bars, map_figure, palette
from explorer.figures.paper import Panel, Pictures, with_legend
from explorer.files.regular import read_json, read_regular
from explorer.files.tables import table_text
from explorer.images.decoding import decode_image
from explorer.latents import COLLAPSED_NATS
from explorer.runs import RunInfo
from explorer.training.frame_files import ACROSS, MOST_BYTES, FrameIndex, StoredFrame, frame_file, read_index
from explorer.ui.downloads import download_menu, pixels_of
from explorer.ui.train.curves import run_text


def frames_menus(info: RunInfo) -> None:
    """Draws a line, and where it is open the choice of an epoch, the newest at first, and a menu for each panel."""
    with st.expander("Download what an epoch shows", key="frames", type="compact", on_change="rerun") as box:
        if box.open:  # read now: a run that trains has more by then
            _menus(info)


def _menus(info: RunInfo) -> None:
    index = read_index(info.path)
    if index is None or not index.frames:
        st.caption("This run has no images yet.")
        return
    frames = {frame.epoch: frame for frame in reversed(index.frames)}
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="frames_menus"):
        epoch = st.selectbox(
            "Epoch to download",
            list(frames),
            format_func=lambda epoch: f"Epoch {epoch:,}",
            key=f"frames_epoch_{info.name}",
            label_visibility="collapsed",
            width=130,
        )
        frame = frames.get(epoch, index.frames[-1])
        if frame.reach[-1] > 0:  # some latent has a KL
            _bars_menu(info, index, frame)
        _map_menu(info, index, frame)
        _pictures_menu(info, index, frame)


def _bars_menu(info: RunInfo, index: FrameIndex, frame: StoredFrame) -> None:
    def told() -> tuple[np.ndarray, Sequence[str]]:
        kl = np.array([value or 0.0 for value in _numbers(info, frame)["kl"]])
        return kl, index.groups or [f"latent {i}" for i in range(len(kl))]

    def table() -> str:
        kl, names = told()
        return table_text(["latent", "kl"], zip(names, kl.tolist(), strict=True))

    _menu("bars", info, frame, "KL of each latent", lambda: [kl_bars(*told(), COLLAPSED_NATS)], table)


def _map_menu(info: RunInfo, index: FrameIndex, frame: StoredFrame) -> None:
    def points() -> np.ndarray:
        found = np.array([np.nan if v is None else v for v in _numbers(info, frame)["points"]], np.float64)
        return found.reshape(-1, 2)

    def probe() -> dict[str, Any]:
        return _read(info, f"{index.name}.json")

    def figure() -> list[Panel]:
        labels = probe()["labels"]
        plot = map_figure(points(), classes=None if labels is None else np.array(labels))
        if labels is None:
            return [plot]
        colors = palette(max(len(index.classes), max(labels) + 1))
        return [with_legend(plot, [(i, _class(index, i), colors[i]) for i in sorted(set(labels))])]

    def table() -> str:
        found = probe()
        labels = found["labels"] or [None] * len(found["index"])
        names = ["" if label is None else _class(index, label) for label in labels]
        rows = zip(found["index"], names, points().tolist(), strict=True)
        return table_text(["index", "class", "x", "y"], ([i, name, *point] for i, name, point in rows))

    _menu("map", info, frame, "Map", figure, table)


def _pictures_menu(info: RunInfo, index: FrameIndex, frame: StoredFrame) -> None:
    def figure() -> list[Panel]:
        before, sheet = (_sheet(info, name) for name in (index.name, frame.name))
        width, height = index.tile
        shown = -(-index.shown // ACROSS)  # rows
        after = sheet.crop((0, 0, before.width, shown * height))
        joined = Image.new("RGB", (before.width, before.height + after.height))
        joined.paste(before, (0, 0))
        joined.paste(after, (0, before.height))
        samples = sheet.crop((0, shown * height, sheet.width, sheet.height))
        rows = joined.height // height
        return [
            Pictures(joined, joined.width // width, rows, axes=("originals, and their reconstructions below", "")),
            Pictures(samples, ACROSS, samples.height // height, axes=("samples", "")),
        ]

    pixels = pixels_of("Reconstructions, and samples below", lambda: _sheet(info, frame.name))
    what = "Test images, their reconstructions, and samples"
    key, name, caption = _named("pictures", info, frame, what)
    download_menu(key, name, caption, figure=figure, more=[pixels], label="Pictures")


def _menu(
    key: str,
    info: RunInfo,
    frame: StoredFrame,
    what: str,
    figure: Callable[[], Sequence[Panel]],
    table: Callable[[], str],
) -> None:
    download_menu(*_named(key, info, frame, what), figure=figure, table=table, label=what)


def _named(key: str, info: RunInfo, frame: StoredFrame, what: str) -> tuple[str, str, str]:
    """The menu's key, the files' name, and the caption."""
    name = f"{info.name}-{key}-{frame.epoch}"
    return f"frame_{key}", name, f"{what} after epoch {frame.epoch:,}. {run_text(info)}"


def _class(index: FrameIndex, label: int) -> str:
    return index.classes[label] if label < len(index.classes) else str(label)


def _numbers(info: RunInfo, frame: StoredFrame) -> dict[str, Any]:
    return _read(info, f"{frame.name}.json")


def _read(info: RunInfo, name: str) -> dict[str, Any]:
    file = frame_file(info.path, name)
    assert file is not None  # names in an index are those of frames
    return read_json(file)


def _sheet(info: RunInfo, name: str) -> Image.Image:
    file = frame_file(info.path, f"{name}.webp")
    assert file is not None
    return decode_image(read_regular(file, MOST_BYTES)).convert("RGB")
