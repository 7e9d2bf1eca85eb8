"""Schedules against torch's own and against Keras' formula, step by step."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from explorer.models import ModelConfig, build
from explorer.training.config import Recipe
from explorer.training.optimizer import learning_rate, make_optimizer

RATE = 0.5
SCHEDULES = ("constant", "cosine", "one-cycle", "halved")


def sgd():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


def rates_of(scheduler, n):
    """The rate at each of n steps."""
    found = []
    for _ in range(n):
        found.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        if len(found) < n:  # OneCycleLR refuses a step beyond its last
            scheduler.step()
    return found


def ours(recipe, steps):
    return [learning_rate(recipe, e + s / steps, steps) for e in range(recipe.epochs) for s in range(steps)]


def test_a_constant_rate_is_constant():
    recipe = Recipe(epochs=10, learning_rate=RATE)
    assert {learning_rate(recipe, e) for e in (0, 0.5, 10)} == {RATE}


def test_the_cosine_runs_from_the_whole_rate_to_a_hundredth():
    recipe = Recipe(schedule="cosine", epochs=10, learning_rate=RATE)
    assert learning_rate(recipe, 0) == pytest.approx(RATE)
    assert learning_rate(recipe, 5) == pytest.approx(RATE * (0.01 + 0.99 / 2))
    assert learning_rate(recipe, 10) == pytest.approx(0.005)
    assert learning_rate(recipe, 11) == pytest.approx(0.005)


@pytest.mark.parametrize("steps", [1, 7, 32])
def test_the_cosine_is_that_of_torch(steps):
    recipe = Recipe(schedule="cosine", epochs=10, learning_rate=RATE)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(sgd(), 10 * steps, eta_min=RATE / 100)
    assert ours(recipe, steps) == pytest.approx(rates_of(theirs, 10 * steps))


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (1, 3), (1, 10), (2, 5), (10, 1), (7, 32), (3, 469)])
def test_one_cycle_is_that_of_torch_at_every_step(epochs, steps):
    recipe = Recipe(schedule="one-cycle", epochs=epochs, learning_rate=RATE)
    theirs = torch.optim.lr_scheduler.OneCycleLR(sgd(), max_lr=RATE, epochs=epochs, steps_per_epoch=steps)
    assert ours(recipe, steps) == pytest.approx(rates_of(theirs, epochs * steps), rel=1e-9)


def test_one_cycle_rises_over_three_tenths_and_ends_far_below_its_start():
    recipe = Recipe(schedule="one-cycle", epochs=10, learning_rate=RATE)
    rates = ours(recipe, 100)
    assert rates[0] == pytest.approx(RATE / 25)
    assert rates.index(max(rates)) == 299
    assert max(rates) == pytest.approx(RATE)
    assert rates[-1] == pytest.approx(RATE / 25e4)
    assert rates[:300] == sorted(rates[:300])
    assert rates[299:] == sorted(rates[299:], reverse=True)


def test_halved_is_that_of_torch_after_every_epoch():
    recipe = Recipe(schedule="halved", epochs=12, learning_rate=RATE)
    theirs = torch.optim.lr_scheduler.StepLR(sgd(), step_size=1, gamma=0.5)
    expected = rates_of(theirs, 12)
    assert ours(recipe, 9) == pytest.approx([rate for rate in expected for _ in range(9)])
    assert learning_rate(Recipe(schedule="halved", epochs=100_000), 99_999.5, 600) == 0.0


@pytest.mark.parametrize("steps", [1, 600])
def test_decay_is_that_of_keras(steps):
    # keras.optimizers.legacy: lr * 1 / (1 + decay * iterations), iterations counted from 0.
    recipe = Recipe(epochs=3, learning_rate=RATE, decay=1e-2)
    theirs = torch.optim.lr_scheduler.LambdaLR(sgd(), lambda iteration: 1 / (1 + 1e-2 * iteration))
    assert ours(recipe, steps) == pytest.approx(rates_of(theirs, 3 * steps))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_decay_comes_on_top_of_a_schedule(schedule):
    recipe, plain = (Recipe(schedule=schedule, epochs=4, decay=decay) for decay in (1e-3, 0.0))
    for epoch in (0.0, 0.3, 1.7, 4.0):
        expected = learning_rate(plain, epoch, 50) / (1 + 1e-3 * 50 * epoch)
        assert learning_rate(recipe, epoch, 50) == pytest.approx(expected)


recipes = st.builds(
    Recipe,
    schedule=st.sampled_from(SCHEDULES),
    epochs=st.integers(1, 100_000),
    learning_rate=st.floats(1e-12, 1e6),
    decay=st.floats(0, 1e3),
)


@given(recipes, st.floats(0, 1), st.integers(1, 10**6))
def test_a_rate_is_never_negative_and_never_more_than_the_recipes(recipe, progress, steps):
    rate = learning_rate(recipe, progress * recipe.epochs, steps)
    assert 0 <= rate <= recipe.learning_rate * (1 + 1e-12)
    assert math.isfinite(rate)


@given(st.integers(1, 200), st.integers(1, 500), st.data())
def test_one_cycle_has_no_jump(epochs, steps, data):
    recipe = Recipe(schedule="one-cycle", epochs=epochs, learning_rate=1.0)
    step = data.draw(st.integers(0, epochs * steps - 1))
    a, b = (learning_rate(recipe, at / steps, steps) for at in (step, step + 1))
    # The steepest point of half a cosine from 0 to 1 over n steps has the slope pi / (2 n).
    rising = max(0.3 * epochs * steps - 1, 1e-9)
    assert abs(b - a) <= math.pi / 2 / min(rising, 0.7 * epochs * steps) + 1e-9


def tiny():
    sizes = {"image_shape": (1, 4, 4), "latent": 2, "encoder": (8,), "decoder": (8,)}
    return build(ModelConfig(family="vae", network="dense", likelihood="bernoulli", **sizes))


def test_rmsprop_has_the_constants_of_keras():
    group = make_optimizer(tiny(), Recipe(optimizer="rmsprop", learning_rate=1e-3)).param_groups[0]
    assert (group["lr"], group["alpha"], group["eps"], group["momentum"]) == (1e-3, 0.9, 1e-7, 0)


def test_adam_has_the_constants_of_its_paper():
    optimizer = make_optimizer(tiny(), Recipe(optimizer="adam", learning_rate=2e-3))
    group = optimizer.param_groups[0]
    assert isinstance(optimizer, torch.optim.Adam)
    assert (group["lr"], group["betas"], group["eps"]) == (2e-3, (0.9, 0.999), 1e-8)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_an_optimizer_has_every_weight(name):
    model = tiny()
    optimizer = make_optimizer(model, Recipe(optimizer=name))
    assert [id(p) for g in optimizer.param_groups for p in g["params"]] == [id(p) for p in model.parameters()]


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_steps_and_state_are_those_of_torch_bit_for_bit(name):
    torch.manual_seed(0)
    ours, theirs = torch.nn.Linear(7, 5), torch.nn.Linear(7, 5)
    theirs.load_state_dict(ours.state_dict())
    recipe = Recipe(optimizer=name, learning_rate=1e-2)
    if name == "adam":
        expected = torch.optim.Adam(theirs.parameters(), lr=1e-2, fused=True)
    else:
        expected = torch.optim.RMSprop(theirs.parameters(), lr=1e-2, alpha=0.9, eps=1e-7)
    optimizer = make_optimizer(ours, recipe)
    for step in range(6):
        x = torch.randn(4, 7)
        for network, by in ((ours, optimizer), (theirs, expected)):
            by.zero_grad(set_to_none=True)
            assert all(p.grad is None for p in network.parameters())
            network(x).square().sum().backward()
            by.step()
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
        assert all(p.requires_grad for p in ours.parameters())
        found, wanted = optimizer.state_dict(), expected.state_dict()
        assert found["param_groups"] == wanted["param_groups"]
        for i, slots in wanted["state"].items():
            assert set(slots) == set(found["state"][i])
            assert all(torch.equal(value, found["state"][i][slot]) for slot, value in slots.items())
        if step == 2:  # as a run that is resumed
            optimizer = make_optimizer(ours, recipe)
            optimizer.load_state_dict(copy.deepcopy(wanted))  # which keeps the tensors that it is given
