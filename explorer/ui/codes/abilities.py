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


_ALONE = "What lies between two codes of this model is no code"
