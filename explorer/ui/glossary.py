"""The glossary: each term once, the same on every screen."""

from __future__ import annotations

import streamlit as st

GLOSSARY = {
    "Active latent": "one whose posterior mean varies over the test images, by a variance above 0.01. The others "
    "tell nothing, and moving them changes nothing.",
    "Aggregate posterior": "where the encoder puts real images, all of them together. Far from it the decoder has "
    "never been trained.",
    "Area under the ROC": "how often a case that has something gets a higher score than one that has not: 0.5 is "
    "guessing, 1 is never wrong.",
    "Beta": "the weight of the KL in what training minimises. *Warm-up* lets it grow from 0.",
    "Calibrated": "of all cases that are said to be 70% likely, 70% are so.",
    "Class mean": "the average of the codes of a class's images.",
    "Code": "a few numbers that stand for an image. The *encoder* turns an image into a distribution over codes, the "
    "*posterior*; the map shows its mean. The *decoder* turns any code into an image. Codes can be added and blended.",
    "Codebook": "in a VQ-VAE, the list of entries that codes are made of.",
    "Direction": "what has to be added to a code to go from one group of images towards another.",
    "ELBO": "how well the model accounts for an image, in nats; higher is better. It is the *reconstruction* term (how "
    "close the decoded image comes) less the *KL* (how much the code tells beyond the prior).",
    "Emptier region": "where fewer real images have their codes. Where hardly any has, the decoder has to guess.",
    "Epoch": "one pass over the training images. The *test* curves are of images that training never sees.",
    "Fréchet distance": "how far samples are from test images as a whole, seen by a small classifier; 0 is best. Only "
    "models of the same data can be compared by it.",
    "Holes": "where the prior would draw codes but no image lies.",
    "Image": "what a model sees and draws, always of one size. A *picture* is a file of your own, before it is made to "
    "fit.",
    "Initialisation": "the random weights that training begins with.",
    "Layer": "in a ladder, latents that depend on those above them. The top layer's say the most general things.",
    "Log-likelihood": "how probable the model finds an image, in nats; the ELBO is never above it, on average.",
    "Nearest": "the images whose codes lie closest, so that the model finds them alike.",
    "Posterior collapse": "a latent whose KL is near zero, below 0.01 nats: the decoder has learnt to do without it.",
    "Preset": "the settings of a published model that this program follows.",
    "Prior": "the distribution that codes should follow as a whole, a round cloud around zero. *Samples* are its "
    "draws, decoded.",
    "Reconstruction": "an image encoded into its code, and decoded again. The difference shows what the model does not "
    "know.",
    "Run": "one training, from start to end, in a process of its own: closing the page does not stop it.",
    "Seed": "a number that decides all random draws: the same seed gives the same result.",
    "Squared error": "how far a reconstruction is off: the squares of the differences of pixels from 0 to 1, averaged.",
    "Temperature": "how far draws stray: 0 is the most typical, 1 what the model has learnt, more is bolder.",
    "Traversal": "one latent moved from one end of the prior to the other, the rest held still.",
    "Trustworthiness, continuity": "whether neighbours on the map are neighbours by their codes, and the other way "
    "round: 1 is best.",
    "UMAP, principal components": "ways to lay out codes of many numbers on a plane. Read neighbourhoods, not "
    "distances.",
    "Unusual code": "one that lies where hardly any test image's code does.",
    "Walk": "codes step by step from one to another, each decoded; interpolation is another word.",
}
"""By term, what it means: the end of a sentence that begins with the term, in Markdown."""


def meaning(*terms: str) -> str:
    """What some terms mean, as help beside what shows them."""
    return "\n\n".join(f"**{term}**: {GLOSSARY[term]}" for term in terms)


def glossary() -> None:
    """Draws the glossary as a popover of a screen's head."""
    with st.popover("Glossary", icon=":material/help:", type="tertiary", key="glossary"):
        st.markdown("\n".join(f"- **{term}**: {text}" for term, text in GLOSSARY.items()))
