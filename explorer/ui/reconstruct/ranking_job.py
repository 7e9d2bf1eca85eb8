"""The ranking of a folder or a zip in a thread, so that the page stays alive meanwhile."""

from __future__ import annotations

import threading
import time

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.checkpoints.model import Model
from explorer.errors import CheckpointError, DatasetError
from explorer.files.tables import table_text
from explorer.scoring.ranking import COLUMNS, Ranking, rank
from explorer.ui.jobs import Job
from explorer.ui.own_data.adding import Origin

_AWAY = 120.0  # seconds without its browser: for so long Streamlit keeps a session that may come back
_ASKED = 0.5  # seconds between two looks at whether a place has become free

_places = threading.BoundedSemaphore(2)  # rankings at once, of all who use this server


class RankingJob(Job):
    """One `explorer.scoring.ranking.rank`; what is counted are pictures, readable or not.

    It ends with the session that began it: there is nobody else to see what comes of it.
    """

    def __init__(self, origin: Origin, model: Model) -> None:
        """Begins at once, or once another one has ended."""
        super().__init__()
        self.label, self.ident = origin.label, origin.ident
        self.model = model
        self.waiting = False
        """Whether as many others are on their way as may be."""
        self.result: Ranking | None = None
        self.csv = b""
        context = get_script_run_ctx()
        self._session = None if context is None else context.session_id
        self._seen = time.monotonic()
        self.begin(lambda: self._in_turn(origin), f"ranking {self.label}")

    def report(self, done: int, of: int | None) -> None:
        """As of any job. Raises Cancelled, too, when its session's browser has been away for a while."""
        if self._session is None or not runtime.exists() or runtime.get_instance().is_active_session(self._session):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _AWAY:
            self.cancel()
        super().report(done, of)

    def _in_turn(self, origin: Origin) -> None:
        while not _places.acquire(timeout=_ASKED if self.waiting else 0):
            self.waiting = True
            self.report(0, None)
        try:
            if self.waiting:
                self.waiting = False
                self._begun = time.monotonic()
            self._run(origin)
        finally:
            _places.release()

    def _run(self, origin: Origin) -> None:
        place = ""
        try:
            with origin.path() as path:
                place = str(path)
                found = rank(path, self.model, progress=self.report)
            self.csv = table_text(COLUMNS, found.rows()).encode()
            self.result = found
        except (DatasetError, CheckpointError) as error:
            # An upload lies in a temporary file, whose name says nothing to a person.
            self.problem = str(error).replace(place, self.label) if place else str(error)
        except Exception as error:
            self.fail(error, self.label, "ranked")
