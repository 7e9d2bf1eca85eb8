"""Each posterior against torch.distributions and scipy."""

import torch
from torch.distributions import Normal

from explorer.models import GaussianPosterior


def moments(n=20, d=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=generator), torch.randn(n, d, generator=generator) - 1


def test_a_gaussian_s_density_is_torch_s_at_codes_of_one_image_and_of_all():
    mean, logvar = moments()
    q = GaussianPosterior(mean, logvar)
    theirs = Normal(mean, torch.exp(0.5 * logvar))
    z = torch.randn(20, 3)
    torch.testing.assert_close(q.log_prob(z), theirs.log_prob(z))
    torch.testing.assert_close(q.log_prob(z[:7, None]), theirs.log_prob(z[:7, None]))
