"""Presets of the families, priors, posteriors and objectives that papers describe, as data."""

from __future__ import annotations

from dataclasses import replace

from explorer.training.config import Recipe
from explorer.training.write_ups import CLAY, FRAMEWORK, SIXTEEN, Preset

_LADDER = Recipe(
    family="ladder",
    layers=(4, 8, 16, 32, 64),
    encoder=(512, 256, 128, 64, 32),
    decoder=(32, 64, 128, 256, 512),
    batch_norm=True,
    likelihood="bernoulli",
    binarise=True,
    warmup_share=0.1,
    optimizer="adam",
    learning_rate=1e-3,
    batch_size=256,
    epochs=2000,
    init="xavier",
)
_VAMP = Recipe(
    prior="vamp",
    components=500,
    latent=40,
    encoder=(300, 300),
    decoder=(300, 300),
    likelihood="bernoulli",
    binarise=True,
    optimizer="adam",
    learning_rate=5e-4,
    batch_size=100,
    epochs=100,
    warmup_epochs=20,
    init="xavier",
)
_VQ = "van den Oord, Vinyals & Kavukcuoglu 2017, “Neural discrete representation learning”, arXiv:1711.00937"
_VQ_RECIPE = Recipe(
    family="vq",
    network="conv",
    encoder=(32, 64),
    decoder=(64, 32),
    codebook=128,
    entry_size=8,
    grid_blocks=1,
    class_prior=True,
    likelihood="sigma",
    optimizer="adam",
    learning_rate=1e-3,
    schedule="cosine",
    batch_size=128,
    epochs=30,
    prior_share=0.6,
)
_VQ_NOTES = (
    "The codebook follows exponential averages, as in the paper's appendix, and entries that nothing is assigned to "
    "start again at an output of the encoder. The prior is a small causal transformer in the place of the paper's "
    "PixelCNN. It is trained after the autoencoder, in the same run: until then it is uniform, and the KL is the "
    "logarithm of the codebook's size at each place of the grid."
)
_CRISP = f"{FRAMEWORK}, which names VQ-VAE for crisper images; {_VQ}"
_RESIDUAL = Recipe(
    network="residual",
    latent=64,
    encoder=(32, 64, 64, 128),
    decoder=(128, 64, 64, 32),
    batch_norm=True,
    likelihood="sigma",
    optimizer="adam",
    learning_rate=2e-3,
    schedule="one-cycle",
    batch_size=128,
    epochs=30,
    init="kaiming",
)

