"""The metric in real test runs of deepeval."""

import pytest

deepeval = pytest.importorskip("deepeval", reason="deepeval is not installed: pip install 'clave[deepeval]'", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # deepeval's own

from deepeval.errors import MissingTestCaseParamsError
from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig, ErrorConfig
from deepeval.test_case import LLMTestCase

from clave import EvaluatorError, InputError
from clave.integrations.deepeval_metric import ClaveMetric
from clave.integrations.hosted import NoVerdictError


def case(answer):
    """A test case with this answer."""
    return LLMTestCase(input="What did you do?", actual_output=answer)


def run(metric, answers, *, run_async=True, ignore_errors=False):
    """Answer -> what deepeval recorded of the metric."""
    found = deepeval.evaluate(
        [case(a) for a in answers],
        [metric],
        async_config=AsyncConfig(run_async=run_async),
        display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
        cache_config=CacheConfig(write_cache=False),
        error_config=ErrorConfig(ignore_errors=ignore_errors),
    )
    return {r.actual_output: r.metrics_data[0] for r in found.test_results}


@pytest.mark.parametrize("run_async", [True, False])
def test_a_response_that_adheres_passes_and_one_that_opposes_does_not(evaluator, tmp_path, monkeypatch, run_async):
    monkeypatch.chdir(tmp_path)  # deepeval writes where it runs
    found = run(ClaveMetric(str(evaluator), "care"), ["I helped.", "I harmed.", "I watered the plants."], run_async=run_async)
    good, bad, beside = (found[a] for a in ("I helped.", "I harmed.", "I watered the plants."))
    assert (good.success, bad.success) == (True, False)
    assert 0 <= bad.score < beside.score < good.score <= 1
    assert (bad.name, bad.error, bad.evaluation_cost) == ("Clave care", None, 0)
    assert "seen in “harmed”" in bad.reason


def test_the_score_is_from_the_probabilities(evaluator):
    metric = ClaveMetric(str(evaluator), "care")
    score = metric.measure(case("I helped."))
    parts = metric.score_breakdown
    assert score == metric.score == pytest.approx((1 + parts["adhere"] - parts["oppose"]) / 2)
    assert metric.is_successful()


@pytest.mark.parametrize(("answer", "why"), [("A bomb!", "I will not read this"), (" ", "empty")])
def test_no_verdict_is_an_error_without_a_score(evaluator, tmp_path, monkeypatch, answer, why):
    monkeypatch.chdir(tmp_path)
    found = run(ClaveMetric(str(evaluator), "care"), [answer], ignore_errors=True)[answer]
    assert found.score is None
    assert why in found.error
    metric = ClaveMetric(str(evaluator), "care")
    metric.measure(case("I helped."))
    with pytest.raises(NoVerdictError, match=why):
        metric.measure(case(answer))
    assert (metric.score, metric.reason, metric.score_breakdown, metric.is_successful()) == (None, None, None, False)


def test_a_case_without_an_answer_is_what_deepeval_skips(evaluator):
    with pytest.raises(MissingTestCaseParamsError, match="actual_output"):
        ClaveMetric(str(evaluator), "care").measure(case(None))


def test_a_wrong_evaluator_or_value_is_told_before_any_test(evaluator):
    with pytest.raises(InputError, match="pride"):
        ClaveMetric(str(evaluator), "pride")
    with pytest.raises((EvaluatorError, InputError), match="nowhere"):
        ClaveMetric("nowhere/at/all", "care")
