"""What is sent and what comes back, as JSON. Limits hold before anything is judged.

VerdictsRequest.model_validate({"responses": "I took the wallet to the police."})
VerdictsRequest.model_validate({"responses": [{"id": "a", "scenario": "…", "response": "…"}], "values": ["care"]})
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from clave.records import Verdict

MOST_RESPONSES = 1000
"""In one request; a file of more is for `clave evaluate`."""
MOST_IN_JOB = 50_000
"""In one job."""
MOST_CHARACTERS = 200_000
"""Of a text; the large model reads less than that."""

Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
Name = Annotated[str, Field(min_length=1, max_length=200)]

_EXAMPLE: dict[str, Any] = {
    "evaluator": "evaluator",
    "responses": [
        {"id": "a", "scenario": "I found a wallet. What now?", "response": "Take it to the police."},
        {"id": "b", "scenario": "I found a wallet. What now?", "response": "Keep it; nobody saw you.", "value": "fairness"},
    ],
}


class Body(BaseModel):
    """A body of which every field is known: a misspelt one is refused, not passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(Body):
    """A response to judge."""

    id: Name | None = Field(default=None, description="Comes back with its verdicts; left out: its place in the request, from 1.")
    response: Text
    scenario: Text = Field(default="", description="What it answers.")
    value: Name | None = Field(default=None, description="Judge it for this value only.")


def _as_list(given: Any) -> Any:
    """One response as a list of one, and a text alone as a response."""
    given = given if isinstance(given, list) else [given]
    return [{"response": one} if isinstance(one, str) else one for one in given]


class VerdictsRequest(Body):
    """Responses, and what they are judged for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"responses": "I took the wallet to the police."}, _EXAMPLE]})

    responses: Annotated[
        list[Asked],
        Field(min_length=1, max_length=MOST_RESPONSES),
        BeforeValidator(_as_list, json_schema_input_type=Text | Asked | Annotated[list[Text | Asked], Field(max_length=MOST_RESPONSES)]),
    ]
    evaluator: Name | None = Field(default=None, description="One of GET /v1/evaluators; may be left out where only one is served.")
    values: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="For responses that name no value; left out: all of the evaluator's."
    )
    min_confidence: float = Field(default=0.0, ge=0, lt=1, allow_inf_nan=False, description="Abstain below this probability.")
    coverage: float = Field(default=1.0, gt=0, le=1, allow_inf_nan=False, description="Abstain on about 1 - coverage, the least certain.")


class JobRequest(VerdictsRequest):
    """As for `/v1/verdicts`, for more responses."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    responses: Annotated[
        list[Asked],
        Field(min_length=1, max_length=MOST_IN_JOB),
        BeforeValidator(_as_list, json_schema_input_type=Text | Asked | Annotated[list[Text | Asked], Field(max_length=MOST_IN_JOB)]),
    ]


class JobReply(BaseModel):
    """How far a job is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "9f2c7d1e5b8a4c3fa1d06e7b2c94d85f",
                    "evaluator": "evaluator",
                    "status": "running",
                    "reason": "",
                    "total": 4000,
                    "done": 1234,
                    "created": "2026-11-28T10:00:00Z",
                    "ended": None,
                }
            ]
        }
    )

    id: str
    evaluator: str
    status: Literal["queued", "running", "done", "stopped", "failed", "cancelled"]
    """`stopped`: a budget does not pay for the rest."""
    reason: str
    """Why it stopped or failed."""
    total: int
    """Verdicts that were asked for."""
    done: int
    """Verdicts that are there."""
    created: str
    ended: str | None


class JobsReply(BaseModel):
    """Jobs, the newest first."""

    jobs: list[JobReply]


class VerdictsReply(BaseModel):
    """A verdict for each response and value, in the order in which they were asked for."""

    verdicts: list[Verdict]


class ModerationRequest(BaseModel):
    """As OpenAI's moderation endpoint takes it: `model` names an evaluator."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [{"input": "Keep it; nobody saw you."}]})

    input: Annotated[
        list[Text],
        Field(min_length=1, max_length=MOST_RESPONSES),
        BeforeValidator(lambda given: [given] if isinstance(given, str) else given, json_schema_input_type=Text | list[Text]),
    ]
    model: Name | None = None


class Moderation(BaseModel):
    """Of one text: `categories` are the values it opposes, `category_scores` the probability that it does."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]


class ModerationReply(BaseModel):
    """As OpenAI's moderation endpoint answers."""

    id: str
    model: str
    results: list[Moderation]


class EvaluatorEntry(BaseModel):
    """An evaluator that is served."""

    id: str
    """How requests name it."""
    name: str
    """What its verdicts carry; it changes with whatever changes a verdict."""
    system: str
    values: list[str]
    model: str
    calibrated: bool


class EvaluatorsReply(BaseModel):
    """All evaluators that are served."""

    evaluators: list[EvaluatorEntry]


class Problem(BaseModel):
    """What is wrong, in one sentence."""

    message: str
    type: str


class ErrorReply(BaseModel):
    """Every answer that is no success, in the form in which OpenAI's clients read it."""

    error: Problem
