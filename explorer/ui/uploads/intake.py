"""Files on their way in, and those of zips: read in a thread, each once, so that a click throws nothing away."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import Generic

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.errors import CheckpointError, DatasetError, ImageError
from explorer.files.entries import Entry, open_files
from explorer.files.entries import Files as FolderFiles
from explorer.files.pictures import choose_pictures
from explorer.images.stacks import FIRST, FRAMES, Planes
from explorer.ui.components.folder_drop.component import folder_drop
from explorer.ui.jobs import Job, follow
from explorer.ui.markdown import plain
from explorer.ui.planes import choose_planes, chosen_planes
from explorer.ui.uploads.store import AnItem, Store, Uploads

_PATIENCE = 1.0  # seconds: a handful of files is in before there is a progress to show
_LISTED = 5  # problems; more are behind a click

Files = Sequence[tuple[str, bytes]]
"""Names and contents."""
Read = Callable[[str, bytes, str], AnItem]
"""Makes an item of a file's name, bytes and digest; raises DatasetError."""


@dataclass(frozen=True)
class Outcome(Generic[AnItem]):
    """What became of files: items, sentences on others, the reason by the name of each, and one that was here before.

    Of the last there is the ident.
    """

    items: list[AnItem]
    problems: list[str]
    unreadable: dict[str, str]
    again: int | None


UploadJob = Job[Outcome[AnItem]]


class Intake(ABC, Generic[AnItem]):
    """How files become items of a screen's store."""

    store: Store[AnItem]
    key: str
    """The widgets' keys begin with it."""
    label: str
    """Of the uploader."""
    most: int
    """Items that a session holds."""
    most_megabytes: int
    """Of a file."""
    instead: str
    """A sentence on what to do with more files than these."""

    @abstractmethod
    def reader(self, before: Uploads[AnItem], planes: Planes = FIRST) -> Read[AnItem]:
        """Makes what reads files, one after another, beside what there is; called in the page's thread."""

    def finished(self, items: list[AnItem], job: UploadJob[AnItem] | None) -> list[AnItem]:
        """Does to the items of an upload what is done to all of them at once; called in the job's thread, if any."""
        return items

    steps = 1
    """How often each file is counted: 2 where `finished` reports, too."""

    def take(self, files: Files) -> None:
        """Takes files in: waits a moment for them, and lets the page follow the rest."""
        job = self.store.state.job
        if job is not None:
            job.join()
        self.finish()
        self.start(files)
        job = self.store.state.job
        if job is not None:
            job.join(_PATIENCE)
        self.finish()

    def start(self, files: Files) -> None:
        """Begins to read files; `finish` ends it."""
        before = self.store.state
        if problem := self._too_many(len(files), len(before.items)):
            self.store.keep(replace(before, problems=(problem,), uploaders=before.uploaders + 1))
            return
        read = self.reader(before)
        count = f"{len(files):,} file{'' if len(files) == 1 else 's'}"
        job: UploadJob[AnItem] = Job(
            lambda job: self._work(files, before, read, job),
            f"Reading {count}",
            f"{count} could not be read",
            of_session=True,
        )
        try:
            # That they were handed over and to what is one step: or a rerun in between would take them in twice.
            self.store.keep(replace(before, uploaders=before.uploaders + 1, job=job))
        except BaseException:
            job.cancel()
            raise

    def finish(self) -> None:
        """Keeps what files have become that have been read."""
        state = self.store.state
        job = state.job
        if job is None or job.running:
            return
        if job.result is None:
            problem = "Cancelled: none of these files was added." if job.cancelled else job.problem
            self.store.add([], [problem], job=job)
            return
        found = job.result
        self.store.add(found.items, found.problems, unreadable=found.unreadable.items(), job=job)
        if job.result.again is not None and not job.result.items:
            self.store.choose(job.result.again)

    def _too_many(self, count: int, there: int) -> str:
        """Says that so many files are too many beside what is here; nothing where they are not."""
        if there + count <= self.most:
            return ""
        beside = f" and {there:,} are here" if there else ""
        return f"These are {count:,} files{beside}: this screen takes {self.most} at most. {self.instead}"

    def _work(
        self, files: Files, before: Uploads[AnItem], read: Read[AnItem], job: UploadJob[AnItem]
    ) -> Outcome[AnItem]:
        known = {item.digest: item.ident for item in before.items}
        items: list[AnItem] = []
        unreadable: dict[str, str] = {}
        again: list[int] = []
        with ExitStack() as zips:
            inside = _Inside.of(files, zips, self.most_megabytes << 20)
            if problem := self._too_many(len(inside.files), len(before.items)):
                raise DatasetError(problem)
            problems = inside.problems
            for i, (name, contents) in enumerate(inside.files):
                job.report(i, self.steps * len(inside.files))
                try:
                    data = contents()
                    digest = sha256(name.encode("utf-8", "replace") + b"\0" + data).hexdigest()
                    if digest in known:
                        again.append(known[digest])
                        continue
                    items.append(read(name, data, digest))
                except DatasetError as error:
                    unreadable[name] = error.reason if isinstance(error, ImageError) else str(error)
                    problems.append(str(error))
                    continue
                known[digest] = 0
        if again and len(inside.files) > 1:
            were = "1 file was" if len(again) == 1 else f"{len(again):,} files were"
            problems.append(f"{were} here already and {'is' if len(again) == 1 else 'are'} listed once.")
        found = self.finished(items, job) if items else []
        return Outcome(found, problems, unreadable, next(filter(None, again), None))

    # --- on the screen ------------------------------------------------------------------------------------------------

    def uploader(self) -> None:
        """Draws the uploader. What it was given is taken in at once, and another, empty one takes its place."""
        folder_drop(f"{self.key}_paths")
        place = st.empty()
        self.finish()
        files = self._uploader(place)
        if files and self.store.state.job is None:
            self.take([(file.name, file.getvalue()) for file in files])
            release(files)
            self._uploader(place)
        if (job := self.store.state.job) is not None:
            follow(job, self.key)

    def _uploader(self, place: DeltaGenerator) -> Sequence[UploadedFile]:
        state = self.store.state
        return place.file_uploader(
            self.label,
            accept_multiple_files=True,
            key=f"{self.key}_files_{state.uploaders}",
            max_upload_size=self.most_megabytes,
            disabled=state.job is not None,
            help="They stay in the memory of this session: nothing is written to disk or sent anywhere else.",
        )

    def planes(self, item: AnItem) -> None:
        """Draws which frames and channel of a file are taken, where it has several; it is read again for others."""
        if not item.data:
            return
        prefix, busy = f"{self.key}_{item.ident}", self.store.state.job is not None

        def retake() -> None:
            planes, state = chosen_planes(prefix), self.store.state
            others = replace(state, items=tuple(other for other in state.items if other is not item))
            try:
                (new,) = self.finished([self.reader(others, planes)(item.name, item.data, item.digest)], None)
            except (DatasetError, CheckpointError) as error:
                self.store.add([], [str(error)])
                return
            self.store.exchange(item, new)

        most = item.frames, item.channels
        choose_planes(prefix, most, FRAMES[:-1], disabled=busy, now=item.planes, on_change=retake)

    def problems(self) -> None:
        """Draws what became of files that could not be used, with a button to put it away."""
        if found := self.store.state.problems:
            with st.container(key=f"{self.key}_problems"):
                list_problems(found)
                st.button("Dismiss", key=f"{self.key}_dismiss", type="tertiary", on_click=self.store.dismiss)

    def undo(self) -> None:
        """Draws what was taken away last, with the way back, which is closed while files are on their way."""
        state = self.store.state
        if (undo := state.undo) is not None:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.caption(plain(undo[0]), width="content")
                st.button(
                    "Undo",
                    key=f"{self.key}_undo",
                    type="tertiary",
                    disabled=state.job is not None,
                    on_click=self.store.undo,
                )


