"""Presets of the five write-ups, as data: what they built, with the numbers they gave.

A `Recipe` (`explorer.training.config`) is flat: one value a hyperparameter, each with its help.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from explorer.training.config import Recipe


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
CLAY = "Clay 2024, “Note of Variational AutoEncoder”"
_SPENCE = "Spence (SciNet) 2022, “Neural network programming: variational autoencoders”"
FRAMEWORK = "VAE-framework, “Variational autoencoders I. MNIST, Fashion-MNIST, CIFAR10, textures”"
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
SIXTEEN = Recipe(
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
"""Ours, of a small dense VAE: what is not in papers that name a variant alone."""

WRITE_UPS = (
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
        source=CLAY,
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
        source=f"{CLAY}; {_SPENCE}",
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
        source=FRAMEWORK,
        published="pictures only: originals next to reconstructions, a grid of samples from the prior",
        recipe=_SMALL_DENSE,
        notes=_SMALL_DENSE_NOTES,
    ),
    Preset(
        name="dense",
        summary="The same idea, wider: twice the weights of small-dense.",
        source=FRAMEWORK,
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
        source=f"{CLAY}, which names it as a variant; Sohn, Lee & Yan 2015; Kingma et al. 2014, arXiv:1406.5298",
        published="no figures: named as a variant, for any data with classes",
        recipe=replace(SIXTEEN, family="cvae"),
        notes=(
            "The encoder is not told the class, unlike that of the papers: every image has a code, and a code says "
            "what the class does not, such as slant and weight of a digit. Its ELBO is that of p(image | class), "
            "so compare it with a plain VAE's only less the nats that the class costs: log 10 for ten digits."
        ),
    ),
)
