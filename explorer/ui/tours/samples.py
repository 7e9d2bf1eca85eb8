"""Good reconstructions, bad samples: the gap between aggregate posterior and prior, and ways to close it."""

from explorer.ui.page_switch import COMPARE, EXPLORE
from explorer.ui.tours.conditions import HOLES, MODEL, compares, every, model_is, on, state_is, without
from explorer.ui.tours.tour import Step, Tour

_TWO = ("mnist-conv-100", "mnist-ladder")
_SHOW, _PART, _MODELS = "compare_show", "compare_part", "compare_models"

TOUR = Tour(
    "samples",
    "Good reconstructions, bad samples",
    "Why a model that copies well may draw badly, and what a learnt prior or a ladder does about it.",
    (
        Step(
            COMPARE,
            "Open **Images**: the same **Test images** through **mnist-conv-100** and **mnist-ladder**.",
            every(on(COMPARE), compares(*_TWO), state_is(_PART, "pictures"), state_is(_SHOW, "images")),
            "Both copy their images well, the ladder with half the squared error.",
            {_MODELS: list(_TWO), _PART: "measures", _SHOW: "images"},
            gone=without(*_TWO),
        ),
        Step(
            COMPARE,
            "Now show the **Samples** of both.",
            every(on(COMPARE), compares(*_TWO), state_is(_PART, "pictures"), state_is(_SHOW, "samples")),
            "Some of conv-100's samples are no digits: its prior draws codes where the encoder puts none. The ladder's "
            "lower layers depend on the upper ones, so that what it draws fits together.",
            {_MODELS: list(_TWO), _PART: "pictures", _SHOW: "images"},
            "The average KL is mutual information plus the KL of the aggregate posterior from the prior: Hoffman & "
            "Johnson 2016. The second part is the gap.",
            without(*_TWO),
        ),
        Step(
            EXPLORE,
            "Look at the gap: open **mnist-mlp-2d** on Explore, and show its **holes**.",
            every(on(EXPLORE), model_is("mnist-mlp-2d"), state_is(HOLES, True)),
            "About 7% of what the prior N(0, I) draws falls into the stripes, between the digits. The prior is a "
            "promise that the encoder does not quite keep.",
            {HOLES: False, MODEL: "mnist-mlp-2d"},
            gone=without("mnist-mlp-2d"),
            shows="map",
        ),
        Step(
            EXPLORE,
            "Choose **mnist-vamp-2d**: the same network with a prior that is learnt.",
            every(on(EXPLORE), model_is("mnist-vamp-2d"), state_is(HOLES, True)),
            "The holes are all but gone: the prior has moved to where the codes are. It is a mixture of the "
            "posteriors of a hundred images that the model has made up for this.",
            {MODEL: "mnist-mlp-2d", HOLES: True},
            "$$p(z) = \\frac1K \\sum_k q(z \\mid u_k)$$ Tomczak & Welling 2018, arXiv:1705.07120, eq. 9.",
            without("mnist-vamp-2d"),
            shows="map",
        ),
    ),
)
