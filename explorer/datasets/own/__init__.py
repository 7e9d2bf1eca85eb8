"""A person's own data sets, `own:NAME`: a folder or a .zip of images, decoded once and kept under a name.

    from explorer.datasets import own

    own.preview(Path("cells.zip")).counts           # {"train": 22046, "test": 5512}
    own.create("cells", Path("cells.zip"), size=64)
    datasets.load("own:cells", "train")

A subfolder is a class; `layout.py` tells how paths become classes and splits. What is kept is what `load_folder`
gives, in `data_root()/own/NAME`, whatever becomes of the folder or zip; `stored.py` tells how.
"""

from explorer.datasets.own.catalog import check_name, details, names, owner, propose_name, remove, restore, share
from explorer.datasets.own.creation import MAX_BYTES, AlreadyHere, create
from explorer.datasets.own.previews import Preview, preview
from explorer.datasets.own.sources import MAX_CLASSES, SIZES
from explorer.datasets.own.stored import Stored

__all__ = [
    "MAX_BYTES",
    "MAX_CLASSES",
    "SIZES",
    "AlreadyHere",
    "Preview",
    "Stored",
    "check_name",
    "create",
    "details",
    "names",
    "owner",
    "preview",
    "propose_name",
    "remove",
    "restore",
    "share",
]
