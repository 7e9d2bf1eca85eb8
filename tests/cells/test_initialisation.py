"""Scales by layer against theory and gradients by hand, first networks against the trainer's, what is stored."""

import hashlib
import math
from importlib.resources import files

import numpy as np
import pytest
import torch
from safetensors import safe_open

from benchmarks.cells import edge, gray_of
from benchmarks.initialisation import SEEDS
from benchmarks.layer_scales import kept, scales
from explorer import TrainConfig, load
from explorer.cells.initialisation import STORED, comparison, decode, draw, first_network, stored_decoder
from explorer.checkpoints.folder import SHIPPED, read_history
from explorer.models import ModelConfig, build
from explorer.training.experiment import Experiment
from explorer.training.lifecycle import create_run
from explorer.training.presets import preset
from explorer.ui.cells.initialisation_wording import OUTCOMES, REASONS


def config(**changes):
    usual = {
        "family": "vae",
        "network": "dense",
        "image_shape": (1, 4, 4),
        "latent": 3,
        "encoder": (8,),
        "decoder": (8,),
        "likelihood": "bernoulli",
    }
    return ModelConfig(**{**usual, **changes})


def images(count, shape, seed=0):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("init", ["kaiming", "xavier"])
def test_variance_through_relus_is_kept_by_kaiming_and_halved_by_xavier(init):
    """He et al. 2015, eq. 9: Var(y) = n Var(w) E(x²), with E(x²) = Var(y) / 2 behind a ReLU."""
    deep = config(family="ae", image_shape=(1, 20, 20), latent=400, encoder=(400,) * 7, decoder=(400,), init=init)
    x = images(64, (1, 20, 20))
    found = [layer.activation for layer in scales(first_network(deep, 1), x)[:7]]
    power, factor = float(x.square().mean()), 2.0 if init == "kaiming" else 1.0
    expected = [math.sqrt(power * factor * (factor / 2) ** depth) for depth in range(7)]
    np.testing.assert_allclose(found, expected, rtol=0.25)
    assert found[-1] / found[0] == pytest.approx(1.0 if init == "kaiming" else 0.125, rel=0.35)


def test_a_linear_autoencoder_by_hand():
    network = first_network(
        config(family="ae", encoder=(), decoder=(), likelihood="gaussian", noise_variance=0.5, output="linear"), 0
    )
    x = images(10, (1, 4, 4))
    code, output = scales(network, x)
    flat = x.flatten(1).double().numpy()
    (w1, b1), (w2, b2) = (
        (m.weight.detach().double().numpy(), m.bias.detach().double().numpy())
        for m in network.modules()
        if isinstance(m, torch.nn.Linear)
    )
    z = flat @ w1.T + b1
    logits = z @ w2.T + b2
    error = 2 * (logits - flat) / len(flat)  # the gradient of the mean over images of the sum of squared errors
    rms = [np.sqrt(np.square(g).mean()) for g in ((error @ w2).T @ flat, error.T @ z)]
    assert (code.name, code.fan_in, code.fan_out) == ("code", 16, 3)
    assert (output.name, output.fan_in, output.fan_out) == ("output", 3, 16)
    np.testing.assert_allclose([code.activation, output.activation], [z.std(), logits.std()], rtol=1e-5)
    np.testing.assert_allclose([code.gradient, output.gradient], rms, rtol=1e-5)


def test_mean_and_log_variance_are_told_apart_and_the_kl_counts_beta_times():
    network = first_network(config(encoder=(), decoder=()), 0)
    with torch.no_grad():
        network.decoder[0].weight.zero_()  # so that only the KL depends on the code
    x = images(12, (1, 4, 4))
    mean, logvar, output = scales(network, x, beta=3.0)
    assert [mean.name, logvar.name, output.name] == ["mean", "log variance", "output"]
    m, v = (t.detach().double().numpy() for t in network.posterior(x))
    flat = x.flatten(1).double().numpy()
    by_mean, by_logvar = 3 / 12 * m.T @ flat, 3 / 12 * (0.5 * (np.exp(v) - 1)).T @ flat
    np.testing.assert_allclose([mean.activation, logvar.activation], [m.std(), v.std()], rtol=1e-5)
    rms = [np.sqrt(np.square(g).mean()) for g in (by_mean, by_logvar)]
    np.testing.assert_allclose([mean.gradient, logvar.gradient], rms, rtol=1e-4)


def test_convolutions_are_layers_too():
    conv = config(
        family="cvae",
        network="conv",
        image_shape=(3, 8, 8),
        encoder=(4, 6),
        decoder=(6, 4),
        likelihood="sigma",
        batch_norm=True,
        classes=2,
    )
    found = scales(first_network(conv, 0), images(6, (3, 8, 8)), torch.tensor([0, 1] * 3))
    names = ["encoder 1", "encoder 2", "mean", "log variance", "decoder 1", "decoder 2", "decoder 3", "output"]
    assert [layer.name for layer in found] == names
    assert (found[0].fan_in, found[0].fan_out) == (27, 36)
    assert all(layer.activation > 0 and layer.gradient > 0 for layer in found)


