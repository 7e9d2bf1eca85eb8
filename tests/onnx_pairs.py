"""Pairs of ONNX files as other programs write them, of linear networks whose numbers NumPy tells."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LATENT = 3


class Pair:
    """A folder with a pair, and what encoder and decoder give by NumPy.

    Attributes:
        weights: of images as vectors, by name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        inside: tuple[int, ...] = (1, 28, 28),
        batch: int | str = "n",
        logvar: bool = True,
        names: tuple[str, ...] = ("mean", "logvar"),
        classes: int = 0,
        latent: int = LATENT,
        **about: Any,
    ) -> None:
        """`inside` is an image's shape as the graphs have it; `about` is what adopt.json says."""
        self.folder, self.inside, self.classes = folder, inside, classes
        pixels = math.prod(inside)
        draw = np.random.default_rng(0)
        self.weights = {
            "to_mean": draw.normal(0, 0.02, (pixels, latent)),
            "to_logvar": draw.normal(0, 0.002, (pixels, latent)),
            "to_image": draw.normal(0, 1, (latent, pixels)),
            "of_class": draw.normal(0, 1, (max(1, classes), pixels)),
        }
        self.weights = {name: value.astype(np.float32) for name, value in self.weights.items()}
        folder.mkdir(parents=True, exist_ok=True)
        flat = helper.make_node("Flatten", ["images"], ["flat"])
        heads = [("to_mean", names[0]), ("to_logvar", names[1])][: 2 if logvar else 1]
        nodes = [flat, *(helper.make_node("MatMul", ["flat", weights], [name]) for weights, name in heads)]
        self._save(
            "encoder", nodes, [("images", (batch, *inside), "f")], [(name, (batch, latent)) for _, name in heads]
        )
        inputs: list[tuple[str, tuple[int | str, ...], str]] = [("codes", (batch, latent), "f")]
        nodes = [helper.make_node("MatMul", ["codes", "to_image"], ["logits"])]
        last = "logits"
        if classes:
            inputs.append(("labels", (batch,), "i"))
            nodes.append(helper.make_node("Gather", ["of_class", "labels"], ["added"]))
            nodes.append(helper.make_node("Add", ["logits", "added"], ["sum"]))
            last = "sum"
        nodes.append(helper.make_node("Sigmoid", [last], ["gray"]))
        nodes.append(helper.make_node("Reshape", ["gray", "shape"], ["pictures"]))
        self._save("decoder", nodes, inputs, [("pictures", (batch, *inside))])
        (folder / "adopt.json").write_text(json.dumps({"dataset": "mnist-5k", **about}))

    def _save(self, name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> None:
        used = {part for node in nodes for part in node.input}
        held = {**self.weights, "shape": np.array([-1, *self.inside], np.int64)}
        kinds = {"f": TensorProto.FLOAT, "i": TensorProto.INT64}
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info(n, kinds[kind], shape) for n, shape, kind in inputs],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs],
            [numpy_helper.from_array(value, n) for n, value in held.items() if n in used],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), self.folder / f"{name}.onnx")

    def encode(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and log variance of images as the graph takes them."""
        flat = inside.reshape(len(inside), -1)
        return flat @ self.weights["to_mean"], flat @ self.weights["to_logvar"]

    def decode(self, codes: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Images as the graph gives them."""
        logits = codes @ self.weights["to_image"]
        if self.classes:
            logits = logits + self.weights["of_class"][np.zeros(len(codes), int) if labels is None else labels]
        return (0.5 + 0.5 * np.tanh(logits.astype(np.float64) / 2)).reshape(-1, *self.inside)
