"""What is measured: a model with the images of its training and test sets, and what several measures share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer import datasets
from explorer.checkpoints.model import Model
from explorer.datasets import ImageDataset
from explorer.evaluation.classifier import Trained, classifier_of
from explorer.models import Posterior
from explorer.models.evaluation import Evaluation, log_likelihood, to_float

MOST_KNOWN = 10_000  # training images whose codes and classes teach a probe
_BATCH = 1000  # images at a time
SAMPLES = 5000  # that are drawn at most, and compared with as many test images

NO_ELBO = ("The model has no prior.", "Nobody has said what the model's likelihood is.")

Progress = Callable[[str, int, int | None], None]
"""Is called with what is going on, how much of it is done, and how much there is."""


class NotMeasured(Exception):
    """A measure that a model, or its data, does not have: the message says in one sentence why."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, its data, and how thoroughly it is measured.

    Attributes:
        model: the model.
        train, test: the images of both splits; of a model of one class those of that class.
        draws: of z for the importance-weighted log-likelihood of an image; None leaves that out.
        seed: of everything random.
        progress: hears how far a long measure is.
    """

    model: Model
    train: ImageDataset
    test: ImageDataset
    draws: int | None = None
    seed: int = 0
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.draws is not None and self.draws < 1:
            raise ValueError(f"k must be at least 1, not {self.draws}")

    @classmethod
    def of(
        cls,
        model: Model,
        dataset: str | None = None,
        *,
        root: str | os.PathLike[str] | None = None,
        draws: int | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Subject:
        """Loads the data, by default those that the model was trained on.

        Raises:
            DatasetError: they are missing or damaged.
            ValueError: fewer than one draw is asked for.
        """
        own, channels = model.info.config["dataset"], model.image_shape[0]
        name = dataset or own["name"]

        def split(which: str) -> ImageDataset:
            found = datasets.load(name, which, root=root, size=model.image_shape[1:], channels=channels)
            only = own.get("only") if name == own["name"] else None
            return found if only is None else found.subset(found.positions_of(only))

        return cls(model, split("train"), split("test"), draws, seed, progress)

    def labels(self, data: ImageDataset) -> Int[Tensor, " n"] | None:
        """The labels of a split, where its classes are the model's."""
        return data.labels if data.classes == self.model.classes else None

    @cached_property
    def evaluation(self) -> Evaluation:
        """The terms of the ELBO of the test images."""
        return self.model.evaluate(self.test.images, self.labels(self.test), seed=self.seed)

    @cached_property
    def log_likelihood(self) -> Float[Tensor, " n"]:
        """The importance-weighted bound on log p(x) of each test image, nats.

        Raises:
            NotMeasured: there is none, or nobody asks for it.
        """
        if not self.model.has_elbo:
            raise NotMeasured(NO_ELBO[self.model.has_prior])
        if self.draws is None:
            raise NotMeasured("Draws were not asked for: --k 500 takes 500 of each image.")
        if self.model.conditional and self.labels(self.test) is None:
            raise NotMeasured("The decoder is told a class, and these images have none of its classes.")
        return log_likelihood(
            self.model.network,
            self.test.images,
            self.labels(self.test),
            samples=self.draws,
            seed=self.seed,
            progress=self._says("log-likelihood"),
        )

    @cached_property
    def posteriors(self) -> list[Posterior]:
        """The posteriors of the test images, in batches, of the model's own kind."""
        network, device = self.model.network, self.model.device
        with torch.inference_mode():
            return [network.posterior(to_float(batch, device)) for batch in self.test.images.split(_BATCH)]

    @cached_property
    def codes(self) -> Float[Tensor, "n d"]:
        """The code of each test image, its posterior's mean, on the CPU."""
        return torch.cat([posterior.mean.cpu() for posterior in self.posteriors])

    @cached_property
    def _known(self) -> ImageDataset:
        """The training images that codes are judged by: MOST_KNOWN at random, or all."""
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(self.seed))
        return self.train.subset(order[:MOST_KNOWN].sort().values)

    @cached_property
    def train_codes(self) -> Float[Tensor, "m d"]:
        """The codes of those training images."""
        return self.model.encode(self._known.images).mean

    @property
    def train_labels(self) -> Int[Tensor, " m"] | None:
        """Their labels."""
        return self._known.labels

    @property
    def train_factors(self) -> dict[str, Tensor] | None:
        """Their factors."""
        return self._known.factors

    @cached_property
    def _chosen(self) -> Int[Tensor, " n"]:
        """The test images that samples are compared with: SAMPLES at random, or all."""
        order = torch.randperm(len(self.test), generator=torch.Generator().manual_seed(self.seed))
        return order[:SAMPLES].sort().values

    @cached_property
    def _classifier(self) -> Trained:
        found = classifier_of(self.test.name)
        if found is None:
            raise NotMeasured(f"There is no classifier for the images of {self.test.name}.")
        if found.network.image_shape != self.model.image_shape:
            sides = " x ".join(map(str, found.network.image_shape[1:]))
            raise NotMeasured(f"The classifier for {self.test.name} takes images of {sides} pixels.")
        return found

    @cached_property
    def real_features(self) -> Float[Tensor, "n f"]:
        """Of SAMPLES test images the features of the data set's classifier. Raises NotMeasured where there is none."""
        return self._classifier.embed(self.test.images[self._chosen])

    @cached_property
    def train_features(self) -> Float[Tensor, "n f"]:
        """The same of all training images."""
        return self._classifier.embed(self.train.images)

    @cached_property
    def sample_features(self) -> Float[Tensor, "n f"]:
        """The same of as many samples, rounded to 8 bits; of a model that is told a class those of the test images."""
        if not self.model.has_prior:
            raise NotMeasured("The model has no prior to draw from.")
        classifier, labels = self._classifier, self.labels(self.test)
        labels = labels[self._chosen] if labels is not None and self.model.config.classes else None
        drawn = self.model.sample(len(self._chosen), seed=self.seed, labels=labels)
        return classifier.embed((drawn * 255).round().to(torch.uint8))

    def _says(self, what: str) -> Callable[[int, int | None], None]:
        return lambda done, of: None if self.progress is None else self.progress(what, done, of)
