"""Xavier or Kaiming, healthy or infected: what codes of blood cells tell, and what they miss."""

from explorer.ui.cells.report import REPORT
from explorer.ui.page_switch import CELLS, CELLS_PART
from explorer.ui.tours.conditions import every, on, state_is, without
from explorer.ui.tours.tour import Step, Tour

_KIND = "cells_kind"

TOUR = Tour(
    "cells",
    "Healthy or infected",
    "What models of blood cells know, what they miss, and how the initialisation leaves its mark.",
    (
        Step(
            CELLS,
            "Under **Side by side**, choose **Convolutions**: two VAEs, one for each state.",
            every(on(CELLS), state_is(CELLS_PART, "pair", None), state_is(_KIND, "conv")),
            "Outlines and colours come out, the parasite does not: it is a dark spot of a few pixels, and to blur it "
            "costs few nats. A line under the cells counts such spots, in real cells and in these.",
            {CELLS_PART: "pair", _KIND: "linear"},
            gone=without("cells-healthy-conv", "cells-infected-conv"),
        ),
        Step(
            CELLS,
            "Now choose the **VQ-VAE**. It draws for some seconds.",
            every(on(CELLS), state_is(CELLS_PART, "pair", None), state_is(_KIND, "cells-vq")),
            "Most infected cells now have a dark spot, and few healthy ones. Its code is a grid of codebook entries, "
            "which keeps small things, and a transformer that is told the state draws such grids.",
            {CELLS_PART: "pair"},
            "van den Oord et al. 2017, arXiv:1711.00937; guidance by the class: Ho & Salimans 2022, arXiv:2207.12598.",
            without("cells-vq"),
        ),
        Step(
            CELLS,
            "Choose **One model of both**: one code, drawn healthy and infected.",
            every(on(CELLS), state_is(CELLS_PART, "pair", None), state_is(_KIND, "both")),
            "The difference in the middle shows what the model takes infection to be: outline and colour, and no "
            "parasite. That is a warning: patients and slides differ in colour, too, so such a model may judge the "
            "slide and not the cell.",
            {CELLS_PART: "pair"},
            gone=without("cells-both"),
        ),
        Step(
            CELLS,
            "How well can such models tell the states apart? Open **Upload cells**, and there **Calibration and ROC**.",
            every(on(CELLS), state_is(CELLS_PART, "upload"), state_is(REPORT, True)),
            "By how likely each model finds a cell the area under the ROC is 0.71, where guessing has 0.5. What their "
            "reconstructions leave out gives 0.99: the parasite is in what the codes miss.",
            {CELLS_PART: "pair", REPORT: False},
            "By how likely: the difference of the two models' ELBOs. What is left out, $x - d(e(x))$, a small network "
            "reads. Both are measured on patients that nothing was fitted on.",
        ),
        Step(
            CELLS,
            "Open **Xavier against Kaiming**: the same network, seed and batches, another initialisation.",
            every(on(CELLS), state_is(CELLS_PART, "init")),
            "With each of three seeds Kaiming's cells are hazier and grainier. Its output layer starts 14 times as "
            "wide as Xavier's, and ten epochs of small steps cannot bring it back: the reasons stand below.",
            {},
            "Xavier: Glorot & Bengio 2010, eq. 16. Kaiming: He et al. 2015, arXiv:1502.01852, eq. 10.",
        ),
    ),
)
