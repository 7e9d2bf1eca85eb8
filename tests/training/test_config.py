"""A recipe's fields: what they may hold, what they say of themselves, how beta warms up."""

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.training.config import GROUPS, Recipe, beta_at
from explorer.training.presets import PRESETS, preset

FIELDS = {f.name: f for f in dataclasses.fields(Recipe)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("family", "gan"),
        ("network", "transformer"),
        ("likelihood", "poisson"),
        ("output", "tanh"),
        ("optimizer", "sgd"),
        ("schedule", "linear"),
        ("init", "zeros"),
        ("init", ["xavier"]),
        ("latent", 0),
        ("latent", 4097),
        ("latent", 2.5),
        ("latent", "2"),
        ("latent", True),
        ("encoder", ()),
        ("encoder", (0,)),
        ("encoder", (10**9,)),
        ("encoder", 256),
        ("encoder", "256"),
        ("decoder", (128, -1)),
        ("decoder", (1.5,)),
        ("decoder", (True,)),
        ("batch_norm", 1),
        ("batch_norm", "yes"),
        ("batch_norm", None),
        ("learning_rate", 0.0),
        ("learning_rate", 1e-13),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("learning_rate", 10**400),
        ("learning_rate", None),
        ("learning_rate", True),
        ("decay", -1e-9),
        ("decay", math.inf),
        ("noise_variance", -0.5),
        ("noise_variance", 1e-10),
        ("beta", -1.0),
        ("beta", math.nan),
        ("beta", math.inf),
        ("warmup_epochs", -1),
        ("warmup_epochs", 2.5),
        ("warmup_epochs", 11),  # of 10
        ("warmup_share", -0.1),
        ("warmup_share", 1.1),
        ("warmup_share", math.nan),
        ("free_bits", -0.1),
        ("free_bits", math.inf),
        ("batch_size", 0),
        ("batch_size", 65_537),
        ("epochs", 0),
        ("epochs", 100_001),
        ("epochs", 10**9),
    ],
)
def test_a_bad_value_is_named_in_one_sentence_that_says_what_to_do(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be ") as caught:
        Recipe(**{name: value})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"output": "linear"}, "set output to sigmoid, or likelihood to gaussian or sigma"),
        ({"network": "conv", "encoder": (16, 32)}, "the same number of layers in a conv network, not 2 and 1"),
        ({"warmup_epochs": 2, "warmup_share": 0.5}, "set one of them and leave the other at 0"),
        ({"warmup_epochs": 6, "epochs": 5}, "warmup_epochs must be at most epochs, which are 5, not 6"),
        ({"batch_norm": True, "batch_size": 1}, "batch_size must be at least 2 with batch_norm"),
    ],
)
def test_what_does_not_go_together(settings, reason):
    with pytest.raises(ValueError, match=reason):
        Recipe(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"output": "linear", "likelihood": "gaussian"},
        {"output": "linear", "likelihood": "sigma"},
        {"warmup_epochs": 5, "epochs": 5},
        {"warmup_share": 1.0},
        {"batch_norm": True, "batch_size": 2},
    ],
)
def test_what_does_go_together(settings):
    assert dataclasses.replace(Recipe(), **settings) == Recipe(**settings)


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if "minimum" in f.metadata or "maximum" in f.metadata])
def test_the_bounds_that_a_form_is_told_are_those_that_are_kept(name):
    field = FIELDS[name]
    many = str(field.type).startswith("tuple")
    others = {"epochs": 100_000, "batch_size": 2} | ({"epochs": 10} if name == "epochs" else {})

    def made(value):
        return getattr(Recipe(**{**others, name: (value,) if many else value}), name)

    for bound, beyond in (("minimum", -1), ("maximum", 1)):
        if (limit := field.metadata.get(bound)) is not None:
            assert made(limit) == ((limit,) if many else limit)
            step = beyond if isinstance(limit, int) else beyond * max(abs(limit), 1e-9) / 2
            with pytest.raises(ValueError, match=rf"^{name} must be "):
                made(limit + step)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_says_what_a_form_needs(name):
    metadata = FIELDS[name].metadata
    assert metadata["group"] in GROUPS
    assert re.fullmatch(r"[A-Z][A-Za-z -]*(, [a-z]+)?", metadata["label"])
    assert metadata["help"][0].isupper()
    assert not metadata["help"].endswith(".")  # the command line goes on after it
    assert "%" not in metadata["help"]  # which argparse would take for a placeholder
    assert FIELDS[name].default in metadata.get("choices", [FIELDS[name].default])
    if name != "beta":
        assert ". " not in metadata["help"]


