"""The named recipes, as data: what five write-ups built, with the numbers they gave.

A `Recipe` (`explorer.training.config`) is flat: one value a hyperparameter, each with its help.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from reprlib import repr as quoted
from typing import Any

from explorer.models.devices import PRECISIONS
from explorer.models.options import check_options, option
from explorer.training.config import Recipe

__all__ = ["PRESETS", "Preset", "Recipe", "TrainConfig", "preset"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A recipe with its name, source and published result, in words for the Train screen.

    Attributes:
        name: what commands and addresses call it.
        summary: what it is, in a sentence.
        source: the write-up that it follows.
        published: the result that the write-up gives.
        dataset: the data set that the write-up uses.
        notes: where this differs from the write-up, and why.
    """

    name: str
    summary: str
    source: str
    published: str
    dataset: str = "mnist"
    recipe: Recipe
    notes: str = ""


_GUO = "Guo 2020, “Variational Autoencoders: An Intuitive Explanation & Some Keras Code”"
_CLAY = "Clay 2024, “Note of Variational AutoEncoder”"
_SPENCE = "Spence (SciNet) 2022, “Neural network programming: variational autoencoders”"
_FRAMEWORK = "VAE-framework, “Variational autoencoders I. MNIST, Fashion-MNIST, CIFAR10, textures”"

_INITIALISATION = "“Variational Autoencoders & Different Initialization Schemes”, blood cells with malaria"

_MLP_2D = Recipe(
    latent=2,
    encoder=(256,),
    decoder=(256,),
    likelihood="bernoulli",
    optimizer="rmsprop",
    learning_rate=1e-3,  # Keras' default, which the write-up leaves alone
    batch_size=100,
    epochs=200,
    init="xavier",  # Keras' default for dense layers
)

