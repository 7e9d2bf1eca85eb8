"""Runs in the background: start, watch, cancel, resume, rename, delete. One at a time on a device, the others wait.

A run is a process of its own that outlives whoever started it. All that is known of it is in the files of its folder
(`explorer.training.run_folder`), so every function here may be called from any process, and a
restart of the app loses nothing: a run that says that it is running while nobody holds its lock was interrupted.
"""

from explorer.errors import RunError
from explorer.runs.actions import archive, cancel, delete, rename, restore, share
from explorer.runs.allowance import check_room, check_size, count_active, disk_used, images
from explorer.runs.listing import RunInfo, active, log_tail, run, runs
from explorer.runs.opening import open_archive
from explorer.runs.queue import advance, propose_name, resume, submit, suggested_epochs, train

__all__ = [
    "RunError",
    "RunInfo",
    "active",
    "advance",
    "archive",
    "cancel",
    "check_room",
    "check_size",
    "count_active",
    "delete",
    "disk_used",
    "images",
    "log_tail",
    "open_archive",
    "propose_name",
    "rename",
    "restore",
    "resume",
    "run",
    "runs",
    "share",
    "submit",
    "suggested_epochs",
    "train",
]
