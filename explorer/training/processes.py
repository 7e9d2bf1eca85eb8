"""One run by several processes: `torchrun --nproc-per-node N -m explorer train ...`.

The first process leads. It alone has the run's folder, and decides, measures and saves as if it were the only one. With
each step it says which images are the batch, and every process takes the step, each on its part of them
(`explorer.models.whole_batch`). So a run may go on with any number of processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor

from explorer.models.devices import threads
from explorer.models.whole_batch import WholeBatch
from explorer.training.cuda_graphs import Step
from explorer.training.experiment import Experiment
from explorer.training.presets import Recipe, TrainConfig

_STATE, _STEP, _END = 0, 1, 2
_TEXT = 2000  # bytes of what processes tell each other
_ARRIVAL = timedelta(minutes=10)  # as torchrun waits for the other machines
_PATIENCE = timedelta(days=365)  # the first may wait for other runs; that one has died is noticed at once
_in_step = False  # whether the others wait for this process's part of a step


class LostProcess(ConnectionError):
    """Another process of the run has ended before it."""


def started() -> bool:
    """Whether torchrun has started this process among others."""
    return dist.is_available() and dist.is_torchelastic_launched() and int(os.environ.get("WORLD_SIZE", "1")) > 1


def joined() -> bool:
    """Whether this process trains together with others."""
    return dist.is_available() and dist.is_initialized()


@contextlib.contextmanager
def join(asked: str) -> Iterator[bool]:
    """Joins the processes that torchrun has started; whether this is the one that leads.

    Raises:
        ValueError: one has not come, or not all were `asked` for the same, which only the first says.
        SystemExit: the same, in the others.
    """
    store, rank, count = _all_there()
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=_PATIENCE, store=store, rank=rank, world_size=count)
    leads, odd = rank == 0, 0
    try:
        told = _exchange(asked)
        odd = next((rank for rank, other in enumerate(told) if other != told[0]), 0)
        if odd and not leads:
            with contextlib.suppress(RuntimeError):
                _hear()  # until the first has said why and ended: torchrun ends all as soon as one has failed
            raise SystemExit(1)
        if odd:
            raise ValueError(
                f"process {odd} was asked for something else than the first, or has other versions: start the same "
                "command in the same environment on every machine"
            )
        yield leads
    finally:
        if not _in_step and not odd:
            if leads:
                with contextlib.suppress(RuntimeError):
                    _tell(_END)
            dist.destroy_process_group()


def _all_there() -> tuple[dist.Store, int, int]:
    """Waits until all processes have come: where they meet, the number of this one, and of all. Raises ValueError."""
    late = "another process"
    try:
        store, rank, count = next(dist.rendezvous("env://", timeout=_ARRIVAL))
        there = dist.PrefixStore("there", store)
        there.set(str(rank), "")
        for other in range(count):
            late = f"process {other} of {count}"
            there.wait([str(other)], _ARRIVAL)
    except (dist.DistStoreError, dist.DistNetworkError):
        raise ValueError(
            f"{late} has not come: start the same command on every machine within {_ARRIVAL.seconds // 60} minutes"
        ) from None
    store.set_timeout(_PATIENCE)
    return store, rank, count


def shared(run: Experiment, step: Step) -> Step:
    """Makes of a step on a part of the batch the one that all processes take; the first brings the others up to date.

    Raises:
        ValueError: a process cannot take part.
        LostProcess: one has ended.
    """
    process, processes = dist.get_rank(), dist.get_world_size()
    leads = process == 0

    def on_all(index: Tensor, rate: float, beta: float) -> Tensor:
        global _in_step
        _in_step = True
        with _noticing():
            if leads:
                _tell(_STEP, len(index), rate, beta)
                dist.broadcast(index := index.contiguous(), 0)
            with WholeBatch(len(index), process, processes) as batch:
                sums = step(index[batch.mine], rate, beta)
        _in_step = False
        return sums

    if leads:
        _bring_up_to_date(run)
    return on_all


def follow(make_step: Callable[[Experiment], Step], data_root: Path | None) -> None:
    """Does in every process but the first what that one says, until it ends.

    Args:
        make_step: `explorer.training.loop.make_step`.
        data_root: where data sets lie on this machine.

    Raises:
        LostProcess: the first process has ended without saying so.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the first process stops between two steps, and says so
    run, step, about = None, None, b""
    with _noticing(), contextlib.ExitStack() as stack:
        while True:
            kind, *values = _hear()
            if kind == _END:
                return
            if kind == _STEP:
                assert run is not None
                assert step is not None
                index = torch.empty(int(values[0]), dtype=torch.int64, device=run.device)
                dist.broadcast(index, 0)
                step(index, values[1], values[2])
                continue
            asked, state = (_bytes(int(length)) for length in values[:2])
            problem = ""
            if asked != about:
                try:
                    run, about = _join_run(json.loads(asked), data_root), asked
                    stack.close()
                    stack.enter_context(threads(run.threads))
                except (ValueError, OSError) as error:  # DatasetError is a ValueError
                    problem = f"process {dist.get_rank()}: {' '.join(str(error).split())}"
            if not any(_exchange(problem)):
                assert run is not None
                run.restore(load(state))
                run.model.stage = int(values[2])
                step = make_step(run)


