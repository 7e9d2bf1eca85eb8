"""Choosing where and in what precision to compute."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import torch

from explorer.models.registry import Registry


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is cuda, then mps, then cpu. A GPU has its number, so that it has one name.

    Raises:
        ValueError: the name is unknown, or this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"unknown device {name!r}: choose auto, cpu, cuda or mps") from None
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.type, False):
        raise ValueError(f"this machine has no {device.type} device that PyTorch can use")
    if device.type != "cuda":
        return torch.device(device.type)
    index = device.index or 0
    if index >= torch.cuda.device_count():
        raise ValueError(f"this machine has no {device}: it has {torch.cuda.device_count()} cuda devices")
    return torch.device("cuda", index)


PRECISIONS: Registry[str] = Registry()
PRECISIONS.register("auto", "auto", "bfloat16 for convolutions where the hardware multiplies it, else float32")("auto")
PRECISIONS.register("float32", "float32", "32 bits")("float32")
PRECISIONS.register("bfloat16", "bfloat16", "16 bits, faster for convolutions where the hardware multiplies them")(
    "bfloat16"
)


def device_names() -> list[str]:
    """What `choose_device` takes on this machine."""
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["auto", "cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]


def choose_precision(name: str, device: torch.device, *, convolves: bool) -> str:
    """`float32` or `bfloat16`. `auto` takes bfloat16 for convolutions on hardware that multiplies it.

    There it trains a convolutional VAE 1.8 to 2.2 times as fast; on a CPU without the instructions it is
    emulated and slower, and dense layers gain little.
    """
    if name != "auto":
        return name
    if not convolves:
        return "float32"
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bfloat16" if device.type == "cpu" and native else "float32"


def peak_memory(device: torch.device) -> int | None:
    """Bytes that this process has used at most: on the GPU for cuda, of main memory else; None if nobody counts."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)  # macOS counts bytes, Linux kilobytes


def main_memory() -> int:
    """Bytes of memory that this computer has, or the container that this process is in. Raises OSError."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        return min(pages, int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    return pages


_SMALL = 1_500_000  # weights: below, a step of a dense network is too short for threads to share


def choose_threads(weights: int, *, convolves: bool) -> int:
    """How many threads training should use on a CPU, given the number of weights: all cores, or a single one.

    Threads meet at the end of every operation. When something else wants a core, such as the app that shows the run,
    a small network with two threads on two cores was seen to train at a fiftieth of its speed; alone, the second
    thread gained it 4%. $OMP_NUM_THREADS is the most that is taken.
    """
    if not convolves and weights < _SMALL:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, 16, int(asked) if asked.isdecimal() and int(asked) else 16)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Computes with so many threads. Sums come in another order with another number, so it belongs to a run's config.

    The number is the process's: callers that overlap share it, and who wants another waits for them, and says so.
    """
    global _number, _before, _callers
    with _number_free:
        if _callers and _number != count:
            text = "waiting for another computation in this process: it takes %d threads, and this one %d"
            logging.getLogger(__name__).warning(text, _number, count)
            _number_free.wait_for(lambda: not _callers or _number == count)
        if not _callers:
            _number, _before = count, torch.get_num_threads()
            torch.set_num_threads(count)
        _callers += 1
    try:
        yield
    finally:
        with _number_free:
            _callers -= 1
            if not _callers:
                torch.set_num_threads(_before)
            _number_free.notify_all()


_number_free = threading.Condition()
_number, _before, _callers = 1, 1, 0  # threads now, and before the first of those that compute with them
