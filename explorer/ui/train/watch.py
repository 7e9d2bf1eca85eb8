"""A run as it trains: where it stands, its curves, pictures and map; what went wrong when something did."""

from __future__ import annotations

import streamlit as st

from explorer.datasets.base import bytes_text
from explorer.models import FAMILIES
from explorer.runs import RunInfo, log_tail
from explorer.ui.components.training_view.component import Status, training_view
from explorer.ui.markdown import plain
from explorer.ui.train.feed import Feed, feed
from explorer.ui.wording import duration, epochs_text, number, progress_share

_LOG_LINES = 12


def watch_panel(info: RunInfo) -> None:
    """Draw a run, or what has changed of it: made for a fragment that runs every second while the run is active."""
    with st.container(key="watch"):
        # Always there, so that the view below keeps its place in the page when a run fails.
        trouble = st.container(key="watch_trouble")
        found = feed(info)
        with trouble:
            _say_trouble(info, found)
        if info.active or found.epochs:
            _view(info, found)


def _say_trouble(info: RunInfo, found: Feed) -> None:
    done = _how_far(info)
    if info.state == "failed":
        st.error(f"Failed {done}. {plain(_sentence(info.message))}", icon=":material/error:")
    elif info.state == "interrupted":
        st.warning(f"Interrupted {done}. {plain(_sentence(info.message))}", icon=":material/power_off:")
    elif info.state == "cancelled" and not found.epochs:
        st.info(f"Cancelled {done}: there is nothing to show yet.", icon=":material/cancel:")
    if info.state in ("failed", "interrupted") and (log := log_tail(info.name, _LOG_LINES)):
        st.caption("The last lines of its log:")
        st.code(log, language=None, wrap_lines=True)
    if found.older:
        st.caption(
            "Images, map and KL of each latent are missing: an older version saved them in a form no longer read."
        )


def _sentence(message: str) -> str:
    return message if not message or message.endswith((".", "!", "?")) else f"{message}."


def _view(info: RunInfo, found: Feed) -> None:
    try:
        recipe = info.config.recipe()
    except ValueError:  # of a version that knew another preset
        recipe = None
    has_prior = FAMILIES[recipe.family].has_prior if recipe else (found.last.get("test") or {}).get("elbo") is not None
    training_view(
        key="watch_view",
        run=f"{info.name} {info.created.isoformat()}",
        status=_status(info, found),
        data=found.data,
        epochs=_total(info),
        plane=bool(recipe and recipe.latent == 2 and FAMILIES[recipe.family].continuous),
        has_prior=has_prior,
        meanings=FAMILIES[recipe.family].meanings if recipe else {},
        free_bits=recipe.free_bits if recipe else 0.0,
    )


def _total(info: RunInfo) -> int:
    """Epochs that there will be; of a finished run those that it has, as it may have stopped early."""
    if info.state == "finished":
        return info.epochs_done
    if info.progress and info.progress.epochs:
        return info.progress.epochs
    try:
        return info.config.recipe().epochs
    except ValueError:
        return info.epochs_done


def _how_far(info: RunInfo) -> str:
    if not info.epochs_done:
        return "before the first epoch had ended"
    return f"after {info.epochs_done:,} of {epochs_text(_total(info))}"


def _status(info: RunInfo, found: Feed) -> Status:
    progress = info.progress
    phase = progress.phase if progress else "starting"
    so_far: list[tuple[str, str]] = []
    share: float | None = progress_share(info)
    if info.state == "queued":
        text, share = _waiting(info), 0.0
    elif info.state == "running":
        text = {
            "starting": "Starting: Python and the data are being loaded",
            "mapping": "Trained: laying out the map of all codes",
            "saving": "Saving",
        }.get(phase, f"Epoch {progress.epoch:,} of {progress.epochs:,}" if progress else "")
        if progress and phase == "training" and progress.step:
            terms = [("ELBO", progress.elbo), ("Reconstruction", progress.reconstruction), ("KL", progress.kl)]
            so_far = [(name, number(value)) for name, value in terms if value is not None]
    elif info.state == "finished":
        text, share = f"Finished: {epochs_text(info.epochs_done)}", None
    else:
        text, share = f"{info.state.capitalize()} {_how_far(info)}", None
    note = "" if info.state in ("failed", "interrupted") else info.message or found.last.get("warning", "")
    return Status(info.state, text, note, share, info.active, _facts(info, found), so_far)


def _waiting(info: RunInfo) -> str:
    """`position` counts those that wait; one more is being trained."""
    before = "1 run" if info.position == 1 else f"{info.position:,} runs"
    return f"Waiting: {before} before this one on {info.device}" if info.position else f"Waiting for {info.device}"


def _facts(info: RunInfo, found: Feed) -> list[tuple[str, str]]:
    progress = info.progress
    speed = (progress.images_per_second if progress else 0.0) or found.last.get("images_per_second") or 0.0
    training = progress is not None and progress.phase == "training"
    facts = [
        ("images a second", f"{speed:,.0f}" if speed and info.state != "queued" else ""),
        ("device", info.device),
        ("memory", bytes_text(info.memory) if info.memory else ""),
        ("elapsed", duration(info.seconds) if info.seconds else ""),
        ("time left", duration(progress.seconds_left) if progress and training and progress.step else ""),
    ]
    return [(name, value or "–") for name, value in facts if value or info.active]
