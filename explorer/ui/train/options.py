"""Every option of a run, generated from the fields of `Recipe`, and what is documented of the chosen preset."""

from __future__ import annotations

import math
from dataclasses import Field, fields
from functools import partial
from typing import Any

import streamlit as st

from explorer.models.devices import device_names
from explorer.models.options import help_of
from explorer.models.registry import FAMILIES, LIKELIHOODS, Registry
from explorer.training.config import GROUPS, Recipe
from explorer.training.presets import PRESETS, TrainConfig
from explorer.ui.markdown import plain
from explorer.ui.train import run_form
from explorer.ui.train.allowance import show_allowance
from explorer.ui.train.run_form import WIDTHS, Form
from explorer.ui.train.sweep import sweep_popover
from explorer.ui.widget_binding import bind, from_widget, number_field

_OF_LIKELIHOODS = {name for likelihood in LIKELIHOODS.values() for name in likelihood.settings}
_TARGET = 0.02  # of a pixel's squared error: conv-100's on MNIST
_WARMUP = 3 / 7  # of the epochs: VAE-framework's

_TITLES = {"model": "Model", "objective": "Objective", "optimiser": "Optimiser", "run": "Run"}
_ABOUT_BETA = (
    "**Beta** weighs the KL against the reconstruction. Both are sums in nats: over all pixels of an image, and over "
    "all latents. So 1 is the ELBO, whatever the size of the images; a beta from a write-up that averages over pixels "
    "is another number. Keep both terms in view while it trains: a KL near zero means that the latents have collapsed."
)


def options_panel() -> None:
    """Draw all of it, with a button that starts the run."""
    form = run_form.current()
    _about_preset(form)
    for group in GROUPS:
        _group(group, form)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Start", key="train_start_all", type="primary", on_click=run_form.start, width=160)
        sweep_popover(form)
        if changed := run_form.changed(form):
            st.button("Back to the preset", key="option_reset", on_click=run_form.reset_changes)
            st.caption(f"Changed: {', '.join(_label(name) for name in changed)}", width="content")
    if problem := run_form.problem(form):
        st.error(plain(problem))
    show_allowance(form)


def _about_preset(form: Form) -> None:
    chosen = PRESETS[form.preset]
    st.markdown(f"**{form.preset}** on **{plain(form.dataset)}**. {chosen.summary}")
    st.caption(f"Source: {chosen.source}. Published: {chosen.published}. {chosen.notes}".strip())


def _label(name: str) -> str:
    return str(_FIELDS[name].metadata["label"])


_FIELDS: dict[str, Field[Any]] = {f.name: f for f in (*fields(Recipe), *fields(TrainConfig)) if f.metadata}


def _group(group: str, form: Form) -> None:
    family = FAMILIES[form.value("family")]
    st.markdown(f"###### {_TITLES.get(group, group.capitalize())}")
    if group == "objective":
        _about_beta(form)
    with st.grid(4, min_column_width=150, gap=("xsmall", "small"), vertical_alignment="bottom"):
        for f in _FIELDS.values():
            if f.metadata["group"] == group and (not f.metadata.get("of_family") or f.name in family.settings):
                _widget(f, form)
    if group == "objective":
        st.button(
            "Warm up over 3/7 of the epochs",
            key="option_warmup",
            type="tertiary",
            icon=":material/trending_up:",
            help="As VAE-framework does: beta grows from 0 over the first 3/7, then keeps its value.",
            on_click=_warm_up,
            disabled=not run_form.has_prior(form),
        )


