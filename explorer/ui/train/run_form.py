"""What a person is about to train: the choices that the sidebar and the Train page show and change together.

The `Form` is the truth and widgets follow it (`explorer.ui.widget_binding`). So two widgets may show one choice, and
a button elsewhere may fill in all of them.
"""

from __future__ import annotations

import functools
import math
import re
import time
from dataclasses import dataclass, field, fields
from typing import Any

import streamlit as st
import torch

from explorer import runs
from explorer.datasets import own
from explorer.errors import DatasetError, RunError
from explorer.models import FAMILIES, build
from explorer.runs import RunInfo
from explorer.training.experiment import model_config
from explorer.training.presets import Recipe, TrainConfig, preset
from explorer.training.sweep import named
from explorer.ui import access, getting, notifications, page_switch, people
from explorer.ui.widget_binding import catch_up

DATASET, PRESET = "mnist-5k", "mlp-2d"  # shipped with the installation; worth looking at after half a minute
WIDTHS = [f.name for f in fields(Recipe) if str(f.type).startswith("tuple")]
BASICS = ("latent", "epochs", "beta")  # what the sidebar shows of a recipe

_FORM = "train_form"
# Names that only a program would use, which errors do.
_LABELS = {f.name: f.metadata["label"] for f in (*fields(Recipe), *fields(TrainConfig)) if f.metadata and "_" in f.name}
_RUN_OPTIONS: dict[str, Any] = {f.name: f.default for f in fields(TrainConfig) if f.metadata}


@dataclass
class Form:
    """The choices. `changes` holds what differs from the preset, by name of a `Recipe` field other than BASICS;
    widths that could not be read are there as the text that was typed. `options` holds `TrainConfig`'s own."""

    dataset: str
    preset: str
    latent: int
    epochs: int
    beta: float
    name: str = ""
    named: bool = False  # the person chose the name: it no longer follows the data and the preset
    named_for: tuple[str, str] = ("", "")  # what a name was proposed for: the data, and the preset with its changes
    changes: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=_RUN_OPTIONS.copy)
    problem: str = ""  # why the last start was refused

    def value(self, name: str) -> Any:
        """The value of a `Recipe` field or of an option of the run as the form has it."""
        if name in BASICS:
            return getattr(self, name)
        if name in self.options:
            return self.options[name]
        return self.changes.get(name, getattr(preset(self.preset).recipe, name))


def current() -> Form:
    """The session's form, as it applies to what is on this machine now."""
    form: Form | None = st.session_state.get(_FORM)
    if form is None:
        form = st.session_state[_FORM] = _fresh(DATASET, PRESET)
    chosen = access.data_set(form.dataset)
    if not (chosen and chosen.present) and (here := present()):
        _choose_dataset(form, DATASET if DATASET in here else here[0])
    return form


def propose_name(form: Form, *, anew: bool = False) -> None:
    """Let the name follow the data and the preset, unless the person chose it.

    It stays while these do, even if another session takes it: a change would overwrite what is being typed. `anew`
    looks whether it is still free.
    """
    wanted = (form.dataset, form.preset + _differences(form))
    if not form.named and (anew or form.named_for != wanted):
        form.name, form.named_for = runs.propose_name(*wanted), wanted


def _differences(form: Form) -> str:
    """What a name says of a form that differs from its preset: `-latent8-beta10`."""
    recipe = preset(form.preset).recipe
    values = {name: getattr(form, name) for name in ("latent", "beta")}
    return "".join(f"-{named(name, value)}" for name, value in values.items() if value != getattr(recipe, name))


def _fresh(dataset: str, name: str) -> Form:
    recipe = preset(name).recipe
    return Form(dataset, name, recipe.latent, runs.suggested_epochs(name, dataset), float(recipe.beta))


def present() -> list[str]:
    """The data sets that can be trained on now."""
    return [info.name for info in access.data_sets() if info.present]


