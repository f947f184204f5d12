"""What examples of `clave.encoder` take as given: a small BERT, and probabilities of two encoders on 60 labelled samples."""

from __future__ import annotations

import json

import numpy as np
from docstrings.given import everywhere
from safetensors.numpy import load_file
from tokenizers import Tokenizer


def weights() -> dict[str, np.ndarray]:
    return load_file(everywhere.bases() / "encoder" / "model.safetensors")


def config() -> dict[str, object]:
    found: dict[str, object] = json.loads((everywhere.bases() / "encoder" / "config.json").read_text())
    return found


def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(everywhere.bases() / "encoder" / "tokenizer.json"))


def fp32_probabilities() -> np.ndarray:
    return np.random.default_rng(0).dirichlet([1, 1, 1], 60)


def int8_probabilities() -> np.ndarray:
    return fp32_probabilities()


def y() -> np.ndarray:
    return fp32_probabilities().argmax(axis=1)


FILES = {"intfloat/multilingual-e5-small": everywhere.base("sentence")}