_SMALL_DENSE = Recipe(
    latent=16,
    encoder=(420, 210, 105),
    decoder=(200, 400, 800),
    likelihood="gaussian",
    output="linear",
    # 100 (SSE + KL). With the write-up's unit variance the same beta would be SSE / 2 + 100 KL: 200 times as heavy a
    # KL, more than any latent can pay for.
    noise_variance=0.005,
    beta=100.0,
    warmup_share=3 / 7,
    optimizer="adam",
    learning_rate=1e-5,
    decay=1e-5,
    batch_size=100,
    epochs=70,
    init="xavier",  # Keras' default for dense layers
)
_SMALL_DENSE_NOTES = (
    "A beta of 100 against unit noise makes the KL outweigh the image 200 times over, and every latent collapses onto "
    "the prior. With a noise variance of 0.005 squared errors count 100 times as well, so that the loss is "
    "100 x (squared errors + KL): the balance of conv-100, since Adam does not mind the factor. The ELBO that is shown "
    "is for that variance, so compare it only with models of the same. The write-up's epoch is 1,000 steps of 100 "
    "images, which is 1 2/3 passes over MNIST; here an epoch is one pass. Beta grows from 0 over the first 3/7 of the "
    "epochs. The learning rate of 0.00001 is the published one and slow: with few epochs, raise it to 0.001."
)

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
_SHAPES = Recipe(
    latent=16,
    encoder=(512, 256),
    decoder=(256, 512),
    likelihood="bernoulli",
    optimizer="adam",
    learning_rate=1e-3,
    batch_size=128,
    epochs=30,
    init="kaiming",
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

_CRISP = f"{_FRAMEWORK}, which names VQ-VAE for crisper images; {_VQ}"
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

PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset(
            name="mlp-2d",
            summary="A dense VAE with two latents: the whole model is a plane that you can look at.",
            source=_GUO,
            published="pictures only: scatter by digit, 15 × 15 grid at norm.ppf(linspace(0.05, 0.95, 15))",
            recipe=_MLP_2D,
            notes=(
                "The write-up averages the KL over dimensions and scales pixels to [-1, 1] under a cross-entropy; "
                "here the KL is summed and pixels are in [0, 1], so that the loss is the negative ELBO in nats."
            ),
        ),
        Preset(
            name="mlp-2d-mse",
            summary="The same with squared errors and a light KL: crisper clusters, a narrower network.",
            source=_CLAY,
            published="pictures only: scatter of the codes by digit, grid",
            recipe=Recipe(
                latent=2,
                encoder=(128,),
                decoder=(128,),
                likelihood="gaussian",
                # mean of squared errors over 784 pixels + 0.001 KL = 0.001 (SSE / (2 * 0.392) + KL): a true
                # ELBO with noise of variance 0.392. Adam does not mind the factor in front.
                noise_variance=0.392,
                optimizer="adam",
                learning_rate=2e-3,
                batch_size=128,
                epochs=100,
            ),
            notes=(
                "The write-up minimises the mean of squared errors + 0.001 KL. That is a thousandth of the negative "
                "ELBO for pixel noise of variance 0.392, less a constant, so beta is 1 here and the variance says it."
            ),
        ),
        Preset(
            name="ae-2d",
            summary="A plain autoencoder: no prior, so the plane has holes where the decoder has never been.",
            source=f"{_CLAY}; {_SPENCE}",
            published="pictures only: holes between the clusters",
            # The network of `mlp-2d`, trained as Clay trains.
            recipe=replace(_MLP_2D, family="ae", optimizer="adam", learning_rate=2e-3, batch_size=128, epochs=100),
            notes=(
                "The network of mlp-2d with the code itself in place of a posterior: compare their planes. Without a "
                "prior there is no KL and no ELBO, and beta does nothing."
            ),
        ),
        Preset(
            name="conv-100",
            summary="A convolutional VAE with a hundred latents, of which it uses few.",
            source=_SPENCE,
            published="test loss 28.217, test MSE 0.019792 after 50 epochs",
            recipe=Recipe(
                network="conv",
                latent=100,
                encoder=(16, 32),
                decoder=(32, 16),
                likelihood="gaussian",
                noise_variance=0.5,  # 784 MSE + KL is the negative ELBO with this variance, less a constant
                optimizer="rmsprop",
                learning_rate=1e-3,
                batch_size=64,
                epochs=50,
                init="xavier",
            ),
            notes=(
                "The write-up minimises 784 x the mean squared error + KL: the negative ELBO for pixel noise of "
                "variance 0.5, less a constant, which is the loss that is shown. Its transposed convolutions of "
                "stride 1 are plain convolutions here, which compute the same functions faster."
            ),
        ),
        Preset(
            name="small-dense",
            summary="Three dense layers each way, 16 latents, a linear output and a beta that warms up slowly.",
            source=_FRAMEWORK,
            published="pictures only: originals next to reconstructions, a grid of samples from the prior",
            recipe=_SMALL_DENSE,
            notes=_SMALL_DENSE_NOTES,
        ),
        Preset(
            name="dense",
            summary="The same idea, wider: twice the weights of small-dense.",
            source=_FRAMEWORK,
            published="pictures only: originals next to reconstructions, a grid of samples from the prior",
            recipe=replace(_SMALL_DENSE, encoder=(1024, 512, 256), decoder=(256, 512, 1024)),
            notes=f"The write-up gives no widths: these are ours. {_SMALL_DENSE_NOTES}",
        ),
        Preset(
            name="cells-linear",
            summary="Blood cells by linear layers alone, one model a class: the colours come out, the granules do not.",
            source=_INITIALISATION,
            published="pictures only: healthy cells yellowish and round, infected ones purplish and less regular",
            dataset="malaria",
            recipe=Recipe(
                latent=64,
                encoder=(64, 64),
                decoder=(64, 64),
                batch_norm=True,  # after each of the two hidden layers on either side
                init="xavier",
                likelihood="bernoulli",
                optimizer="adam",
                learning_rate=1e-3,
                schedule="halved",
                batch_size=64,
                epochs=10,
            ),
            notes=(
                "One VAE a class: train it with --only healthy and with --only infected. The write-up compares Xavier "
                "with Kaiming first weights: this is Xavier, and --init kaiming is the other. It gives no widths, no "
                "number of latents and no learning rate to begin with: these are ours, narrow so that the weights take "
                "3 MB. A rate that is halved after every epoch adds up to two epochs at the first rate: later epochs "
                "hardly move the weights. A colour counts as the chance of a bright pixel, which is no likelihood of "
                "colours: compare its squared errors with other models', not its nats. The write-up splits by image, "
                "so that a patient's cells are in training and test; here patients are kept apart."
            ),
        ),
        Preset(
            name="cells-conv",
            summary="Blood cells by convolutions, one model a class: outlines as sharp as the pixels let them be.",
            source=f"{_INITIALISATION}, “where to go from here”",
            published="asked for, not built: convolutions for clearly better cells",
            dataset="malaria",
            recipe=Recipe(
                network="conv",
                latent=64,
                encoder=(16, 32, 64, 128),
                decoder=(128, 64, 32, 16),
                batch_norm=True,
                likelihood="sigma",
                beta=15.0,
                optimizer="adam",
                learning_rate=2e-3,
                schedule="cosine",
                batch_size=64,
                epochs=10,
                init="kaiming",
            ),
            notes=(
                "The write-up names convolutions as the next step; the rest is ours. The noise of a pixel is learnt "
                "(sigma), so that squared errors count for what they are. By that noise alone, at beta 1, the codes of "
                "infected cells take 205 nats, most of them for the outline, and codes drawn from the prior decode to "
                "ragged cells; at beta 15 they take 86, the squared error on unseen patients goes from 0.0062 to "
                "0.0068, and generated cells come closer to real ones. The same 64 latents as cells-linear. Neither "
                "draws parasites: a parasite is what is left of a cell when its reconstruction is taken away. "
                "--only healthy or --only infected trains on one class, --family cvae on both with codes that they "
                "share."
            ),
        ),
        Preset(
            name="cvae",
            summary="A VAE whose decoder is told the class: one code, drawn as any of the classes.",
            source=f"{_CLAY}, which names it as a variant; Sohn, Lee & Yan 2015; Kingma et al. 2014, arXiv:1406.5298",
            published="no figures: named as a variant, for any data with classes",
            recipe=Recipe(
                family="cvae",
                latent=16,
                encoder=(512, 256),
                decoder=(256, 512),
                likelihood="bernoulli",
                optimizer="adam",
                learning_rate=1e-3,
                batch_size=128,
                epochs=30,
                init="kaiming",
            ),
            notes=(
                "The encoder is not told the class, unlike that of the papers: every image has a code, and a code says "
                "what the class does not, such as slant and weight of a digit. Its ELBO is that of p(image | class), "
                "so compare it with a plain VAE's only less the nats that the class costs: log 10 for ten digits."
            ),
        ),
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
            source=f"{_FRAMEWORK}, which names it",
            published="no figures: named as a variant",
            recipe=replace(_SHAPES, posterior="student-t"),
            notes=(
                "The write-up gives neither degrees of freedom nor network: these are ours. Mean and variance are the "
                "distribution's own, and the KL has a closed form. --degrees 1000 is a Gaussian again."
            ),
        ),
        Preset(
            name="truncated-normal",
            summary="A VAE whose posteriors end: Gaussians cut at two standard deviations on either side.",
            source=f"{_FRAMEWORK}, which names it",
            published="no figures: named as a variant",
            recipe=replace(_SHAPES, posterior="truncated-normal"),
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
            source=_FRAMEWORK,
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
            source=f"{_FRAMEWORK}; Salimans, Karpathy, Chen & Kingma 2017, arXiv:1701.05517, for the likelihood",
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
            recipe=replace(
                _VQ_RECIPE, codebook=256, learning_rate=2e-3, schedule="one-cycle", epochs=24, prior_share=0.5
            ),
            notes=f"Sizes and schedule are ours. {_VQ_NOTES}",
        ),
        Preset(
            name="cifar-vq",
            summary="Small photographs as grids of 8 × 8 codebook entries, drawn by a transformer told the class.",
            source=_CRISP,
            published="pictures only, of other sizes",
            dataset="cifar10",
            recipe=replace(
                _VQ_RECIPE, codebook=512, learning_rate=2e-3, schedule="one-cycle", epochs=60, prior_share=0.5
            ),
            notes=f"Sizes and schedule are ours. {_VQ_NOTES}",
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
            source=f"Rezende & Viola 2018, “Taming VAEs”, arXiv:1810.00597; {_CLAY}, which asks for a learnt beta",
            published="no figures for digits: a method",
            recipe=replace(_SHAPES, likelihood="gaussian", noise_variance=0.5, target_mse=0.015),
            notes=(
                "The paper multiplies the constraint and leaves the KL alone; here beta is one over that multiplier, "
                "which is the same balance with the loss in the units of conv-100: squared errors + beta · KL. The "
                "target is the squared error of a training pixel at a draw of z. Beta moves by at most 1% a step, so "
                "give it a few thousand. The curve of beta is on the Train screen; sigma is the other way to learn it."
            ),
        ),
    )
}