def _about_beta(form: Form) -> None:
    with st.container(border=True, gap="xsmall", key="option_about_beta"):
        st.markdown(_ABOUT_BETA)
        if not run_form.has_prior(form):
            st.caption("This family has no prior: no KL, and so no beta.")
        elif LIKELIHOODS[form.value("likelihood")].learns_noise:
            own = PRESETS[form.preset].recipe.beta
            advice = "Leave beta at 1." if own == 1 else f"This preset sets beta to {own:g} on purpose: see its notes."
            st.caption(f"The noise is learnt, and with it the balance of the two terms. {advice}")
        elif form.value("target_mse"):
            st.caption(
                "The model learns how much the KL may weigh for the squared error to meet its target; beta is where it "
                "begins."
            )
        else:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    "Let the model set it: sigma",
                    key="option_sigma",
                    icon=":material/balance:",
                    on_click=_sigma,
                )
                st.caption(
                    "Gaussian noise that is learnt sets the balance, at beta 1 (Rybkin et al. 2021).", width="content"
                )
            if "target_mse" in FAMILIES[form.value("family")].settings:
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.button(
                        "Let the model set it: target error",
                        key="option_geco",
                        icon=":material/target:",
                        on_click=_geco,
                    )
                    st.caption("Beta follows the squared error that you allow (Rezende & Viola 2018).", width="content")


def _sigma() -> None:
    run_form.change("likelihood", "sigma")
    run_form.change("beta", 1.0)


def _geco() -> None:
    run_form.change("target_mse", _TARGET)
    run_form.change("beta", 1.0)
    run_form.change("warmup_epochs", 0)
    run_form.change("warmup_share", 0.0)


def _warm_up() -> None:
    run_form.change("warmup_epochs", 0)
    run_form.change("warmup_share", round(_WARMUP, 4))


def _widget(f: Field[Any], form: Form) -> None:
    """The widget of a field, by its type and metadata."""
    key, label, value = f"option_{f.name}", str(f.metadata["label"]), form.value(f.name)
    take = partial(run_form.change, f.name)
    known: dict[str, Any] = {"key": key, "help": f"{help_of(f, by_label=True)}.", "disabled": _pointless(f.name, form)}
    choices = device_names() if f.name == "device" else f.metadata.get("choices")
    if f.name == "only":
        _only(form, label, known)
    elif choices is not None:
        bind(key, value)
        # A run that is duplicated may have been on a device that is not here.
        offered = list(dict.fromkeys([*choices, value]))
        name_of = choices.label if isinstance(choices, Registry) else str
        st.selectbox(label, offered, format_func=name_of, on_change=from_widget(key, take), **known)
    elif f.name in WIDTHS:
        bind(key, run_form.widths_text(value))
        st.text_input(label, on_change=from_widget(key, lambda text: take(run_form.widths(text))), **known)
    elif f.type == "bool":
        bind(key, value)
        st.checkbox(label, on_change=from_widget(key, take), **known)
    elif f.type == "int":
        number_field(st, label, value, take, whole=True, **known)
    else:
        step = f.metadata.get("step") or _step(float(getattr(PRESETS[form.preset].recipe, f.name)))
        number_field(st, label, value, take, step=step, **known)


def _step(value: float) -> float:
    """A step of the buttons that makes a difference but not a big one."""
    return 10 ** (math.floor(math.log10(value)) - 1) if value > 0 else 0.05


def _pointless(name: str, form: Form) -> bool:
    """Whether an option changes nothing as the others are."""
    if name in FAMILIES[form.value("family")].idle:
        return True
    if name in _OF_LIKELIHOODS:
        return name not in LIKELIHOODS[form.value("likelihood")].settings
    if name == "binarise":
        return not LIKELIHOODS[form.value("likelihood")].binary and not form.value("binarise")
    if other := _FIELDS[name].metadata.get("of"):
        return form.value(other[0]) not in other[1]
    weighs_kl = name in ("beta", "warmup_epochs", "warmup_share", "free_bits")
    return weighs_kl and not run_form.has_prior(form)


_ALL = "all classes"


def _only(form: Form, label: str, known: dict[str, Any]) -> None:
    """Which class alone is trained on; those that are known of the data are offered."""
    key, chosen = known["key"], form.options["only"]
    offered = [_ALL, *run_form.class_names(form.dataset)]
    if chosen is not None and chosen not in offered:
        offered.append(chosen)
    bind(key, chosen or _ALL)

    def take(name: str | None) -> None:
        name = (name or "").strip()
        run_form.change("only", None if name in ("", _ALL) else name)

    st.selectbox(label, offered, accept_new_options=True, on_change=from_widget(key, take), **known)
