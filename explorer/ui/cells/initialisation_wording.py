"""What the comparison of first weights shows, in sentences made of its numbers."""

from __future__ import annotations

import math

from explorer.cells.initialisation import Comparison, LayerScale
from explorer.training.presets import preset
from explorer.ui.wording import number

NAMES = {"xavier": "Xavier", "kaiming": "Kaiming"}


def outcomes(found: Comparison) -> list[str]:
    """What became of Xavier and Kaiming: haze, grain, ELBO.

    Nothing is concluded here or in `reasons` that the numbers do not say: with others the sentences are others.
    """
    return [_haze(found), _grain(found), _elbo(found)]


def reasons(found: Comparison) -> list[str]:
    """How it came about, layer by layer."""
    one, other = found.courses.values()
    widest = _widest(found)
    first, last = (one.start[widest], other.start[widest]), (one.end[widest], other.end[widest])
    return [
        _start(first, *found.courses),
        _gradients(found),
        *([_NORM] if found.model.batch_norm else []),
        *_reach(found, first[0]),
        _end(first, last, len(one.history), *found.courses),
    ]


def _widest(found: Comparison) -> int:
    """The layer whose values differ most at the start."""
    pairs = list(zip(*(course.start for course in found.courses.values()), strict=True))
    return max(range(len(pairs)), key=lambda i: abs(math.log(_ratio(pairs[i]))))


def _ratio(pair: tuple[LayerScale, LayerScale]) -> float:
    return pair[1].activation / pair[0].activation


def _times(factor: float) -> str:
    return f"{factor:.1f} times"


def _start(pair: tuple[LayerScale, LayerScale], one: str, other: str) -> str:
    (low, _), (high, larger) = sorted([(pair[0].activation, one), (pair[1].activation, other)])
    layer = pair[0]
    inputs, both = layer.fan_in, layer.fan_in + layer.fan_out
    return (
        f"**At the start** the two differ most in the layer “{layer.name}”: under {NAMES[larger]} its values spread "
        f"{_times(high / low)} as far ({high:#.3g} against {low:#.3g}). Kaiming sizes a weight by the layer's inputs "
        f"alone ({inputs:,}), Xavier by inputs and outputs together ({both:,}), so that Kaiming's weights are "
        f"√({both:,} / {inputs:,}) = {_times(math.sqrt(both / inputs))} as large."
    )


def _gradients(found: Comparison) -> str:
    (one, a), (other, b) = found.courses.items()

    def span(before: list[LayerScale], after: list[LayerScale]) -> str:
        ratios = [y.gradient / x.gradient for x, y in zip(before, after, strict=True)]
        return f"{min(ratios):.1f} to {max(ratios):.1f}"

    return (
        f"**Gradients** by layer are {span(a.start, b.start)} times as large under {NAMES[other]} as under "
        f"{NAMES[one]} at the start, and {span(a.end, b.end)} times after {len(a.history)} epochs."
    )


_NORM = (
    "**Batch norm** follows each hidden layer and divides by the spread that it finds. So the size of those layers' "
    "weights hardly reaches what comes after them; the layers without it (mean, log variance, output) pass it on."
)


def _reach(found: Comparison, layer: LayerScale) -> list[str]:
    """Why a large start lasts, where it does: what Adam can move a weight by in all, next to where weights start.

    An effective step is about the learning rate at most (Kingma & Ba 2015, arXiv:1412.6980, section 2.1). Weights are
    uniform within ±√(6 / (inputs + outputs)) under Xavier (Glorot & Bengio 2010, eq. 16) and ±√(6 / inputs) under
    Kaiming (He et al. 2015, eq. 10, for a uniform distribution).
    """
    recipe = preset(found.preset).recipe
    steps = math.ceil(found.dataset["train_images"] / recipe.batch_size)
    reach = sum(steps * row["learning_rate"] for row in found.courses["kaiming"].history)
    xavier, kaiming = math.sqrt(6 / (layer.fan_in + layer.fan_out)), math.sqrt(6 / layer.fan_in)
    if recipe.optimizer != "adam" or not xavier < reach < kaiming:
        return []
    return [
        f"**Why it lasts.** A step of Adam moves a weight by about the learning rate at most, so all steps of this run "
        f"together by about {reach:.2f}. The weights of “{layer.name}” start anywhere within ±{xavier:.3f} under "
        f"Xavier and within ±{kaiming:.2f} under Kaiming: the larger of Kaiming's are out of reach."
    ]


