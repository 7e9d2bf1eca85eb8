"""Model families: a registry by name. A new family is one module here and one line in `_MODULES`."""

from __future__ import annotations

from explorer.models import autoencoder, conditional, vae
from explorer.models.base import LatentModel, ModelConfig, Posterior

_MODULES = (autoencoder, vae, conditional)
FAMILIES: dict[str, type[LatentModel]] = {family.family: family for m in _MODULES for family in m.FAMILIES}


def build(config: ModelConfig) -> LatentModel:
    """A fresh network for the config, weights as the config's `init` says, from torch's global generator.

    Raises:
        ValueError: the family is unknown, or the sizes do not fit together.
    """
    try:
        family = FAMILIES[config.family]
    except KeyError:
        raise ValueError(f"unknown model family {config.family!r}: known are {', '.join(FAMILIES)}") from None
    return family(config)


__all__ = ["FAMILIES", "LatentModel", "ModelConfig", "Posterior", "build"]
