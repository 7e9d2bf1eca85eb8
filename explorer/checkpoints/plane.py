"""The plane of a model's codes that a grid is laid over, where nobody has chosen another."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.checkpoints.model import Model
from explorer.latents import planes
from explorer.latents.planes import Plane


def usual_plane(model: Model, codes: Float[Tensor, "n d"]) -> tuple[Plane, tuple[str, str]] | str:
    """The plane of a model's two latents or else of its two principal components, with the names of its axes.

    A sentence where a checkpoint has none. Of two latents without a prior the `codes` tell how far it reaches.
    """
    if model.latent == 2:
        if (prior := model.network.prior_spread()) is not None:
            (mean, (across, up)), standard = prior, bool((prior[1] == 1).all())
            plane = Plane(mean, torch.tensor([float(across), 0.0]), torch.tensor([0.0, float(up)]))
            return plane, ("z₀", "z₁") if standard else ("σ₀", "σ₁")
        return planes.spread_plane(codes, torch.eye(2)), ("σ₀", "σ₁")
    components = model.latents.maps["pca"].components
    if components is None:
        return "This checkpoint has no principal components stored."
    return planes.spread_plane(model.latents.mean, components), ("1st component, σ", "2nd component, σ")
