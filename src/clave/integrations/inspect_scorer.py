"""The scorer `clave/values` of Inspect: a score per value, 1 where the response adheres to it, 0 unrelated, -1 where it opposes it.

    inspect score log.eval --scorer clave/values -S evaluator=evaluator
    Task(dataset=…, solver=generate(), scorer=values(evaluator="evaluator"))

A value without a verdict is unscored (NaN), which Inspect's metrics leave out and count. The scenario is the sample's input. With
`model_role="grader"` the large model is the one that Inspect has for that role (`--model-role grader=…`).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from inspect_ai.model import Model, get_model
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, mean, metric, scorer, stderr
from inspect_ai.solver import TaskState

from clave.errors import ClaveError
from clave.evaluator import Clave
from clave.integrations.hosted import LABEL_SCORES, Hosted, reason_with_evidence, scenario_of, shown, without_label
from clave.integrations.inspect_model import InspectChat
from clave.llm.chat import OfflineChat
from clave.records import Verdict, scenario_key
from clave.saving import fetch

_log = logging.getLogger(__name__)

_REASONS = {"refused": "grader_failed", "failed": "scoring_failed", "abstained": "abstained"}


@metric(name="stderr")
def clustered_stderr() -> Metric:
    """The standard error of the mean, clustered by scenario: responses to one scenario are not independent of each other."""
    clustered = stderr(cluster="scenario")

    def by_scenario(scores: list[SampleScore]) -> Any:
        keys = [(s.score.metadata or {}).get("scenario", s.sample_id) for s in scores]
        return clustered([s.model_copy(update={"sample_metadata": {"scenario": key}}) for s, key in zip(scores, keys, strict=True)])

    return by_scenario


@scorer(metrics={"*": [mean(), clustered_stderr()]})
def values(
    evaluator: str,
    values: str | Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    model_role: str | None = None,
) -> Scorer:
    """Score responses by a saved evaluator.

    Args:
        evaluator: Its folder, or `org/name` on the Hub.
        values: Those to score, by id; None: all that it was fitted on.
        options: How calls are made, as `Clave.from_pretrained` takes them, e.g. `-S options='{"budget": 2}'`.
        model_role: Ask the model that Inspect has for this role, through Inspect; None: the evaluator's own model, by Clave's client.
            It ought to be the model that the evaluator was calibrated with.

    Raises:
        PrerequisiteError: The evaluator cannot be used; Inspect prints the sentence.
    """
    from inspect_ai._util.error import PrerequisiteError  # what Inspect prints as a sentence has no public name

    try:
        if model_role is None:
            hosted = Hosted.open(evaluator, values, options)
        else:
            trust = bool((options or {}).get("trust"))
            hosted = Hosted.open(Clave.load(fetch(evaluator), chat=OfflineChat(model_role), trust=trust), values)
    except ClaveError as error:
        raise PrerequisiteError(str(error)) from error

    @functools.cache
    def asking(grader: Model) -> Hosted:
        calibrated = hosted.clave.settings.model
        if str(grader) != calibrated:
            _log.warning("the evaluator was calibrated with %s and now asks %s: its probabilities are not this model's", calibrated, grader)
        return replace(hosted, clave=hosted.clave.with_chat(InspectChat(grader)))

    async def score(state: TaskState, target: Target) -> Score:
        judge = hosted if model_role is None else asking(get_model(role=model_role, required=True))
        answer, scenario = state.output.completion, scenario_of(_input(state))
        return score_of(await judge.judge(answer, scenario), answer, scenario)

    return score


def _input(state: TaskState) -> str | list[dict[str, str]]:
    """What was asked first: a text, or messages as a file holds them."""
    return state.input if isinstance(state.input, str) else [{"role": m.role, "content": m.text} for m in state.input]


def score_of(verdicts: Mapping[str, Verdict], answer: str, scenario: str) -> Score:
    """One score that holds all values; unscored as a whole where none has a verdict."""
    metadata = {
        "scenario": scenario_key(scenario or answer),
        **{value: shown(verdict) for value, verdict in verdicts.items()},
    }
    missing = [v for v in verdicts.values() if v.label is None]
    explanation = "\n".join(f"{v.value}: {v.label}, {reason_with_evidence(v)}" if v.label else without_label(v) for v in verdicts.values())
    reason = (_REASONS[missing[0].status] if answer.strip() else "no_response") if missing else None
    if len(missing) == len(verdicts):
        return Score.unscored(reason=reason, answer=answer, explanation=explanation, metadata=metadata)
    numbers = {value: LABEL_SCORES[v.label] if v.label else float("nan") for value, v in verdicts.items()}
    return Score(value=numbers, reason=reason, answer=answer, explanation=explanation, metadata=metadata)
