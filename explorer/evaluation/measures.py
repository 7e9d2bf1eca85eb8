"""All measures of a model: their names, units and sources, and how they are taken together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from explorer.evaluation import codes, factors, likelihoods, samples
from explorer.evaluation.subject import NotMeasured, Subject

Better = Literal["higher", "lower", ""]


class Measure(NamedTuple):
    """A figure: its name on screens and in tables, its unit, a clause on its meaning and source, and what is better."""

    label: str
    unit: str
    help: str
    better: Better = ""


MEASURES = {
    "log_likelihood": Measure(
        "log-likelihood",
        "nats",
        "importance-weighted bound on log p(x) by k draws, an average over images; Burda et al. 2016, "
        "arXiv:1509.00519, eq. 8",
        "higher",
    ),
    "bits_per_dim": Measure(
        "bits/dim",
        "bits",
        "at most so many bits name a value of an 8-bit image; of a density by uniform dequantisation, Theis et al. "
        "2016, arXiv:1511.01844, section 3.1",
        "lower",
    ),
    "mutual_information": Measure(
        "mutual information",
        "nats",
        "what a code tells of which test image it is of, at most log n; Hoffman & Johnson 2016, Chen et al. 2018, "
        "arXiv:1802.04942, eq. 2",
    ),
    "marginal_kl": Measure(
        "aggregate KL",
        "nats",
        "KL of the aggregate posterior of the test images from the prior: the rest of the average KL; likewise",
    ),
    "probe_accuracy": Measure(
        "linear probe",
        "",
        "how often a logistic regression on codes of training images tells the class of test images",
        "higher",
    ),
    "knn_accuracy": Measure("nearest codes", "", "how often the 5 nearest codes of training images do", "higher"),
    "frechet_distance": Measure(
        "Fréchet distance",
        "",
        "squared distance of samples from test images as Gaussians, in the features of a classifier of the data set; "
        "Dowson & Landau 1982, Heusel et al. 2017, arXiv:1706.08500",
        "lower",
    ),
    "precision": Measure(
        "precision",
        "",
        "share of samples that lie among test images in these features; Kynkäänniemi et al. 2019, arXiv:1904.06991",
        "higher",
    ),
    "recall": Measure("recall", "", "share of test images that lie among samples; likewise", "higher"),
    "memorisation": Measure(
        "memorisation",
        "",
        "how far a sample is from the nearest training image, over how far a test image is: medians, in these "
        "features; far below 1 samples are copies; Meehan et al. 2020, arXiv:2004.05675",
    ),
    "mig": Measure(
        "MIG",
        "",
        "how much more the best latent tells of a factor than the next, as a share of its entropy, averaged over "
        "factors; Chen et al. 2018, arXiv:1802.04942, eq. 6",
        "higher",
    ),
    "disentanglement": Measure(
        "disentanglement",
        "",
        "how far a latent is needed for one factor alone, by the importances of a random forest; Eastwood & Williams "
        "2018, section 2",
        "higher",
    ),
    "completeness": Measure("completeness", "", "how far a factor needs one latent alone; likewise", "higher"),
    "informativeness": Measure(
        "informativeness", "", "how often the forest predicts a factor of a test image", "higher"
    ),
}
"""What is measured besides the terms of the ELBO, by the name under `measures` in metrics.json."""

_PARTS: tuple[tuple[Callable[[Subject], dict[str, float]], tuple[str, ...]], ...] = (
    (likelihoods.bound, ("log_likelihood",)),
    (likelihoods.bits, ("bits_per_dim",)),
    (codes.information, ("mutual_information", "marginal_kl")),
    (codes.classification, ("probe_accuracy", "knn_accuracy")),
    (samples.closeness, ("frechet_distance", "precision", "recall")),
    (samples.memorisation, ("memorisation",)),
    (factors.mutual_information_gap, ("mig",)),
    (factors.disentanglement, ("disentanglement", "completeness", "informativeness")),
)


@dataclass(frozen=True)
class Measured:
    """What was measured: figures by name, in the order of MEASURES, and why the others are absent, a sentence each."""

    values: dict[str, float]
    absent: dict[str, str]
    subject: Subject

    def to_json(self) -> dict[str, Any]:
        """What metrics.json has under `measures`."""
        subject = self.subject
        where = {"dataset": subject.test.name, "split": subject.test.split, "n": len(subject.test)}
        return {
            **self.values,
            **({} if subject.draws is None else {"k": subject.draws}),
            "absent": self.absent,
            "measured_on": {**where, "device": str(subject.model.device), "seed": subject.seed},
        }


def measure(subject: Subject) -> Measured:
    """Takes every measure that the model and its data have."""
    values: dict[str, float] = {}
    absent: dict[str, str] = {}
    for take, names in _PARTS:
        try:
            values |= take(subject)
        except NotMeasured as reason:
            absent |= dict.fromkeys(names, str(reason))
    return Measured(values, absent, subject)
