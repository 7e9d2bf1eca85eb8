"""What beta buys: reconstruction against KL, collapse at the end, and ways to let the model choose."""

from explorer.ui.page_switch import COMPARE, TRAIN
from explorer.ui.tours.conditions import every, form_has, on, state_is, sweep_is_compared, swept, without_sweep
from explorer.ui.tours.tour import Step, Tour

TOUR = Tour(
    "beta",
    "What beta buys",
    "How the weight of the KL trades sharp images for a tidy space of codes.",
    (
        Step(
            TRAIN,
            "Train the same model for three values of beta: under **All options** set **Epochs** to 5, open **Sweep**, "
            "leave 0.1, 1, 10 and press **Start the sweep**. It takes a minute.",
            lambda: swept("beta", 3),
            "You have three models that differ in beta alone. Beta weighs the KL: how much a code may tell about its "
            "image.",
            {},
            "$$\\log p(x|z) - \\beta\\,\\mathrm{KL}(q(z|x)\\,\\|\\,p(z))$$ Higgins et al. 2017, “beta-VAE”, eq. 4. "
            "At 1 it is the ELBO.",
        ),
        Step(
            COMPARE,
            "Open **Compare**, and there **Sweeps**.",
            every(on(COMPARE), state_is("compare_part", "sweeps")),
            "With more beta the KL falls and the squared error rises: the codes tell less. At 10 hardly a nat is "
            "left. Where none is, the latents have collapsed, and every image gets the same code.",
            {"compare_part": "pictures"},
            gone=without_sweep("beta", 3),
        ),
        Step(
            COMPARE,
            "Press **Compare these models**, and look at the **Test images**.",
            every(
                on(COMPARE),
                state_is("compare_part", "pictures"),
                state_is("compare_show", "images"),
                lambda: sweep_is_compared("beta", 3),
            ),
            "With little beta the copies are closer, with much they look alike. Neither is wrong: it depends on "
            "whether you want to keep images or to draw new ones.",
            {"compare_part": "sweeps", "compare_show": "images"},
            gone=without_sweep("beta", 3),
        ),
        Step(
            TRAIN,
            "Let the model choose: under **All options**, press **Let the model set it: sigma**.",
            lambda: form_has("likelihood", "sigma"),
            "The model now learns how noisy pixels are, and that sets the balance: beta stays 1, and the ELBO a bound "
            "of the log-likelihood. The button beside it lets beta itself be learnt, until images are as close as "
            "you ask.",
            {},
            "$$\\sigma^2 = \\mathrm{MSE}$$ is the noise that makes the images likeliest: Rybkin, Daniilidis & Levine "
            "2021, arXiv:2006.13202, the optimal sigma. A learnt beta: Rezende & Viola 2018, arXiv:1810.00597.",
        ),
    ),
)