def _bring_up_to_date(run: Experiment) -> None:
    """Tells the others all that they need to take the run's next step."""
    about = {
        "config": replace(run.config, data_root=None, precision=run.precision).to_json(),
        "recipe": asdict(run.recipe),
        "created": run.created,
        "device": str(run.device),
        "threads": run.threads,
        "data": [data.fingerprint for data in run.whole],
    }
    asked = json.dumps(about).encode()
    state = save({k: v.cpu().contiguous() for k, v in run.snapshot().items() if not k.startswith("best")})
    with _noticing():
        _tell(_STATE, len(asked), len(state), run.model.stage)
        for data in (asked, state):
            dist.broadcast(torch.frombuffer(bytearray(data), dtype=torch.uint8), 0)
        if problem := next(filter(None, _exchange("")), ""):
            raise ValueError(problem)


def _join_run(about: dict[str, Any], data_root: Path | None) -> Experiment:
    """The run of the first process as this one trains it. Raises ValueError or DatasetError where it cannot."""
    device, here = torch.device(about["device"]), int(os.environ["LOCAL_RANK"])
    if device.type == "cuda" and here >= torch.cuda.device_count():
        raise ValueError(
            f"this machine has {torch.cuda.device_count()} GPUs, and torchrun has started a process {here + 1} on it: "
            "start fewer, or train with --device cpu"
        )
    if device.type not in ("cpu", "cuda") or device.index:
        raise ValueError(f"several processes train on CPUs or on a GPU each, not all on {device}: use --device cuda")
    own = f"cuda:{here}" if device.type == "cuda" else "cpu"
    if device.type == "cuda":
        torch.cuda.set_device(here)
    config = replace(TrainConfig.from_json(about["config"]), data_root=data_root, device=own)
    run = Experiment(Path(), config, Recipe(**about["recipe"]), about["created"])
    run.threads = about["threads"]
    if [data.fingerprint for data in run.whole] != about["data"]:
        raise ValueError(f"the images of {run.dataset} are others than those of the first process: copy the same data")
    return run


def _tell(kind: int, *values: float) -> None:
    dist.broadcast(torch.tensor([kind, *values, *[0.0] * (3 - len(values))], dtype=torch.float64), 0)


def _hear() -> list[float]:
    told = torch.empty(4, dtype=torch.float64)
    dist.broadcast(told, 0)
    return told.tolist()


def _bytes(length: int) -> bytes:
    data = torch.empty(length, dtype=torch.uint8)
    dist.broadcast(data, 0)
    return data.numpy().tobytes()


def _exchange(text: str) -> list[str]:
    """What each process says."""
    mine = text.encode()[:_TEXT].ljust(_TEXT, b"\0")
    all_of_them = [torch.empty(_TEXT, dtype=torch.uint8) for _ in range(dist.get_world_size())]
    dist.all_gather(all_of_them, torch.frombuffer(bytearray(mine), dtype=torch.uint8))
    return [said.numpy().tobytes().rstrip(b"\0").decode("utf-8", "replace") for said in all_of_them]


@contextlib.contextmanager
def _noticing() -> Iterator[None]:
    """Turns an error of the connection into a LostProcess."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise LostProcess("another process of the run has ended: resume goes on from the last save") from error
        raise