def test_measuring_changes_nothing():
    network = build(config(batch_norm=True, likelihood="sigma")).eval()
    for p in network.parameters():
        p.grad = torch.ones_like(p)
    network.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    x = images(8, (1, 4, 4))
    found = scales(network, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(p.grad, torch.ones_like(p)) and not p.requires_grad for p in network.parameters())
    assert not any(m.training or m._forward_hooks for m in network.modules())
    with torch.no_grad():
        assert scales(network, x) == found
    assert scales(network, x, seed=1) != found
    with pytest.raises(ValueError, match="at least two"):
        scales(network, x[:1])


def test_what_is_kept_of_the_first_weights():
    first, last = first_network(config(), 0), first_network(config(), 0)
    other = first_network(config(), 1)
    with torch.no_grad():
        last.encoder[1].weight *= 3  # a direction has no length
        last.encoder[3].weight[3:] *= -1  # the log variance's half
        last.decoder[0].weight.copy_(other.decoder[0].weight)
        last.decoder[2].weight += other.decoder[2].weight
    found = kept(first, last)
    a, b = (network.decoder[2].weight.double().numpy().ravel() for network in (first, last))
    assert found[:3] == pytest.approx([1, 1, -1])
    assert abs(found[3]) < 0.5
    assert found[4] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_the_first_network_is_the_trainers(tmp_path):
    for init in ("xavier", "kaiming"):
        asked = TrainConfig(
            preset="mlp-2d", dataset="mnist-5k", seed=3, device="cpu", settings={"init": init, "encoder": (8,)}
        )
        path = tmp_path / init
        create_run(path, asked)
        trainers = Experiment.start(path, asked).model
        state = torch.get_rng_state()
        own = first_network(trainers.config, 3)
        assert torch.equal(torch.get_rng_state(), state)
        for name, value in trainers.state_dict().items():
            assert torch.equal(own.state_dict()[name], value), name
    assert not torch.equal(first_network(own.config, 4).decoder[0].weight, own.decoder[0].weight)


def test_the_two_initialisations_are_the_same_draws_in_other_sizes():
    found = comparison()
    xavier, kaiming = (dict(found.first(init).named_parameters()) for init in found.courses)
    for name, weight in xavier.items():
        if weight.ndim == 2:
            factor = math.sqrt(sum(weight.shape) / weight.shape[1])
            torch.testing.assert_close(kaiming[name], factor * weight)


def test_codes_are_those_of_the_models():
    model = load(comparison().checkpoint, device="cpu")
    assert torch.equal(draw(5, model.latent, seed=7), model.draw(5, seed=7))


def test_the_stored_files_fit_together_and_with_the_checkpoint():
    found, folder = comparison(), files("explorer.cells")
    weights, numbers = (folder.joinpath(f"initialisation.{end}").read_bytes() for end in ("safetensors", "json"))
    assert hashlib.sha256(weights).hexdigest() == found.decoder_sha256
    assert len(weights) + len(numbers) < 2e6
    with safe_open(str(folder.joinpath("initialisation.safetensors")), "pt") as file:
        assert file.metadata()["init"] == STORED
        assert {str(file.get_tensor(name).dtype) for name in file.keys() if "weight" in name} == {"torch.float16"}  # noqa: SIM118
    shipped = load(found.checkpoint, device="cpu")
    assert hashlib.sha256((SHIPPED / found.checkpoint / "model.safetensors").read_bytes()).hexdigest() == (
        found.checkpoint_sha256
    )
    first, other = found.courses
    assert other == STORED
    assert found.model == shipped.config
    assert {k: shipped.info.config["dataset"][k] for k in found.dataset} == found.dataset
    assert (shipped.info.config["seed"], shipped.info.config["preset"]) == (found.seed, found.preset)
    history = read_history(shipped.info.path)
    for own, theirs in zip(found.courses[first].history, history, strict=True):
        for split in ("train", "test"):
            assert own[split]["elbo"] == pytest.approx(theirs[split]["elbo"], rel=1e-5)
    assert found.result(first).elbo == pytest.approx(shipped.info.metrics["elbo"], rel=1e-5)
    assert sorted(found.batches_sha256) == sorted(map(str, SEEDS))
    for init, course in found.courses.items():
        # As stored the weights are float16, so that the last test in training was of slightly other ones.
        assert course.history[-1]["test"]["elbo"] == pytest.approx(found.result(init).elbo, abs=0.1)
        assert {(r.init, r.seed) for r in found.results} >= {(init, seed) for seed in SEEDS}
        assert set(course.versions) == {"python", "torch"}


