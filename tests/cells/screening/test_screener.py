"""The screener: what it takes, what its figures are by their formulas, and that no picture's depend on another's."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.mixture import GaussianMixture

import explorer
from explorer.cells.screening import Screener, pooled, residual_channels, residual_score, screener
from explorer.cells.screening.fusing import fused
from explorer.cells.screening.screener import UNLIKE
from explorer.cells.screening.typicality import Typicality, cell_features
from explorer.errors import DatasetError
from explorer.models.evaluation import to_float


@pytest.fixture(scope="module")
def shipped():
    return screener("cpu")


@pytest.fixture(scope="module")
def cells():
    """Cells that the models make up, uint8 [40, 3, 64, 64]: healthy ones, then infected ones."""
    made = [
        explorer.load(f"cells-{name}-conv", "cpu").sample(20, seed=i) for i, name in enumerate(("healthy", "infected"))
    ]
    return (torch.cat(made) * 255).round().to(torch.uint8)


def packed(image, format="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format, **options)
    return stream.getvalue()


def test_every_kind_of_input_is_the_same_cell(shipped, cells, tmp_path):
    first = cells[:2]
    last = first.permute(0, 2, 3, 1).numpy().copy()  # [N, 64, 64, 3]
    (tmp_path / "a.png").write_bytes(packed(last[0]))
    read_only = last.copy()
    read_only.flags.writeable = False
    kinds = {
        "tensor": first,
        "array": first.numpy(),
        "channels last": last,
        "read only": read_only,
        "pictures": [Image.fromarray(image) for image in last],
        "transparent": [Image.fromarray(image).convert("RGBA") for image in last],
        "bytes": [packed(image) for image in last],
        "arrays": list(last),
        "tensors": list(first),
        "mixed": [tmp_path / "a.png", last[1]],
        "path as text": [str(tmp_path / "a.png"), first[1].numpy()],
        "generator": (image for image in last),
    }
    for kind, images in kinds.items():
        found = shipped.prepare(images)
        assert found.dtype == torch.uint8, kind
        assert torch.equal(found, first), kind


def test_gray_is_three_channels_alike(shipped, cells):
    gray = cells[:2, :1]
    wanted = gray.expand(-1, 3, -1, -1)
    for images in (gray, gray.permute(0, 2, 3, 1), list(gray[:, 0]), list(gray[:, 0].numpy()), list(gray)):
        assert torch.equal(shipped.prepare(images), wanted)


def test_a_picture_of_any_shape_is_centred_on_a_black_square(shipped):
    wide = np.full((50, 100, 3), 200, np.uint8)
    for images in ([wide], wide[None], wide.transpose(2, 0, 1)[None], [packed(wide)]):
        found = shipped.prepare(images)
        square = np.zeros((100, 100, 3), np.uint8)
        square[25:75] = wide
        expected = np.asarray(Image.fromarray(square).resize((64, 64), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(found[0].permute(1, 2, 0), expected)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([], "there are no images"),
        (torch.zeros(0, 3, 64, 64, dtype=torch.uint8), "there are no images"),
        (torch.zeros(1, 3, 64, 64), "images are uint8, from 0 to 255, not float32"),
        ([np.zeros((64, 64))], "images are uint8, from 0 to 255, not float64"),
        (torch.zeros(3, 64, 64, dtype=torch.uint8), r"images are uint8 \[N, 3, H, W\], not \[3, 64, 64\]"),
        (torch.zeros(1, 4, 64, 64, dtype=torch.uint8), "images have 1 or 3 channels"),
        ([np.zeros((64, 64, 2), np.uint8)], r"an image is uint8 \[H, W\]"),
        ([np.zeros((64,), np.uint8)], r"an image is uint8 \[H, W\]"),
        ([np.zeros((0, 64), np.uint8)], r"an image is uint8 \[H, W\]"),
        ([b""], "could not be read: it is empty"),
        ([b"no picture"], "could not be read: it is not a picture of a known format, or damaged"),
        (["/nowhere/a.png"], "a.png could not be read: No such file"),
    ],
)
def test_bad_input_is_one_sentence(shipped, images, reason):
    with pytest.raises((ValueError, DatasetError), match=reason) as said:
        shipped.screen(images)
    assert len(str(said.value).splitlines()) == 1


def test_a_cell_is_screened_the_same_whoever_it_comes_with(shipped, cells):
    every = shipped.screen(cells)
    again = explorer.screen(cells, device="cpu")
    for name in ("p_infected", "log_ratio", "typicality", "residual_score"):
        assert torch.equal(getattr(every, name), getattr(again, name)), name
    order = torch.randperm(len(cells), generator=torch.Generator().manual_seed(0))
    mixed = shipped.screen(cells[order])
    for i in (0, 7, 39):
        alone = shipped.screen(cells[i : i + 1])
        place = int((order == i).nonzero())
        for name in ("p_infected", "log_ratio", "residual_score"):
            wanted = getattr(every, name)[i].item()
            assert getattr(alone, name).item() == pytest.approx(wanted, abs=1e-4), name
            assert getattr(mixed, name)[place].item() == pytest.approx(wanted, abs=1e-4), name
        # Typicality is a step function, of a thousand steps.
        assert alone.typicality.item() == pytest.approx(every.typicality[i].item(), abs=0.0011)
    assert len(every) == 40


def test_progress_counts_to_all(shipped, cells):
    seen = []
    shipped.screen(cells, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (40, 40)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_figures_are_those_of_the_networks_as_they_were_loaded(shipped, cells):
    """Step by step, without the folding of batch norms and in PyTorch's usual memory layout."""
    x = to_float(cells, torch.device("cpu"))
    codes = [m.network.posterior(x).mean for m in shipped.models]
    reconstructions = [m.network.decode(z) for m, z in zip(shipped.models, codes, strict=True)]
    channels = residual_channels(x, reconstructions)
    turned = [channels, channels.mT.flip(2), channels.flip(2, 3), channels.mT.flip(3)]  # by 0, 90, 180 and 270 degrees
    scores = sum(pooled(shipped.detector(e)) for e in turned) / 4
    found, calibration = shipped.screen(cells), shipped.calibration
    log_odds = calibration.slope * scores + calibration.intercept
    np.testing.assert_allclose(found.log_ratio, log_odds - calibration.prior, atol=1e-4)
    np.testing.assert_allclose(found.p_infected, 1 / (1 + np.exp(-log_odds.numpy())), atol=1e-4)
    np.testing.assert_allclose(found.residual_score, residual_score(x, reconstructions[0]), atol=1e-4)
    features = cell_features(x, reconstructions, codes)
    np.testing.assert_allclose(found.typicality, shipped.typicality.of(features), atol=0.0011)


