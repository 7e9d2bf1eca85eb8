"""A loaded model computes in the memory layout that its network is quickest in, and the same as in any other."""

import pytest
import torch

from explorer.checkpoints.model import load


@pytest.mark.parametrize("name", ["mnist-conv-100", "mnist-ladder", "cells-both"])
def test_convolutions_have_their_channels_last_and_compute_the_same(name):
    model = load(name, device="cpu")
    kernels = [p for p in model.network.parameters() if p.ndim == 4 and min(p.shape[1:]) > 1]
    assert kernels
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    codes = model.latents.mean[:8]
    labels = torch.zeros(8, dtype=torch.int64) if model.config.classes else None
    drawn = model.decode(codes, labels)
    model.network.to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(model.decode(codes, labels), drawn, rtol=0, atol=1e-5)


def test_a_dense_network_stays_as_it_is():
    network = load("mnist-mlp-2d", device="cpu").network
    assert all(p.is_contiguous() for p in network.parameters())
