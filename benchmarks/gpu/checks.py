"""Whether a GPU computes what a CPU computes, and goes on from where it was stopped."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import torch

from benchmarks.gpu.plan import Plan, apart, presets, shared_noise, take, wait, without_map_quality
from benchmarks.gpu.report import Report
from explorer.checkpoints.folder import read_history, read_tensors
from explorer.models.devices import choose_device, choose_precision, device_names, peak_memory
from explorer.models.evaluation import evaluate
from explorer.models.registry import NETWORKS
from explorer.training import loop
from explorer.training.cuda_graphs import WARM_UP, GraphedStep
from explorer.training.experiment import Experiment
from explorer.training.lifecycle import train
from explorer.training.loop import make_step
from explorer.training.run_state import RunState

# Relative to the largest loss of the steps that are compared. Differences grow from step to step: Adam's first ones
# are as large for a gradient that rounding has made as for any other.
TOLERANCE = {"first": 1e-4, "float32": 1e-2, "bfloat16": 3e-2}


def devices(plan: Plan, report: Report) -> None:
    """Checks which devices and precisions are chosen here."""
    device = choose_device(plan.device)
    report.check(
        "choose_device",
        choose_device("auto").type == device.type and str(device) in [*device_names(), "cpu"],
        auto=str(choose_device("auto")),
        names=" ".join(device_names()),
    )
    refused = {}
    for name in ("cuda:99", "tpu", "mps"):
        try:
            refused[name] = f"taken for {choose_device(name)}"
        except ValueError as error:
            refused[name] = str(error)
    report.check("refused", not any(v.startswith("taken") for v in refused.values()), **refused)
    chosen = {network: choose_precision("auto", device, convolves=NETWORKS[network].convolves) for network in NETWORKS}
    report.add("choose_precision", **chosen)


def agreement(plan: Plan, report: Report) -> None:
    """Compares each preset's steps here and on the CPU: the same weights, batches and noise, in float32.

    Convolutions multiply with all bits of float32 here, of which a GPU takes ten of the mantissa otherwise (TF32). Then
    the CPU's weights are measured on both.
    """
    for name in presets():
        with guarded(report, name), all_bits():
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            there, here = (plan.experiment(name, device=d, precision="float32") for d in ("cpu", plan.device))
            rows = []
            for run in (there, here):
                with shared_noise():
                    rows.append(take(run, make_step(run, graph=False), plan.steps))
            here.model.load_state_dict(there.model.state_dict())
            images = here.test_set.images[:1000]
            labels = None if here.test_set.labels is None else here.test_set.labels[:1000]
            measured = [evaluate(t.model, images, labels) for t in (there, here)]
            first, steps = apart(rows[1][:1], rows[0][:1]), apart(rows[1], rows[0])
            test = apart(*(torch.stack([m.reconstruction, m.kl], 1).double() for m in measured[::-1]))
            report.check(
                name,
                max(first, test) < TOLERANCE["first"] and steps < TOLERANCE["float32"],
                loss=float(rows[1][-1].sum()),
                first_apart=first,
                apart=steps,
                evaluation_apart=test,
                memory_MiB=(peak_memory(here.device) or 0) / 2**20,
            )


def precision(plan: Plan, report: Report) -> None:
    """Compares the same steps here in bfloat16 and in float32."""
    for name in presets():
        rows = {}
        with guarded(report, name):
            for kind in ("float32", "bfloat16"):
                run = plan.experiment(name, precision=kind)
                with shared_noise():
                    rows[kind] = take(run, make_step(run, graph=False), plan.steps)
            far = apart(rows["bfloat16"], rows["float32"])
            report.check(name, far < TOLERANCE["bfloat16"], apart=far)


def graphs(plan: Plan, report: Report) -> None:
    """Compares each preset's steps by a CUDA graph and eager ones, which draw the same noise by themselves."""
    for name in presets():
        with guarded(report, name):
            rows, noises, steps = [], [], WARM_UP + plan.steps
            captured, why = False, None
            for graph in (False, False, True):
                run = plan.experiment(name)
                step = make_step(run, graph=graph)
                rows.append(take(run, step, steps))
                noises.append(noise_of(run))
                if isinstance(step, GraphedStep):
                    captured, why = step.captured, step.failure
            far, again = (apart(rows[i], rows[0]) for i in (2, 1))
            report.check(
                name,
                far < TOLERANCE["float32"] and noises[2] == noises[0] and captured == (run.device.type == "cuda"),
                captured=captured,
                apart=far,
                eager_twice_apart=again,
                why=why,
            )
    with guarded(report, "a capture that fails"):
        run = plan.experiment("mlp-2d-mse")
        expected = take(run, make_step(run, graph=False), WARM_UP + plan.steps)
        run = plan.experiment("mlp-2d-mse")
        plain, weight = run.optimizer.step, next(run.model.parameters())

        def waits() -> None:
            plain()
            weight.cpu()  # which a capture cannot do

        with mock.patch.object(run.optimizer, "step", waits):
            step = make_step(run)
            found = take(run, step, WARM_UP + plan.steps)
        torch.randn(3, device=run.device)  # the device's own generator still works
        failure = step.failure if isinstance(step, GraphedStep) else "no GPU: nothing to capture"
        report.check(
            "a capture that fails",
            failure is not None and apart(found, expected) < TOLERANCE["float32"],
            apart=apart(found, expected),
            said=failure,
        )


def noise_of(run: Experiment) -> list[int]:
    return run.at.generator.get_state().tolist()


def resume(plan: Plan, report: Report) -> None:
    """Compares two epochs, stopped in the midst of one and resumed, with two in one go, twice."""
    for name in plan.resumed:
        with guarded(report, name), without_map_quality():
            config = plan.config(name, epochs=2)
            whole, again, parted = (plan.place() for _ in range(3))
            for path in (whole, again):
                train(config, path)
            looks = 0

            def after_some() -> bool:
                nonlocal looks
                looks += 1
                return looks > plan.steps

            with mock.patch.object(loop, "LOOK_SECONDS", 0.0):  # a look after each step
                stopped = train(config, parted, should_stop=after_some)
            at = read_tensors(parted / "optimizer.safetensors")["position"].tolist()
            train(config, parted, resume=True)
            twice, far = (_weights_apart(path, whole) for path in (again, parted))
            losses = [read_history(path)[-1]["test"]["loss"] for path in (whole, again, parted)]
            loss_apart = abs(losses[2] / losses[0] - 1)
            report.check(
                name,
                stopped.status is RunState.CANCELLED and (far == 0 or loss_apart < 2e-2),
                stopped_at=f"epoch {at[0]}, step {at[1]}",
                equal=far == 0,
                weights_apart=far,
                two_runs_apart=twice,
                loss_apart=loss_apart,
                two_runs_loss_apart=abs(losses[1] / losses[0] - 1),
            )


def _weights_apart(one: Path, other: Path) -> float:
    """The largest difference of two weights."""
    a, b = (read_tensors(path / "model.safetensors") for path in (one, other))
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


@contextlib.contextmanager
def all_bits() -> Iterator[None]:
    """Lets convolutions multiply without TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextlib.contextmanager
def guarded(report: Report, name: str) -> Iterator[None]:
    """Notes what breaks, and goes on with the next."""
    try:
        yield
    except Exception as error:
        traceback.print_exc()
        report.check(name, False, broke=f"{type(error).__name__}: {error}"[:500])
    finally:
        with contextlib.suppress(RuntimeError):
            wait(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
