"""The errors that are shown to a person: the message of each is one sentence on what is wrong, or what to do."""

from __future__ import annotations


class DatasetError(ValueError):
    """A data set is damaged or was asked for in a way that cannot be met; the message is one sentence."""


class DatasetMissing(DatasetError):
    """A data set is not on this machine; the message says how to get it."""


class ImageError(DatasetError):
    """A picture that cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        """`name` is the file, `reason` a clause such as `it is cut off or damaged`."""
        super().__init__(f"{name} could not be read: {reason}.")
        self.reason = reason


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message is one sentence that says why."""


class RunError(ValueError):
    """What was asked of a run cannot be done; the message is one sentence for a person."""
