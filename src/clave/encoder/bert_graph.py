"""A BERT sentence encoder as an ONNX graph, written straight from its safetensors: no torch at export, none at run time.

    graph = bert_graph(weights, config)              # bytes for onnxruntime.InferenceSession
    graph = bert_graph(weights, config, int8=True)   # weights and activations of the matrix products in eight bits

Covers every sentence-transformers model whose config says `"model_type": "bert"` (MiniLM, BGE, E5, GTE and their multilingual forms).
Architecture: Devlin et al. 2019, https://arxiv.org/abs/1810.04805. The fused operators are onnxruntime's own (domain com.microsoft).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.float32]]


def bert_graph(weights: Weights, config: Mapping[str, Any], pooling: str = "mean", *, int8: bool = False) -> bytes:
    """Serialise the encoder.

    Args:
        weights: Tensors by their names in the checkpoint, with or without the prefix `bert.`.
        config: The model's config.json.
        pooling: `"mean"` over the unmasked tokens, or `"cls"`.
        int8: Quantise the matrix products: weights once, with a scale for each column; activations as they come, with one scale for the
            whole batch, so that a text's vector is its own only when it is run alone.

    Returns:
        A model with inputs `input_ids` and `attention_mask`, int32 of shape (batch, tokens), and output `embedding`, float32 of shape
        (batch, hidden), L2-normalised.
    """
    from onnx import TensorProto, helper

    graph = _Builder(weights, int8)
    eps = float(config.get("layer_norm_eps", 1e-12))
    heads = int(config["num_attention_heads"])

    start = graph.constant("start", np.array([0], np.int64))
    graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    graph.node("Slice", [graph.weight("embeddings.position_embeddings.weight"), start, "length", start], "position")
    graph.node("Gather", [graph.weight("embeddings.word_embeddings.weight"), "input_ids"], "word")
    graph.node("Add", ["word", "position"], "word_position")
    kind = graph.constant("token_type", graph.array("embeddings.token_type_embeddings.weight")[0])
    graph.node("Add", ["word_position", kind], "embedded")
    scale, shift = graph.weight("embeddings.LayerNorm.weight"), graph.weight("embeddings.LayerNorm.bias")
    x = graph.node("LayerNormalization", ["embedded", scale, shift], "hidden_0", axis=-1, epsilon=eps)

    for i in range(int(config["num_hidden_layers"])):
        at = f"encoder.layer.{i}."
        parts = [at + f"attention.self.{name}" for name in ("query", "key", "value")]
        qkv = np.concatenate([graph.array(p + ".weight").T for p in parts], axis=1)
        bias = graph.constant(f"qkv_bias_{i}", np.concatenate([graph.array(p + ".bias") for p in parts]))
        attended = graph.attention(x, f"qkv_{i}", qkv, bias, f"attended_{i}", heads)
        projected = graph.product(attended, at + "attention.output.dense.weight", f"projected_{i}")
        x = graph.add_and_norm(projected, x, at + "attention.output", f"attention_{i}", eps)
        inner = graph.product(x, at + "intermediate.dense.weight", f"inner_{i}")
        active = graph.node("BiasGelu", [inner, graph.weight(at + "intermediate.dense.bias")], f"active_{i}", fused=True)
        outer = graph.product(active, at + "output.dense.weight", f"outer_{i}")
        x = graph.add_and_norm(outer, x, at + "output", f"hidden_{i + 1}", eps)

    if pooling == "cls":
        pooled = graph.node("Gather", [x, graph.constant("first", np.array(0, np.int64))], "pooled", axis=1)
    else:
        graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
        graph.node("Unsqueeze", ["mask", graph.constant("middle", np.array([1], np.int64))], "mask_row")
        graph.node("MatMul", ["mask_row", x], "summed_row")  # the mean's denominator falls out in the normalisation below
        pooled = graph.node("Squeeze", ["summed_row", "middle"], "pooled")
    graph.node("LpNormalization", [pooled], "embedding", axis=-1, p=2)

    ids, mask = (helper.make_tensor_value_info(n, TensorProto.INT32, ["batch", "tokens"]) for n in ("input_ids", "attention_mask"))
    out = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", int(config["hidden_size"])])
    body = helper.make_graph(graph.nodes, "bert", [ids, mask], [out], graph.tensors)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(body, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


class _Builder:
    """Collects nodes and tensors; every method returns the name of what it made."""

    def __init__(self, weights: Weights, int8: bool) -> None:
        self.weights, self.int8, self.nodes, self.tensors = weights, int8, list[Any](), list[Any]()
        self.prefix = "bert." if any(k.startswith("bert.") for k in weights) else ""
        self._made: set[str] = set()

    def array(self, name: str) -> NDArray[np.float32]:
        return self.weights[self.prefix + name]

    def constant(self, name: str, array: NDArray[Any]) -> str:
        from onnx import numpy_helper

        if name not in self._made:
            self._made.add(name)
            self.tensors.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.array(name))

    def product(self, x: str, name: str, output: str) -> str:
        """x times a dense layer's weight."""
        weight = self.array(name).T
        if not self.int8:
            return self.node("MatMul", [x, self.constant(name + ".T", weight)], output)
        return self.node("DynamicQuantizeMatMul", [x, *self._quantised(name, weight)], output, fused=True)

    def attention(self, x: str, name: str, weight: NDArray[np.float32], bias: str, output: str, heads: int) -> str:
        """Self-attention with queries, keys and values from one weight of shape (hidden, 3 hidden)."""
        if not self.int8:
            return self.node("Attention", [x, self.constant(name, weight), bias, "attention_mask"], output, fused=True, num_heads=heads)
        inputs = [f"{x}_int8", f"{x}_scale", f"{x}_zero"]
        self.node("DynamicQuantizeLinear", [x], *inputs)
        small, scale, zero = self._quantised(name, weight)
        inputs = [inputs[0], small, bias, inputs[1], scale, "attention_mask", inputs[2], zero]
        return self.node("QAttention", inputs, output, fused=True, num_heads=heads)

    def _quantised(self, name: str, weight: NDArray[np.float32]) -> list[str]:
        """A weight as int8 with a scale for each column, symmetric about zero.

        Seven bits of the eight: processors without VNNI add pairs of products in sixteen bits, which full weights would overflow, and
        the same text would get another vector there.
        """
        scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / 63
        small = np.round(weight / scale).astype(np.int8)
        zero = np.zeros(len(scale), np.int8)
        arrays = {f"{name}_int8": small, f"{name}_scale": scale.astype(np.float32), f"{name}_zero": zero}
        return [self.constant(key, array) for key, array in arrays.items()]

    def node(self, kind: str, inputs: list[str], output: str, *further: str, fused: bool = False, **attributes: Any) -> str:
        from onnx import helper

        domain = "com.microsoft" if fused else ""
        self.nodes.append(helper.make_node(kind, inputs, [output, *further], output, domain=domain, **attributes))
        return output

    def add_and_norm(self, x: str, skip: str, at: str, output: str, eps: float) -> str:
        names = [at + ".LayerNorm.weight", at + ".LayerNorm.bias", at + ".dense.bias"]
        return self.node("SkipLayerNormalization", [x, skip, *map(self.weight, names)], output, fused=True, epsilon=eps)
