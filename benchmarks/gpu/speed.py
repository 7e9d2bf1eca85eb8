"""How fast a GPU trains: against other loops, against what the card could do, and to what quality how soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.checks import guarded
from benchmarks.gpu.plan import Plan, take, wait, without_map_quality
from benchmarks.gpu.report import Report
from explorer.datasets import ImageDataset
from explorer.models import LatentModel, build
from explorer.models.devices import choose_device
from explorer.training.config import Recipe
from explorer.training.cuda_graphs import Step
from explorer.training.experiment import Experiment, model_config
from explorer.training.lifecycle import train
from explorer.training.loop import make_step

WORKERS = 8  # of the DataLoader's loop


def ceilings(plan: Plan, report: Report) -> None:
    """Measures peaks: bytes a second of a copy, read and written; FLOP a second of a matrix product."""
    device = choose_device(plan.device)
    numbers = torch.randn(plan.matrix, plan.matrix, 4, device=device)
    target = torch.empty_like(numbers)
    seconds = _best(device, lambda: target.copy_(numbers))
    peaks: dict[str, float] = {"bytes_per_s": 2 * numbers.numel() * 4 / seconds}
    report.add("memory", **peaks)
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = (torch.randn(plan.matrix, plan.matrix, device=device, dtype=dtype) for _ in range(2))
        peaks[name] = 2 * plan.matrix**3 / _best(device, partial(torch.matmul, a, b))
        report.add(name, flop_per_s=peaks[name])
    report.data["peaks"] = peaks


def _best(device: torch.device, work: Callable[[], Any]) -> float:
    """Seconds of the quickest of three times five calls, after three to warm up."""
    for _ in range(3):
        work()
    times = []
    for _ in range(3):
        wait(device)
        start = time.perf_counter()
        for _ in range(5):
            work()
        wait(device)
        times.append((time.perf_counter() - start) / 5)
    return min(times)


def throughput(plan: Plan, report: Report) -> None:
    """Measures the images a second of our step, of a plain loop and of a DataLoader's; and the step's roofline."""
    for name in plan.measured:
        with guarded(report, name):
            run = plan.experiment(name)
            batch = run.recipe.batch_size
            graph = _per_second(plan, run, make_step(run))
            eager = _per_second(plan, run, make_step(run, graph=False))
            figures = {
                "batch": batch,
                "precision": run.precision,
                "graph": graph,
                "eager": eager,
                "plain_loop": plain_loop(plan, run),
                "dataloader": dataloader_loop(plan, run),
            }
            report.add(name, **figures)
            report.add(f"{name}, roofline", **roofline(run, batch / graph, report.data.get("peaks", {})))
    for name in plan.measured[:2]:  # what a larger batch gives where the step is too short for the card
        for batch in plan.larger:
            with guarded(report, f"{name}, batch {batch}"):
                run = plan.experiment(name, settings={"batch_size": batch})
                report.add(f"{name}, batch {batch}", graph=_per_second(plan, run, make_step(run)))


def _per_second(plan: Plan, run: Experiment, step: Step) -> float:
    """Images a second of our step as the loop takes it: whole batches, the rate and beta of each."""
    take(run, step, 8)
    wait(run.device)
    done, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < plan.seconds or not done:
        done += len(take(run, step, 200 if run.device.type == "cuda" else 2))
    return done * run.recipe.batch_size / seconds


def _fresh(run: Experiment) -> tuple[LatentModel, torch.optim.Optimizer]:
    """Makes the run's network and optimiser as a tutorial would make them: no channels_last, nothing fused."""
    recipe = run.recipe
    torch.manual_seed(0)
    model = build(model_config(recipe, run.train_set.image_shape, len(run.train_set.classes)))
    model = model.to(run.device)
    if recipe.optimizer == "adam":
        return model, torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    return model, torch.optim.RMSprop(model.parameters(), lr=recipe.learning_rate, alpha=0.9, eps=1e-7)


