"""ONNX graphs as bytes: what is in them, and running them by onnxruntime on the CPU. Nothing in them is unpickled.

Functions of another process are asked in the same way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from explorer.errors import ModelGone, first_line
from explorer.models.functions import Functions

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_NEEDED = "models trained elsewhere are read by onnx and run by onnxruntime"
_VALUES, _ROWS = 1 << 21, 512  # of images in work at a time: 512 digits, 10 photographs of 256 pixels a side
_SECONDS = 300.0  # that a graph may take for so many
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def at_once(pixels: int) -> int:
    """How many images of so many values a graph is given at a time: memory was measured with so many."""
    return max(1, min(_ROWS, _VALUES // pixels))


class Graph:
    """An ONNX graph in use, or a function of another process; calls are thread-safe.

    Attributes:
        inputs, outputs: name, type and shape of each, as onnxruntime has them.

    Raises:
        RuntimeError: onnxruntime is missing, or cannot run the graph; one sentence.
        ModelGone: the other process has ended.
    """

    def __init__(self, graph: Tensor | bytes, network: str = "onnx", rows: int = 2) -> None:
        """`rows` is how many it is given at a time, where it was exported for any number."""
        data = graph if isinstance(graph, bytes) else graph.numpy().tobytes()
        session: Any = Functions(data) if network == "python" else _session(data)
        self._ask = session.run if network == "python" else partial(_ended_in_time, session)
        self._rows = rows
        self._who = "the function" if network == "python" else "onnxruntime"
        self.inputs, self.outputs = session.get_inputs(), session.get_outputs()

    def __call__(self, *given: np.ndarray) -> list[np.ndarray]:
        """All outputs, for arrays of N rows: a part at a time, in as many rows as the graph was exported for."""
        shape, rows = self.inputs[0].shape, len(given[0])
        fixed = shape[0] if shape and isinstance(shape[0], int) else 0
        step = fixed or self._rows
        parts = []
        for start in range(0, rows, step):
            part = [
                _shaped(array[start : start + step], about) for array, about in zip(given, self.inputs, strict=True)
            ]
            count = len(part[0])
            if fixed > count:
                part = [np.concatenate([array, np.repeat(array[-1:], fixed - count, 0)]) for array in part]
            parts.append([array[:count] for array in self._run(part)])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def _run(self, given: list[np.ndarray]) -> list[np.ndarray]:
        try:
            found: list[Any] = self._ask(None, {a.name: v for a, v in zip(self.inputs, given, strict=True)})
        except ModelGone:
            raise
        except Exception as error:  # onnxruntime has a dozen, without a base of their own
            raise RuntimeError(f"{self._who} says: {first_line(error)}") from error
        for about, array in zip(self.outputs, found, strict=True):
            if not isinstance(array, np.ndarray) or array.ndim < 1 or len(array) != len(given[0]):
                shape = list(getattr(array, "shape", []))
                raise RuntimeError(
                    f"{about.name} is {shape} for {len(given[0])} rows: export it with a batch of any size"
                )
            if array.dtype.kind not in "biuf":
                raise RuntimeError(f"{about.name} is no array of numbers, but of the type {array.dtype}")
        return found


def _ended_in_time(session: Any, names: None, given: dict[str, np.ndarray]) -> list[Any]:
    """Runs a graph. Raises TimeoutError for one that does not come to an end, and whatever onnxruntime raises."""
    from onnxruntime import RunOptions

    options = RunOptions()
    end = threading.Timer(_SECONDS, setattr, (options, "terminate", True))
    end.daemon = True
    end.start()
    try:
        found: list[Any] = session.run(names, given, options)
        return found
    except Exception as error:
        if options.terminate:
            raise TimeoutError(f"it took more than {_SECONDS / 60:.0f} minutes") from error
        raise
    finally:
        end.cancel()


def _shaped(array: np.ndarray, about: Any) -> np.ndarray:
    """The rows as an input has them: of its type and rank."""
    wanted = np.ascontiguousarray(array, dtype=_TYPES.get(about.type, np.float32))
    rank, (rows, *sides) = len(about.shape or wanted.shape), wanted.shape
    if rank == 2:  # dense networks take an image as a vector
        return wanted.reshape(rows, -1)
    if rank == wanted.ndim - 1 and 1 in sides:  # and some take a gray one without its channel
        sides.remove(1)
    return wanted.reshape(rows, *sides)


def tensors(message: Any) -> Iterator[Any]:
    """Every tensor that an ONNX message holds, in graphs within graphs, functions and attributes, too."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for inner in value if isinstance(value, Sequence) else [value]:
            if field.message_type.name == "TensorProto":
                yield inner
            else:
                yield from tensors(inner)


def parse(data: bytes) -> Any:
    """The ONNX message in a file's bytes, which names further files and has not read them.

    Raises:
        RuntimeError: the package onnx is missing, or it is no ONNX.
    """
    try:
        import onnx
    except ImportError:
        raise RuntimeError(f"{_NEEDED}: pip install onnx onnxruntime") from None
    try:
        return onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's, which onnx does not name
        raise RuntimeError("it is no ONNX graph") from error


def _session(data: bytes) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError:
        raise RuntimeError(f"{_NEEDED}: pip install onnx onnxruntime") from None
    if any(
        tensor.external_data or tensor.data_location for tensor in tensors(parse(data))
    ):  # whatever onnxruntime would do about it
        raise RuntimeError("its graph asks for data in other files")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise RuntimeError(f"onnxruntime says: {first_line(error)}") from error