def test_the_stored_start_follows_from_the_sizes_of_the_layers():
    """On equal inputs the ratio of spreads is that of the weights; batch norm makes inputs equal, but for its 1e-5."""
    found = comparison()
    xavier, kaiming = (course.start for course in found.courses.values())
    for a, b in list(zip(xavier, kaiming, strict=True))[:4]:  # up to the codes, which are not normalised
        assert b.activation / a.activation == pytest.approx(math.sqrt((a.fan_in + a.fan_out) / a.fan_in), rel=0.01)
    assert [layer.name for layer in xavier] == [layer.name for layer in kaiming]


def test_the_stored_decoder_draws_cells_as_sharp_as_the_numbers_say():
    found = comparison()
    codes = draw(400, found.model.latent, seed=0)
    first = load(found.checkpoint, device="cpu").decode(codes)
    other = decode(stored_decoder(found.model), codes)
    for init, cells in zip(found.courses, (first, other), strict=True):
        assert edge(gray_of(cells)) == pytest.approx(found.result(init).generated.edge, rel=0.08)


def bullets(text):
    """Sentences by their headings, each in one line."""
    lines = (" ".join(bullet.split()) for bullet in text.split("- **")[1:])
    return {heading.strip("."): rest for heading, rest in (line.split("**", 1) for line in lines)}


def test_what_the_screen_says_of_haze_grain_and_elbo_is_what_is_stored():
    found, said = comparison(), bullets(OUTCOMES)
    assert list(found.courses) == ["xavier", "kaiming"]
    for seed in SEEDS:
        for kind in ("generated", "reconstructed"):
            edges = [getattr(found.result(init, seed), kind).edge for init in found.courses]
            assert edges[1] < edges[0]  # Kaiming's outlines are less steep
    xavier, kaiming = (found.result(init) for init in found.courses)
    assert f"is {kaiming.generated.edge:.3f} against {xavier.generated.edge:.3f};" in said["Haze"]
    assert f"real cells is {found.real.edge:.3f}." in said["Haze"]
    spots = xavier.generated.spots, kaiming.generated.spots, found.real.spots
    assert spots[0] < spots[2] < spots[1]
    assert "{:.2f} in Xavier's generated cells, {:.2f} in Kaiming's and {:.2f} in real".format(*spots) in said["Grain"]
    left = [course.kept[-1] for course in found.courses.values()]
    assert "{:.2f} is left under Xavier and {:.2f} under Kaiming".format(*left) in said["Grain"]
    assert kaiming.generated.spectrum < xavier.generated.spectrum  # better, and not sharper
    first, last = (
        found.courses["xavier"].history[at]["test"]["elbo"] - found.courses["kaiming"].history[at]["test"]["elbo"]
        for at in (0, -1)
    )
    assert f"{first:.1f} nats lower than Xavier's after the first epoch and {last:.1f} nats lower" in said["ELBO"]
    gaps = [found.result("xavier", seed).elbo - found.result("kaiming", seed).elbo for seed in SEEDS]
    assert f"from −{max(gaps):.1f} to −{min(gaps):.1f} nats" in said["ELBO"]


def test_what_the_screen_says_of_layers_is_what_is_stored():
    found, said = comparison(), bullets(REASONS)
    xavier, kaiming = found.courses.values()
    ratios = [abs(math.log(b.activation / a.activation)) for a, b in zip(xavier.start, kaiming.start, strict=True)]
    assert ratios[-1] == max(ratios)  # the output layer differs most
    a, b = xavier.start[-1], kaiming.start[-1]
    both = a.fan_in + a.fan_out
    start = said["At the start"]
    assert f"{b.activation / a.activation:.1f} times as far ({b.activation:#.3g} against {a.activation:#.3g})" in start
    assert f"inputs alone ({a.fan_in})" in start
    assert f"together ({both:,})" in start
    assert f"√({both:,} / {a.fan_in}) = {math.sqrt(both / a.fan_in):.1f} times" in start
    at_start, at_end = (
        [after.gradient / before.gradient for before, after in zip(one, other, strict=True)]
        for one, other in ((xavier.start, kaiming.start), (xavier.end, kaiming.end))
    )
    assert f"{min(at_start):.1f} to {max(at_start):.1f} times" in said["Gradients"]
    assert f"{min(at_end):.1f} to {max(at_end):.1f} times after {len(xavier.history)} epochs" in said["Gradients"]
    assert found.model.batch_norm
    recipe = preset(found.preset).recipe
    steps = math.ceil(found.dataset["train_images"] / recipe.batch_size)
    reach = sum(steps * row["learning_rate"] for row in kaiming.history)
    bounds = math.sqrt(6 / both), math.sqrt(6 / a.fan_in)
    assert recipe.optimizer == "adam"
    assert bounds[0] < reach < bounds[1]
    assert f"together by about {reach:.2f}." in said["Why it lasts"]
    assert "±{:.3f} under Xavier and within ±{:.2f} under Kaiming".format(*bounds) in said["Why it lasts"]
    a, b = xavier.end[-1], kaiming.end[-1]
    end = said[f"After {len(xavier.history)} epochs"]
    assert f"{a.activation / b.activation:.1f} times" in end
    assert f"({a.activation:#.3g} against {b.activation:#.3g})" in end
