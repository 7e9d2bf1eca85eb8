"""How types and shapes are checked while the tests run."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int where a float is asked for is Python's custom