@dataclass(frozen=True)
class _Inside:
    """Files by their names, or of zips by their paths within, each with what reads it; sentences on others."""

    files: list[tuple[str, Callable[[], bytes]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, files: Files, zips: ExitStack, most_bytes: int) -> _Inside:
        """Lists them, with the zips held open."""
        found = cls()
        found._add_folders({name: data for name, data in files if "/" in name})
        for name, data in files:
            if "/" in name:
                continue
            if not name.lower().endswith(".zip"):
                found.files.append((name, partial(bytes, data)))
                continue
            try:
                archive = zips.enter_context(open_files(data, name))
                entries, notes = choose_pictures(archive.entries, name)
            except DatasetError as error:
                found.problems.append(str(error))
                continue
            found.problems.extend([*archive.notes, *notes])
            found.files.extend((entry.path, partial(archive.read, entry, most_bytes)) for entry in entries)
        return found

    def _add_folders(self, files: dict[str, bytes]) -> None:
        """Lists what was dropped in folders as what is in zips: without clutter, and only pictures."""
        folder = FolderFiles(
            [Entry(tuple(name.split("/")), len(data), name) for name, data in files.items()], "The folder"
        )
        if not folder.entries and not folder.notes:
            return
        try:
            entries, notes = choose_pictures(folder.entries, "The folder")
        except DatasetError as error:
            self.problems.append(str(error))
            return
        self.problems.extend([*folder.notes, *notes])
        self.files.extend((entry.path, partial(bytes, files[entry.path])) for entry in entries)


def list_problems(problems: Sequence[str]) -> None:
    """Draws sentences on files that could not be used: the first few, and the others behind a click."""
    lines = [f"- {plain(problem)}" for problem in problems]
    if len(lines) == 1:
        st.warning(plain(problems[0]))
        return
    st.warning(f"{len(lines):,} files could not be used:\n" + "\n".join(lines[:_LISTED]))
    if len(lines) > _LISTED:
        with st.expander(f"{len(lines) - _LISTED:,} more"):
            st.markdown("\n".join(lines[_LISTED:]))


def release(files: Sequence[UploadedFile]) -> None:
    """Lets go of files that have been taken in: Streamlit would hold them until the session ends."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
