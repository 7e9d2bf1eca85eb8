"""How far to trust a map: the same codes by UMAP and by principal components, neighbours against distances."""

from explorer.ui.compare.maps import LINKED
from explorer.ui.page_switch import COMPARE, EXPLORE
from explorer.ui.tours.conditions import MODEL, compares, every, model_is, on, outlined, state_is, without
from explorer.ui.tours.tour import Step, Tour

_TWO = ("mnist-conv-100", "mnist-ladder")

TOUR = Tour(
    "maps",
    "How far to trust a map",
    "What a map of many latents keeps, what it invents, and how to check.",
    (
        Step(
            EXPLORE,
            "**mnist-conv-100** has a hundred latents, laid out on a plane by UMAP. Draw a **lasso** or a box around "
            "one cloud.",
            every(on(EXPLORE), model_is("mnist-conv-100"), outlined("explore_selection")),
            "A cloud holds mostly one digit. UMAP keeps neighbours together; how far apart the clouds lie, and how "
            "large they are, means nothing.",
            {MODEL: "mnist-conv-100", "projection": "umap", "explore_selection": None},
            "McInnes et al. 2018, arXiv:1802.03426. Trustworthiness and continuity under the map: Venna & Kaski 2001.",
            without("mnist-conv-100"),
            shows="group",
        ),
        Step(
            EXPLORE,
            "Switch the projection to **principal components**.",
            every(on(EXPLORE), model_is("mnist-conv-100"), state_is("projection", "pca")),
            "The same codes, seen otherwise: distances along two directions are true here, but all others are lost, "
            "so that unlike digits lie on each other. Neither map is wrong.",
            {MODEL: "mnist-conv-100", "projection": "umap"},
            gone=without("mnist-conv-100"),
            shows="map",
        ),
        Step(
            COMPARE,
            "On Compare, open the **Maps** of **mnist-conv-100** and **mnist-ladder**, and draw a lasso or a box "
            "around a cloud on one of them.",
            every(on(COMPARE), compares(*_TWO), state_is("compare_part", "maps"), outlined(LINKED)),
            "On the other map the same images lie elsewhere, and still together. Of an image's 15 nearest by one "
            "model four or so are among the 15 nearest by the other; by chance none would be. Trust neighbours, not "
            "places.",
            {"compare_models": list(_TWO), "compare_part": "measures", LINKED: None},
            gone=without(*_TWO),
        ),
    ),
)
