"""A scorer of MLflow: a feedback per value, its label with the reason.

    mlflow.genai.evaluate(data=[{"inputs": {"question": …}, "outputs": …}], scorers=[ClaveScorer(evaluator="evaluator", values=["care"])])

A value without a verdict has a feedback with an error and no value. The scenario is the row's inputs.
"""

from __future__ import annotations

from typing import Any

from mlflow.entities import AssessmentError, AssessmentSource, AssessmentSourceType, Feedback
from mlflow.genai.scorers import Scorer
from pydantic import Field, PrivateAttr

from clave.evaluating.stream import run_sync
from clave.integrations.hosted import Hosted, chances, reason_with_evidence, scenario_of, without_label
from clave.records import Verdict


class ClaveScorer(Scorer):
    """See the module.

    Args:
        evaluator: A folder that `Clave.save` wrote, or `org/name` on the Hub.
        values: What to judge, by id; None: all that it was fitted on.
        options: How calls are made, as `Clave.from_pretrained` takes them.

    Raises:
        EvaluatorError: The evaluator cannot be used.
        InputError: It does not judge one of the values.
    """

    name: str = "clave"
    evaluator: str
    values: list[str] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    _hosted: Hosted = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Load the evaluator."""
        super().model_post_init(context)
        self._hosted = Hosted.open(self.evaluator, self.values, self.options)

    def __call__(self, *, inputs: Any = None, outputs: Any = None) -> list[Feedback]:
        """A feedback per value.

        Raises:
            TypeError: The outputs are no text.
        """
        if not isinstance(outputs, str):
            raise TypeError(f"values are judged in text; the outputs are of type {type(outputs).__name__}")
        verdicts = run_sync(self._hosted.judge(outputs, scenario_of(inputs or "")))
        return [_feedback(verdict) for verdict in verdicts.values()]


def _feedback(verdict: Verdict) -> Feedback:
    source = AssessmentSource(source_type=AssessmentSourceType.LLM_JUDGE, source_id=verdict.evaluator)
    if verdict.label is None:
        missing = AssessmentError(error_code=verdict.status.upper(), error_message=without_label(verdict))
        return Feedback(name=verdict.value, error=missing, source=source)
    metadata = {label: str(chance) for label, chance in chances(verdict).items()}
    return Feedback(name=verdict.value, value=verdict.label, rationale=reason_with_evidence(verdict), source=source, metadata=metadata)