def test_probability_is_log_ratio_at_the_share_it_was_fitted_at(shipped, cells):
    found, prior = shipped.screen(cells), shipped.calibration.prior
    share = 1 / (1 + math.exp(-prior))
    assert 0.4 < share < 0.6
    odds = np.exp(found.log_ratio.double().numpy()) * share / (1 - share)
    np.testing.assert_allclose(found.p_infected, odds / (1 + odds), atol=1e-6)
    assert ((found.typicality >= 0) & (found.typicality <= 1)).all()
    assert torch.equal(found.unlike, found.typicality < UNLIKE)


def test_an_examination_is_of_the_same_figures(shipped, cells):
    found = shipped.examine(cells[:3], samples=2)
    alone = shipped.screen(cells[:3])
    np.testing.assert_allclose(found.screening.log_ratio, alone.log_ratio, atol=1e-4)
    assert torch.equal(found.images, cells[:3])
    assert found.evidence.shape == (3, 32, 32)
    assert found.evidence.isnan().any()
    for reconstruction, codes, model in zip(found.reconstructions, found.codes, shipped.models, strict=True):
        np.testing.assert_allclose(codes, model.encode(cells[:3]).mean, atol=1e-4)
        np.testing.assert_allclose(reconstruction, model.decode(codes), atol=1e-4)
    first, second = found.log_likelihoods
    np.testing.assert_array_equal(found.likelihood_ratio, second - first)


