"""What examples of `clave.scoring` take as given: labels of 540 responses to 270 prompts, and what an evaluator said of them."""

from __future__ import annotations

import numpy as np

from clave.records import LABELS

RNG = np.random.default_rng(0)
GOLD = RNG.integers(3, size=540)
GROUPS = np.arange(540) // 2
PROBABILITIES = 0.1 + 0.7 * np.eye(3)[np.where(RNG.random(540) < 0.8, GOLD, (GOLD + 1) % 3)]


def gold() -> list[str]:
    return [LABELS[code] for code in GOLD]


def predicted() -> list[str | None]:
    return [None, None, *(LABELS[code] for code in PROBABILITIES.argmax(axis=1)[2:])]


def probabilities() -> np.ndarray:
    return PROBABILITIES


def groups() -> np.ndarray:
    return GROUPS


def wrong() -> np.ndarray:
    return PROBABILITIES.argmax(axis=1) != GOLD


def confidence() -> np.ndarray:
    return np.where(wrong(), RNG.beta(4, 3, 540), RNG.beta(8, 2, 540))


def right() -> np.ndarray:
    """Of four evaluators, the last of which is the worst."""
    return (np.random.default_rng(1).random((540, 4)) < [0.8, 0.8, 0.8, 0.7]).astype(float)


def sums() -> np.ndarray:
    return np.column_stack([~wrong(), np.ones(540)])