PAPERS = (
    Preset(
        name="ladder",
        summary="Five layers of latents, of which the lower ones depend on the upper ones, with ladder inference.",
        source="Sønderby et al. 2016, “Ladder variational autoencoders”, arXiv:1602.02282",
        published="test log-likelihood −81.74 nats (importance-weighted, 5,000 draws) after 2,000 epochs",
        recipe=_LADDER,
        notes=(
            "Codes hold the top layer first, each latent as its place within its prior given the layers above: a "
            "code can be cut below any layer and the rest drawn anew. Beta grows from 0 over the first tenth of "
            "the epochs, 200 of 2,000 in the paper. Pixels are drawn on or off by their gray each time, as there. "
            "The paper's epochs take a day on a processor: 100 of them show how the layers share the work."
        ),
    ),
    Preset(
        name="ladder-conv",
        summary="Three layers of latents, two of the whole image and one on a 4 x 4 grid, along residual blocks.",
        source="Child 2021, “Very deep VAEs generalize autoregressive models”, arXiv:2011.10650",
        published="no figures for MNIST; residual ladders reach 78 to 81 nats there (NVAE, arXiv:2007.03898; BIVA, "
        "arXiv:1902.02102)",
        recipe=replace(
            _LADDER,
            network="residual",
            layers=(16, 16, 2),
            grids=(1, 1, 4),
            encoder=(16, 32),
            decoder=(48, 32),
            init="kaiming",
            learning_rate=2e-3,
            schedule="cosine",
            batch_size=100,
            epochs=30,
        ),
        notes=(
            "The idea of the paper, made small for a processor: 3 layers in place of dozens, 0.3 million weights, "
            "batch norm, and posteriors that are products of what the image says and of the prior, as in ladder. "
            "An image comes in and goes out at half its sides, four pixels a place."
        ),
    ),
    Preset(
        name="vamp",
        summary="A VAE that learns its prior as well, a mixture of the posteriors of made-up images.",
        source="Tomczak & Welling 2018, “VAE with a VampPrior”, arXiv:1705.07120",
        published="log-likelihoods of networks with gates, two nats better for the prior on binary MNIST",
        recipe=_VAMP,
        notes=(
            "The paper's widths, latents and 500 pseudo-inputs, with ReLUs in place of its gates, 100 epochs in "
            "place of up to 2,000, and warm-up over the first 20. Pseudo-inputs start as training images. With "
            "--latent 2 --components 100 you can see the prior follow the codes. The KL is an estimate from the "
            "draw of z that the reconstruction takes, of all latents as one group."
        ),
    ),
    Preset(
        name="mixture",
        summary="The same with a plain mixture of Gaussians as its prior, which owes nothing to the encoder.",
        source="Tomczak & Welling 2018, arXiv:1705.07120, which compares with it (MoG)",
        published="the paper finds it better than N(0, I) and behind the VampPrior",
        recipe=replace(_VAMP, prior="mixture"),
        notes="As vamp in all else, so that the two can be compared.",
    ),
    Preset(
        name="student-t",
        summary="A VAE whose posteriors have heavy tails: Student's t with five degrees of freedom.",
        source=f"{FRAMEWORK}, which names it",
        published="no figures: named as a variant",
        recipe=replace(SIXTEEN, posterior="student-t"),
        notes=(
            "The write-up gives neither degrees of freedom nor network: these are ours. Mean and variance are the "
            "distribution's own, and the KL has a closed form. --degrees 1000 is a Gaussian again."
        ),
    ),
    Preset(
        name="truncated-normal",
        summary="A VAE whose posteriors end: Gaussians cut at two standard deviations on either side.",
        source=f"{FRAMEWORK}, which names it",
        published="no figures: named as a variant",
        recipe=replace(SIXTEEN, posterior="truncated-normal"),
        notes=(
            "The write-up does not say where it cuts, or by which network: these are ours. Mean and variance are "
            "those of what is left, and the KL has a closed form. --truncation 8 is a Gaussian again."
        ),
    ),
    Preset(
        name="vq",
        summary="A VQ-VAE: an image is a grid of entries of a codebook, and a transformer draws such grids.",
        source=_VQ,
        published="no figures for digits",
        recipe=_VQ_RECIPE,
        notes=_VQ_NOTES,
    ),
    Preset(
        name="textures-conv",
        summary="Textures by residual convolutions, their noise learnt.",
        source=FRAMEWORK,
        published="pictures only: originals next to reconstructions, a grid of samples from the prior",
        dataset="textures",
        recipe=_RESIDUAL,
        notes=(
            "The write-up names the data, 42,000 crops of 28 x 28 pixels, and shows pictures; network, likelihood "
            "and schedule are ours. A texture is mostly chance, which 64 latents cannot tell: its grain is left to "
            "the noise, and samples are blurred. textures-vq draws the grain."
        ),
    ),
    Preset(
        name="cifar-conv",
        summary="Small photographs by residual convolutions, with a chance for each of a pixel's 256 values.",
        source=f"{FRAMEWORK}; Salimans, Karpathy, Chen & Kingma 2017, arXiv:1701.05517, for the likelihood",
        published="pictures only, of another likelihood",
        dataset="cifar10",
        recipe=replace(_RESIDUAL, latent=128, likelihood="logistic-mixture", mixture_components=5),
        notes=(
            "The write-up names the data and shows pictures; the rest is ours. Nats are of 8-bit values in colour, "
            "so that bits a dimension can be compared with other models of the same images. A subset of the data "
            "gives another figure than all of them, and says so in its notes. Photographs that are drawn from the "
            "prior are blurred."
        ),
    ),
    Preset(
        name="textures-vq",
        summary="Textures as grids of 7 × 7 codebook entries, drawn by a transformer that knows which texture.",
        source=_CRISP,
        published="pictures only, of other data",
        dataset="textures",
        recipe=replace(_VQ_RECIPE, codebook=256, learning_rate=2e-3, schedule="one-cycle", epochs=24, prior_share=0.5),
        notes=f"Sizes and schedule are ours. {_VQ_NOTES}",
    ),
    Preset(
        name="cifar-vq",
        summary="Small photographs as grids of 8 × 8 codebook entries, drawn by a transformer told the class.",
        source=_CRISP,
        published="pictures only, of other sizes",
        dataset="cifar10",
        recipe=replace(_VQ_RECIPE, codebook=512, learning_rate=2e-3, schedule="one-cycle", epochs=44, prior_share=0.32),
        notes=(
            "Sizes and schedule are ours, for 1,000 images a class: more epochs of the prior learn them by heart, and "
            f"all 5,000 a class bear more. {_VQ_NOTES}"
        ),
    ),
    Preset(
        name="cells-vq",
        summary="Blood cells as grids of 16 × 16 codebook entries, drawn by a transformer that knows the class.",
        source=_VQ,
        published="pictures only, of other data",
        dataset="malaria",
        recipe=replace(
            _VQ_RECIPE,
            encoder=(64, 96),
            decoder=(96, 64),
            codebook=256,
            entry_size=16,
            dark_detail=20.0,
            guidance=2.0,
            batch_size=64,
            epochs=16,
            prior_share=0.5,
        ),
        notes=_VQ_NOTES,
    ),
    Preset(
        name="iwae",
        summary="A VAE trained on a tighter bound on the likelihood, by five draws of a code for each image.",
        source="Burda, Grosse & Salakhutdinov 2016, “Importance weighted autoencoders”, arXiv:1509.00519",
        published="−log p(x) of binary MNIST: 84.8 nats by 50 draws, 85.5 by 5; the VAE 86.8",
        recipe=Recipe(
            family="iwae",
            draws=5,
            latent=50,
            encoder=(200, 200),
            decoder=(200, 200),
            likelihood="bernoulli",
            binarise=True,
            optimizer="adam",
            learning_rate=1e-3,
            schedule="cosine",
            batch_size=100,
            epochs=50,
            init="xavier",
        ),
        notes=(
            "The paper's data, widths, latents and first learning rate, with ReLUs in place of tanh, batches of "
            "100 in place of 20, and 50 epochs in place of 3,280. --draws 50 takes some ten times as long. Pixels "
            "are drawn on or off by their gray each time an image is used. The loss in training is the paper's "
            "bound; ELBO, and the loss of the test images, are those of one draw, which training no longer makes "
            "as good as it can: compare models by `evaluate --k 500`, as the paper does by 5,000 draws."
        ),
    ),
    Preset(
        name="beta-tc",
        summary="A VAE whose latents are made independent of each other, so that each tells something of its own.",
        source="Chen et al. 2018, “Isolating sources of disentanglement in VAEs”, arXiv:1802.04942",
        published="figures only: the mutual information gap against beta, on dSprites and faces",
        dataset="shapes",
        recipe=Recipe(
            family="beta-tc",
            latent=10,
            encoder=(512, 512),
            decoder=(512, 512),
            likelihood="bernoulli",
            beta=6.0,
            optimizer="adam",
            learning_rate=1e-3,
            batch_size=128,
            epochs=100,
            init="kaiming",
        ),
        notes=(
            "Beta is the weight of the total correlation alone, 6 as in the paper's code for dSprites; with all "
            "three weights at 1 it is the VAE. The paper weights the images of a batch alike, and its batches "
            "have 2,048; stratified sampling, its other estimate, is not off by hundreds of nats. The loss in "
            "training has the weights, that of the test images is the negative ELBO, and mutual information, "
            "total correlation and dimension-wise KL are measured on the test images after every epoch. Widths "
            "are ours."
        ),
    ),
    Preset(
        name="conv-mixture",
        summary="Convolutions, forty latents and a learnt prior: crisp digits.",
        source="Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, whose data and measure it takes",
        published="−log p(x) of binary MNIST with one layer of latents: VAE 86.8 nats, IWAE 84.8",
        recipe=Recipe(
            network="conv",
            prior="mixture",
            components=100,
            latent=40,
            encoder=(16, 32),
            decoder=(32, 16),
            batch_norm=True,
            likelihood="bernoulli",
            binarise=True,
            warmup_share=0.1,
            optimizer="adam",
            learning_rate=3e-3,
            schedule="one-cycle",
            batch_size=128,
            epochs=30,
            init="kaiming",
        ),
        notes=(
            "Network, prior and schedule are ours, chosen for a processor: the widths of conv-100, a mixture of "
            "100 Gaussians as the prior, and 30 epochs in place of thousands. Pixels are drawn on or off by their "
            "gray each time an image is used, as in the paper. After 30 epochs the ELBO of training images is no "
            "better than that of test images."
        ),
    ),
    Preset(
        name="geco",
        summary="A VAE that learns its beta: the KL weighs as much as a target for the squared error lets it.",
        source=f"Rezende & Viola 2018, “Taming VAEs”, arXiv:1810.00597; {CLAY}, which asks for a learnt beta",
        published="no figures for digits: a method",
        recipe=replace(SIXTEEN, likelihood="gaussian", noise_variance=0.5, target_mse=0.015),
        notes=(
            "The paper multiplies the constraint and leaves the KL alone; here beta is one over that multiplier, "
            "which is the same balance with the loss in the units of conv-100: squared errors + beta · KL. The "
            "target is the squared error of a training pixel at a draw of z. Beta moves by at most 1% a step, so "
            "give it a few thousand. The curve of beta is on the Train screen; sigma is the other way to learn it."
        ),
    ),
)
