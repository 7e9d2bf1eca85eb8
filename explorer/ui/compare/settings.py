"""What the models were made with: the settings that differ in a table, those that agree folded away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import pandas as pd
import streamlit as st

from explorer.files.tables import table_text
from explorer.training.presets import Recipe, TrainConfig
from explorer.ui.cache import CheckpointInfo
from explorer.ui.downloads import download_menu

_LABELS = {f.name: f.metadata["label"] for f in (*fields(Recipe), *fields(TrainConfig)) if f.metadata}
_FACTS = ("preset", "seed", "device", "precision", "weights", "seconds", "epochs_done", "created")


def settings_panel(models: Sequence[CheckpointInfo]) -> dict[str, str]:
    """Draws the tables; the address has nothing to say of them."""
    settings = [_settings(info) for info in models]
    names = list(dict.fromkeys(name for one in settings for name in one))
    rows = {name: [one.get(name, "") for one in settings] for name in names}
    ids = [info.id for info in models]
    differing = {name: values for name, values in rows.items() if len(set(values)) > 1}
    same = {name: values[:1] for name, values in rows.items() if len(set(values)) == 1 and values[0]}
    if differing:
        st.caption("What these models were made with, where they differ. What is the same stands below.")
        st.dataframe(pd.DataFrame.from_dict(differing, orient="index", columns=ids), key="compare_settings")
    else:
        st.caption("These models were made with the same settings.")
    download_menu(
        "compare_settings",
        "settings",
        f"Settings of {', '.join(ids)}.",
        table=lambda: table_text(["setting", *ids], ([name, *values] for name, values in rows.items())),
        quiet=True,
    )
    with st.expander(f"{len(same)} settings are the same"):
        st.dataframe(pd.DataFrame.from_dict(same, orient="index", columns=["all"]), key="compare_same")
    return {}


def _settings(info: CheckpointInfo) -> dict[str, str]:
    """A config.json as a person reads it: by label, in the order of the form."""
    config = info.config
    recipe = {**config.get("recipe", {}), **config["model"]}
    dataset = config["dataset"]
    found = {"data set": dataset["name"], "only": dataset.get("only") or ""}
    found |= {"training images": dataset.get("train_images", ""), "size": config["model"].get("image_shape", "")}
    found |= {label: recipe[name] for name, label in _LABELS.items() if name in recipe}
    found[_LABELS["latent"]] = info.latent  # which a family with layers does not take from the option
    found |= {name.replace("_", " "): config[name] for name in _FACTS if name in config}
    return {name: _text(value) for name, value in found.items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " × ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
