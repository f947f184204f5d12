"""A metric of deepeval: how far a response adheres to one value, 0 to 1.

    assert_test(LLMTestCase(input=…, actual_output=…), [ClaveMetric("evaluator", "care")])

The score is (1 + P(adhere) - P(oppose)) / 2: a half where the value is left aside. Without a verdict there is no score: `error` says why,
and the metric raises, which deepeval records as an error when told `ignore_errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepeval.errors import MissingTestCaseParamsError
from deepeval.metrics import BaseMetric
from deepeval.test_case import LLMTestCase

from clave.evaluating.stream import run_sync
from clave.evaluator import Clave
from clave.integrations.hosted import Hosted, chances, closeness, reason_with_evidence


class ClaveMetric(BaseMetric):
    """See the module.

    Args:
        evaluator: A folder that `Clave.save` wrote, `org/name` on the Hub, or an evaluator.
        value: What to judge, by id.
        threshold: The least score that passes.
        options: How calls are made, as `Clave.from_pretrained` takes them.

    Raises:
        EvaluatorError: The evaluator cannot be used.
        InputError: It does not judge the value.
    """

    def __init__(self, evaluator: str | Clave, value: str, threshold: float = 0.5, options: Mapping[str, Any] | None = None) -> None:
        self._hosted = Hosted.open(evaluator, [value], options)
        self.evaluator = self._hosted.clave  # deepeval copies a metric by its arguments: the copies share what is loaded
        self.value = value
        self.threshold = threshold
        self.options = options
        self.evaluation_model = self._hosted.clave.settings.model

    @property
    def __name__(self) -> str:
        return f"Clave {self.value}"

    def measure(self, test_case: LLMTestCase, *_: Any, **__: Any) -> float:
        """Judge `actual_output` as an answer to `input`.

        Raises:
            MissingTestCaseParamsError: There is no `actual_output`; deepeval can skip such a case.
            NoVerdictError: There is no verdict.
        """
        return run_sync(self.a_measure(test_case))

    async def a_measure(self, test_case: LLMTestCase, *_: Any, **__: Any) -> float:
        """`measure`, async."""
        self.score = self.score_breakdown = self.reason = self.evaluation_cost = self.error = None
        self.success = False
        try:
            if test_case.actual_output is None:
                raise MissingTestCaseParamsError(f"'actual_output' cannot be None for the {self.__name__!r} metric")
            verdict = (await self._hosted.judge(test_case.actual_output, test_case.input or ""))[self.value]
            self.evaluation_cost = verdict.usage.cost
            score = closeness(verdict)
        except Exception as error:
            self.error = str(error)
            raise
        self.score_breakdown = chances(verdict)
        self.reason = f"{verdict.label}: {reason_with_evidence(verdict)}"
        self.score = score
        self.is_successful()
        return score
