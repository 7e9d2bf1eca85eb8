"""Guided tours over the real screens: each is data, in a file of its own."""

from explorer.ui.tours import beta, cells, digits, holes, latents, maps, samples
from explorer.ui.tours.tour import Tour

TOURS: dict[str, Tour] = {
    module.TOUR.name: module.TOUR for module in (holes, digits, latents, samples, maps, cells, beta)
}
