"""Measures of disentanglement, for data whose factors are known: MIG and DCI."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from explorer.evaluation.subject import NotMeasured, Subject

BINS = 20  # of a latent: Locatello et al. 2019, appendix C, measure information by so many
_TREES = 30


def mutual_information_gap(subject: Subject) -> dict[str, float]:
    """Measures how much more the best latent tells of a factor than the next best, a share of all there is to tell."""
    _, (codes, factors) = _split(subject)
    return {"mig": mig(codes, factors)}


def disentanglement(subject: Subject) -> dict[str, float]:
    """Measures DCI: of what a random forest needs to predict each factor from codes, and how often it is right."""
    from sklearn.ensemble import RandomForestClassifier

    (codes, factors), (test_codes, test_factors) = _split(subject)
    importances, right = [], []
    for known, asked in zip(factors.T, test_factors.T, strict=True):
        forest = RandomForestClassifier(_TREES, random_state=subject.seed).fit(codes, known)
        importances.append(forest.feature_importances_)
        right.append(forest.score(test_codes, asked))
    d, c = disentanglement_and_completeness(np.stack(importances, 1))
    return {"disentanglement": d, "completeness": c, "informativeness": float(np.mean(right))}


def mig(codes: np.ndarray, factors: np.ndarray) -> float:
    """The mutual information gap of codes [N, D] and whole-numbered factors [N, F]: Chen et al. 2018, eq. 6.

    arXiv:1802.04942. The information of a latent, in BINS bins of equal width, and a factor is that of their joint
    histogram; the gap between the largest and the next is a share of the factor's entropy, averaged over factors.
    Raises NotMeasured where no factor varies.
    """
    informations = np.array([[_information(_binned(z), v) for z in codes.T] for v in factors.T])  # [F, D]
    if informations.shape[1] == 1:
        informations = np.pad(informations, ((0, 0), (0, 1)))
    ordered = np.sort(informations, 1)
    entropies = np.array([_information(v, v) for v in factors.T])
    varies = entropies > 1e-9
    if not varies.any():
        raise NotMeasured("No factor of these images varies.")
    return float(((ordered[:, -1] - ordered[:, -2])[varies] / entropies[varies]).mean())


def disentanglement_and_completeness(importances: np.ndarray) -> tuple[float, float]:
    """Disentanglement and completeness of importances [D, F]: Eastwood & Williams 2018, section 2.

    A latent is disentangled as its importances are for one factor: 1 less the entropy of their shares, to base F. The
    average weighs latents by their importance. A factor is represented completely as they are of one latent.
    """
    return _concentration(importances), _concentration(importances.T)


def _concentration(importances: np.ndarray) -> float:
    total, several = importances.sum(1), importances.shape[1]
    if several == 1 or total.sum() == 0:
        return float(several == 1)
    shares = importances / np.where(total > 0, total, 1)[:, None]
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1) / np.log(several)
    return float(((1 - entropy) * total).sum() / total.sum())


def _binned(z: np.ndarray) -> np.ndarray:
    z = z.astype(np.float64)  # bins of a latent that hardly varies are narrower than float32 can tell
    return np.digitize(z, np.histogram_bin_edges(z, BINS)[1:-1])


def _information(a: np.ndarray, b: np.ndarray) -> float:
    """The mutual information of two discrete variables [N], in nats, of their joint histogram."""
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1 / len(a))
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / independent[seen])).sum())


def _split(subject: Subject) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Codes [N, D] and factors [N, F] of training and test images."""
    known, asked = subject.train_factors, subject.test.factors
    if known is None or asked is None:
        raise NotMeasured("Nobody knows the factors of these images.")

    def table(factors: Mapping[str, object]) -> np.ndarray:
        return np.stack([np.asarray(values) for values in factors.values()], 1)

    return (subject.train_codes.numpy(), table(known)), (subject.codes.numpy(), table(asked))
