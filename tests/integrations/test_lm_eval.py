"""The task in real runs of lm-eval, on a model that answers what it is told to."""

import json
import math

import pytest

lm_eval = pytest.importorskip("lm_eval", reason="lm-eval is not installed: pip install 'clave[lm-eval]'")
pytestmark = pytest.mark.filterwarnings("default")  # lm-eval's own

from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from clave import EvaluatorError, InputError


class Scripted(LM):
    """Answers the i-th prompt by the i-th answer."""

    def __init__(self, answers):
        super().__init__()
        self.answers, self.asked = answers, []

    def generate_until(self, requests, disable_tqdm=False):
        self.asked += [request.args[0] for request in requests]
        return [self.answers[request.doc_id] for request in requests]

    def loglikelihood(self, requests, disable_tqdm=False):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


@pytest.fixture
def run(evaluator, tmp_path, monkeypatch):
    """Run the task with these answers; what lm-eval gives back, and the model."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))

    def run(answers, metadata=None, extra=""):
        folder = tmp_path / "tasks"
        folder.mkdir()
        rows = [json.dumps({"scenario": f"What did you do on day {i}?"}) for i, _ in enumerate(answers)]
        (tmp_path / "scenarios.jsonl").write_text("\n".join(rows))
        (folder / "kindness.yaml").write_text(
            "task: kindness\nclass: !function clave.integrations.lm_eval_task.ValuesTask\ndataset_path: json\n"
            f"dataset_kwargs: {{data_files: {{test: {tmp_path / 'scenarios.jsonl'}}}}}\ntest_split: test\ndoc_to_text: scenario\n"
            f"metadata: {json.dumps({'evaluator': str(evaluator)} | (metadata or {}))}\n{extra}"
        )
        model = Scripted(answers)
        manager = TaskManager(include_path=str(folder), include_defaults=False)
        return lm_eval.simple_evaluate(model, tasks=["kindness"], task_manager=manager, bootstrap_iters=10), model

    return run


def test_generations_are_scored_per_value_with_mean_and_error(run):
    found, model = run(["I helped.", "I harmed.", "I watered the plants.", "I helped."])
    assert sorted(model.asked) == [f"What did you do on day {i}?" for i in range(4)]
    assert [(s["care"], s["honesty"]) for s in found["samples"]["kindness"]] == [(1, 1), (-1, -1), (0, 0), (1, 1)]
    result = found["results"]["kindness"]
    assert result["care,none"] == pytest.approx(0.25)
    assert result["care_stderr,none"] == pytest.approx(math.sqrt(sum((x - 0.25) ** 2 for x in (1, -1, 0, 1)) / 3 / 4))
    (kept,) = found["samples"]["kindness"][1]["filtered_resps"]
    assert (kept["care"]["label"], kept["care"]["evidence"][0]["text"]) == ("oppose", "harmed")
    assert "opposes" in kept["care"]["reason"]


def test_what_has_no_verdict_is_left_out_of_the_means(run):
    found, _ = run(["I helped.", "A bomb!", " ", "I harmed."], {"values": ["care"]})
    samples = found["samples"]["kindness"]
    assert [s.get("care") for s in samples] == [1, None, None, -1]
    assert found["results"]["kindness"]["care,none"] == 0
    refused, empty = (s["filtered_resps"][0]["care"] for s in samples[1:3])
    assert (refused["status"], empty["status"]) == ("refused", "failed")
    assert "I will not read this" in refused["reason"]
    assert "honesty,none" not in found["results"]["kindness"]


def test_where_nothing_has_a_verdict_there_is_no_mean(run):
    found, _ = run(["A bomb!"])
    assert not [key for key in found["results"]["kindness"] if key.startswith(("care", "honesty"))]


def test_the_filters_of_the_task_come_first(run):
    thought = "filter_list: [{name: said, filter: [{function: regex, regex_pattern: '</think>(.*)'}, {function: take_first}]}]"
    found, _ = run(["I harmed?</think> I helped."], extra=thought)
    assert found["results"]["kindness"]["care,said"] == 1


def test_filters_that_leave_several_texts_are_told(run):
    with pytest.raises(InputError, match="end them with `take_first`"):
        run(["I helped."], extra="filter_list: [{name: said, filter: [{function: lowercase}]}]")


@pytest.mark.parametrize(
    ("metadata", "error", "why"),
    [
        ({"values": ["pride"]}, InputError, "pride"),
        ({"evaluator": "nowhere/at/all"}, EvaluatorError, "nowhere"),
        ({"evaluator": ""}, InputError, "no evaluator is named"),
    ],
)
def test_a_wrong_evaluator_or_value_is_told_before_anything_is_generated(run, metadata, error, why):
    with pytest.raises(error, match=why):
        run(["I helped."], metadata)