def class_names(name: str) -> list[str]:
    """The classes of a data set as far as they are known without reading it: its own, or as a model has met them."""
    if name.startswith("own:"):
        try:
            return own.details(name.removeprefix("own:")).classes
        except DatasetError:
            return []
    for found in access.checkpoints():
        if not found.problem and found.config["dataset"]["name"] == name:
            return [str(known) for known in found.config.get("classes") or []]
    return []


# --- changes -------------------------------------------------------------------------------------------------------


def choose_dataset(name: str) -> None:
    """Take a data set; the epochs follow it unless they were chosen."""
    form = current()
    form.problem = ""
    _choose_dataset(form, name)


def _choose_dataset(form: Form, name: str) -> None:
    if name != form.dataset:
        form.options["only"] = None  # a class of other data
    suggested = form.epochs == runs.suggested_epochs(form.preset, form.dataset)
    form.dataset = name
    if suggested:
        form.epochs = runs.suggested_epochs(form.preset, name)


def choose_preset(name: str) -> None:
    """Take a preset as a whole: what differed from the one before is dropped, the run's own options stay."""
    form = current()
    fresh = _fresh(form.dataset, name)
    form.preset, form.latent, form.epochs, form.beta = name, fresh.latent, fresh.epochs, fresh.beta
    form.changes, form.problem = {}, ""


def choose_name(name: str) -> None:
    """Take a name; an empty one lets it be proposed again."""
    form = current()
    form.name, form.named, form.problem = name.strip(), bool(name.strip()), ""
    propose_name(form, anew=True)


def change(name: str, value: Any) -> None:
    """Set a `Recipe` field or an option of the run; a value that the preset has itself is no change."""
    form = current()
    form.problem = ""
    if name in BASICS:
        setattr(form, name, value)
    elif name in form.options:
        form.options[name] = value
    elif value == getattr(preset(form.preset).recipe, name):
        form.changes.pop(name, None)
    else:
        form.changes[name] = value


def reset_changes() -> None:
    """Back to the preset and the default options of a run; the basics stay."""
    form = current()
    form.changes, form.options, form.problem = {}, _RUN_OPTIONS.copy(), ""


def changed(form: Form) -> list[str]:
    """The names of the options other than BASICS that differ from the preset's and the defaults."""
    return [*form.changes, *(name for name, value in form.options.items() if value != _RUN_OPTIONS[name])]


def duplicate(info: RunInfo) -> None:
    """Take over the settings of a run. What cannot be taken over becomes the form's problem."""
    config = info.config
    try:
        own, recipe = preset(config.preset).recipe, config.recipe()
    except ValueError as error:
        current().problem = f"The settings of {info.name} cannot be taken over: {error}."
        return
    form = Form(config.dataset or preset(config.preset).dataset, config.preset, recipe.latent, recipe.epochs, 0.0)
    form.beta = float(recipe.beta)
    form.options = {name: getattr(config, name) for name in _RUN_OPTIONS}
    form.changes = {
        f.name: getattr(recipe, f.name)
        for f in fields(Recipe)
        if f.name not in BASICS and getattr(recipe, f.name) != getattr(own, f.name)
    }
    if form.dataset not in present():
        form.problem = f"The data set {form.dataset} of {info.name} is not on this machine: choose another."
        if getting.missing(form.dataset):
            form.problem = f"{form.problem[:-1]}, or get it under “{getting.MORE}”."
            st.session_state[getting.CHOSEN] = form.dataset
        form.dataset = current().dataset
    st.session_state[_FORM] = form


# --- what it amounts to --------------------------------------------------------------------------------------------


def widths(text: str) -> tuple[int, ...] | str:
    """ "256,128" as numbers, or the text itself when it cannot be read."""
    try:
        return tuple(int(part) for part in re.split(r"[\s,]+", text.strip(" ,")))
    except ValueError:
        return text


def widths_text(value: tuple[int, ...] | str) -> str:
    return value if isinstance(value, str) else ",".join(str(width) for width in value)


