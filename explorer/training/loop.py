"""The training loop, top to bottom: from a batch to an update to a report.

The order of epoch e is drawn from (seed, e), the posterior's noise from one generator whose state is saved.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from explorer.checkpoints.folder import discard_checkpoint
from explorer.datasets.on_disk import BLOCK, StoredImages
from explorer.models.devices import threads
from explorer.models.evaluation import to_float
from explorer.models.whole_batch import average_gradients
from explorer.training import processes
from explorer.training.cuda_graphs import GraphedStep, Step
from explorer.training.experiment import Experiment
from explorer.training.frames import FrameWriter
from explorer.training.optimizer import learning_rate
from explorer.training.run_state import Progress, RunState
from explorer.training.saving import Saver
from explorer.training.status import StatusWriter

CHECK_EVERY = 32  # steps between looks at the loss, which take a little time, and progress needs no more
LOOK_SECONDS = 1.0  # between looks where steps are slow, and on a GPU, where a look waits for all steps before it


@dataclass(frozen=True)
class Run:
    """A run that has ended: its folder, how it ended, and its final test metrics, {} where there is no model."""

    path: Path
    status: RunState
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    message: str = ""

    def __repr__(self) -> str:
        found = {name: self.metrics.get(name) for name in ("elbo", "reconstruction", "kl")}
        nats = ", ".join(f"{name} {value:,.1f}" for name, value in found.items() if value is not None)
        return f"<Run {self.path}: {self.status} after {len(self.history)} epochs{nats and f', {nats}'}>"

    def _repr_html_(self) -> str:
        """In a notebook: how it ended."""
        return escape(repr(self)[1:-1])


def make_step(run: Experiment, *, graph: bool = True) -> Step:
    """Makes the function that does one update of a run's model, on the images of its training set.

    It takes which of them are the batch, int64 [B], the learning rate and beta, and returns the batch's sums of nll, KL
    and what else the objective charges: [3], left on the device. On a GPU it replays a CUDA graph, if `graph`; of
    several processes each takes its part. It is good until weights or the optimiser's state are replaced.
    """
    model, optimizer, generator = run.model, run.optimizer, run.at.generator
    device, free_bits, half = run.device, run.recipe.free_bits, run.precision == "bfloat16"
    images = _at_hand(run.train_set.images, device)  # uint8, so it fits where float32 might not
    labels = run.train_set.labels
    labels = labels.to(device) if labels is not None and model.config.classes else None

    def step(index: Tensor, rate: float | Tensor, beta: float | Tensor) -> Tensor:
        model.beta = beta
        x = model.observe(to_float(images[index], device), generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            terms = model.terms(x, generator, None if labels is None else labels[index])
        loss = terms.loss(model.weight(beta) if model.beta_weighs_kl else 1.0, free_bits)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(model)
        optimizer.step()
        return terms.sums()

    if processes.joined():
        return processes.shared(run, step)
    return GraphedStep(step, generator, run.recipe.batch_size) if graph and images.device.type == "cuda" else step


def _at_hand(images: UInt8[Tensor, "n c h w"], device: torch.device) -> UInt8[Tensor, "n c h w"]:
    """Brings images to the device; those on the disk stay there, unless they take less than half of a GPU's memory."""
    if not isinstance(images, StoredImages):
        return images.to(device)
    if device.type != "cuda" or images.nbytes > torch.cuda.mem_get_info(device)[0] // 2:
        return images
    brought = torch.empty(images.shape, dtype=torch.uint8, device=device)
    for place, block in zip(brought.split(BLOCK), images.split(BLOCK), strict=True):
        place.copy_(block)
    return brought


