"""Measures of likelihood: the ELBO and its terms, the importance-weighted bound, bits a dimension."""

from __future__ import annotations

import math

from explorer.evaluation.subject import NotMeasured, Subject


def bound(subject: Subject) -> dict[str, float]:
    """Measures the importance-weighted bound on log p(x), nats an image."""
    return {"log_likelihood": subject.log_likelihood.double().mean().item()}


def bits(subject: Subject) -> dict[str, float]:
    """Measures bits a dimension: what it takes to name an 8-bit image, over the number of its values.

    Of the tightest bound there is: the importance-weighted one where it is measured, else the ELBO.
    """
    try:
        nats = bound(subject)["log_likelihood"]
    except NotMeasured:
        if not subject.model.has_elbo:
            raise
        nats = float(subject.evaluation.metrics()["elbo"] or 0.0)
    config, likelihood = subject.model.config, subject.model.network.likelihood
    of_bytes = likelihood.log_prob_of_bytes(nats, config.pixels)
    if of_bytes is None:
        raise NotMeasured(f"A {config.likelihood} likelihood gives no probability to 8-bit values.")
    return {"bits_per_dim": -of_bytes / (config.pixels * math.log(2))}
