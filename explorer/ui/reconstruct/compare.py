"""Which other models see the same picture beside the chosen one."""

from __future__ import annotations

from explorer.ui import cache, pickers
from explorer.ui.cache import EncodedDataset
from explorer.ui.several_models import open_several, pick_several

_COMPARED = "compare_with"
_MOST = 3  # beside the chosen one: four columns are as many as can be read


def pick_others(model: cache.Model) -> list[EncodedDataset]:
    """Draws the control; returns the codes of the models chosen. Those that cannot be opened get a sentence."""
    usable, _ = pickers.list_models(_COMPARED)
    usable.pop(model.info.id, None)
    chosen = pick_several(
        "Compare with",
        "compare",
        _COMPARED,
        usable,
        most=_MOST,
        placeholder="other models",
        help="Up to three other models see the same picture, each at its own size.",
        itself=model.info.id,
        width=420,
    )
    return open_several(chosen)


def query(others: list[EncodedDataset]) -> dict[str, str]:
    """Gives what the URL says of it."""
    return {"compare": ",".join(one.model.info.id for one in others)} if others else {}
