"""What is kept of the questions of a fit, so that they can be asked again word for word, and what came of asking them again.

The extractions of labelled samples are cross-fitted: each fold has a guideline of its own, which the saved evaluator's guidelines are not.
"""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from clave.records import Label, Record


class AskedSample(Record):
    """One labelled sample: what was asked about it and what the large model answered."""

    id: str
    value: str
    prompt: str
    """Digest of the request; see `ChatRequest.digest`."""
    stance: Label
    confidence: float = Field(ge=0, le=1)
    served_by: str
    """The model's id as the server returned it."""


class Asked(Record):
    """The questions of a fit."""

    together: bool
    """Whether each asked for all values at once, or for the sample's own with examples."""
    guidelines: dict[str, dict[int, str]] = Field(default_factory=dict)
    """Value -> fold -> the guideline that has not seen the fold."""
    samples: tuple[AskedSample, ...]


class Check(Record):
    """The same questions asked again at a later time, twice."""

    at: AwareDatetime
    model: str
    clave: str
    """The version that checked."""
    moved: bool
    """Whether another model answers now than at fit time."""
    why: str = Field(max_length=2000)
    """A sentence: what was found."""
    n: int = Field(ge=0)
    """Answers that could be compared."""
    calls: int = Field(ge=0)
    changed: int = Field(ge=0)
    """Answers whose stance is another than at fit time."""
    unsteady: int = Field(ge=0)
    """Answers whose stance differs between the two readings of the check: the model's own noise."""
    confidence_then: float | None = Field(default=None, ge=0, le=1)
    confidence_now: float | None = Field(default=None, ge=0, le=1)
    """Mean stated confidence."""
    p: float | None = Field(default=None, ge=0, le=1)
    """Of the permutation tests; None where the first reading settled it."""
    served_then: tuple[str, ...] = ()
    served_now: tuple[str, ...] = ()
    failed: dict[str, int] = Field(default_factory=dict)
    """Kind of failure -> prompts that could not be compared for it."""
