"""Measures of codes: what they tell of an image and of its class, and whether together they follow the prior."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from explorer.evaluation.subject import NotMeasured, Subject
from explorer.models import LatentModel, Posterior

NEIGHBOURS = 5  # that vote on a code's class
_DRAWN = 1000  # codes by which information is estimated
_BLOCK = 20_000_000  # numbers at a time: 80 MB


def information(subject: Subject) -> dict[str, float]:
    """Measures the two parts of the average KL, in nats: what a code tells of its image, and the aggregate's KL."""
    if not subject.model.has_prior:
        raise NotMeasured("The model has no prior.")
    if not subject.posteriors[0].independent:
        raise NotMeasured("A latent depends on others, so each pair of code and image would be a way of its own.")
    if torch.isneginf(subject.posteriors[0].logvar).all():
        raise NotMeasured("An image has one code, and no density that could be compared.")
    generator = torch.Generator().manual_seed(subject.seed)
    own, other = parts_of_kl(subject.model.network, subject.posteriors, generator)
    return {"mutual_information": own, "marginal_kl": other}


@torch.inference_mode()
def parts_of_kl(model: LatentModel, posteriors: Sequence[Posterior], generator: torch.Generator) -> tuple[float, float]:
    """The mutual information of an image's index and its code, and the KL of the aggregate posterior from the prior.

    Hoffman & Johnson 2016, "ELBO surgery", eq. 5; Chen et al. 2018, arXiv:1802.04942, eq. 2: the average KL of N
    posteriors from the prior is I(n; z) + KL(q(z) || p(z)) with q(z) = 1/N sum_n q(z|x_n). Both are means over a draw
    z of up to `_DRAWN` posteriors, with q(z) of all N: so the first is at most log N. `posteriors` come in batches;
    the generator is one of the CPU.
    """
    drawn, own = [], []
    for batch in posteriors:
        z = batch.sample(torch.randn(batch.mean.shape, generator=generator).to(batch.mean.device))
        drawn.append(z)
        own.append(batch.log_prob(z).sum(1))
    count = sum(map(len, drawn))
    rows = torch.randperm(count, generator=generator)[:_DRAWN].to(drawn[0].device)
    z = torch.cat(drawn)[rows]
    aggregate = torch.full((len(z),), -math.inf, device=z.device)
    for batch in posteriors:
        blocks = z.split(max(1, _BLOCK // batch.mean.numel()))
        of_batch = torch.cat([batch.log_prob(block[:, None]).sum(2).logsumexp(1) for block in blocks])
        aggregate = torch.logaddexp(aggregate, of_batch)
    aggregate -= math.log(count)
    return float((torch.cat(own)[rows] - aggregate).double().mean()), float(
        (aggregate - model.log_prior(z)).double().mean()
    )


def classification(subject: Subject) -> dict[str, float]:
    """Measures how often a class is told by codes alone: by a linear probe, and by the nearest codes."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels, known = subject.test.labels, subject.train_labels
    if labels is None or known is None:
        raise NotMeasured("These images have no classes.")
    if len(known.unique()) < 2:
        raise NotMeasured("These images are of one class.")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    votes = KNeighborsClassifier(min(NEIGHBOURS, len(known)))

    def accuracy(classifier: object) -> float:
        classifier.fit(subject.train_codes.numpy(), known.numpy())  # type: ignore[attr-defined]
        return float(classifier.score(subject.codes.numpy(), labels.numpy()))  # type: ignore[attr-defined]

    return {"probe_accuracy": accuracy(probe), "knn_accuracy": accuracy(votes)}
