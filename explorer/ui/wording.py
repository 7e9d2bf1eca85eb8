"""Numbers, times and states of runs in words, the same on every screen."""

from __future__ import annotations

import math
from datetime import datetime

from explorer.checkpoints.model import Model
from explorer.latents.colours import GROUP
from explorer.runs import RunInfo

GROUPS = f"{GROUP}s"


def number(value: object) -> str:
    """A metric to one decimal, or a dash for none, for NaN and for what is no number."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return f"{value:,.1f}".replace("-", "−")


def nats(value: object) -> str:
    return f"{number(value)} nats"


def fit_name(model: Model) -> str:
    """What a model's images are compared by."""
    return "ELBO" if model.has_elbo else "Reconstruction" if model.has_likelihood else "Squared error"


def fit(model: Model, value: float) -> str:
    """The score of an image, or a difference of two: nats, or where the likelihood is not known squared errors."""
    return nats(value) if model.has_likelihood else number(abs(value))


def terms(model: Model, log_likelihood: float, kl: float) -> list[tuple[str, str, str]]:
    """Lists how well a model explains an image, as facts: the ELBO and its terms, or what there is of them."""
    kept = [("KL", nats(kl), "how much the code tells about this image, beyond the prior")] if model.has_prior else []
    if not model.has_likelihood:
        what = "summed over the image's values, each from 0 to 1: the lower, the closer the image"
        return [("Squared error", fit(model, log_likelihood), what), *kept]
    what = f"log p(x|z) at {'one draw of z' if model.has_prior else 'its code'}: the higher, the closer the image"
    kept = [("Reconstruction", nats(log_likelihood), what), *kept]
    if model.has_elbo:
        bound = "reconstruction − KL: a lower bound of the image's log-likelihood"
        kept = [("ELBO", nats(log_likelihood - kl), bound), *kept]
    return kept


def duration(seconds: float) -> str:
    """0:21, 12:05, 1:02:10."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def ago(then: datetime, now: datetime) -> str:
    """How long ago, roughly: 3 min ago, 2 days ago."""
    seconds = (now - then).total_seconds()
    if seconds < 45:
        return "just now"
    for size, name in ((86_400, "day"), (3600, "h"), (60, "min")):
        count = round(seconds / size)
        if seconds >= 0.9 * size:
            plural = "s" if name == "day" and count > 1 else ""
            return f"{count} {name}{plural} ago"
    return "1 min ago"


def counted(count: int, noun: str) -> str:
    """1 image, 2,000 images."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def epochs_text(count: int) -> str:
    return counted(count, "epoch")


def progress_share(info: RunInfo) -> float:
    """How much of a running run is done, 0 to 1."""
    progress = info.progress
    if progress is None or not progress.epochs or progress.phase == "starting":
        return 0.0
    if progress.phase != "training":
        return 1.0
    within = progress.step / progress.steps if progress.steps else 0.0
    return min(1.0, max(0.0, (progress.epoch - 1 + within) / progress.epochs))


def progress_text(info: RunInfo) -> str:
    """Where a running run stands, in a line."""
    progress = info.progress
    if progress is None or progress.phase == "starting":
        return "starting …"
    if progress.phase == "mapping":
        return "laying out the map …"
    if progress.phase == "saving":
        return "saving …"
    return f"epoch {progress.epoch} of {progress.epochs} · {duration(progress.seconds_left)} left"