_TYPES = {f.name: str(f.type) for f in fields(TrainConfig)}


def config(form: Form) -> TrainConfig:
    """The form as a run's config, checked. Raises ValueError, one sentence."""
    for name in WIDTHS:
        if isinstance(text := form.changes.get(name), str):
            raise ValueError(f"{name} must be whole numbers separated by commas, such as 256,128: “{text}”")
    for name, value in {"epochs": form.epochs, **form.options}.items():
        if isinstance(value, float) and _TYPES[name].startswith("int"):
            raise ValueError(f"{name} must be a whole number, not {value:g}")
    recipe = preset(form.preset).recipe
    settings = dict(form.changes)
    settings |= {
        name: getattr(form, name) for name in ("latent", "beta") if getattr(form, name) != getattr(recipe, name)
    }
    made = TrainConfig(preset=form.preset, dataset=form.dataset, epochs=form.epochs, settings=settings, **form.options)
    data = access.data_set(form.dataset)
    if data and data.image_shape and (reason := _unfit(made.recipe(), data.image_shape)):
        raise ValueError(f"the preset {form.preset} does not fit the images of {form.dataset}: {reason}")
    return made


@functools.lru_cache(maxsize=64)  # what is typed is new each time
def _unfit(recipe: Recipe, shape: tuple[int, int, int]) -> str:
    """Why a recipe's network cannot take images of a shape, or nothing."""
    try:
        with torch.device("meta"):  # without memory
            build(model_config(recipe, shape, 2))
    except ValueError as error:
        return str(error)
    return ""


def problem(form: Form) -> str:
    """Why this cannot be started, as a sentence; empty when nothing is known to be wrong."""
    try:
        made, person = config(form), people.current()
        if person is not None:
            runs.check_size(made, person.owner)
    except ValueError as error:
        return sentence(error)
    return form.problem


def sentence(error: Exception) -> str:
    """An error's message as a sentence on the screen."""
    text = str(error).strip() or type(error).__name__
    for name, label in _LABELS.items():
        text = re.sub(rf"\b{name}\b", f"“{label}”", text)
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?”" else ".")


def has_prior(form: Form) -> bool:
    """Whether the family has a prior, and with it a KL."""
    return FAMILIES[form.value("family")].has_prior


_ATTEMPTS = 5  # at a proposed name: another session may take it in the same instant
_STARTED, _DOUBLE_CLICK_SECONDS = "train_started", 0.6


def start() -> None:
    """Start a run as the form says, as a callback; a refusal becomes the form's problem."""
    catch_up()
    if not _just_started() or current().named:
        _start(current())


def start_shown() -> None:
    """At the end of the script: the page shows what was started, and a click from now on may mean another."""
    if st.session_state.get(_STARTED) == math.inf:
        st.session_state[_STARTED] = time.monotonic()


def _just_started() -> bool:
    """Whether this is the second click of a double click: the page has not shown the run yet, or only just."""
    return bool(time.monotonic() - st.session_state.get(_STARTED, -math.inf) < _DOUBLE_CLICK_SECONDS)


def _start(form: Form) -> None:
    for left in reversed(range(_ATTEMPTS)):
        propose_name(form, anew=True)
        try:
            info = access.submit(config(form), form.name)
            break
        except (RunError, ValueError, DatasetError, OSError) as error:
            if form.named or not left or runs.propose_name(form.dataset, form.preset + _differences(form)) == form.name:
                form.problem = sentence(error)
                return
    st.session_state[_STARTED] = math.inf
    form.problem, form.named = "", False
    propose_name(form, anew=True)
    notifications.follow(info.name)
    st.session_state["train_run"] = info.name  # the Train page shows it
    page_switch.refresh()


def start_default() -> None:
    """As a callback: start what a person gets who has chosen nothing."""
    if not _just_started():
        st.session_state.pop(_FORM, None)
        _start(current())
