"""A beta that is learnt: the target for the squared error."""

import math

import pytest
import torch
from safetensors.torch import load, save

from explorer.models import ModelConfig, build
from explorer.models.base import BALANCE_MEMORY, BALANCE_RANGE, BALANCE_RATE
from explorer.models.evaluation import evaluate
from explorer.training.presets import TrainConfig

BUFFERS = {"balance", "off_target", "balance_steps"}


def made(family="vae", seed=0, **changes):
    torch.manual_seed(seed)
    sizes = {"image_shape": (1, 6, 5), "latent": 3, "encoder": (16,), "decoder": (16,), "target_mse": 0.05}
    return build(ModelConfig(**{"family": family, "network": "dense", "likelihood": "gaussian"} | sizes | changes))


def batches(n, size=32):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(size, 1, 6, 5, generator=generator) for _ in range(n)]


def test_the_weight_follows_the_algorithm():
    """Rezende & Viola's lines 6 to 11 in plain numbers, for one over their multiplier."""
    model = made(target_mse=0.07)
    average, weight = 0.0, 1.0
    for step, x in enumerate(batches(150), 1):
        terms = model.terms(x)
        mse = (model.likelihood.mean(terms.logits) - x).square().mean().item()
        off = min(max(math.log(mse / 0.07), -1), 1)
        average = off if step == 1 else average + (off - average) / min(step, BALANCE_MEMORY)
        weight *= math.exp(-BALANCE_RATE * average)
        assert float(model.off_target) == pytest.approx(average, rel=1e-4)
        assert float(model.weight(1.0)) == pytest.approx(weight, rel=1e-4)
        assert float(model.weight(3.0)) == pytest.approx(3 * weight, rel=1e-4)


@pytest.mark.parametrize(("target", "end"), [(1e-6, 0), (1.0, 1)])
def test_a_target_that_is_never_met_or_always_stops_at_a_limit(target, end):
    model = made(target_mse=target)
    for x in batches(1) * 800:
        model.terms(x)
    assert float(model.weight(1.0)) == pytest.approx(BALANCE_RANGE[end])


def test_evaluation_and_other_models_leave_it_alone():
    model = made()
    for x in batches(3):
        model.terms(x)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, torch.randint(0, 256, (50, 1, 6, 5), dtype=torch.uint8))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert set(before) - set(made(target_mse=0.0).state_dict()) == BUFFERS
    assert made(target_mse=0.0).weight(0.25) == 0.25


def test_a_resumed_model_goes_on_bit_for_bit():
    data = batches(130)
    undisturbed, first, second = made(), made(), made(seed=5)
    for x in data:
        undisturbed.terms(x, torch.Generator().manual_seed(0))
    for x in data[:50]:
        first.terms(x, torch.Generator().manual_seed(0))
    second.load_state_dict(load(save(first.state_dict())))
    for x in data[50:]:
        second.terms(x, torch.Generator().manual_seed(0))
    assert all(torch.equal(value, undisturbed.state_dict()[name]) for name, value in second.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.006, 0.015])
def test_training_meets_the_target(target):
    """From a beta that is too small for one and too large for the other."""
    torch.manual_seed(1)
    basis = torch.randn(2, 30) * 0.2
    x = (0.5 + torch.randn(128, 2) @ basis + 0.05 * torch.randn(128, 30)).reshape(-1, 1, 6, 5)
    model = made(output="linear", target_mse=target, noise_variance=0.05)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(1500):
        terms = model.terms(x, generator)
        optimizer.zero_grad()
        terms.loss(model.weight(1.0)).backward()
        optimizer.step()
    assert float(model.off_target) == pytest.approx(0, abs=0.1)
    found = (model.likelihood.mean(model.terms(x, generator).logits) - x).square().mean()
    assert found.item() == pytest.approx(target, rel=0.1)


def test_the_history_and_the_loss_have_the_weight_that_was_learnt(small_train):
    run = small_train(epochs=2, likelihood="gaussian", target_mse=0.05, beta=0.5)
    betas = [line["beta"] for line in run.history]
    assert 0.5 > betas[0] > betas[1] > 0
    for line in run.history:
        for terms in (line["train"], line["test"]):
            nll = -terms["reconstruction"] - 392 * math.log(math.pi)  # at a noise variance of 0.5
            assert terms["loss"] == pytest.approx(nll + line["beta"] * terms["kl"], rel=1e-4)
    assert run.metrics["loss"] == pytest.approx(run.history[-1]["test"]["loss"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"family": "ae"}, "target_mse sets the weight of a KL, which the family ae does not learn"),
        ({"family": "ladder"}, "which the family ladder does not learn"),
        ({"likelihood": "sigma"}, "target_mse and likelihood sigma both set how much the KL weighs"),
        ({"warmup_epochs": 2}, "leave warmup_epochs and warmup_share at 0"),
        ({"warmup_share": 0.5}, "leave warmup_epochs and warmup_share at 0"),
        ({"beta": 0}, "beta must be more than zero with target_mse"),
        ({"target_mse": -1}, "target_mse must be zero or more, not -1"),
    ],
)
def test_what_cannot_be_is_an_error(changes, reason):
    with pytest.raises(ValueError, match=reason):
        TrainConfig(preset="mlp-2d-mse", settings={"target_mse": 0.02, **changes}).recipe()
