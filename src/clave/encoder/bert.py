"""BERT sentence encoders in folders of sentence-transformers' layout, on onnxruntime."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clave.encoder.bert_graph import bert_graph
from clave.encoder.onnx_encoder import OnnxEncoder, session
from clave.errors import EvaluatorError, require


def bert_encoder(name: str, folder: Path, threads: int | None, *, int8: bool = False) -> OnnxEncoder:
    """Load one.

    In int8, where one scale holds for a whole batch, a batch is one text: see `bert_graph`.

    Raises:
        EvaluatorError: A file is missing or damaged.
        MissingExtraError: `onnx` is not installed.
    """
    require("onnx", "onnx")
    from safetensors import SafetensorError
    from safetensors.numpy import load
    from tokenizers import Tokenizer

    try:
        weights = load((folder / "model.safetensors").read_bytes())
        config = json.loads((folder / "config.json").read_text())
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
        graph = bert_graph(weights, config, _pooling(pooling) or "mean", int8=int8)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(_max_tokens(folder, config))
        tokenizer.no_padding()
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise EvaluatorError(f"{folder}: the encoder {name} is damaged ({error}): get it again") from None
    running = session(graph)

    def run(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        small = ids.astype(np.int32)
        vectors: NDArray[np.float32] = running.run(None, {"input_ids": small, "attention_mask": np.ones_like(small)})[0]
        return vectors

    quantise = None if int8 else partial(bert_encoder, name, folder, threads, int8=True)
    return OnnxEncoder(name, tokenizer, run, int(config["hidden_size"]), threads=threads, alone=int8, quantise=quantise)


def is_bert(folder: Path) -> bool:
    """Whether the folder holds a model that `bert_encoder` can run."""
    files = [folder / f for f in ("config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json")]
    if not all(f.is_file() for f in files) or (folder / "2_Dense").exists():
        return False
    return json.loads(files[0].read_text()).get("model_type") == "bert" and _pooling(json.loads(files[3].read_text())) is not None


def _pooling(config: dict[str, Any]) -> str | None:
    """mean or cls; None for any other. sentence-transformers has written this in two forms."""
    for mode, old in (("mean", "pooling_mode_mean_tokens"), ("cls", "pooling_mode_cls_token")):
        if config.get("pooling_mode") == mode or config.get(old):
            return mode
    return None


def _max_tokens(folder: Path, config: dict[str, Any]) -> int:
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        path = folder / name
        stated = json.loads(path.read_text()).get(key) if path.is_file() else None
        if stated:
            return min(int(stated), int(config["max_position_embeddings"]))
    return int(config["max_position_embeddings"])
