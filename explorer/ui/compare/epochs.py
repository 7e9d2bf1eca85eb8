"""Earlier epochs of runs as models beside others: frames keep a map of each, the history its measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import streamlit as st
import torch

from explorer.checkpoints.folder import read_history
from explorer.files.regular import read_json
from explorer.latents.maps import Map
from explorer.training.frame_files import frame_file, read_index
from explorer.ui import address
from explorer.ui.cache import CheckpointInfo, EncodedDataset
from explorer.ui.markdown import plain
from explorer.ui.several_models import open_several

_KEY, _KIND = "compare_epochs", "epoch"


@dataclass(frozen=True)
class EpochInfo(CheckpointInfo):
    """A run after one of its epochs: `points` and `probe` are the files of its frame, `run` is the run itself."""

    run: CheckpointInfo = field(kw_only=True)
    points: Path = field(kw_only=True)
    probe: Path = field(kw_only=True)

    @property
    def unfinished(self) -> str:
        return f"epoch {self.config['epochs_done']} of {self.run.config.get('epochs_done')}"


def pick_epochs(models: Sequence[CheckpointInfo], most: int) -> list[EpochInfo]:
    """Draws the choice among the epochs that the models' runs keep; nothing where they keep none."""
    offered = {epoch.id: epoch for info in models for epoch in _epochs(info)}

    def read(text: str) -> list[str]:
        wanted = list(dict.fromkeys(text.split(",")))
        if missing := [ident for ident in wanted if ident not in offered]:
            address.notice(f"There is no frame of {missing[0][:60]}, so that epoch is left out.")
        return [ident for ident in wanted if ident in offered]

    address.restore_value("epochs", _KEY, read, default=[])
    chosen = [ident for ident in st.session_state[_KEY] if ident in offered][: max(0, most)]
    st.session_state[_KEY] = chosen
    if not offered:
        return []
    st.multiselect(
        "Earlier epochs",
        list(offered),
        key=_KEY,
        max_selections=max(1, most),
        disabled=most < 1,
        persist_state="session",
        placeholder="none: the models as they are now",
        help="Each counts as a model. A run keeps maps and measures of its epochs, and the weights of the last one.",
    )
    return [offered[ident] for ident in st.session_state[_KEY]]


def _epochs(info: CheckpointInfo) -> list[EpochInfo]:
    """Lists the epochs of which there are a frame and measures, but for the last one, which is the model itself."""
    if info.shipped or (index := read_index(info.path)) is None:
        return []
    lines = {line.get("epoch"): line for line in read_history(info.path)}
    found = []
    for frame in index.frames:
        measures = lines.get(frame.epoch, {}).get("test")
        files = [frame_file(info.path, f"{name}.json") for name in (frame.name, index.name)]
        if measures and frame.epoch != info.config.get("epochs_done") and all(files):
            found.append(
                EpochInfo(
                    f"{info.id}/epoch-{frame.epoch}",
                    info.path,
                    shipped=False,
                    config={**info.config, "epochs_done": frame.epoch, "seconds": lines[frame.epoch].get("seconds")},
                    metrics=measures,
                    created=info.created,
                    owner=info.owner,
                    latent=info.latent,
                    run=info,
                    points=files[0] or info.path,
                    probe=files[1] or info.path,
                )
            )
    return found


def epoch_maps(epochs: Sequence[EpochInfo]) -> list[tuple[CheckpointInfo, EncodedDataset]]:
    """Opens the maps of epochs; one that is damaged gets a sentence."""
    found: list[tuple[CheckpointInfo, EncodedDataset]] = []
    for epoch in epochs:
        for data in open_several([epoch.run]):
            try:
                found.append((epoch, _at(epoch, data)))
            except (OSError, ValueError, KeyError, TypeError, RuntimeError):
                st.info(f"The frame of {plain(epoch.id)} is damaged, so its map is left out here.")
    return found


def _at(epoch: EpochInfo, data: EncodedDataset) -> EncodedDataset:
    """Some of a run's items where they were at that epoch; their codes are those of the run as it is now."""
    numbers = read_json(epoch.points)["points"]
    points = torch.tensor([math.nan if value is None else value for value in numbers]).reshape(-1, 2)
    rows = data.rows_of(torch.tensor(read_json(epoch.probe)["index"]) + data.before_test)
    if len(rows) != len(points):
        raise ValueError("the frame is of other images")
    whole = data.latents
    latents = replace(
        whole,
        posterior=type(whole.posterior)(*(each[rows] for each in whole.posterior)),
        kl=whole.kl[rows],
        reconstruction=whole.reconstruction[rows],
        index=whole.index[rows],
        labels=None if whole.labels is None else whole.labels[rows],
        group=None if whole.group is None else [whole.group[row] for row in rows.tolist()],
        maps={},
        items=None,
    )
    return replace(data, key=f"{data.key}-{epoch.points.stem}", latents=latents, map=Map(_KIND, points, latents.mean))


def codes_of(data: EncodedDataset) -> torch.Tensor | None:
    """The codes of the items, float32 [N, D]; of an earlier epoch the places on a plane, which are codes, or None."""
    if data.map.kind != _KIND:
        return data.latents.mean
    return data.map.points if data.model.network.has_plane else None
