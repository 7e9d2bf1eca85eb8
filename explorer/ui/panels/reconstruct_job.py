"""The ranking of a folder or a zip in a thread, so that the page stays alive meanwhile."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from explorer.checkpoints import CheckpointError
from explorer.datasets import DatasetError
from explorer.loaded import Model
from explorer.ranking import Ranking, rank
from explorer.ui.adding import Origin
from explorer.ui.jobs import Job

_LOG = logging.getLogger(__name__)


class RankingJob(Job):
    """One `explorer.ranking.rank`; what is counted are pictures, readable or not."""

    def __init__(self, origin: Origin, model: Model) -> None:
        """Begins at once."""
        super().__init__()
        self.label = origin.label
        self.model = model
        self.result: Ranking | None = None
        self.csv = b""
        self.begin(lambda: self._run(origin), f"ranking {self.label}")

    def _run(self, origin: Origin) -> None:
        place = ""
        try:
            with origin.path() as path:
                place = str(path)
                found = rank(path, self.model, progress=self.report)
            self.csv = _csv(found)
            self.result = found
        except (DatasetError, CheckpointError) as error:
            # An upload lies in a temporary file, whose name says nothing to a person.
            self.problem = str(error).replace(place, self.label) if place else str(error)
        except OSError as error:
            self.problem = f"{self.label} could not be read: {error.strerror or error}."
        except MemoryError:
            self.problem = f"The memory of this computer does not suffice for {self.label}."
        except Exception as error:
            _LOG.exception("%s could not be ranked", self.label)
            self.problem = f"{self.label} could not be ranked ({type(error).__name__})."


def _csv(ranking: Ranking) -> bytes:
    with tempfile.TemporaryDirectory(prefix="ranking-") as folder:
        path = Path(folder) / "ranking.csv"
        ranking.write_csv(path)
        return path.read_bytes()
