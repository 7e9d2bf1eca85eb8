"""Maps and their quality against scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.manifold import trustworthiness
from sklearn.metrics import accuracy_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from explorer.latents import Latents, map_latents, maps, neighbourhoods
from explorer.models import Posterior


def clusters(n=120, d=5, classes=3, seed=0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(classes, d, generator=generator)
    labels = torch.arange(n) % classes
    return centres[labels] + torch.randn(n, d, generator=generator) + offset, labels


@given(
    n=st.integers(40, 90),
    d=st.integers(2, 6),
    k=st.integers(2, 15),
    seed=st.integers(0, 1000),
    offset=st.sampled_from([0.0, 300.0]),
)
@settings(deadline=None, max_examples=25)
def test_trustworthiness_and_continuity(n, d, k, seed, offset):
    codes, _ = clusters(n, d, seed=seed, offset=offset)
    points = codes[:, :2] + torch.randn(n, 2, generator=torch.Generator().manual_seed(seed + 1))
    found = maps.quality(codes, points, k=k)
    assert found["trustworthiness"] == pytest.approx(
        trustworthiness(codes.double().numpy(), points.double().numpy(), n_neighbors=k), abs=1e-3
    )
    assert found["continuity"] == pytest.approx(
        trustworthiness(points.double().numpy(), codes.double().numpy(), n_neighbors=k), abs=1e-3
    )


def test_quality_in_more_than_one_block_of_rows():
    codes, labels = clusters(1100, 4)
    points = codes[:, :2].contiguous()
    found = maps.quality(codes, points, labels)
    assert found["trustworthiness"] == pytest.approx(trustworthiness(codes, points, n_neighbors=15), abs=1e-5)
    assert found["continuity"] == pytest.approx(trustworthiness(points, codes, n_neighbors=15), abs=1e-5)


def test_a_map_that_is_the_codes_is_perfect():
    codes, _ = clusters(d=2)
    assert maps.quality(codes, codes) == {"trustworthiness": 1.0, "continuity": 1.0}


@pytest.mark.parametrize("k", [5, 15])
def test_accuracy_is_that_of_a_classifier_that_leaves_one_out(k):
    codes, labels = clusters(150, seed=1)
    points = codes[:, :2].contiguous()
    found = maps.quality(codes, points, labels, k=k)
    for name, x in (("accuracy_codes", codes), ("accuracy_map", points)):
        votes = cross_val_predict(KNeighborsClassifier(k), x.numpy(), labels.numpy(), cv=LeaveOneOut())
        assert found[name] == pytest.approx(accuracy_score(labels, votes))
    assert 0.4 < found["accuracy_map"] < 1


@pytest.mark.slow
@pytest.mark.parametrize("n", [150, 700])
def test_a_vote_on_other_labels_is_that_of_a_classifier_that_leaves_one_out(n):
    codes, labels = clusters(n, classes=12, seed=3, offset=50.0)
    votes = cross_val_predict(KNeighborsClassifier(15), codes.numpy(), labels.numpy(), cv=LeaveOneOut())
    found = maps.vote_accuracy(codes, labels)
    assert found == pytest.approx(accuracy_score(labels, votes))
    assert 0.2 < found < 1
    guessed = DummyClassifier(strategy="most_frequent").fit(codes, labels % 5).score(codes, labels % 5)
    assert maps.guess_accuracy(labels % 5) == pytest.approx(guessed)
    assert np.isnan(maps.vote_accuracy(codes[:15], labels[:15]))
    assert np.isnan(maps.guess_accuracy(labels[:0]))


def test_what_is_undefined_for_few_items_is_left_out():
    codes, labels = clusters(31)
    points = codes[:, :2].contiguous()
    assert maps.quality(codes[:15], points[:15], labels[:15]) == {}
    assert set(maps.quality(codes, points, labels)) == {"accuracy_codes", "accuracy_map"}
    codes, labels = clusters(32)
    assert set(maps.quality(codes, codes[:, :2].contiguous())) == {"trustworthiness", "continuity"}


@given(n=st.integers(3, 60), d=st.integers(2, 8), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_pca(n, d, seed):
    scale = 2.0 ** -torch.arange(d)  # spectra without ties, whose axes would be arbitrary
    codes = torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * scale + 5
    theirs = PCA(2, svd_solver="full").fit(codes.double().numpy())
    if theirs.explained_variance_[1] / theirs.explained_variance_[0] > 0.8:
        return
    found = maps.pca(codes)
    components = torch.from_numpy(theirs.components_)
    strongest = components.gather(1, components.abs().argmax(1, keepdim=True))
    top = components.abs().topk(2, dim=1).values
    if d > 2 and float((top[:, 0] - top[:, 1]).min()) < 1e-3:
        return  # which loading is the largest is a matter of rounding
    assert found.components.gather(1, found.components.abs().argmax(1, keepdim=True)).gt(0).all()
    signs = strongest.sign()
    torch.testing.assert_close(found.components, (components * signs).float(), rtol=1e-3, atol=2e-3)
    expected = torch.from_numpy(theirs.transform(codes.double().numpy())) * signs.T
    torch.testing.assert_close(found.points, expected.float(), rtol=1e-3, atol=5e-3)


def test_pca_is_its_own_inverse_on_its_plane():
    codes, _ = clusters()
    m = maps.pca(codes)
    points = torch.randn(20, 2)
    torch.testing.assert_close(m.place(m.code_at(points)), points, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(m.place(codes), m.points)
    # The code under a code's point is its nearest in the plane: what remains is orthogonal to both axes.
    rest = codes - m.code_at(m.place(codes))
    assert (rest @ m.components.T).abs().max() < 1e-4
    assert not m.exact


@pytest.mark.parametrize(("n", "d"), [(1, 5), (2, 5), (5, 1), (1, 1)])
def test_pca_of_very_little(n, d):
    m = maps.pca(torch.randn(n, d))
    assert m.points.shape == (n, 2)
    assert torch.isfinite(m.points).all()
    assert m.code_at(m.points).shape == (n, d)


def test_the_plane_is_exact():
    codes = torch.randn(10, 2)
    m = maps.plane(codes)
    assert m.exact
    assert torch.equal(m.place(codes), codes)
    assert torch.equal(m.code_at(codes), codes)


def test_nearest_is_that_of_scikit_learn():
    codes, _ = clusters(200, offset=100.0)
    queries = codes[:7] + 0.1
    distances, index = neighbourhoods.nearest(queries, codes, 9)
    theirs_distances, theirs = NearestNeighbors(n_neighbors=9).fit(codes.numpy()).kneighbors(queries.numpy())
    assert np.array_equal(index.numpy(), theirs)
    np.testing.assert_allclose(distances.numpy(), theirs_distances, rtol=1e-4)
    assert neighbourhoods.nearest(queries, codes[:3], 9)[1].shape == (7, 3)


def umap_like(n=200, seed=0):
    codes, _ = clusters(n, seed=seed)
    points = 10 * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    return maps.Map("umap", points, codes)


def test_a_stored_point_and_its_code_find_each_other():
    m = umap_like()
    torch.testing.assert_close(m.place(m.codes[:50]), m.points[:50], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(m.code_at(m.points[:50]), m.codes[:50], rtol=1e-4, atol=1e-4)
    assert not m.exact


@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_a_new_code_is_placed_among_its_neighbours(seed):
    m = umap_like()
    code = m.codes[seed % 200 : seed % 200 + 1] + 0.3 * torch.randn(1, 5)
    _, index = NearestNeighbors(n_neighbors=maps.PLACING).fit(m.codes.numpy()).kneighbors(code.numpy())
    around = m.points[torch.from_numpy(index[0])]
    place = m.place(code)[0]
    assert (place >= around.min(0).values - 1e-4).all()
    assert (place <= around.max(0).values + 1e-4).all()
    weights = 1 / (m.codes[index[0]] - code).double().square().sum(1)  # Shepard's, with the power of two
    expected = (weights[:, None] * around).sum(0) / weights.sum()
    torch.testing.assert_close(place.double(), expected, rtol=1e-3, atol=1e-3)


def test_umap_needs_more_codes_than_neighbours():
    with pytest.raises(ValueError, match="more than 15 codes, not 15"):
        maps.fit_umap(torch.randn(15, 3))


@pytest.mark.slow
def test_umap_keeps_clusters_apart_and_is_reproducible(monkeypatch):
    # The one real fit of the tests: importing UMAP takes seconds, and compiling it the first time ten more.
    codes, labels = clusters(90, d=6, seed=3)
    codes = codes + 20 * torch.nn.functional.one_hot(labels, 6)
    threads = torch.get_num_threads()
    m = maps.fit_umap(codes, seed=1)
    assert torch.get_num_threads() == threads  # which numba changes, to the cost of what is trained afterwards
    assert m.points.shape == (90, 2)
    assert m.points.dtype == torch.float32
    assert torch.isfinite(m.points).all()
    assert maps.quality(codes, m.points, labels)["accuracy_map"] == 1.0
    assert torch.equal(maps.fit_umap(codes, seed=1).points, m.points)
    assert not torch.equal(maps.fit_umap(codes, seed=2).points, m.points)
    collapsed = maps.fit_umap(torch.zeros(40, 3))  # as a model makes that has learnt nothing
    assert collapsed.points.shape == (40, 2)
    assert torch.isfinite(collapsed.points).all()

    # Of more codes than are fitted at once the others are placed, and the quality is measured on those.
    monkeypatch.setattr(maps, "FITTED", 60)
    monkeypatch.setattr(maps, "JUDGED", 30)
    rows = maps.fitted_rows(90, seed=1)
    placed = maps.fit_umap(codes, seed=1)
    assert torch.equal(placed.points[rows], maps.fit_umap(codes[rows], seed=1).points)
    others = np.setdiff1d(np.arange(90), rows)
    within = [placed.points[rows][labels[rows] == labels[row]] for row in others]
    for point, cluster in zip(placed.points[others], within, strict=True):
        assert torch.all((cluster.amin(0) - 1e-4 <= point) & (point <= cluster.amax(0) + 1e-4))
    assert sorted(maps.judged(90, rows).tolist()) == others.tolist()
    found = map_latents(stored(codes, labels), plane=False, final=True, seed=1).quality["umap"]
    assert found["placed"] == pytest.approx(1 / 3)
    judged = maps.judged(90, rows)
    expected = trustworthiness(codes[judged].double(), placed.points[judged].double(), n_neighbors=14)
    assert maps.quality(codes[judged], placed.points[judged], k=14)["trustworthiness"] == pytest.approx(
        expected, abs=1e-3
    )


def stored(codes, labels):
    n = len(codes)
    return Latents(Posterior(codes, torch.zeros_like(codes)), torch.zeros(n), torch.zeros(n), torch.arange(n), labels)


def test_a_sample_is_drawn_by_its_seed():
    assert maps.fitted_rows(maps.FITTED, 0) is None
    rows = maps.fitted_rows(25_000, 3)
    assert len(rows.unique()) == maps.FITTED
    assert not torch.equal(rows, maps.fitted_rows(25_000, 4))
    assert torch.equal(rows, maps.fitted_rows(25_000, 3))
    judged = maps.judged(25_000, rows)
    assert len(judged.unique()) == maps.JUDGED
    assert not torch.isin(judged, rows).any()
    assert len(maps.judged(10_500, torch.arange(10_000))) == maps.JUDGED  # too few others
