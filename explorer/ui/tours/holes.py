"""Why a plane has holes: an autoencoder against a VAE."""

from explorer.ui.arithmetic.walk import FILM, FROM
from explorer.ui.page_switch import ARITHMETIC, ARITHMETIC_TOOL, COMPARE, EXPLORE
from explorer.ui.tours.conditions import (
    HOLES,
    MODEL,
    PICK,
    compares,
    every,
    model_is,
    on,
    picked_in_a_hole,
    state_is,
    without,
)
from explorer.ui.tours.tour import Step, Tour

_TWO = ("mnist-ae-2d", "mnist-mlp-2d")

TOUR = Tour(
    "holes",
    "Why a plane has holes",
    "What a VAE does that a plain autoencoder does not, and why one can draw from it.",
    (
        Step(
            EXPLORE,
            "This is a plain autoencoder: each digit became two numbers, its code. Turn on **Show holes**.",
            every(on(EXPLORE), model_is("mnist-ae-2d"), state_is(HOLES, True)),
            "Drawn from one round cloud around all digits, over a third of codes would fall into the stripes, where "
            "hardly a digit lies. Nobody asked the encoder to fill the plane, so it used it as it pleased.",
            {MODEL: "mnist-ae-2d", HOLES: False},
            "An autoencoder minimises the reconstruction error alone, $\\lVert x - d(e(x)) \\rVert^2$ or its like: "
            "nothing in it speaks of where codes lie.",
            without("mnist-ae-2d"),
            shows="map",
        ),
        Step(
            EXPLORE,
            "Click into a striped part of the map, well away from the points.",
            every(on(EXPLORE), picked_in_a_hole("mnist-ae-2d")),
            "The decoder draws something that is no digit, or a smudge of two. It was never trained there: no "
            "training image has a code near that spot.",
            {MODEL: "mnist-ae-2d", HOLES: True, PICK: None},
            gone=without("mnist-ae-2d"),
            shows="decoded",
        ),
        Step(
            ARITHMETIC,
            "Open **Walk**: a film from that spot, `here`, to a digit.",
            every(on(ARITHMETIC), state_is(ARITHMETIC_TOOL, "walk"), picked_in_a_hole("mnist-ae-2d")),
            "The walk begins in the hole, and digits come up only once it reaches the points. The curve under the "
            "film says how many real images lie in still emptier places: none, until then.",
            {MODEL: "mnist-ae-2d", ARITHMETIC_TOOL: "expression", FROM: "here"},
            gone=without("mnist-ae-2d"),
            shows=FILM,
        ),
        Step(
            EXPLORE,
            "Now choose the model **mnist-mlp-2d**: the same idea, as a VAE. Keep the holes on.",
            every(on(EXPLORE), model_is("mnist-mlp-2d"), state_is(HOLES, True)),
            "Less than a tenth of what its prior draws now falls into stripes. The KL charges a VAE for codes that "
            "stray from that round cloud, so it packs the digits closely around zero.",
            {MODEL: "mnist-ae-2d", HOLES: True},
            "$$\\mathrm{ELBO} = \\mathbb{E}_{q(z|x)}[\\log p(x|z)] - \\mathrm{KL}(q(z|x)\\,\\|\\,p(z))$$ "
            "Kingma & Welling 2014, arXiv:1312.6114, eq. 3. The prior is $p(z) = \\mathcal{N}(0, I)$.",
            without("mnist-mlp-2d"),
            shows="map",
        ),
        Step(
            COMPARE,
            "On Compare, show the **Samples** of both models: codes drawn at random, and decoded.",
            every(
                on(COMPARE), compares(*_TWO), state_is("compare_part", "pictures"), state_is("compare_show", "samples")
            ),
            "A VAE's prior says where to draw codes. For the autoencoder we have to guess, with a cloud fitted to its "
            "codes, and many draws fall into holes.",
            {"compare_models": [*_TWO], "compare_part": "pictures", "compare_show": "images"},
            gone=without(*_TWO),
        ),
    ),
)