def _plain(
    plan: Plan, recipe: Recipe, model: LatentModel, optimizer: torch.optim.Optimizer, pairs: Iterator[list[Tensor]]
) -> float:
    """Images a second of the loop of most tutorials: float32, and a look at the loss after each step."""
    device = next(model.parameters()).device
    done, total, start = 0, 0.0, 0.0
    for i, (x, labels) in enumerate(pairs):
        if i == 5:  # what went before is warming up
            wait(device)
            done, start = 0, time.perf_counter()
        terms = model.terms(x.to(device), None, labels.to(device) if model.conditional else None)
        loss = terms.loss(recipe.beta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
        done += len(x)
        if i > 5 and time.perf_counter() - start > plan.seconds:
            break
    return done / (time.perf_counter() - start)


def plain_loop(plan: Plan, run: Experiment) -> float:
    """The data as float32 on the device, indexed by a random order."""
    data = run.train_set
    images = data.images.to(run.device).float() / 255
    labels = (torch.zeros(len(data), dtype=torch.int64) if data.labels is None else data.labels).to(run.device)

    def pairs() -> Iterator[list[Tensor]]:
        while True:
            order = torch.randperm(len(images), device=run.device)
            for index in order.split(run.recipe.batch_size):
                yield [images[index], labels[index]]

    return _plain(plan, run.recipe, *_fresh(run), pairs())


class _Items(Dataset):
    """One image at a time, as torchvision's data sets with ToTensor give them."""

    def __init__(self, data: ImageDataset) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        labels = self.data.labels
        return self.data.images[i].float().div(255), torch.tensor(0) if labels is None else labels[i]


def dataloader_loop(plan: Plan, run: Experiment) -> float:
    """A shuffling DataLoader with worker processes."""
    cuda = run.device.type == "cuda"
    loader = DataLoader(
        _Items(run.train_set),
        batch_size=run.recipe.batch_size,
        shuffle=True,
        num_workers=WORKERS if cuda else 0,
        pin_memory=cuda,
    )

    def pairs() -> Iterator[list[Tensor]]:
        while True:
            yield from loader

    return _plain(plan, run.recipe, *_fresh(run), pairs())


def roofline(run: Experiment, seconds: float, peaks: dict[str, float]) -> dict[str, Any]:
    """Counts what one step must compute and move, and compares its time with the card's peaks.

    FLOP are counted by torch.utils.flop_counter (matrix products and convolutions, there and back). Bytes are the
    least that a step of separate kernels moves: each tensor that autograd keeps for the way back is written once and
    read once; each weight is read twice, its gradient written and read, and itself and the optimiser's numbers of it
    read and written.
    """
    step = make_step(run, graph=False)
    kept: dict[int, int] = {}

    alive: list[Tensor] = []  # so that no two have one address

    def note(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    counter = FlopCounterMode(display=False)
    with counter, torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        take(run, step, 1)
    parameters = list(run.model.parameters())
    for p in parameters:
        kept.pop(p.untyped_storage().data_ptr(), None)
    kept.pop(run.train_set.images.untyped_storage().data_ptr(), None)
    weights = sum(p.numel() * p.element_size() for p in parameters)
    slots = 2 if run.recipe.optimizer == "adam" else 1
    moved = 2 * sum(kept.values()) + weights * (2 + 2 + 2 + 2 * slots)
    flop = counter.get_total_flops()
    figures: dict[str, Any] = {
        "step_us": seconds * 1e6,
        "mflop": flop / 1e6,
        "mbytes": moved / 1e6,
        "flop_per_s": flop / seconds,
        "bytes_per_s": moved / seconds,
    }
    if peaks:
        of_flop = flop / seconds / peaks[run.precision]
        of_bytes = moved / seconds / peaks["bytes_per_s"]
        figures |= {"of_peak_flop": of_flop, "of_peak_bytes": of_bytes, "times_the_floor": 1 / max(of_flop, of_bytes)}
    if run.device.type == "cuda":
        figures |= _kernels(run)
    return figures


def _kernels(run: Experiment) -> dict[str, Any]:
    """Counts how many kernels an eager step launches, and how long they run."""
    step = make_step(run, graph=False)
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        take(run, step, 5)
        wait(run.device)
    kernels = [e for e in profile.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return {"kernels": round(len(kernels) / 5), "kernel_us": sum(e.device_time for e in kernels) / 5}


def quality(plan: Plan, report: Report) -> None:
    """Measures seconds of training, and of everything, until the test figure is reached; the presets as published."""
    for name, (epochs, figure, target) in plan.quality.items():
        with guarded(report, name), without_map_quality():
            start = time.perf_counter()
            run = train(plan.config(name, epochs=epochs), plan.place())
            wall = time.perf_counter() - start
            higher = figure == "elbo"
            values = [line["test"][figure] for line in run.history]
            reached = [i for i, v in enumerate(values) if (v >= target if higher else v <= target)]
            first = run.history[reached[0]] if reached else None
            report.add(
                name,
                epochs=epochs,
                figure=figure,
                target=target,
                reached_at_epoch=None if first is None else first["epoch"],
                seconds_to_it=None if first is None else first["seconds"],
                training_seconds=run.history[-1]["seconds"],
                wall_seconds=wall,
                best=max(values) if higher else min(values),
                last=values[-1],
                images_per_second=run.history[-1]["images_per_second"],
            )
