"""Uploaded files on their way in: decoded and screened in a thread, so that a click on the page throws nothing away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import torch

from explorer.cells.screening import Screener
from explorer.cells.screening.verdicts import Verdict, verdicts
from explorer.errors import ImageError
from explorer.images.arrays import to_array
from explorer.images.reading import is_gray
from explorer.images.slides import read_slide
from explorer.ui.cells.uploads import Kept, UploadedCell
from explorer.ui.jobs import Job

_MOST_LARGE = 20  # pictures of which more is kept than the models see: five megabytes each, and their files
_MOST_LARGE_BYTES = 200 << 20  # of these files together
_GRAY = "It is gray. The models know stained cells in colour, so the figures mean less."
UNJUDGED = Verdict(0.0, 0.0, 0.0, 0.0)


class Taking(Job):
    """Files that become cells, or sentences. What is counted are files read and then cells screened."""

    def __init__(self, files: Sequence[tuple[str, bytes]], before: Kept, screener: Screener) -> None:
        """Begins at once. `before` is what there is already, by which a file is known again."""
        super().__init__()
        self.count = len(files)
        self.cells: list[UploadedCell] = []
        self.problems: list[str] = []
        self.begin(lambda: self._run(files, before, screener), f"taking in {len(files)} cells")

    def _run(self, files: Sequence[tuple[str, bytes]], before: Kept, screener: Screener) -> None:
        try:
            cells = self._read(files, before, screener.image_shape[1])
            self.cells = judged(cells, screener, self)
        except Exception as error:
            self.fail(error, f"{self.count:,} file{'' if self.count == 1 else 's'}", "taken in")

    def _read(self, files: Sequence[tuple[str, bytes]], before: Kept, size: int) -> list[UploadedCell]:
        known = {cell.digest for cell in before.cells}
        large = [cell.large for cell in before.cells if cell.large is not None]
        room, space = _MOST_LARGE - len(large), _MOST_LARGE_BYTES - sum(len(kept.data) for kept in large)
        cells: list[UploadedCell] = []
        again = 0
        for i, (name, data) in enumerate(files):
            self.report(i, 2 * self.count)
            digest = sha256(name.encode("utf-8", "replace") + b"\0" + data).hexdigest()
            if digest in known:
                again += 1
                continue
            try:
                picture = read_slide(data, name)
            except ImageError as error:
                self.problems.append(str(error))
                continue
            known.add(digest)
            kept = picture.large if room > 0 and len(data) <= space else None
            if kept is not None:
                room, space = room - 1, space - len(data)
            image = torch.from_numpy(to_array(picture.image, size, 3))
            remarks = (*picture.notes, *((_GRAY,) if is_gray(picture.image) else ()))
            cells.append(UploadedCell(0, name, digest, image, UNJUDGED, remarks, picture.size, kept))
        if again:
            were = "file was" if again == 1 else "files were"
            self.problems.append(f"{again} {were} here already, and {'is' if again == 1 else 'are'} listed once.")
        return cells


def judged(cells: Sequence[UploadedCell], screener: Screener, job: Job | None = None) -> list[UploadedCell]:
    """The cells with their verdicts. A job is told how many are done, as the second half of its work."""
    if not cells:
        return []

    def progress(done: int, of: int) -> None:
        if job is not None:
            job.report(of + done, 2 * of)

    found = verdicts(screener.screen(torch.stack([cell.image for cell in cells]), progress=progress))
    return [replace(cell, verdict=verdict) for cell, verdict in zip(cells, found, strict=True)]
