"""Why a tool is not there for a model, in one sentence: the only place where screens word what a model cannot do."""

from __future__ import annotations

from explorer.checkpoints.model import Model


def why_no_blends(model: Model, tools: str) -> str:
    """Words why tools that add, blend or vary codes are missing; empty where codes can be."""
    return "" if model.continuous else f"{_ALONE}, so there are no {tools}."


def why_no_plane(model: Model) -> str:
    """Words why there is no grid over a plane of codes; empty where there is one."""
    if not model.continuous:
        return f"{_ALONE}, so there is no plane to lay a grid over."
    return "A grid needs at least two latents." if model.latent < 2 else ""


def why_no_holes(model: Model) -> str:
    """Words why nothing can be shown as a hole; empty where codes fill a space, of which a plane may be on the map."""
    return "" if model.continuous else f"{_ALONE}, so there are no holes between them."


def why_no_draws(model: Model) -> str:
    """Words why no codes can be drawn; empty where they can: from the prior, or from a Gaussian fitted to the codes."""
    return "" if model.has_prior or model.continuous else f"This model has no prior. {_ALONE}, so there are no samples."


def why_no_kl(model: Model) -> str:
    """Words why no latent has a KL of its own; empty where each has."""
    if model.latents.kl_by_latent is not None:
        return ""
    if not model.has_prior:
        return "This family has no prior that a code could be compared with, so its latents have no KL."
    if model.network.entries is not None:
        return "A code of this model is made of a codebook's entries: its KL is known by rows of them, not by latents."
    return "The prior of this model weighs a code as a whole, so that no single latent has a KL."


def why_no_completion(model: Model) -> str:
    """Words why no half of a picture can be completed; empty where one can."""
    if model.network.grid is not None:
        return ""
    return (
        "This model draws a code as a whole, so it cannot go on from a part of a picture: that takes a prior that "
        "draws a grid row by row."
    )


def blends_note(model: Model) -> str:
    """Words what becomes of sums and blends of codes; empty where they are decoded as they are."""
    if model.network.entries is None:
        return ""
    return (
        "This model's codes are made of entries of a codebook. They are added and blended before they are quantised: "
        "each place of the grid then takes the entry nearest to the blend, so pictures change in steps."
    )


def temperature_help(model: Model) -> str:
    """Words what the temperature of draws from the prior does."""
    if model.network.entries is None and model.network.learns_prior:
        return "Scale of the prior's components: at 0 a draw is the centre of one of them, above 1 it strays from it."
    if model.network.entries is None:
        return "Scale of the draws: below 1 they stay near the centre, typical and alike; above 1 they stray."
    return (
        "The prior draws an entry for each place of the grid by a softmax. The temperature divides its logits: at 0 "
        "comes the likeliest entry, at 1 each as the prior says, above 1 unlikely ones more often."
    )


_ALONE = "What lies between two codes of this model is no code"
