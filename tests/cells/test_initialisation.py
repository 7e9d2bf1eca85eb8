"""Scales by layer against theory and gradients by hand, first networks against the trainer's, what is stored."""

import hashlib
import math
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch
from safetensors import safe_open

from benchmarks.cells import edge, gray_of
from explorer import TrainConfig, load
from explorer.cells.initialisation import STORED, comparison, decode, draw, first_network, kept, scales, stored_decoder
from explorer.checkpoints.folder import SHIPPED, read_history
from explorer.models import ModelConfig, build
from explorer.training.lifecycle import begin
from explorer.training.loop import Trainer
from explorer.training.run_folder import RunFiles
from explorer.training.status import StatusWriter
from explorer.ui.cells.initialisation_wording import outcomes, reasons


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
        begin(path, asked)
        trainers = Trainer.start(path, asked, StatusWriter(RunFiles(path))).model
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
    assert sorted(found.batches_sha256) == sorted(map(str, found.seeds))
    for init, course in found.courses.items():
        # As stored the weights are float16, so that the last test in training was of slightly other ones.
        assert course.history[-1]["test"]["elbo"] == pytest.approx(found.result(init).elbo, abs=0.1)
        assert {(r.init, r.seed) for r in found.results} >= {(init, seed) for seed in found.seeds}
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


def test_the_sentences_follow_the_numbers():
    found = comparison()
    one, other = found.courses

    def measured(**edges):
        def changed(result, sharpness):
            return replace(
                sharpness, spots=0.5 * found.real.spots, edge=0.2 + 0.1 * (result.seed in edges[result.init])
            )

        results = [
            replace(r, generated=changed(r, r.generated), reconstructed=changed(r, r.reconstructed))
            for r in found.results
        ]
        return outcomes(replace(found, results=results))

    assert f"{found.real.edge:.3f}" in outcomes(found)[0]
    assert "So do we" in measured(xavier=found.seeds, kaiming=[])[0]
    assert "the opposite" in measured(xavier=[], kaiming=found.seeds)[0]
    assert "do not settle it" in measured(xavier=found.seeds[:1], kaiming=[])[0]
    assert "static" not in measured(xavier=[], kaiming=[])[1]
    gap = found.courses[other].history[0]["test"]["elbo"] - found.courses[one].history[0]["test"]["elbo"]
    assert f"{abs(gap):.1f} nats {'lower' if gap < 0 else 'higher'}" in outcomes(found)[2]
    swapped = replace(found, courses={one: found.courses[other], other: found.courses[one]})
    assert "under Xavier its values" in reasons(swapped)[0]
    assert "under Kaiming its values" in reasons(found)[0]
    still = {
        init: replace(c, history=[{**row, "learning_rate": 0.0} for row in c.history])
        for init, c in found.courses.items()
    }
    assert len(reasons(replace(found, courses=still))) == len(reasons(found)) - 1  # nothing moves: no reason to give
