"""The training step as one CUDA graph.

A small model's step is a hundred kernels of a few microseconds each, and launching them takes longer than running them.
A graph is launched once for all of them: https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

WARM_UP = 3  # steps before the capture: libraries choose their algorithms and optimisers make their state in them

_log = logging.getLogger(__name__)


Step = Callable[[Tensor, float, float], Tensor]
"""One update on the images at these positions, int64 [B], by a rate and a beta; its result stays on the device."""
Update = Callable[[Tensor, float | Tensor, float | Tensor], Tensor]
"""A step whose learning rate and beta may also be tensors, 0-d float32 on the device."""


class GraphedStep:
    """Does what `update` does, as a replay of a captured graph where the batch is a whole one.

    The first steps and smaller batches run as they are, their rate a tensor too: an optimiser rounds otherwise with a
    number, and a resumed run has its first steps elsewhere. A graph repeats the addresses that it was captured with: it
    may only be used while weights, optimiser state and generator are the same tensors, so whoever puts others in
    their place makes a new GraphedStep.

    Args:
        update: the step to capture; it may not wait for the device.
        generator: of the noise that `update` draws, on a cuda device. A replay draws what the step would have drawn.
        batch: images of a whole batch.

    Attributes:
        failure: why there is no graph, if capturing one failed.
    """

    def __init__(self, update: Update, generator: torch.Generator, batch: int) -> None:
        self._update, self._generator = update, generator
        device = generator.device
        self._index = torch.zeros(batch, dtype=torch.int64, device=device)
        self._rate, self._beta = torch.zeros((), device=device), torch.zeros((), device=device)
        self._result: Tensor | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._warm = 0
        self.failure: str | None = None

    @property
    def captured(self) -> bool:
        return self._graph is not None

    def __call__(self, index: Int[Tensor, " n"], rate: float, beta: float) -> Tensor:
        self._rate.fill_(rate)
        self._beta.fill_(beta)
        if len(index) != len(self._index) or self.failure is not None:
            return self._update(index, self._rate, self._beta)
        if self._warm < WARM_UP:
            self._warm += 1
            return self._aside(index)
        self._index.copy_(index)
        if self._graph is None and not self._capture():
            return self._update(index, self._rate, self._beta)
        assert self._graph is not None
        assert self._result is not None
        self._graph.replay()
        return self._result.clone()  # the next replay writes over it

    def _aside(self, index: Int[Tensor, " n"]) -> Tensor:
        """Takes the step on a stream of its own, as a capture has one: gradients would remember another stream."""
        here, aside = torch.cuda.current_stream(self._generator.device), torch.cuda.Stream(self._generator.device)
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            result = self._update(index, self._rate, self._beta)
        here.wait_stream(aside)
        result.record_stream(here)
        return result

    def _capture(self) -> bool:
        """Records the step without running it; says whether that worked."""
        generators = [self._generator, torch.cuda.default_generators[self._generator.device.index or 0]]
        states = [g.get_state() for g in generators]
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._result = self._update(self._index, self._rate, self._beta)
        except RuntimeError as error:
            self.failure = " ".join(str(error).split("\n")[0].split())
            for generator, state in zip(generators, states, strict=True):
                _put_back(generator, state)
            _log.warning("training goes on without a CUDA graph of its step, which PyTorch refused: %s", self.failure)
            return False
        self._graph = graph
        return True


def _put_back(generator: torch.Generator, state: Tensor) -> None:
    """Frees a generator of a broken capture, for whose end it would wait for ever."""
    fresh = torch.Generator(generator.device)
    fresh.set_state(state)
    generator.graphsafe_set_state(fresh.graphsafe_get_state())