def test_labels_are_told_apart():
    assert len({f.metadata["label"] for f in FIELDS.values()}) == len(FIELDS)
    assert {f.metadata["group"] for f in FIELDS.values()} == set(GROUPS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_recipe_comes_back_from_json(name):
    recipe = preset(name).recipe
    assert Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


STORED = sorted((Path(__file__).parents[2] / "checkpoints").glob("*/config.json"))


@pytest.mark.parametrize("file", STORED, ids=[file.parent.name for file in STORED])
def test_the_recipe_of_a_shipped_checkpoint_is_what_it_was(file):
    """Some were stored before there were batch norm, warm-up, free bits, decay and outputs."""
    stored = json.loads(file.read_text())["recipe"]
    recipe = dataclasses.asdict(Recipe(**stored))
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in recipe.items() if k in stored} == stored
    general = [f.name for f in dataclasses.fields(Recipe) if not f.metadata.get("of_family")]
    added = {k: recipe[k] for k in general if k not in stored}
    defaults = {
        "batch_norm": False,
        "output": "sigmoid",
        "warmup_epochs": 0,
        "warmup_share": 0.0,
        "free_bits": 0.0,
        "decay": 0.0,
        "binarise": False,
        "mixture_components": 5,
        "patience": 0,
        "keep_best": False,
    }
    assert added.items() <= defaults.items()


def test_whole_numbers_will_do_for_numbers():
    recipe = Recipe(beta=4, learning_rate=1, decay=0)
    assert (recipe.beta, recipe.learning_rate, recipe.decay) == (4.0, 1.0, 0.0)
    assert {type(recipe.beta), type(recipe.learning_rate), type(recipe.decay)} == {float}


@st.composite
def warming(draw):
    """A recipe with a warm-up of either kind, and its length in epochs."""
    epochs = draw(st.integers(1, 1000))
    beta = draw(st.just(0.0) | st.floats(1e-9, 1e6))
    if draw(st.booleans()):
        length = draw(st.integers(1, epochs))
        return Recipe(epochs=epochs, beta=beta, warmup_epochs=length), float(length)
    share = draw(st.floats(1e-3, 1))
    return Recipe(epochs=epochs, beta=beta, warmup_share=share), share * epochs


@given(warming(), st.floats(0, 1), st.floats(0, 1))
def test_beta_grows_evenly_and_then_stays(warming, one, other):
    recipe, length = warming
    early, late = sorted((one * 2 * length, other * 2 * length))
    assert 0 <= beta_at(recipe, early) <= beta_at(recipe, late) <= recipe.beta
    assert beta_at(recipe, early) == pytest.approx(recipe.beta * min(early / length, 1))
    # Continuous: no two epochs are further apart in beta than its slope says.
    slope = recipe.beta / length
    assert beta_at(recipe, late) - beta_at(recipe, early) <= slope * (late - early) * (1 + 1e-9) + 1e-9 * recipe.beta
    assert beta_at(recipe, 0) == 0
    assert beta_at(recipe, length) == recipe.beta


@given(st.floats(0, 1e6), st.floats(0, 1e5))
def test_without_a_warm_up_beta_is_itself_from_the_first_step(beta, epoch):
    assert beta_at(Recipe(beta=beta), epoch) == beta
