"""Model families: how images become codes and codes images, and what training charges for it.

A new family is a class and one line, wherever it is written:

    from explorer.models import VAE, GaussianPosterior, register

    @register
    class TightVAE(VAE):
        family, label = "tight-vae", "tight VAE"
        help = "a VAE whose posteriors have half the spread that its encoder gives"

        def posterior(self, x):
            mean, logvar = super().posterior(x)
            return GaussianPosterior(mean, logvar - math.log(4))

From then on `--family tight-vae` and the form on the Train page train it, and every screen shows it. What a family may
say otherwise is in `LatentModel`; a posterior that is not Gaussian is a subclass of `Posterior`.

Runs of the app are processes of their own. $EXPLORER_FAMILIES names the modules, separated by commas, that each of
them imports first, as the command line does: `EXPLORER_FAMILIES=my_families latent-explorer`.
"""

from __future__ import annotations

import importlib
import os

from explorer.models.adopted import Adopted, AdoptedConfig
from explorer.models.autoencoder import Autoencoder
from explorer.models.base import LatentGroup, LatentModel, register
from explorer.models.beta_tc import BetaTCVAE
from explorer.models.conditional import ConditionalVAE
from explorer.models.config import ModelConfig, ModelSettings
from explorer.models.iwae import ImportanceWeightedAutoencoder
from explorer.models.ladder import LadderVAE
from explorer.models.logistic_mixture import LogisticMixture
from explorer.models.objectives import Terms
from explorer.models.posteriors import GaussianPosterior, Noise, PointPosterior, Posterior
from explorer.models.registry import FAMILIES
from explorer.models.vae import VAE
from explorer.models.vq import VQVAE


def build(config: ModelConfig) -> LatentModel:
    """Makes a fresh network for the config, weights as the config's `init` says, from torch's global generator.

    Raises:
        ValueError: the sizes do not fit together.
    """
    return FAMILIES[config.family](config)


for _name in filter(None, os.environ.get("EXPLORER_FAMILIES", "").split(",")):
    importlib.import_module(_name.strip())

__all__ = [
    "FAMILIES",
    "VAE",
    "VQVAE",
    "Adopted",
    "AdoptedConfig",
    "Autoencoder",
    "BetaTCVAE",
    "ConditionalVAE",
    "GaussianPosterior",
    "ImportanceWeightedAutoencoder",
    "LadderVAE",
    "LatentGroup",
    "LatentModel",
    "LogisticMixture",
    "ModelConfig",
    "ModelSettings",
    "Noise",
    "PointPosterior",
    "Posterior",
    "Terms",
    "build",
    "register",
]
