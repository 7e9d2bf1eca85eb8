"""Class means, and the signs of one that its class does not know."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from explorer.latents.means import _first_scores, class_means, image_votes


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def one_class(codes):
    return class_means(codes, torch.zeros(len(codes), dtype=torch.int64), 1)


@given(
    labels=st.lists(st.integers(0, 5), max_size=60),
    d=st.integers(1, 8),
    extra=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=40)
def test_means_are_numpys(labels, d, extra, seed):
    codes, classes = 100 * normal(len(labels), d, seed=seed), 5 + extra
    found = class_means(codes, torch.tensor(labels, dtype=torch.int64), classes)
    assert found.counts.tolist() == np.bincount(np.array(labels, dtype=int), minlength=classes).tolist()
    for label in range(classes):
        members = codes.double().numpy()[np.array(labels, dtype=int) == label]
        if len(members):
            np.testing.assert_allclose(found.codes[label], members.mean(0), rtol=1e-4, atol=1e-4)
        else:
            assert torch.isnan(found.codes[label]).all()
            assert torch.isnan(found.own[label])
        assert torch.isnan(found.thinning[label]) == torch.isnan(found.typical[label]) == (len(members) < 20)
        assert not (found.doubtful[label] and len(members) == 0)
        assert bool(found.reason(label)) == bool(found.doubtful[label])


def test_figures_around_a_mean_are_scikit_learns():
    codes = normal(400, 3)
    labels = (codes[:, 0] + normal(400, seed=1) > 0).long()
    found = class_means(codes, labels, 2)
    for label in range(2):
        members, mean = codes[labels == label].numpy(), found.codes[label : label + 1].numpy()
        index = NearestNeighbors(n_neighbors=15).fit(codes.numpy()).kneighbors(mean, return_distance=False)
        assert found.own[label].item() == pytest.approx(np.mean(labels.numpy()[index] == label))
        tree = NearestNeighbors(n_neighbors=15).fit(members)
        radii, of_mean = tree.kneighbors()[0][:, -1], tree.kneighbors(mean)[0][0, -1]
        assert found.typical[label].item() == pytest.approx(np.mean(radii >= of_mean), abs=1 / len(members))


@pytest.mark.parametrize("d", [1, 2, 10, 100])
@pytest.mark.parametrize("n", [50, 200])
def test_one_gaussian_is_one_cluster(n, d):
    for seed in range(12):
        scales = 1 + 3 * torch.rand(d, generator=torch.Generator().manual_seed(seed))
        found = one_class(normal(n, d, seed=seed) * scales + 5)
        assert found.thinning.item() > 0.6
        assert found.typical.item() > 0.4
        assert found.reason(0) == ""


@pytest.mark.parametrize("d", [1, 2, 10, 100])
@pytest.mark.parametrize("share", [0.3, 0.5])
def test_two_clusters_are_noticed(d, share):
    for seed in range(4):
        codes = normal(200, d, seed=seed)
        codes[: int(200 * share), 0] += 8.0
        found = one_class(codes[torch.randperm(200, generator=torch.Generator().manual_seed(seed))])
        assert found.thinning.item() < 0.3
        assert "several clusters" in found.reason(0)


def test_the_gap_of_two_gaussians_is_that_of_their_density():
    """Two unit Gaussians 5 apart: exp(-2.5² / 2) * 2 over the peak, as far as the kernels leave it."""
    codes = normal(4000, 3)
    codes[::2, 0] += 5.0
    codes = codes[torch.randperm(4000, generator=torch.Generator().manual_seed(0))]
    assert one_class(codes).thinning.item() == pytest.approx(2 * np.exp(-3.125), abs=0.12)


def test_a_few_outlying_members_are_no_cluster():
    codes = normal(300, 2)
    codes[:15] += 20.0
    assert one_class(codes).thinning.item() > 0.6


def test_a_ring_has_nobody_at_its_mean():
    angle = torch.linspace(0, 6.28, 300)
    ring = 5 * torch.stack([angle.cos(), angle.sin()], 1) + 0.2 * normal(300, 2)
    found = one_class(ring)
    assert found.typical.item() == 0.0
    assert found.doubtful.tolist() == [True]


def test_a_mean_among_other_classes_is_doubtful():
    wide, narrow = 5 * normal(200, 2), 0.5 * normal(300, 2, seed=1)
    found = class_means(torch.cat([wide, narrow]), torch.tensor([0] * 200 + [1] * 300), 2)
    assert found.own[0] < 0.3
    assert found.own[1] > 0.8
    assert found.doubtful.tolist() == [True, False]
    assert found.reason(0) == "most of the codes around the mean are of other classes"


@pytest.mark.parametrize("n", [1, 3, 6])
def test_a_small_class_apart_from_others_is_not_doubtful(n):
    codes = torch.cat([normal(100, 4), 50 + 0.1 * normal(n, 4, seed=1)])
    found = class_means(codes, torch.tensor([0] * 100 + [1] * n), 2)
    assert found.own.tolist() == [1.0, 1.0]
    assert found.doubtful.tolist() == [False, False]


@pytest.mark.parametrize("n", [1, 19, 20, 60])
def test_members_that_are_all_the_same_are_one_cluster(n):
    found = one_class(torch.ones(n, 3))
    assert found.codes.tolist() == [[1.0, 1.0, 1.0]]
    assert found.own.tolist() == [1.0]
    assert found.doubtful.tolist() == [False]


def test_no_members_at_all():
    found = class_means(torch.empty(0, 3), torch.empty(0, dtype=torch.int64), 4)
    assert torch.isnan(found.codes).all()
    assert found.codes.shape == (4, 3)
    assert found.doubtful.tolist() == [False] * 4


@given(f=st.integers(2, 40), d=st.integers(1, 40), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_the_first_scores_are_those_of_a_singular_value_decomposition(f, d, seed):
    codes = normal(f, d, seed=seed).double() @ torch.diag(0.8 ** torch.arange(d, dtype=torch.float64))
    centred = codes - codes.mean(0)
    first = np.linalg.svd(centred.numpy())[0][:, 0]
    found = _first_scores(centred).numpy()
    assert abs(found @ first) / np.linalg.norm(found) == pytest.approx(1, abs=1e-6)


def test_thousands_of_latents_are_no_hindrance():
    """All eigenvectors of 3,000 latents would take minutes."""
    codes = normal(120, 3000)
    codes[::2, 0] += 60.0
    found = one_class(codes[torch.randperm(120, generator=torch.Generator().manual_seed(0))])
    assert "several clusters" in found.reason(0)


def test_votes_of_the_nearest_images_are_scikit_learns():
    images = torch.randint(0, 256, (200, 3, 4, 5), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    labels = torch.arange(200) % 3
    drawn = torch.rand(4, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    votes = (
        KNeighborsClassifier(15).fit(images.flatten(1).numpy() / 255, labels.numpy()).predict_proba(drawn.flatten(1))
    )
    np.testing.assert_allclose(image_votes(drawn, images, labels, 3), 15 * votes)


def test_a_class_of_few_images_is_not_outvoted_by_the_number_of_others():
    images = torch.full((40, 1, 2, 2), 255, dtype=torch.uint8)
    images[:3] = 0  # a class of three, and what is drawn of it is exactly like them
    labels = (torch.arange(40) >= 3).long()
    drawn = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 2, 2)
    assert image_votes(drawn, images, labels, 2).tolist() == [[3, 12], [0, 15]]
    voters = torch.bincount(labels)
    assert image_votes(drawn, images, labels, 2, voters).tolist() == [[3, 0], [0, 15]]


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_beyond_the_classes(label):
    with pytest.raises(ValueError, match="labels of 2 classes run from 0 to 1"):
        class_means(torch.zeros(2, 2), torch.tensor([0, label]), 2)