def test_typicality_is_the_share_of_less_dense_places_under_the_mixture():
    generator = np.random.default_rng(0)
    spread = generator.normal(size=(4, 4))
    known = np.concatenate(
        [generator.normal(size=(600, 4)) @ spread, generator.normal(size=(300, 4)) + np.array([6, -2, 3, 0])]
    )
    mean, scale = known.mean(0), known.std(0)
    mixture = GaussianMixture(3, random_state=0).fit((known - mean) / scale)
    densities = np.sort(mixture.score_samples((known - mean) / scale))
    tensors = (mean, scale, mixture.weights_, mixture.means_, mixture.precisions_cholesky_)
    typicality = Typicality(
        *(torch.from_numpy(a).float() for a in (*tensors, np.quantile(densities, np.linspace(0, 1, 1000))))
    )
    new = np.concatenate([known[::9], generator.normal(size=(100, 4)) * 4])
    expected = mixture.score_samples((new - mean) / scale)
    new = torch.from_numpy(new).float()
    np.testing.assert_allclose(typicality.log_density(new), expected, rtol=1e-4, atol=1e-3)
    shares = (densities < expected[:, None]).mean(1)
    np.testing.assert_allclose(typicality.of(new), shares, atol=0.004)
    assert min(shares) < 0.1 < 0.9 < max(shares)


def _disc(side):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return (y**2 + x**2 < (0.45 * side) ** 2)[..., None].astype(np.uint8)


def test_a_cell_without_colour_is_flagged(shipped, cells):
    gray = cells.float().mean(1, keepdim=True).round().to(torch.uint8)
    assert not shipped.screen(cells).unlike.all()
    assert shipped.screen(gray).unlike.all()


def test_what_is_no_cell_is_flagged(shipped):
    noise = torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    digits = explorer.dataset("mnist-5k", split="test")
    pictures = {
        "black": np.zeros((64, 64, 3), np.uint8),
        "white": np.full((64, 64, 3), 255, np.uint8),
        "gray": np.full((64, 64, 3), 128, np.uint8),
        "noise": noise.numpy(),
        "pink": np.full((64, 64, 3), (220, 150, 170), np.uint8),
        "a photo": load_sample_image("china.jpg"),
        "a photo in a disc": load_sample_image("china.jpg")[100:264, 200:364] * _disc(164),
        "a photo of a flower": load_sample_image("flower.jpg"),
        **{f"digit {i}": digits.images[i, 0].numpy() for i in range(0, 1000, 125)},
    }
    unlike = shipped.screen(list(pictures.values())).unlike
    assert dict(zip(pictures, unlike.tolist(), strict=True)) == dict.fromkeys(pictures, True)


def test_folding_leaves_the_models_alone_and_no_batch_norm(shipped):
    network = shipped.models[0].network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    copy = fused(network)
    kinds = [type(layer).__name__ for layer in copy.modules()]
    assert not any("BatchNorm" in kind for kind in kinds)
    assert sum("BatchNorm" in type(layer).__name__ for layer in network.modules()) == 9
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    z = torch.randn(4, 64, generator=torch.Generator().manual_seed(0)) * 2
    np.testing.assert_allclose(copy.decode(z), network.decode(z), atol=1e-4)
    assert copy.likelihood.noise_variance == network.likelihood.noise_variance
    with pytest.raises(ValueError, match="evaluation mode"):
        fused(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.BatchNorm2d(1)))


def test_a_batch_norm_that_comes_first_is_kept():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    for norm in (layers[0], layers[2]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    outer = torch.nn.ModuleDict({"inner": torch.nn.ModuleDict({"layers": layers})}).eval()
    copy = fused(outer)["inner"]["layers"]
    assert [type(layer).__name__ for layer in copy] == ["BatchNorm1d", "Linear"]
    x = torch.randn(5, 3)
    np.testing.assert_allclose(copy(x).detach(), layers(x).detach(), rtol=1e-5, atol=1e-6)


def test_two_models_of_different_shapes_are_refused(shipped):
    digits = explorer.load("mnist-mlp-2d", "cpu")
    with pytest.raises(ValueError, match="RGB images of one size"):
        Screener(shipped.models[0], digits, shipped.detector, shipped.calibration, shipped.typicality, "x")
