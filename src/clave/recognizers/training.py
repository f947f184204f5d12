"""How a recognizer that is fine-tuned is trained, and what it is told beyond its observations.

Settings(recognizer="lora", training=Training(base="Qwen/Qwen2.5-1.5B-Instruct", epochs=4))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from clave.records import Record
from clave.values import Value

if TYPE_CHECKING:  # settings need this module, and `import clave` stays light
    import numpy as np
    from numpy.typing import NDArray

Progress = Callable[[str, int, int], None]
"""(stage, done, total)."""
Shown = Literal["name", "definition", "guideline"]


class Training(Record):
    """Choices of fine-tuning; recognizers that are not fine-tuned pay no heed to them."""

    base: str = ""
    """The model to start from: a Hub name, a folder or a .gguf file; "" is the recognizer's default."""
    method: Literal["contrastive", "plain"] = "contrastive"
    """Of sentence encoders: pull samples of one value and label together first (as SetFit does), or train a classifier at once."""
    shows: Shown | None = None
    """What of the value stands in the input; None: its name for encoders, its definition for language models."""
    epochs: int = Field(default=3, ge=1)
    """The most; a grouped hold-out ends the training of language models earlier."""
    learning_rate: float | None = Field(default=None, gt=0)
    """None: 3e-5 for sentence encoders, 3e-4 for LoRA."""
    batch: int = Field(default=16, ge=1)
    accumulate: int = Field(default=1, ge=1)
    """Batches in one step of LoRA: for GPUs that hold few samples at once."""
    max_tokens: int | None = Field(default=None, ge=32)
    """Of an input, where the base model has room for them; None: 256, or 768 where a guideline is shown. The response is what is cut."""
    rank: int = Field(default=16, ge=1)
    """Of LoRA."""
    folds: int = Field(default=2, ge=2)
    """Of the cross-validation that calibration needs: each is a training of its own."""

    @property
    def room(self) -> int:
        """Tokens of an input."""
        return self.max_tokens or (768 if self.shows == "guideline" else 256)


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