def _end(
    first: tuple[LayerScale, LayerScale], last: tuple[LayerScale, LayerScale], epochs: int, one: str, other: str
) -> str:
    (low, _), (high, larger) = sorted([(last[0].activation, one), (last[1].activation, other)])
    return (
        f"**After {epochs} epochs** the values of that layer spread {_times(high / low)} as far under {NAMES[larger]} "
        f"({high:#.3g} against {low:#.3g}); at the start the factor was {max(_ratio(first), 1 / _ratio(first)):.1f}."
    )


def _elbo(found: Comparison) -> str:
    one, other = found.courses
    gaps = [
        b["test"]["elbo"] - a["test"]["elbo"]
        for a, b in zip(found.courses[one].history, found.courses[other].history, strict=True)
    ]
    finals = [found.result(other, seed).elbo - found.result(one, seed).elbo for seed in found.seeds]
    text = (
        f"**The ELBO** of {NAMES[other]} on unseen patients is {_apart(gaps[0])} than that of {NAMES[one]} after the "
        f"first epoch and {_apart(gaps[-1])} after the last."
    )
    if len(finals) > 1:
        low, high = _signed(min(finals)), _signed(max(finals))
        text += f" Over {len(finals)} seeds the last difference runs from {low} to {high} nats."
    return text


def _apart(gap: float) -> str:
    return f"{number(abs(gap))} nats {'lower' if gap < 0 else 'higher'}"


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{number(value)}"


def _haze(found: Comparison) -> str:
    """Whether the figures bear out that cells from Kaiming weights are hazier: by the steepness of outlines."""
    one, other = found.courses
    votes = [
        getattr(found.result(other, seed), kind).edge < getattr(found.result(one, seed), kind).edge
        for kind in ("generated", "reconstructed")
        for seed in found.seeds
    ]
    seeds = "from the one seed" if len(found.seeds) == 1 else f"from each of {len(found.seeds)} seeds"
    if all(votes):
        verdict = f"So do we: {seeds} its outlines are less steep, in generated cells and in reconstructions."
    elif not any(votes):
        verdict = f"We find the opposite: {seeds} its outlines are at least as steep, generated and reconstructed."
    else:
        verdict = (
            f"Our figures do not settle it: its outlines are less steep in {sum(votes)} of {len(votes)} comparisons."
        )
    a, b = found.result(one).generated.edge, found.result(other).generated.edge
    return (
        f"**Haze.** The write-up finds {NAMES[other]} hazier than {NAMES[one]}. {verdict} The steepness of generated "
        f"outlines is {b:.3f} against {a:.3f}; that of real cells is {found.real.edge:.3f}."
    )


def _grain(found: Comparison) -> str:
    """What there is of small dark things, and whether it can be what real cells have."""
    one, other = found.courses
    widest = _widest(found)
    layer = found.courses[one].start[widest].name
    left = {init: course.kept[widest] for init, course in found.courses.items()}
    spots, real = {init: found.result(init).generated.spots for init in found.courses}, found.real.spots
    text = (
        f"**Grain.** Small dark spots measure {spots[one]:.2f} in the generated cells of {NAMES[one]}, "
        f"{spots[other]:.2f} in those of {NAMES[other]} and {real:.2f} in real ones."
    )
    noisy = [init for init in found.courses if spots[init] > real and left[init] > 0.5]
    if noisy:
        text += (
            " More than real cells have cannot be granules: it is static of the first weights. Of those of "
            f"“{layer}” {left[one]:.2f} is left under {NAMES[one]} and {left[other]:.2f} under {NAMES[other]} (the "
            "cosine between first and last: 1 is unchanged, 0 forgotten). The spectrum takes static for detail, so by "
            f"it {' and '.join(NAMES[init] for init in noisy)} cannot be called sharper."
        )
    return text
