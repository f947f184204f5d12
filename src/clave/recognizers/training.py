"""How a recognizer that is fine-tuned is trained, and what it is told beyond its observations.

Settings(recognizer="lora", training=Training(base="Qwen/Qwen2.5-1.5B-Instruct", epochs=4))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clave.records import Progress
from clave.settings import Training
from clave.values import Value


def checkpoints() -> Path:
    """The default place of unfinished trainings, in the user's cache folder."""
    from platformdirs import user_cache_path

    return user_cache_path("clave") / "training"


@dataclass(frozen=True)
class Context:
    """What `Recognizer.fit` is told beyond observations and labels."""

    values: Mapping[str, Value] = field(default_factory=dict)
    """By id, with the guideline that is in force."""
    training: Training = field(default_factory=Training)
    progress: Progress = lambda stage, done, total: None
    weights: NDArray[np.float64] | None = None
    """Of each row, shape (n,); None: all 1. A person's label weighs 1; the soft label of a teacher is up to three rows that weigh less."""
    cross_fit: bool = True
    """Whether the recognizer's `oof_` is wanted; without it, what is fine-tuned trains once instead of once more for each fold."""
    checkpoints: Path | None = None
    """Where a training that is killed goes on from; None keeps nothing."""
