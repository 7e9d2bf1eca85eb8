"""A process that decodes pictures, for `decoding.py`: with few formats, little memory, and nothing of the program's.

It reads requests from its standard input and answers to its standard output. A message is the length of some JSON, the
JSON, and the bytes that it announces.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from typing import IO, Any

from explorer.errors import ImageError
from explorer.images.reading import MAX_FILE_BYTES, MemoryNeeded, register_formats
from explorer.images.tasks import Task

PATIENCE = 2.0  # seconds for the files of one request: what is left is asked for again, when others had their turn
_ROOM = 96 << 20  # bytes besides those that are granted: the square around a long picture, what is on its way


def main() -> None:
    """Answers requests until there are none any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the program to judge
    register_formats()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(message({"ready": True}))
    answers.flush()
    while True:
        _limit_memory(MAX_FILE_BYTES)
        try:
            request = read_json(requests)
        except EOFError:
            return
        module, kind = request["task"]
        task = getattr(importlib.import_module(module), kind)(**request["fields"])
        task.prepare()
        _limit_memory(max(MAX_FILE_BYTES, sum(request["lengths"])))
        files = [read_bytes(requests, length) for length in request["lengths"]]
        _limit_memory(request["granted"])
        _answer(task, request, files, answers)


def _answer(task: Task[Any], request: dict[str, Any], files: list[bytes], answers: IO[bytes]) -> None:
    """Answers to one file after another, until all are done or one needs more memory or time than it may have."""
    granted, began = request["granted"], time.monotonic()
    for name in request["names"]:
        before = time.process_time()
        values: dict[str, Any]
        try:
            values, pieces = task.do(files.pop(0), name, granted)
        except ImageError as error:
            values, pieces = {"error": error.reason}, []
        except MemoryNeeded as error:
            values, pieces = {"needs": error.bytes}, []
        except MemoryError:
            values, pieces = {"error": f"decoding it takes more than {granted + _ROOM >> 20} MB of memory"}, []
        values.setdefault("seconds", time.process_time() - before)
        late = bool(files) and time.monotonic() - began > PATIENCE
        answers.write(message({**values, "last": late or "needs" in values}))
        for piece in pieces:
            answers.write(piece)
        answers.flush()
        if late or "needs" in values:
            return


def message(values: dict[str, Any]) -> bytes:
    """Gives the bytes of a message, but for what follows its JSON."""
    text = json.dumps(values).encode()
    return len(text).to_bytes(4, "big") + text


def read_json(stream: IO[bytes]) -> dict[str, Any]:
    """Reads the JSON of a message. Raises EOFError at the end of the stream."""
    found: dict[str, Any] = json.loads(read_bytes(stream, int.from_bytes(read_bytes(stream, 4), "big")))
    return found


def read_bytes(stream: IO[bytes], count: int) -> bytes:
    """Reads so many bytes. Raises EOFError where there are fewer."""
    found = stream.read(count)
    if len(found) < count:
        raise EOFError
    return found


def _limit_memory(count: int) -> None:
    """Lets the process take so many bytes more than it has now, and _ROOM. Only Linux can do so."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    with open("/proc/self/statm") as file:
        held = int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = held + count + _ROOM
    resource.setrlimit(resource.RLIMIT_DATA, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
