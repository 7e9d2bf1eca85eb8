"""What a model family says, and nobody else guesses: its posterior, objective, prior, groups of latents, abilities."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from explorer.models.config import ModelConfig, ModelSettings
from explorer.models.likelihoods import Likelihood, Sigma
from explorer.models.objectives import Terms
from explorer.models.posteriors import Noise, Posterior
from explorer.models.registry import FAMILIES, LIKELIHOODS
from explorer.models.whole_batch import batch_mean, rows_of_all

NORMAL = "N(0, I)"  # the prior, in words
BALANCE_MEMORY = 100  # steps that the squared error is averaged over: Rezende & Viola's 0.99
BALANCE_RANGE = 1e-3, 1e3  # of the KL's weight against that of the start: at first no weight meets the target
BALANCE_RATE = 0.01  # by how much the KL's weight moves in a step at most, as a share
MOST_GROUPS = 1 << 16  # of latents: every epoch's line of history has a KL for each
NOISE_WINDOW = 2000  # images over which a learnt noise variance is averaged: it is then known to about 1%


class LatentGroup(NamedTuple):
    """Latents that the objective charges one KL for: its name on the screen, and how many numbers of a code it has."""

    name: str
    size: int


def place_name(i: int, size: tuple[int, int, int], *, channels_last: bool) -> str:
    """What a person calls a number of a grid of codes of that size: row, column and channel, counted from 1."""
    rows, columns, channels = size
    place, channel = divmod(i, channels) if channels_last else (i % (rows * columns), i // (rows * columns))
    return f"row {place // columns + 1}, column {place % columns + 1}, channel {channel + 1}"


class LatentModel(nn.Module):
    """A model with codes: images in [0, 1] to a posterior, codes to images.

    A family gives `posterior` and `logits`, and what of the rest is not as it is here: one draw of z an image under
    the prior N(0, I). A code is a vector of `latent` numbers, whatever it is made of.

    With the likelihood `sigma` the noise variance is learnt: in training each batch is judged by the variance that
    makes it likeliest, and the buffer `noise_variance` (0-d) follows, a mean over the last `NOISE_WINDOW` images or
    so. In evaluation the buffer is the variance. `noise_images` counts what it has seen, so that both are in
    `state_dict` and a resumed run goes on as it would have.

    With a `target_mse` the weight of the KL is learnt: Rezende & Viola 2018, "Taming VAEs", arXiv:1810.00597, algorithm
    1, divided by their multiplier of the constraint. The buffer `balance` (0-d) multiplies beta: it falls while the
    squared error of a pixel is above the target, and rises while it is below. `off_target` (0-d) is the moving average
    of the constraint, log(error / target), which `balance_steps` have seen.

    Attributes:
        family: what commands and files call it.
        label: what a person calls it in the middle of a sentence, such as `conditional VAE`.
        help: a clause on what choosing it means.
        has_prior: whether there is a density that codes follow as a whole, to draw from; without one there is no KL
            and no ELBO.
        continuous: whether codes may be added, blended and varied a little, and places between them decoded.
        conditional: whether the decoder is told the class, int64 [N]; others take no labels.
        grid: rows and columns that a code is, where the prior draws it row by row and can start anywhere (`complete`).
        meanings: the unit of each of its `figures`, "" for none, and a sentence on what it is.
        settings: the names of the options that only some families read (`of_family`), of those that this one does.
        idle: the names of the options of all families that this one does not read.
        trains: whether it can be trained here; else nobody can choose it.
        config_type: what its config.json is read into.
        beta_weighs_kl: whether the recipe's beta is the weight of the KL; else of something in `Terms.extra`.
        beta: the recipe's, at the step that is taken; a 0-d tensor on a GPU.
        stage: which of its `stages` training is in.
        train_images: how many images it is trained on; 0 where nobody said.
    """

    family: ClassVar[str]
    label: ClassVar[str]
    help: ClassVar[str]
    has_prior: ClassVar[bool] = True
    continuous: ClassVar[bool] = True
    conditional: ClassVar[bool] = False
    grid: tuple[int, int] | None = None
    meanings: ClassVar[Mapping[str, tuple[str, str]]] = {}
    settings: ClassVar[tuple[str, ...]] = ()
    idle: ClassVar[tuple[str, ...]] = ()
    trains: ClassVar[bool] = True
    config_type: ClassVar[type[ModelConfig]] = ModelConfig
    beta_weighs_kl: ClassVar[bool] = True
    beta: float | Tensor = 1.0
    stage: int = 0
    train_images: int = 0
    noise_variance: Tensor
    noise_images: Tensor
    balance: Tensor
    off_target: Tensor
    balance_steps: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self._likelihood = config.make_likelihood()
        if self._likelihood.learns_noise:
            self.register_buffer("noise_variance", torch.tensor(config.noise_variance))
            self.register_buffer("noise_images", torch.tensor(0))
        if config.target_mse:
            self.register_buffer("balance", torch.tensor(1.0))
            self.register_buffer("off_target", torch.tensor(0.0))
            self.register_buffer("balance_steps", torch.tensor(0))

    # --- what a family says of itself ---------------------------------------------------------------------------

    @classmethod
    def check(cls, settings: ModelSettings) -> None:
        """Raises ValueError, one sentence, for settings that the family cannot take, whatever the data."""
        if settings.target_mse and "target_mse" not in cls.settings:
            raise ValueError(
                f"target_mse sets the weight of a KL, which the family {cls.family} does not learn: leave it at 0"
            )
        if settings.target_mse and LIKELIHOODS[settings.likelihood].learns_noise:
            raise ValueError(
                f"target_mse and likelihood {settings.likelihood} both set how much the KL weighs: set likelihood to "
                "gaussian, or target_mse to 0"
            )

    @classmethod
    def reads_classes(cls, settings: ModelSettings) -> bool:
        """Whether `terms` and `log_weight` are told the class: `config.classes` is then how many there are, else 0."""
        return cls.conditional

    @property
    def entries(self) -> Float[Tensor, "c e"] | None:
        """The codebook's entries that codes are made of, where they are: stored codes name them."""
        return None

    @property
    def groups(self) -> tuple[LatentGroup, ...]:
        """The groups of latents that the objective charges a KL for, in the order of a code's numbers."""
        return tuple(LatentGroup(f"latent {i}", 1) for i in range(self.config.latent))

    def latent_name(self, i: int) -> str:
        """What a person calls one of a code's numbers: its place where codes are grids."""
        return f"latent {i}"

    @property
    def layers(self) -> tuple[LatentGroup, ...]:
        """The layers of latents, the top one first, in the order of a code's numbers; most models have a single one."""
        return (LatentGroup("latents", self.latent),)

    @property
    def latent(self) -> int:
        """How many numbers a code has."""
        return sum(group.size for group in self.groups)

    @property
    def has_plane(self) -> bool:
        """Whether its codes are a plane as they are: two numbers, and every place between codes is one."""
        return self.continuous and self.latent == 2

    def posterior(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        """q(z|x) for images in [0, 1]."""
        raise NotImplementedError

    def observe(self, x: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
        """The images [N, C, H, W] that the objective is computed of, for images in [0, 1]: these, as a rule.

        With `binarise` a pixel is drawn on or off by its gray (Salakhutdinov & Murray 2008, "On the quantitative
        analysis of deep belief networks", as Burda et al. 2016 do), by a generator of any device. Screens encode and
        show the gray images.
        """
        if not self.config.binarise:
            return x
        return (torch.rand(x.shape, generator=generator, device=generator.device).to(x.device) < x).to(x.dtype)

    def logits(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n p h w"]:
        """The decoder's raw output, of `config.logits_shape`; `likelihood.mean` makes it an image.

        Only a conditional family reads `labels`, and takes the first class where there are none.
        """
        raise NotImplementedError

    def terms(self, x: Float[Tensor, "n c h w"], noise: Noise = None, labels: Int[Tensor, " n"] | None = None) -> Terms:
        """What the objective charges for images, in training and in evaluation alike; `labels` as for `logits`."""
        posterior = self.posterior(x)
        z = posterior.sample(noise)
        logits = self.logits(z, labels)
        return Terms(self.nll(logits, x), self.kl(posterior, z), posterior, logits)

    def kl(self, posterior: Posterior, z: Float[Tensor, "n d"]) -> Float[Tensor, "n g"]:
        """KL(q(z|x) || p(z)) of each image's groups of latents in nats; `z` is one draw of each posterior."""
        return posterior.kl()

    def log_weight(
        self,
        x: Float[Tensor, "n c h w"],
        k: int,
        noise: Noise = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n k"]:
        """log p(x, z) - log q(z|x) in nats at k draws of z for each image; `noise` may be given, [N * k, D].

        Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, eq. 8, average these weights.
        """
        posterior = self.posterior(x).repeat(k)
        if not isinstance(noise, Tensor):
            noise = torch.randn(posterior.mean.shape, generator=noise, device=x.device)
        z = posterior.sample(noise)
        logits = self.logits(z, None if labels is None else labels.repeat_interleave(k))
        fit = self.likelihood.log_prob(logits, x.repeat_interleave(k, 0))
        return (fit + self.log_prior(z) - posterior.log_prob(z).sum(1)).unflatten(0, (len(x), k))

    def sample_prior(
        self,
        n: int,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n d"]:
        """Codes from the prior on the CPU, by a generator of the CPU; the temperature scales how far they stray.

        Only a family whose prior is told the class reads `labels`.
        """
        return temperature * torch.randn(n, self.latent, generator=generator)

    def redraw_below(
        self, z: Float[Tensor, "n d"], layer: int, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Codes whose first so many layers stay, and whose lower ones are drawn from the prior given those.

        As here it is for a prior under which the numbers of a code are independent.
        """
        stay = sum(group.size for group in self.layers[:layer])
        return torch.cat([z[:, :stay], self.sample_prior(len(z), temperature, generator)[:, stay:]], 1)

    def complete(
        self,
        codes: Float[Tensor, "n d"],
        rows: int,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n d"]:
        """Codes with the first `rows` rows of the grid as given, and the rest drawn as by `sample_prior`."""
        raise NotImplementedError

    def log_prior(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """log p(z) of codes, in nats."""
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)

    def prior_spread(self) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]] | None:
        """Mean and standard deviation of the prior by latent; None where there is none, or none that is known."""
        return (torch.zeros(self.latent), torch.ones(self.latent)) if self.has_prior else None

    def stored_kl(self, posterior: Posterior) -> Float[Tensor, " g"] | None:
        """The average KL by group of posteriors that were stored before their KL was; None if moments do not tell."""
        return None

    @property
    def prior_name(self) -> str:
        """The prior in a sentence."""
        return NORMAL

    @property
    def learns_prior(self) -> bool:
        """Whether training changes the prior."""
        return False

    def start(self, images: UInt8[Tensor, "n c h w"]) -> None:
        """Takes what it needs of the training images before the first step."""

    def stages(self, epochs: int) -> tuple[int, ...]:
        """How many of so many epochs each stage of training has; what is trained in a stage, `terms` says.

        The schedule of the learning rate starts anew in each.
        """
        return (epochs,)

    def figures(self, posterior: Posterior) -> dict[str, float]:
        """What else there is to watch while it learns, by name, of the posteriors of a whole set of images."""
        return {}

    def warning(self, figures: dict[str, float]) -> str:
        """A sentence to who watches where `figures` say that something goes wrong, "" where nothing does."""
        return ""

    # --- what follows from it -----------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(itertools.chain(self.parameters(), self.buffers())).device

    @property
    def has_elbo(self) -> bool:
        """Whether there is a bound on log p(x): that takes a prior, and a likelihood."""
        return self.has_prior and self.likelihood.known

    @property
    def likelihood(self) -> Likelihood:
        """p(x|z), with the noise as it is known by now."""
        if not self._likelihood.learns_noise:
            return self._likelihood
        return replace(self._likelihood, noise_variance=self.noise_variance)

    @property
    def noise_variance_value(self) -> float:
        """The variance of a pixel's noise, learnt or given, as a number: waits for the device. Unused by bernoulli."""
        return float(self.likelihood.noise_variance)

    def by_layer(self, kl: Float[Tensor, " d"]) -> Float[Tensor, " l"]:
        """The sum of what latents are charged over each of the layers."""
        return torch.stack([part.sum() for part in kl.split([layer.size for layer in self.layers])])

    def weight(self, beta: float | Tensor) -> float | Tensor:
        """The KL's weight where the recipe has it as `beta`: that times what was learnt, if anything is."""
        return beta * self.balance if self.config.target_mse else beta

    def nll(self, logits: Float[Tensor, "n p h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """`likelihood.nll`, nats an image; in training a learnt noise is first fitted to the batch.

        And a learnt weight of the KL takes a step.
        """
        if self.training and self.config.target_mse:
            self._rebalance(batch_mean((self.likelihood.mean(logits.detach()) - x).square()))
        if not self.training or not isinstance(self._likelihood, Sigma):
            return self.likelihood.nll(logits, x)
        noise = self._likelihood.noise_of(logits, x)
        # A plain mean at first, then an exponential one; all on the device, since a step waits for nothing.
        seen = rows_of_all(len(x))
        self.noise_images += seen
        self.noise_variance.lerp_(noise, seen / self.noise_images.clamp(max=max(seen, NOISE_WINDOW)))
        return replace(self._likelihood, noise_variance=noise).nll(logits, x)

    def _rebalance(self, mse: Float[Tensor, ""]) -> None:
        """Moves the KL's weight by a batch's squared error, on the device, since a step waits for nothing."""
        self.balance_steps += 1
        off = torch.log(mse / self.config.target_mse).clamp(-1, 1)
        self.off_target.lerp_(off, 1 / self.balance_steps.clamp(max=BALANCE_MEMORY))
        self.balance.mul_(torch.exp(-BALANCE_RATE * self.off_target)).clamp_(*BALANCE_RANGE)

    def decode(self, z: Float[Tensor, "n d"], labels: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n c h w"]:
        """The mean of p(x|z) as an image, in [0, 1]; `labels` as for `logits`."""
        return self.likelihood.mean(self.logits(z, labels))

    def draw_pixels(
        self,
        z: Float[Tensor, "n d"],
        labels: Int[Tensor, " n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """One draw x ~ p(x|z) of each image, `Likelihood.sample`; the generator is one of the CPU."""
        return self.likelihood.sample(self.logits(z, labels), generator)


Family = TypeVar("Family", bound=type[LatentModel])


def register(family: Family) -> Family:
    """Adds a model family, as a decorator of its class: all that makes it a choice everywhere."""
    FAMILIES.register(family.family, family.label, family.help, listed=family.trains)(family)
    return family
