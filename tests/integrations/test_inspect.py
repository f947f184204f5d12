"""The scorer in real evaluations of Inspect, on its offline model."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

import pytest

inspect_ai = pytest.importorskip("inspect_ai", reason="Inspect is not installed: pip install 'clave[inspect]'")
pytestmark = pytest.mark.filterwarnings("default")  # Inspect's own

from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.solver import generate
from inspect_ai.util import LimitExceededError, token_limit
from integrations.rules import answered

from clave import Clave
from clave.integrations.inspect_model import InspectChat
from clave.integrations.inspect_scorer import values
from clave.io import read_responses, read_verdicts

USAGE = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else tokens are counted by a table that is downloaded


def run(evaluator, tmp_path, answers, *, epochs=1, grader=None, cache=None, **arguments):
    """The log of an evaluation in which the model gives these answers, in order."""
    outputs = [ModelOutput.from_content("mockllm/model", a).model_copy(update={"usage": USAGE}) for _ in range(epochs) for a in answers]
    model = get_model("mockllm/model", custom_outputs=outputs)
    samples = [Sample(id=str(i), input=f"What did you do on day {i}?") for i, _ in enumerate(answers)]
    task = Task(dataset=samples, solver=generate(), scorer=values(str(evaluator), **arguments), name="t")
    how = {"max_samples": 1, "log_dir": str(tmp_path / "logs"), "display": "none"}
    roles = {"grader": grader} if grader is not None else None
    (log,) = inspect_ai.eval(task, model=model, model_roles=roles, epochs=epochs, fail_on_error=False, cache=cache, **how)
    return log


def grader_of(said=None):
    """A model of Inspect for the role `grader` that answers by the rules, but for responses that hold one of these words."""

    def output(messages, tools, tool_choice, config):
        found = next((o for word, o in (said or {}).items() if word in messages[-1].text.rpartition("<response ")[2]), None)
        if found is None:
            schema = config.response_schema.json_schema.model_dump(exclude_none=True)
            with ThreadPoolExecutor(1) as thread:  # out of Inspect's event loop
                found = thread.submit(answered, messages[0].text, messages[-1].text, schema).result().text
        found = found if isinstance(found, ModelOutput) else ModelOutput.from_content("mockllm/grader", found)
        return found.model_copy(update={"usage": USAGE})

    return get_model("mockllm/grader", custom_outputs=output, memoize=False)


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


@pytest.mark.parametrize("log_format", ["eval", "json"])
def test_the_log_is_read_as_responses_and_as_the_verdicts_on_them(evaluator, tmp_path, monkeypatch, log_format):
    monkeypatch.setenv("INSPECT_LOG_FORMAT", log_format)
    log = run(evaluator, tmp_path, ["I helped.", "I harmed.", " ", "A bomb!"], epochs=2)
    responses = {r.id: r for r in read_responses(log.location)}
    assert len(responses) == 8
    assert responses["1_epoch_2"].metadata["model"] == "mockllm/model"
    verdicts = list(read_verdicts(log.location))
    assert len(verdicts) == 16
    assert all(responses[v.id].digest == v.judged for v in verdicts if v.status != "failed")
    assert {v.label for v in verdicts if v.id == "1_epoch_2"} == {"oppose"}
    assert {v.status for v in verdicts} == {"ok", "refused", "failed"}
    again = {(v.id, v.value): v.label for v in Clave.load(evaluator).evaluate(log.location)}
    assert again == {(v.id, v.value): v.label for v in verdicts}


def calls(sample):
    """The calls of the role's model in Inspect's log."""
    return [event for event in sample.events if event.event == "model" and event.model == "mockllm/grader"]


def test_the_large_model_can_be_inspect_s_for_a_role(saved, tmp_path, caplog):
    log = run(saved, tmp_path, ["I helped.", "I harmed."], grader=grader_of(), model_role="grader")
    assert log.status == "success", log.error
    assert [s.scores["values"].value for s in log.samples] == [{"care": 1, "honesty": 1}, {"care": -1, "honesty": -1}]
    number = sum(len(calls(s)) for s in log.samples)
    assert number >= 2
    assert log.stats.model_usage["mockllm/grader"].total_tokens == 2 * number
    assert "was calibrated with fake/chat and now asks mockllm/grader" in caplog.text


def test_inspect_s_cache_holds_for_the_role_s_calls(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    asked = []
    for _ in range(2):
        log = run(saved, tmp_path, ["I helped."], grader=grader_of(), model_role="grader", cache=True)
        assert log.samples[0].scores["values"].value == {"care": 1, "honesty": 1}
        asked.append({event.cache for event in calls(log.samples[0])})
    assert asked == [{"write"}, {"read"}]


def test_what_the_role_s_model_cannot_answer_is_unscored(saved, tmp_path):
    said = {
        "broken": "not JSON at all",
        "filtered": ModelOutput.from_content("mockllm/grader", "", stop_reason="content_filter"),
        "long": ModelOutput.from_content("mockllm/grader", '{"care"', stop_reason="max_tokens"),
        "down": ModelOutput.from_content("mockllm/grader", "", error="the server is down"),
    }
    log = run(saved, tmp_path, [f"It is {word}." for word in said], grader=grader_of(said), model_role="grader", values="care")
    assert log.status == "success", log.error
    scores = [s.scores["values"] for s in log.samples]
    assert all(math.isnan(s.value) for s in scores)
    assert [s.reason for s in scores] == ["scoring_failed", "grader_failed", "scoring_failed", "scoring_failed"]
    for score, why in zip(scores, ("not of the asked form", "content filter", "cut off", "the server is down"), strict=True):
        assert why in score.explanation
    assert [len(calls(s)) for s in log.samples] == [2, 1, 2, 1]  # what cannot be read is asked for once more


def test_a_limit_around_the_calls_is_inspect_s_to_deal_with(saved):
    async def judged():
        clave = Clave.load(saved, chat=InspectChat(grader_of({"helped": "not JSON at all"})))
        with token_limit(1):
            await clave.ajudge_one("I helped.")

    with pytest.raises(LimitExceededError):
        asyncio.run(judged())


def test_a_role_that_has_no_model_is_an_error_of_the_sample(saved, tmp_path):
    log = run(saved, tmp_path, ["I helped."], model_role="grader")
    assert "grader" in log.samples[0].error.message
