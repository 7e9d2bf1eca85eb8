"""Blood cells with and without malaria: screening, measures, the comparison of initialisations, their figures."""