def train_loop(
    run: Experiment,
    reports: StatusWriter,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> Run:
    """Trains to the last epoch, to a stop or to a loss that is not finite, and writes the checkpoint.

    One that diverges before its first epoch has ended is no model: it has no checkpoint, and no metrics.
    """
    with threads(run.threads):
        return _train(run, reports, on_progress, should_stop)


def _train(
    run: Experiment,
    reports: StatusWriter,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> Run:
    recipe, at, steps, n = run.recipe, run.at, run.steps, len(run.train_set)
    look_every = sys.maxsize if run.device.type == "cuda" else CHECK_EVERY

    def report(progress: Progress) -> None:
        reports.progress(progress)
        on_progress(progress)

    reports.start(run)
    frames = FrameWriter(run.path, run.test_set, run.model, epoch=at.epoch, positions=run.test_index)
    saver = Saver(run)
    run.model.stage, _, _ = run.stage()
    step = make_step(run)
    good = run.snapshot()

    parts = len(run.ended)
    while run.goes_on and run.status is RunState.RUNNING:
        seed = run.config.seed * 1_000_003 + at.epoch
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).to(run.device)
        stage, began, length = run.stage()
        if len(run.ended) > parts:
            parts, run.model.stage = len(run.ended), stage
            step = make_step(run)
        first, seconds, since = at.step, 0.0, time.perf_counter()  # of this epoch, as far as it is trained here
        recent: list[Tensor] = []  # sums of the steps since the last look
        looked = since
        while at.step < steps:
            index = order[at.step * recipe.batch_size : (at.step + 1) * recipe.batch_size]
            epoch = at.epoch + at.step / steps
            rate = learning_rate(recipe, epoch - began, steps, epochs=length)
            recent.append(step(index, rate, run.recipe_beta(epoch)))
            at.step += 1
            now = time.perf_counter()
            if len(recent) < look_every and at.step < steps and now - looked < LOOK_SECONDS:
                continue
            if (bad := _account(run, recent)) is not None:
                where = f"the loss was not finite at step {bad + 1} of epoch {at.epoch + 1}"
                run.diverge(where, good, run.recipe_beta(at.epoch + bad / steps))
                break
            recent, looked = [], time.perf_counter()
            seconds, at.seconds, since = seconds + looked - since, at.seconds + looked - since, looked
            report(_progress(run, seconds, at.step - first))
            if at.step < steps:
                if should_stop():
                    run.status = RunState.CANCELLED
                    break
                if run.config.save_seconds and saver.due:
                    saver.save()
                since = time.perf_counter()
        if run.status is not RunState.RUNNING:
            break

        evaluation = saver.evaluate()
        beta = run.beta_at(at.epoch + 1)
        test = evaluation.metrics(beta)
        if not torch.isfinite(torch.tensor(test["loss"])):
            run.diverge(f"the loss of the test images was not finite after epoch {at.epoch + 1}", good, beta)
            break
        trained = min((steps - first) * recipe.batch_size, n)
        line = _history_line(run, test, images_per_second=trained / seconds)
        line["kl_by_latent"] = evaluation.kl_by_latent()
        if evaluation.figures:
            line["figures"] = evaluation.figures
        if warning := run.model.warning(evaluation.figures):
            line["warning"] = warning
        if run.model.likelihood.learns_noise:
            line["noise_variance"] = run.model.noise_variance_value
        run.history.append(line)
        reports.epoch(line)
        ends = run.end_epoch(test)
        with contextlib.suppress(OSError):  # frames are for looking: what matters is said to have failed elsewhere
            frames.offer(at.epoch, evaluation.kl_by_group, last=ends)
        if ends:
            run.end_part()
        good = run.snapshot()
        if run.goes_on:
            if should_stop():
                run.status = RunState.CANCELLED
            elif saver.due:
                saver.save()

    if run.status is RunState.RUNNING:
        run.finish(RunState.FINISHED)
    if run.status is RunState.FAILED and not at.epoch:
        discard_checkpoint(run.path)
        return Run(run.path, run.status, {}, run.history, run.message)
    metrics = saver.finish(lambda phase: report(_at_the_end(run, phase)))
    return Run(run.path, run.status, metrics, run.history, run.message)


def _account(run: Experiment, recent: list[Tensor]) -> int | None:
    """Adds the last steps to the epoch's sums; gives the first step whose loss is not finite, if there is one."""
    rows = torch.stack(recent).double().cpu()  # [steps, 3]
    finite = torch.isfinite(rows).all(1)
    at, first = run.at, run.at.step - len(recent)
    if not bool(finite.all()):
        return first + int((~finite).nonzero()[0])
    for nll, kl, extra in rows.tolist():  # one by one: the sum must not depend on when the loop looked
        at.nll, at.kl, at.extra = at.nll + nll, at.kl + kl, at.extra + extra
    batch = run.recipe.batch_size
    at.images += min(at.step * batch, len(run.train_set)) - first * batch
    return None


def _averages(run: Experiment, beta: float) -> dict[str, float | None]:
    """The terms of the epoch so far, in nats an image; the KL as it is, without the floor of free bits."""
    at, model = run.at, run.model
    reconstruction = -at.nll / at.images - model.likelihood.constant(model.config.pixels)
    kl = at.kl / at.images
    return {
        "elbo": reconstruction - kl if model.has_prior else None,
        "reconstruction": reconstruction,
        "kl": kl if model.has_prior else None,
        "loss": at.nll / at.images + (beta * kl if model.beta_weighs_kl else kl) + at.extra / at.images,
    }


def _history_line(run: Experiment, test: dict[str, Any], *, images_per_second: float) -> dict[str, Any]:
    """What the history says of the epoch that ends."""
    beta = run.beta_at(run.at.epoch + 1)
    _, began, length = run.stage()
    return {
        "epoch": run.at.epoch + 1,
        "seconds": round(run.at.seconds, 3),
        "images_per_second": round(images_per_second, 1),
        "learning_rate": learning_rate(run.recipe, run.at.epoch - began, run.steps, epochs=length),
        "beta": beta,
        "train": _averages(run, beta),
        "test": test,
    }


def _progress(run: Experiment, seconds: float, done: int) -> Progress:
    """Where the run stands within an epoch, of which so many steps took so many seconds."""
    at, recipe = run.at, run.recipe
    averages = _averages(run, run.beta_at(at.epoch))
    left = (run.epochs - at.epoch) * run.steps - at.step
    return Progress(
        phase="training",
        epoch=at.epoch + 1,
        epochs=run.epochs,
        step=at.step,
        steps=run.steps,
        elbo=averages["elbo"],
        reconstruction=averages["reconstruction"] or 0.0,
        kl=averages["kl"],
        images_per_second=min(done * recipe.batch_size, len(run.train_set)) / seconds,
        seconds_left=left * seconds / done,
    )


def _at_the_end(run: Experiment, phase: str) -> Progress:
    """What is done after the last step, with the terms of the last epoch."""
    start: dict[str, Any] = {"elbo": None, "reconstruction": 0.0, "kl": None}
    last = run.history[-1]["test"] if run.history else start
    terms = {name: last[name] for name in start}
    return Progress(phase=phase, epoch=run.at.epoch, epochs=run.epochs, **terms)
