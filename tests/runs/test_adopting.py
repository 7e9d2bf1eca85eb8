"""A model from elsewhere is taken in by a process of its own: what it cannot do to the one that asked."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import explorer
from explorer.files.locks import lock
from explorer.models import graphs
from explorer.runs.adopting import adopt_apart
from tests.onnx_pairs import Pair

pytestmark = pytest.mark.slow


@pytest.fixture
def runs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("EXPLORER_DATA", str(tmp_path / "data"))
    return tmp_path / "runs"


def decoder(pair: Pair, nodes, inits) -> None:
    """Replaces the decoder by one of these nodes, from `codes` to `pictures`."""
    graph = helper.make_graph(
        nodes,
        "decoder",
        [helper.make_tensor_value_info("codes", TensorProto.FLOAT, ("n", 3))],
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, None)],
        inits,
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), pair.folder / "decoder.onnx")


def array(name: str, values: object, kind: int = TensorProto.INT64):
    return helper.make_tensor(name, kind, [len(values)], values)


def test_a_graph_that_asks_for_all_memory(tmp_path, runs_folder):
    left, at_work = runs_folder / ".new-left", runs_folder / ".new-at-work"
    for folder in (left, at_work):  # of a process that was killed, and of one that is at it
        folder.mkdir(parents=True)
        os.utime(folder, (0, 0))
    held = lock(at_work)
    pair = Pair(tmp_path / "pair")
    decoder(
        pair,
        [helper.make_node("ConstantOfShape", ["shape"], ["pictures"])],
        [array("shape", [2, 1, 1 << 20, 1 << 20])],  # 8 TB
    )
    with pytest.raises(explorer.CheckpointError) as caught:
        adopt_apart(pair.folder, "pair", "mnist-5k", "large", progress=lambda step, done, of: None)
    assert "memory" in str(caught.value) or "alloc" in str(caught.value)
    assert list(runs_folder.iterdir()) == [at_work]
    held.release()


def endless(pair: Pair) -> None:
    """Replaces the decoder by one that never comes to an end."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still"]),
            helper.make_node("Identity", ["seen"], ["same"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, ()),
            helper.make_tensor_value_info("on", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("seen", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("same", TensorProto.FLOAT, None),
        ],
    )
    true = numpy_helper.from_array(np.array(True), "true")
    decoder(pair, [helper.make_node("Loop", ["", "true", "codes"], ["pictures"], body=body)], [true])


def test_a_graph_without_an_end_is_ended_wherever_it_runs(tmp_path, monkeypatch):
    pair = Pair(tmp_path / "pair")
    endless(pair)
    monkeypatch.setattr(graphs, "_SECONDS", 0.5)
    graph = graphs.Graph((pair.folder / "decoder.onnx").read_bytes())
    with pytest.raises(RuntimeError, match="it took more than 0 minutes"):
        graph(np.zeros((1, 3), np.float32))


def test_a_graph_without_an_end_is_ended(tmp_path, runs_folder):
    pair = Pair(tmp_path / "pair")
    endless(pair)
    heard = []

    def progress(step, done, of):
        heard.append(step)
        if len(heard) > 60:  # a quarter of a second each: it has been opened by then, or opens still
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adopt_apart(pair.folder, "pair", "mnist-5k", "endless", progress=progress)
    assert set(heard) == {"Opening the graphs"}
    assert not list(runs_folder.glob("*"))
