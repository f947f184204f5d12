"""What examples of `clave.recognizers` take as given: an observation, and a few labelled texts with a base model of few weights."""

from __future__ import annotations

import numpy as np
from docstrings.given import everywhere
from tiny_models import WORDS

from clave.recognizers.labelling import LabelModel
from clave.recognizers.observation import Observation
from clave.records import LABELS, Extraction
from clave.settings import Training

TEXTS = [f"case{i} {WORDS[LABELS[i % 3]]} scene{i}" for i in range(24)]


def observation() -> Observation:
    found = Extraction(concepts=("Helping a stranger",), stance="adhere", confidence=0.9)
    return Observation("care", everywhere.response(), extraction=found)


def model() -> LabelModel:
    return LabelModel.open(str(everywhere.bases() / "causal"), rank=4, max_tokens=32)


def texts() -> list[str]:
    return TEXTS


def inputs() -> list[list[int]]:
    return [model().tokens("Value: Care", text) for text in TEXTS]


def values() -> list[str]:
    return ["care"] * len(TEXTS)


def y() -> np.ndarray:
    return np.arange(len(TEXTS)) % 3


def groups() -> list[str]:
    return [str(i) for i in range(len(TEXTS))]


def training() -> Training:
    return Training(base=str(everywhere.bases() / "sentence"), epochs=1)


def seed() -> int:
    return 0


def progress():
    return lambda stage, done, total: None


def right_of_head() -> np.ndarray:
    return np.ones(24)


def right_of_lora() -> np.ndarray:
    return np.ones(24)


FILES = {"HuggingFaceTB/SmolLM2-135M-Instruct": everywhere.base("causal")}
