"""Codes as data: what is stored comes back, and what is asked of codes agrees with closed forms and other libraries."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from explorer.latents import Latents, maps, neighbours, select
from explorer.models import Posterior
from explorer.models.posteriors import gaussian_kl


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(n=50, d=3, *, seed=0, mean=None, logvar=None, labels=True, patients=True, **more):
    mean = normal(n, d, seed=seed) if mean is None else mean
    logvar = normal(n, d, seed=seed + 1) if logvar is None else logvar
    return Latents(
        Posterior(mean, logvar),
        normal(n, seed=seed + 2).abs(),
        -100 + normal(n, seed=seed + 3),
        torch.arange(n),
        torch.arange(n) % 10 if labels else None,
        [f"C{i % 7}" for i in range(n)] if patients else None,
        kl_by_group=gaussian_kl(mean, logvar).mean(0),
        **more,
    )


def stored(latents):
    """There and back through bytes, as a file holds them."""
    from safetensors.torch import load, save

    tensors, metadata = latents.to_tensors()
    return Latents.from_tensors(
        load(save({k: v.contiguous() for k, v in tensors.items()}, metadata)), json.loads(json.dumps(metadata))
    )


@given(
    n=st.integers(1, 40),
    d=st.integers(1, 6),
    seed=st.integers(0, 1000),
    labels=st.booleans(),
    patients=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_small_latents_come_back_exactly(n, d, seed, labels, patients):
    mean = normal(n, d, seed=seed)
    before = made(n, d, seed=seed, mean=mean, labels=labels, patients=patients, maps={"pca": maps.pca(mean)})
    after = stored(before)
    # A latent that carries nothing by chance is stored as its average: see the test of collapsed ones.
    kept = before.kl_by_latent > 1e-3
    assert torch.equal(after.mean[:, kept], before.mean[:, kept])
    assert torch.equal(after.posterior.logvar[:, kept], before.posterior.logvar[:, kept])
    assert torch.equal(after.kl, before.kl)
    assert torch.equal(after.reconstruction, before.reconstruction)
    assert torch.equal(after.index, before.index)
    assert (after.labels is None) == (not labels)
    if labels:
        assert torch.equal(after.labels, before.labels)
        assert after.labels.dtype == torch.int64
    assert after.group == before.group
    assert len(after) == n
    assert torch.equal(after.maps["pca"].points, before.maps["pca"].points)
    assert torch.equal(after.maps["pca"].components, before.maps["pca"].components)
    assert "plane" not in after.maps  # of two latents only where no other map is stored


def test_a_umap_and_the_qualities_come_back():
    points = normal(50, 2, seed=9)
    before = made(maps={"umap": maps.Map("umap", points, normal(50, 3))}, quality={"umap": {"trustworthiness": 0.5}})
    after = stored(before)
    assert torch.equal(after.maps["umap"].points, points)
    assert torch.equal(after.maps["umap"].codes, after.mean)
    assert after.maps["umap"].mean is None
    assert after.quality == before.quality


def test_two_latents_are_their_own_map_and_are_not_stored_twice():
    before = made(d=2)
    before.maps["plane"] = maps.plane(before.mean)
    assert not [name for name in before.to_tensors()[0] if name.startswith("map_")]
    assert torch.equal(stored(before).maps["plane"].points, before.mean)


def test_collapsed_latents_are_stored_as_their_average():
    n = 1000
    mean, logvar = normal(n, 4), normal(n, 4, seed=1) - 1
    mean[:, 1:3] = 1e-3 * normal(n, 2, seed=2)
    logvar[:, 1:3] = 1e-3 * normal(n, 2, seed=3)
    before = made(n, 4, mean=mean, logvar=logvar)
    tensors, _ = before.to_tensors()
    assert tensors["kept_latents"].tolist() == [0, 3]
    assert tensors["mean"].shape == (n, 2)
    after = stored(before)
    assert torch.equal(after.mean[:, [0, 3]], mean[:, [0, 3]])
    torch.testing.assert_close(after.mean[:, 1:3], mean[:, 1:3].mean(0).expand(n, 2))
    # Each image's KL loses less than the threshold of what is left out, a latent.
    lost = (gaussian_kl(*before.posterior) - gaussian_kl(*after.posterior)).mean(0)
    assert lost.abs().max() < 1e-3


def test_many_codes_are_halved_to_within_half_a_thousandth():
    n, d = 6000, 50
    mean, logvar = 3 * normal(n, d), normal(n, d, seed=1) - 4
    before = made(n, d, mean=mean, logvar=logvar)
    tensors, _ = before.to_tensors()
    assert tensors["mean"].dtype == torch.float16
    after = stored(before)
    assert after.mean.dtype == torch.float32
    # float16 has 11 significant bits: a relative error of 2^-11 for normal numbers, 2^-25 below them.
    assert ((after.mean - mean).abs() <= 2.0**-11 * mean.abs() + 2.0**-25).all()
    assert ((after.posterior.logvar - logvar).abs() <= 2.0**-11 * logvar.abs() + 2.0**-25).all()


def test_codes_beyond_float16_are_not_halved():
    n, d = 6000, 50
    mean = normal(n, d)
    mean[0, 0] = 1e5
    assert torch.equal(stored(made(n, d, mean=mean)).mean, mean)


def test_deterministic_codes_come_back():
    n, d = 6000, 50
    for size in (20, n):
        mean = normal(size, d)
        before = made(size, d, mean=mean, logvar=torch.full((size, d), -torch.inf))
        after = stored(before)
        assert torch.isneginf(after.posterior.logvar).all()
        torch.testing.assert_close(after.mean, mean, rtol=1e-3, atol=1e-6)
        assert after.kl_by_latent is None


def test_kl_by_latent_is_known_where_each_is_charged_by_itself():
    latents = made()
    torch.testing.assert_close(latents.kl_by_latent, gaussian_kl(*latents.posterior).mean(0))
    assert replace(latents, kl_by_group=torch.ones(1)).kl_by_latent is None  # one group of all latents
    assert replace(latents, kl_by_group=None).kl_by_latent is None


@pytest.mark.parametrize("name", ["kept_latents", "index", "mean", "logvar", "mean_average", "kl", "reconstruction"])
def test_a_missing_tensor_is_a_key_error(name):
    tensors, metadata = made().to_tensors()
    del tensors[name]
    with pytest.raises(KeyError, match=name):
        Latents.from_tensors(tensors, metadata)


@pytest.mark.parametrize("name", ["kl", "labels", "group", "map_umap", "mean"])
def test_rows_that_are_missing_are_noticed(name):
    tensors, metadata = made(maps={"umap": maps.Map("umap", normal(50, 2), normal(50, 3))}).to_tensors()
    tensors[name] = tensors[name][:-1]
    with pytest.raises((ValueError, RuntimeError)):
        Latents.from_tensors(tensors, metadata)


@given(n=st.integers(2, 40), typical=st.integers(1, 50), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_a_group_is_its_mean_and_its_nearest_members(n, typical, seed):
    codes = normal(n, 3, seed=seed)
    rows = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[: 1 + seed % n]
    found = select(codes, rows, typical=typical)
    np.testing.assert_allclose(found.mean, codes[rows].double().mean(0), atol=1e-6)
    wanted = min(typical, len(rows))
    assert len(set(found.typical.tolist()) & set(rows.tolist())) == len(found.typical) == wanted
    search = NearestNeighbors(n_neighbors=wanted).fit(codes[rows].numpy())
    distances, _ = search.kneighbors(found.mean[None].numpy())  # not rows: two members are as far from their mean
    np.testing.assert_allclose((codes[found.typical] - found.mean).norm(dim=1), distances[0], rtol=1e-4, atol=1e-5)


def test_a_group_of_nobody_is_refused():
    with pytest.raises(ValueError, match="at least one item"):
        select(normal(5, 2), torch.tensor([], dtype=torch.int64))


@given(k=st.integers(1, 30), row=st.integers(0, 24), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_neighbours(k, row, seed):
    codes = normal(25, 3, seed=seed)
    _, order = NearestNeighbors(n_neighbors=25).fit(codes.numpy()).kneighbors(codes[row : row + 1].numpy())
    expected = order[0].tolist()
    assert neighbours(codes[row], codes, k=k).tolist() == expected[:k]
    assert neighbours(codes[row], codes, k=k, without=row).tolist() == [i for i in expected if i != row][:k]
    far = expected[-1]
    assert neighbours(codes[row], codes, k=k, without=far).tolist() == expected[:-1][:k]


def test_groups_are_in_the_order_of_their_numbers():
    latents = replace(made(6), group=["C46", "C5", "C118", "C5", "x", "C05"])
    names, ids = latents.groups
    assert names == ["C05", "C5", "C46", "C118", "x"]
    assert [names[i] for i in ids.tolist()] == latents.group
    assert ids.dtype == torch.int64
    with pytest.raises(ValueError, match="no groups"):
        made(patients=False).groups  # noqa: B018 - read for what it raises
