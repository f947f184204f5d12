"""The evaluator in real experiments of pydantic-evals."""

import asyncio

import pytest

pydantic_evals = pytest.importorskip("pydantic_evals", reason="pydantic-evals is not installed: pip install 'clave[pydantic-evals]'")

from pydantic_evals import Case, Dataset

from clave.integrations.pydantic_evaluator import ClaveValues


def cases(evaluators, answers):
    """The report's cases of an experiment in which the task gives these answers."""
    data = Dataset(name="t", cases=[Case(name=str(a), inputs="What did you do?", metadata=str(a)) for a in answers], evaluators=evaluators)
    given = iter(answers)

    async def task(_: str) -> object:
        return next(given)

    report = asyncio.run(data.evaluate(task, max_concurrency=1, progress=False))
    assert report.failures == []
    return {case.name: case for case in report.cases}


def test_each_value_has_a_label_with_its_reason(evaluator):
    found = cases([ClaveValues(str(evaluator))], ["I helped.", "I harmed."])
    assert {n: {v: r.value for v, r in case.labels.items()} for n, case in found.items()} == {
        "I helped.": {"care": "adhere", "honesty": "adhere"},
        "I harmed.": {"care": "oppose", "honesty": "oppose"},
    }
    result = found["I harmed."].labels["care"]
    assert "opposes" in result.reason
    assert found["I harmed."].scores == found["I harmed."].assertions == {}


@pytest.mark.parametrize(("answer", "why"), [("A bomb!", "I will not read this"), (" ", "empty"), (7, "of type int")])
def test_no_verdict_is_a_failure_of_the_evaluator(evaluator, answer, why):
    (case,) = cases([ClaveValues(str(evaluator), ["care"])], [answer]).values()
    (failure,) = case.evaluator_failures
    assert why in failure.error_message
    assert case.labels == case.scores == case.assertions == {}


@pytest.mark.parametrize(("arguments", "why"), [({"values": ["pride"]}, "pride"), ({"evaluator": "nowhere/at/all"}, "nowhere")])
def test_a_wrong_evaluator_or_value_is_a_failure_too(evaluator, arguments, why):
    (case,) = cases([ClaveValues(**{"evaluator": str(evaluator)} | arguments)], ["I helped."]).values()
    (failure,) = case.evaluator_failures
    assert why in failure.error_message
    assert case.labels == {}


def test_it_is_written_to_yaml_and_read_again(evaluator, tmp_path):
    made = ClaveValues(str(evaluator), values=["care"])
    texts = Dataset[str, str, str]
    texts(name="t", cases=[Case(inputs="What?")], evaluators=[made]).to_file(tmp_path / "d.yaml", custom_evaluator_types=[ClaveValues])
    (read,) = texts.from_file(tmp_path / "d.yaml", custom_evaluator_types=[ClaveValues]).evaluators
    assert read == made
    assert "ClaveValues" in (tmp_path / "d.yaml").read_text(encoding="utf-8")
