"""Steps by CUDA graphs, as far as they can be seen without a GPU: what is run, captured and replayed, and with what."""

import contextlib
import copy
import logging
import sys
from types import SimpleNamespace

import pytest
import torch

from explorer.training import cuda_graphs, loop
from explorer.training.config import Recipe
from explorer.training.cuda_graphs import WARM_UP, GraphedStep
from explorer.training.optimizer import make_optimizer

BATCH = 4


class Seen:
    """An update that notes what it is given; its result is told from others by the rate."""

    def __init__(self):
        self.calls = []

    def __call__(self, index, rate, beta):
        self.calls.append((index.tolist(), float(rate), float(beta)))
        assert isinstance(rate, torch.Tensor)  # in every step: optimisers round otherwise with a number
        return torch.stack([rate, beta])


class Recorded(GraphedStep):
    """A GraphedStep on the CPU, whose graph takes the step anew with the tensors that it was captured with."""

    captures = 0

    def _aside(self, index):
        return self._update(index, self._rate, self._beta)

    def _capture(self):
        self.captures += 1
        self._result = torch.zeros(2)
        self._graph = SimpleNamespace(
            replay=lambda: self._result.copy_(self._update(self._index, self._rate, self._beta))
        )
        return True


def batch(i, size=BATCH):
    return torch.arange(size) + i


def test_a_graph_is_captured_once_and_replayed_with_what_each_step_is_given():
    seen = Seen()
    step = Recorded(seen, torch.Generator(), BATCH)
    results = [step(batch(i), i + 0.5, 0.25 * i) for i in range(WARM_UP + 5)]
    assert step.captures == 1
    assert seen.calls == [(batch(i).tolist(), i + 0.5, 0.25 * i) for i in range(WARM_UP + 5)]
    # Each keeps its own, though a replay writes over the last.
    assert [r.tolist() for r in results[WARM_UP:]] == [[i + 0.5, 0.25 * i] for i in range(WARM_UP, WARM_UP + 5)]


def test_a_smaller_batch_runs_as_it_is():
    seen = Seen()
    step = Recorded(seen, torch.Generator(), BATCH)
    for i in range(6):
        step(batch(i), 1.0, 1.0)
        step(batch(i, size=2), 2.0, 1.0)
    assert step.captures == 1
    assert [len(index) for index, _, _ in seen.calls] == [4, 2] * 6
    assert [rate for _, rate, _ in seen.calls] == [1.0, 2.0] * 6


def test_a_capture_that_fails_is_said_and_the_steps_go_on(monkeypatch, caplog):
    @contextlib.contextmanager
    def broken(graph, **_):
        yield
        raise RuntimeError("operation not permitted when stream is capturing\nmore of this")

    class Graph:
        def register_generator_state(self, generator):
            generator.manual_seed(99)  # what a capture that breaks may leave behind

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", broken)
    monkeypatch.setattr(torch.cuda, "default_generators", (torch.Generator(),))
    monkeypatch.setattr(cuda_graphs, "_put_back", lambda generator, state: generator.set_state(state))
    monkeypatch.setattr(GraphedStep, "_aside", Recorded._aside)
    seen, generator = Seen(), torch.Generator().manual_seed(3)
    state = generator.get_state()
    step = GraphedStep(seen, generator, BATCH)
    with caplog.at_level(logging.WARNING):
        results = [step(batch(i), float(i), 1.0).tolist() for i in range(WARM_UP + 3)]
    assert results == [[float(i), 1.0] for i in range(WARM_UP + 3)]
    assert not step.captured
    assert [r.getMessage() for r in caplog.records] == [
        "training goes on without a CUDA graph of its step, which PyTorch refused: "
        "operation not permitted when stream is capturing"
    ]
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_a_rate_that_is_a_tensor_takes_the_same_steps(name, monkeypatch):
    """As the steps of a graph have it; RMSprop's own division rounds by itself."""
    # It refuses the CPU for no reason but that nothing is captured there.
    module = sys.modules[torch.optim.RMSprop.__module__]
    monkeypatch.setattr(module, "_get_capturable_supported_devices", lambda: ["cpu"])
    torch.manual_seed(0)
    one = torch.nn.Linear(7, 5)
    other = copy.deepcopy(one)
    recipe = Recipe(optimizer=name)
    plain = make_optimizer(one, recipe)
    capturable = make_optimizer(other, recipe, capturable=name == "rmsprop")
    capturable.param_groups[0]["foreach"] = True if name == "rmsprop" else None
    for step in range(5):
        x = torch.randn(4, 7)
        plain.param_groups[0]["lr"] = 0.01 / (step + 1)
        capturable.param_groups[0]["lr"] = torch.tensor(0.01 / (step + 1))
        for network, optimizer in ((one, plain), (other, capturable)):
            optimizer.zero_grad(set_to_none=True)
            network(x).square().sum().backward()
            optimizer.step()
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)
    assert float(capturable.state[other.weight]["step"]) == 5


def test_a_beta_that_is_a_tensor_gives_the_same_step(small_train, monkeypatch):
    plain = small_train("plain", epochs=1, beta=0.7)
    make_step = loop.make_step

    def made(run):
        step = make_step(run)
        return lambda index, rate, beta: step(index, rate, torch.tensor(beta))

    monkeypatch.setattr(loop, "make_step", made)
    other = small_train("tensor", epochs=1, beta=0.7)
    assert other.metrics == plain.metrics
