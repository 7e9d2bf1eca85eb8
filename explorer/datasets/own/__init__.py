"""A person's own data sets, `own:NAME`: a folder, an archive, arrays or a table, decoded once and kept under a name.

    from explorer.datasets import own

    own.preview(Path("cells.zip")).counts           # {"train": 22046, "test": 5512}
    own.create("cells", Path("cells.zip"), size=64)
    datasets.load("own:cells", "train")

A subfolder is a class, and `explorer.datasets.tables` reads arrays; `layout.py` tells how paths become classes and
splits. What is kept is what `load_folder`
gives, in `data_root()/own/NAME`, whatever becomes of the folder or zip; `stored.py` tells how.
"""

from explorer.datasets.own.catalog import check_name, details, names, owner, propose_name, remove, restore, share
from explorer.datasets.own.creation import AlreadyHere, create
from explorer.datasets.own.derived import derive
from explorer.datasets.own.previews import Preview, preview
from explorer.datasets.own.sources import MAX_CLASSES, SIZES, Wanted, few_note
from explorer.datasets.own.stored import Stored
from explorer.datasets.own.tags import change_tags, items_name, read_tags
from explorer.datasets.tables.roles import Roles

__all__ = [
    "MAX_CLASSES",
    "SIZES",
    "AlreadyHere",
    "Preview",
    "Roles",
    "Stored",
    "Wanted",
    "change_tags",
    "check_name",
    "create",
    "derive",
    "details",
    "few_note",
    "items_name",
    "names",
    "owner",
    "preview",
    "propose_name",
    "read_tags",
    "remove",
    "restore",
    "share",
]
