"""The scorer in real evaluations of Inspect, on its offline model."""

import math

import pytest

inspect_ai = pytest.importorskip("inspect_ai", reason="Inspect is not installed: pip install 'clave[inspect]'")
pytestmark = pytest.mark.filterwarnings("default")  # Inspect's own

from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.solver import generate

from clave.integrations.inspect_scorer import values


def run(evaluator, tmp_path, answers, *, epochs=1, **arguments):
    """The log of an evaluation in which the model gives these answers, in order."""
    usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else tokens are counted by a table that is downloaded
    outputs = [ModelOutput.from_content("mockllm/model", a).model_copy(update={"usage": usage}) for _ in range(epochs) for a in answers]
    model = get_model("mockllm/model", custom_outputs=outputs)
    samples = [Sample(id=str(i), input=f"What did you do on day {i}?") for i, _ in enumerate(answers)]
    task = Task(dataset=samples, solver=generate(), scorer=values(str(evaluator), **arguments), name="t")
    (log,) = inspect_ai.eval(task, model=model, epochs=epochs, max_samples=1, log_dir=str(tmp_path / "logs"), display="none")
    return log


def test_a_score_per_value_with_mean_clustered_error_and_evidence(evaluator, tmp_path):
    log = run(evaluator, tmp_path, ["I helped.", "I harmed.", "I watered the plants.", "I helped."])
    assert log.status == "success", log.error
    assert [s.scores["values"].value for s in log.samples] == [{"care": n, "honesty": n} for n in (1, -1, 0, 1)]
    care, honesty = log.results.scores
    assert (care.name, honesty.name) == ("care", "honesty")
    assert care.metrics["mean"].value == pytest.approx(0.25)
    error = next(m.value for name, m in care.metrics.items() if "stderr" in name)
    assert error == pytest.approx(math.sqrt(sum((x - 0.25) ** 2 for x in (1, -1, 0, 1)) * 4 / 3) / 4)
    seen = log.samples[1].scores["values"].metadata["care"]
    assert (seen["label"], seen["status"]) == ("oppose", "ok")
    assert "opposes" in seen["reason"]


def test_what_has_no_verdict_is_unscored_and_counted(evaluator, tmp_path):
    log = run(evaluator, tmp_path, ["I helped.", "A bomb!", ""], values="care")
    assert log.status == "success", log.error
    (care,) = log.results.scores
    assert (care.metrics["mean"].value, care.scored_samples, care.unscored_samples) == (1, 1, 2)
    refused, empty = (s.scores["values"] for s in log.samples[1:])
    assert math.isnan(refused.value)
    assert (refused.reason, empty.reason) == ("grader_failed", "no_response")
    assert "I will not read this" in refused.explanation


def test_where_nothing_has_a_verdict_there_is_no_mean(evaluator, tmp_path):
    log = run(evaluator, tmp_path, ["A bomb!"])
    assert log.status == "success", log.error
    assert all(score.scored_samples == 0 and math.isnan(score.metrics["mean"].value) for score in log.results.scores)


def test_epochs_are_reduced_by_inspect(evaluator, tmp_path):
    log = run(evaluator, tmp_path, ["I helped.", "I harmed."], epochs=2, values=["care"])
    assert log.status == "success", log.error
    assert log.results.scores[0].metrics["mean"].value == 0


@pytest.mark.parametrize("wrong", [{"values": "pride"}, {"evaluator": "nowhere/at/all"}])
def test_a_wrong_evaluator_or_value_is_a_sentence_before_anything_is_scored(evaluator, wrong):
    from inspect_ai._util.error import PrerequisiteError

    with pytest.raises(PrerequisiteError, match=r"pride|nowhere"):
        values(**{"evaluator": str(evaluator)} | wrong)
