"""Measures real cells, for the Cells screen to hold generated ones against: `python -m benchmarks.real_cells`.

Writes `explorer/cells/real.json`, of the test patients of `malaria`; needs the data set.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import explorer
from explorer.cells.measures import Summary, measure

OUT = Path(explorer.__file__).parent / "cells" / "real.json"


def summaries() -> dict[str, Summary]:
    """By class, of all cells of the test patients."""
    data = explorer.dataset("malaria", split="test")
    assert data.labels is not None
    return {
        name: Summary.of(measure(data.images[data.labels == label].float() / 255))
        for label, name in enumerate(data.classes)
    }


def main() -> None:
    found = {name: asdict(summary) for name, summary in summaries().items()}
    rounded = json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 4))
    OUT.write_text(json.dumps(rounded, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
