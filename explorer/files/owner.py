"""Whose a folder is: who made a run or a data set on a server that several people share.

`owner.json` in the folder says so. A folder without one is nobody's, as all are that are made on the command line or by
an app that only its own computer reaches.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from explorer.files.journal import replace_file
from explorer.files.regular import json_object, read_regular

FILE = "owner.json"
_MOST_BYTES = 4096


@dataclass(frozen=True)
class Owner:
    """The person that a folder belongs to.

    `ident` is opaque and the same whenever this person comes back, empty for nobody's; `name` is what lists call the
    person; `shared` says that others may see what is in the folder.
    """

    ident: str = ""
    name: str = ""
    shared: bool = False

    def open_to(self, ident: str) -> bool:
        """Says whether a person may see what is in the folder."""
        return self.shared or self.ident in ("", ident)


NOBODY = Owner()
_UNKNOWN = Owner("unknown")  # whose file cannot be read: no person's, but not everybody's either


def read_owner(folder: Path) -> Owner:
    """Reads whose a folder is. Never raises."""
    try:
        found = json_object(read_regular(folder / FILE, _MOST_BYTES))
        owner = Owner(str(found["ident"]), str(found["name"]), found["shared"] is True)
    except FileNotFoundError:
        return NOBODY
    except (OSError, ValueError, KeyError):
        return _UNKNOWN
    return owner if owner.ident else _UNKNOWN


def write_owner(folder: Path, owner: Owner) -> None:
    """Writes whose a folder is; nothing for nobody's. Raises OSError."""
    if owner.ident:
        replace_file(folder / FILE, json.dumps(asdict(owner)).encode())
