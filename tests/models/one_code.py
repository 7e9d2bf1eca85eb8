"""Families whose code is one vector of `latent` numbers, between any encoder and any decoder."""

from explorer.models import FAMILIES

ONE_CODE = [name for name, family in FAMILIES.items() if "latent" not in family.idle]
