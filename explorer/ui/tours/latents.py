"""A hundred latents, fourteen used."""

from explorer.ui.arithmetic import sliders
from explorer.ui.explore.used_latents import OPEN as USED_LATENTS
from explorer.ui.page_switch import ARITHMETIC, ARITHMETIC_TOOL, COMPARE, EXPLORE, TRAIN
from explorer.ui.tours.conditions import MODEL, compares, every, form_has, model_is, moved, on, state_is, without
from explorer.ui.tours.tour import Step, Tour

TOUR = Tour(
    "latents",
    "A hundred latents, fourteen used",
    "Why a VAE switches off most of its latents, and how to tell which.",
    (
        Step(
            EXPLORE,
            "**mnist-conv-100** has a hundred latents. Open **14 of 100 latents in use: why?**",
            every(on(EXPLORE), model_is("mnist-conv-100"), state_is(USED_LATENTS, True)),
            "Each bar is the KL of a latent: how much it tells about an image. Fourteen tell something. A latent that "
            "tells nothing costs no KL, so training has switched off all that do not pay for themselves.",
            {MODEL: "mnist-conv-100", USED_LATENTS: False},
            "A latent is active where its posterior mean varies over images by more than 0.01: Burda et al. 2016, "
            "arXiv:1509.00519, section 5.2. Its KL is $\\tfrac12(\\mu^2 + \\sigma^2 - \\log\\sigma^2 - 1)$.",
            without("mnist-conv-100"),
            shows="used_latents_chart",
        ),
        Step(
            ARITHMETIC,
            "Open **Traversal**, and turn on **All 100 latents**: each row moves one of them.",
            every(
                on(ARITHMETIC),
                model_is("mnist-conv-100"),
                state_is(ARITHMETIC_TOOL, "traversal"),
                state_is("traversal_all", True),
            ),
            "The rows at the top change the digit. The grey ones further down change nothing: the decoder has learnt "
            "to do without these latents.",
            {MODEL: "mnist-conv-100", ARITHMETIC_TOOL: "expression", "traversal_all": False},
            gone=without("mnist-conv-100"),
            shows="traversal",
        ),
        Step(
            ARITHMETIC,
            "Open **Sliders**, and move a latent by hand. The strongest comes first.",
            every(
                on(ARITHMETIC),
                model_is("mnist-conv-100"),
                state_is(ARITHMETIC_TOOL, "sliders"),
                lambda: bool(moved(sliders.KEY)),
            ),
            "One number changes slant, width or even the digit. Nobody told the model what a latent should mean: it "
            "found what saves most nats.",
            {MODEL: "mnist-conv-100", ARITHMETIC_TOOL: "expression"},
            gone=without("mnist-conv-100"),
        ),
        Step(
            COMPARE,
            "On Compare, put **mnist-mlp-2d** and **mnist-conv-100** side by side, and look at the **Measures**.",
            every(on(COMPARE), compares("mnist-mlp-2d", "mnist-conv-100"), state_is("compare_part", "measures")),
            "Fourteen latents, and convolutions, halve the squared error of two. The ELBOs are grey: the two "
            "likelihoods have other units, so no one can say by them which is better.",
            {"compare_models": ["mnist-conv-100"], "compare_part": "pictures"},
            gone=without("mnist-mlp-2d", "mnist-conv-100"),
            shows="compare_table",
        ),
        Step(
            TRAIN,
            "A way to keep latents alive: under **All options**, set **Free bits** to 0.1.",
            every(on(TRAIN), lambda: form_has("free_bits", 0.1)),
            "The next run charges no latent for its first tenth of a nat, so few collapse. The price: what it "
            "minimises is no longer the negative ELBO.",
            {},
            "$$\\sum_j \\max(\\lambda, \\mathrm{KL}_j)$$ Kingma et al. 2016, arXiv:1606.04934, appendix C.8.",
        ),
    ),
)
