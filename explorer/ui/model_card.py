"""What is known of a model, in a line: family, latents, and each figure that was measured, with what it means."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from explorer.checkpoints.model import Model
from explorer.evaluation.measures import MEASURES
from explorer.models import FAMILIES
from explorer.models.registry import NETWORKS
from explorer.ui.wording import nats

_ELBO = (
    "Evidence lower bound on log p(x), the reconstruction {reconstruction} less the KL {kl}: nats an image, a mean of "
    "{where} with one draw of z each. Higher is better, among models of the same data and likelihood. "
    "Kingma & Welling 2014, arXiv:1312.6114, eq. 3."
)
_RECONSTRUCTION = (
    "log p(x|z) of an image given its code: nats an image, a mean of {where}. Higher is better, among models of the "
    "same data and likelihood. This family has no prior, so there is no ELBO."
)
_SQUARED_ERROR = (
    "Of a value from 0 to 1, a mean over {where}. Lower is better. Nobody has said what this model's likelihood is, so "
    "there is no ELBO."
)
_ACTIVE = (
    " Active are those whose posterior mean has a variance above 0.01 over {where}. "
    "Burda et al. 2016, arXiv:1509.00519, section 5.2."
)
_MEASURED = {"log_likelihood": ", among models of the same data and likelihood", "frechet_distance": ""}
"""Of `MEASURES`, those that the line has, each with what they can be compared among."""


def model_card(model: Model) -> None:
    """Draws the line; what was not measured is not there."""
    with st.container(horizontal=True, gap="medium", key="model_card"):
        for label, value, help in _figures(model):
            st.metric(label, value, help=help, width="content")


def _figures(model: Model) -> Iterator[tuple[str, str, str]]:
    """Name, value and explanation of each."""
    metrics = model.info.metrics
    data = model.info.config["dataset"]["name"]
    where = f"{metrics['n']:,} test images of {data}" if "n" in metrics else f"the test images of {data}"
    family, network = model.network.family, model.config.network
    yield "Family", f"{NETWORKS.label(network)} {FAMILIES.label(family)}", f"{_capital(FAMILIES[family].help)}."
    yield _size(model, where)
    fit, kl = nats(metrics["reconstruction"]), nats(metrics.get("kl"))
    if metrics.get("elbo") is not None:
        yield "ELBO", nats(metrics["elbo"]), _ELBO.format(reconstruction=fit, kl=kl, where=where)
    elif model.has_likelihood:
        yield "Reconstruction", fit, _RECONSTRUCTION.format(where=where)
    else:
        yield "Squared error", f"{metrics['mse']:.4f}", _SQUARED_ERROR.format(where=where)
    measures = metrics.get("measures", {})
    for name in (name for name in _MEASURED if name in measures):
        label, unit, help, better = MEASURES[name]
        draws = f", k = {measures['k']:,}" if name == "log_likelihood" else ""
        value = nats(measures[name]) if unit == "nats" else f"{measures[name]:.3g} {unit}".rstrip()
        yield _capital(label), value, f"{_capital(help)}{draws}. {_capital(better)} is better{_MEASURED[name]}."


def _size(model: Model, where: str) -> tuple[str, str, str]:
    """How many numbers a code has, or what it is made of."""
    network, active = model.network, model.info.metrics.get("active_units")
    if network.entries is not None and network.grid is not None:
        (rows, columns), (count, size) = network.grid, network.entries.shape
        value = f"{rows} × {columns} entries of {count:,}"
        return "Code", value, f"A grid, in each place one of {count:,} entries of a codebook, of {size} numbers each."
    value, help = f"{model.latent:,}", "How many numbers a code has."
    if active is None:
        return "Latents", value, help
    return "Latents", f"{value}, {active:,} active", help + _ACTIVE.format(where=where)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
