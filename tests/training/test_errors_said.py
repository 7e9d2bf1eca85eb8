"""What a run that failed says of the system's errors: a sentence that is true of each."""

from __future__ import annotations

import errno
import os
import socket
from urllib.request import urlopen

import pytest

from explorer.training.status import describe_error


def said(work) -> str:
    with pytest.raises(OSError, match=r".") as found:
        work()
    return describe_error(found.value)


def test_a_full_disk():
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "state")
    assert describe_error(error) == "a file could not be written: No space left on device (state)"


def test_a_file_that_cannot_be_read(tmp_path):
    assert said(tmp_path.read_bytes) == f"{tmp_path} could not be used: Is a directory"
    assert describe_error(OSError(errno.EIO, os.strerror(errno.EIO))) == "the system reported: Input/output error"


def test_the_folder_that_is_missing_is_named(tmp_path):
    missing = tmp_path / "missing"
    gone = f"{missing} is gone: was it moved or deleted?"
    assert said((missing / "run" / "file").read_bytes) == gone
    (there := tmp_path / "there").touch()
    assert said(lambda: there.rename(missing / "file")) == gone


def test_a_connection_that_is_refused():
    with socket.socket() as held:  # bound, and nobody listens
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        refused = "a connection failed: Connection refused"
        assert said(lambda: socket.create_connection(("127.0.0.1", port))) == refused
        assert said(lambda: urlopen(f"http://127.0.0.1:{port}")) == refused


def test_a_name_that_nobody_knows():
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert describe_error(error) == "a connection failed: Name or service not known"
