"""The errors that are shown to a person: the message of each is one sentence on what is wrong, or what to do."""

from __future__ import annotations

import re


class DatasetError(ValueError):
    """A data set is damaged or was asked for in a way that cannot be met; the message is one sentence."""


class DownloadFailed(DatasetError):
    """No server gave a file; the message says why."""


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


class ModelGone(CheckpointError):
    """A model that another process runs, which has ended; the message is one sentence."""


class RunError(ValueError):
    """What was asked of a run cannot be done; the message is one sentence for a person."""


def first_line(error: BaseException) -> str:
    """The first line of another library's message, of at most 300 characters."""
    return str(error).strip().partition("\n")[0][:300]


_ARRAYS = re.compile(r"\.(npy|npz|csv|tsv|parquet)$|idx\d?(-ubyte)?(\.gz)?$", re.IGNORECASE)
"""How the names of files of arrays and tables end."""


def about_arrays(name: str) -> str:
    """What to do with a file of arrays or a table where pictures are taken, a clause; empty for any other file."""
    if not _ARRAYS.search(name):
        return ""
    return "it holds arrays or a table: make a data set of it on the Train screen, or by `data add`"


_WEIGHTS = (".pth", ".pt", ".ckpt", ".pkl", ".h5", ".hdf5", ".keras")
"""How files of weights end that run code when they are read, or hold no network beside the weights."""


def about_weights(name: str) -> str:
    """What to do with a file of a model's weights, a clause; empty for any other file."""
    if not name.lower().endswith(_WEIGHTS):
        return ""
    return (
        "it looks like a model's weights, which are not opened, as such a file may run code or lacks the network: "
        "export the model to ONNX, as docs/adopt-a-model.md shows"
    )
