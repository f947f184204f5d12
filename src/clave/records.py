"""The frozen records that flow through the pipeline. One JSON object each; a list of them is a JSONL file.

    Response ──> Extraction ──> Verdict          LabelledResponse ──> Clave.fit

Lengths are in characters, `start` and `end` are offsets into `Response.response`, probabilities sum to 1, money is in US dollars.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from clave.text.notebook import described

Label = Literal["adhere", "oppose", "unrelated"]
LABELS: tuple[Label, ...] = get_args(Label)
"""The three labels, in the order in which probabilities stand in arrays."""

Status = Literal["ok", "abstained", "refused", "failed"]

Progress = Callable[[str, int, int], None]
"""Called with what is under way, how much of it is done and how much there is: `("extracting", 3, 60)`."""


class Record(BaseModel):
    """Base of all records: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64")


class Response(Record):
    """A text to evaluate: what a model (or a person) answered in a scenario."""

    id: str
    response: str
    scenario: str = ""
    """The prompt or situation; may be empty."""
    value: str | None = None
    """Evaluate for this value only; None means all values of the system."""
    metadata: dict[str, Any] = Field(default_factory=dict)

    @property
    def group(self) -> str:
        """Rows with one group are near twins and never stand on both sides of a split."""
        return scenario_key(self.scenario or self.response)

    @property
    def digest(self) -> str:
        """Sixteen hex digits of what is judged, the scenario and the response: by them a verdict finds its own text again."""
        return hashlib.sha256(f"{self.scenario}\0{self.response}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


class LabelledResponse(Response):
    """A response with what a person said about one value."""

    value: str
    label: Label
    annotator: str | None = None
    fold: str | None = None


class Evidence(Record):
    """A quote from the response, with its place in it."""

    text: str
    start: int
    end: int


class Extraction(Record):
    """What the large model found in one response for one value."""

    concepts: tuple[str, ...]
    """One to three short, scenario-free phrases of what the response does that bears on the value."""
    stance: Label
    """The large model's own provisional label."""
    confidence: float
    """Its confidence in the stance, 0 to 1, as stated and not calibrated."""
    evidence: tuple[Evidence, ...] = ()
    flags: tuple[str, ...] = ()


class Usage(Record):
    """What a verdict cost. A cached answer costs nothing and counts as no call."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    """US dollars; None where the model's price is not known."""

    def __add__(self, other: Usage) -> Usage:
        known = [c for c in (self.cost, other.cost) if c is not None]
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost=sum(known) if known else None,
        )


class Failure(Record):
    """Why there is no answer for one response: a value, never an exception, never a label."""

    status: Literal["refused", "failed"]
    kind: Literal["refused", "cut_off", "bad_answer", "timeout", "server", "rejected", "empty", "budget", "waiting", "cancelled"]
    """`waiting` and `cancelled` are said of batches."""
    reason: str


class MappedConcept(Record):
    """A concept of the response and the human-labelled concept it was mapped to."""

    text: str
    pool: str | None = None
    """The nearest pool concept, or None where none is near enough."""
    similarity: float | None = None
    """Cosine similarity to the nearest pool concept, mapped or not."""
    labels: dict[Label, int] = Field(default_factory=dict)
    """What people said of the samples behind the pool concept."""


class Case(Record):
    """A human-labelled sample that stood near the response."""

    id: str
    scenario: str
    response: str
    label: Label
    similarity: float


class Verdict(Record):
    """The result for one response and one value; keyed by `(id, value)`, never by position."""

    id: str
    value: str
    status: Status
    label: Label | None = None
    """None unless the status is `ok`."""
    probabilities: dict[Label, float] | None = None
    """Calibrated where the evaluator was; None where there is no answer."""
    reason: str = ""
    concepts: tuple[MappedConcept, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    cases: tuple[Case, ...] = ()
    stance: Label | None = None
    confidence: float | None = None
    novelty: float | None = None
    """Distance to what was labelled: 0 = like the pool, 1 = nothing like it."""
    flags: tuple[str, ...] = ()
    evaluator: str = ""
    """Its name, which changes with whatever shapes its verdicts: definitions, guidelines, samples, settings."""
    judged: str = ""
    """`Response.digest` of the text that was judged; empty in files of version 0.1."""
    cached: bool = False
    usage: Usage = Usage()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        sure = f" ({max(self.probabilities.values()):.2f})" if self.probabilities and self.label else ""
        said = [
            ("why", self.reason),
            ("evidence", " … ".join(f"“{e.text}”" for e in self.evidence)),
            ("novelty", "" if self.novelty is None else f"{self.novelty:.2f}"),
            ("flags", ", ".join(self.flags)),
            ("response", self.id),
        ]
        return described(f"{self.value}: {self.label or self.status}{sure}", ((name, text) for name, text in said if text))


def scenario_key(text: str) -> str:
    """A key that is equal for texts that differ only in case, punctuation and spacing."""
    words = re.findall(r"\w+", text.lower())
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]
