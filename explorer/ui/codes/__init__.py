"""What screens share of codes: the map, marks on it, neighbours, names, densities."""
