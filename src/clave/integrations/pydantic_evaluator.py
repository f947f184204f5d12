"""An evaluator of pydantic-evals: the label of each value, with its reason.

    Dataset(cases=…, evaluators=[ClaveValues("evaluator", values=["care"])])

    evaluators:                                       # in a YAML data set, read with custom_evaluator_types=[ClaveValues]
      - ClaveValues: {evaluator: evaluator, values: [care]}

Where a value has no verdict the whole evaluation raises, which pydantic-evals records as an `EvaluatorFailure`: it has no score that says
"none". Name one value per `ClaveValues` where a failure is to touch that value alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic_evals.evaluators import EvaluationReason, Evaluator, EvaluatorContext

from clave.integrations.hosted import Hosted, NoVerdictError, reason_with_evidence, scenario_of, without_label


@dataclass(repr=False)
class ClaveValues(Evaluator[Any, Any, Any]):
    """See the module.

    Args:
        evaluator: A folder that `Clave.save` wrote, or `org/name` on the Hub.
        values: What to judge, by id; None: all that it was fitted on.
        options: How calls are made, as `Clave.from_pretrained` takes them.
    """

    evaluator: str
    values: list[str] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _hosted(self) -> Hosted:
        return Hosted.open(self.evaluator, self.values, self.options)

    def get_evaluator_version(self) -> str | None:
        """The name of the evaluator, which changes with whatever changes a verdict; None while it is not loaded."""
        hosted = self.__dict__.get("_hosted")
        return hosted.clave.name if hosted is not None else None

    async def evaluate(self, ctx: EvaluatorContext[Any, Any, Any]) -> Mapping[str, EvaluationReason]:
        """Value -> label and reason. The scenario is the case's input: text, a list of messages, or written as JSON.

        Raises:
            EvaluatorError: The evaluator cannot be used.
            InputError: It does not judge one of the values.
            NoVerdictError: A value has no verdict.
            TypeError: The output is no text.
        """
        if not isinstance(ctx.output, str):
            raise TypeError(f"values are judged in text; the output is of type {type(ctx.output).__name__}")
        verdicts = await self._hosted.judge(ctx.output, scenario_of(ctx.inputs))
        if missing := [without_label(v) for v in verdicts.values() if v.label is None]:
            raise NoVerdictError("; ".join(missing))
        return {value: EvaluationReason(str(v.label), reason_with_evidence(v)) for value, v in verdicts.items()}