def preset(name: str) -> Preset:
    """The preset of that name; ValueError that lists them all for an unknown one."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"there is no preset {name!r}: choose from {', '.join(PRESETS)}") from None


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What to train, on what, and how it differs from the preset.

    Attributes:
        preset: a name in `PRESETS`.
        dataset: a data set's name; None for the preset's own.
        epochs: passes over the training set; None for the preset's.
        data_root: where data sets lie; None for $EXPLORER_DATA or `data`.
        settings: other fields of `Recipe` that differ from the preset's.

    The others say what they are themselves. Raises ValueError, one sentence, for a value that cannot be.
    """

    preset: str
    dataset: str | None = None
    only: str | None = option(
        *("Only class", "run"),
        "Train and measure on the images of one class alone, as the models of healthy and of infected cells are",
        None,
    )
    epochs: int | None = None
    seed: int = option(
        *("Seed", "run"),
        "Of the first weights, the order of the images and the noise: the same seed gives the same run",
        0,
        minimum=0,
        maximum=2**32 - 1,  # UMAP's generator takes no other; it would say so only at the end of the run
    )
    device: str = option(
        "Device", "run", "What computes: auto is the first GPU if there is one, else the processor", "auto"
    )
    precision: str = option("Precision", "run", "How numbers are computed", "auto", choices=PRECISIONS)
    half: bool = option(
        *("Half precision", "run"),
        "Store the finished model's weights in 16 bits: half the size, measured as it is stored",
        False,
    )
    umap: bool = option(
        *("UMAP at the end", "run"),
        "Lay out the codes as a UMAP when training ends: ten seconds, for more than two latents only",
        True,
    )
    save_seconds: float = option(
        *("Save every, s", "run"),
        "At most so many seconds of work are lost when the machine dies; 0 saves after every epoch",
        60.0,
        minimum=0.0,
        step=5.0,
    )
    data_root: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (isinstance(self.preset, str) and len(self.preset) <= 100 and isinstance(self.settings, dict)):
            raise ValueError("a preset is a name, and settings are fields of a recipe with their values")
        if not all(name is None or (isinstance(name, str) and len(name) <= 5000) for name in (self.dataset, self.only)):
            raise ValueError("a data set and a class are names")
        if not (self.epochs is None or type(self.epochs) is int):
            raise ValueError(f"epochs must be a whole number, not {quoted(self.epochs)}")
        check_options(self)

    def recipe(self) -> Recipe:
        """The preset's recipe with this config's changes. Raises ValueError for a bad name or value."""
        changes = dict(self.settings)
        if self.epochs is not None:
            changes["epochs"] = self.epochs
        try:
            return replace(preset(self.preset).recipe, **changes)
        except TypeError as error:
            raise ValueError(f"unknown setting: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads back."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**values, "data_root": None if self.data_root is None else str(self.data_root)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrainConfig:
        """Raises ValueError when a key is unknown, missing or of the wrong type."""
        try:
            root = data.get("data_root")
            return cls(**{**data, "data_root": None if root is None else Path(root)})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"incomplete settings of a run: {error}") from error

    @classmethod
    def of_checkpoint(cls, config: dict[str, Any]) -> TrainConfig:
        """What would train the checkpoint with this config.json. Raises KeyError or ValueError."""
        own = preset(config["preset"]).recipe
        stored = Recipe(**config["recipe"])
        names = [f.name for f in fields(Recipe) if f.name != "epochs"]
        return cls(
            preset=config["preset"],
            dataset=config["dataset"]["name"],
            only=config["dataset"].get("only"),
            epochs=stored.epochs,
            seed=config["seed"],
            precision=config["precision"],
            half=config.get("weights") == "float16",
            settings={n: v for n in names if (v := getattr(stored, n)) != getattr(own, n)},
        )
