"""Adding digits: class means, 7 - 1 + 4, and where a mean is no digit."""

from explorer.ui.arithmetic.expression import KEY
from explorer.ui.arithmetic.walk import FILM
from explorer.ui.page_switch import ARITHMETIC, ARITHMETIC_TOOL
from explorer.ui.tours.conditions import MODEL, PICK, every, model_is, on, picked, state_is, text_is, without
from explorer.ui.tours.tour import Step, Tour

_HERE = {MODEL: "mnist-conv-100", ARITHMETIC_TOOL: "expression"}

TOUR = Tour(
    "digits",
    "Adding digits",
    "What it means to add and subtract codes, and where it fails.",
    (
        Step(
            ARITHMETIC,
            "Type `mean(7)` into the expression: the average of the codes of all sevens, decoded.",
            every(on(ARITHMETIC), model_is("mnist-conv-100"), text_is(KEY, "mean(7)")),
            "An average of pixels would be a blur. An average of codes is a code, and it decodes to a plain seven.",
            _HERE,
            gone=without("mnist-conv-100"),
            shows="expression",
        ),
        Step(
            ARITHMETIC,
            "Now type `mean(7) - mean(1) + mean(4)`.",
            every(on(ARITHMETIC), model_is("mnist-conv-100"), text_is(KEY, "mean(7) - mean(1) + mean(4)")),
            "Taking a one from a seven leaves its upper bar, roughly; with a four that makes a nine or its like. "
            "Differences of codes carry what changes from one group to another.",
            _HERE,
            "Larsen et al. 2016, arXiv:1512.09300, add and subtract such means as attribute vectors.",
            without("mnist-conv-100"),
            shows="expression",
        ),
        Step(
            ARITHMETIC,
            "Choose the model **mnist-mlp-2d**, and look at its class means.",
            every(on(ARITHMETIC), model_is("mnist-mlp-2d")),
            "The mean of the fours looks like a nine: in two latents, fours and nines lie on each other. An average "
            "of a class need not be one of its kind.",
            {ARITHMETIC_TOOL: "expression"},
            gone=without("mnist-mlp-2d"),
            shows="means",
        ),
        Step(
            ARITHMETIC,
            "Open **Walk**: a film from one code to another.",
            every(on(ARITHMETIC), state_is(ARITHMETIC_TOOL, "walk")),
            "Each image is a code on the straight line between the two, decoded. Where a third digit comes up, its "
            "codes lie between them.",
            shows=FILM,
        ),
        Step(
            ARITHMETIC,
            "Click anywhere on the map: that code is `here`, and can be added like the means.",
            every(on(ARITHMETIC), picked),
            "Every image, every mean and every sum is the same kind of thing: a few numbers. That is why one can "
            "calculate with them.",
            {PICK: None},
        ),
    ),
)
