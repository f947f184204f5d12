"""The scorer in real evaluations of MLflow, into a folder."""

import pytest

mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'clave[mlflow]'")
pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own

from clave import EvaluatorError, InputError


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Evaluate outputs by scorers; for each row its feedbacks by name, and the metrics."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())

    def run(scorer, outputs, inputs=None):
        rows = [{"inputs": inputs or {"question": f"Row {i}: what did you do?"}, "outputs": out} for i, out in enumerate(outputs)]
        found = mlflow.genai.evaluate(data=rows, scorers=[scorer])
        frame = found.result_df.set_index(found.result_df["response"].map(str))
        given = {out: {a["assessment_name"]: a for a in frame.loc[str(out), "assessments"]} for out in outputs}
        return given, found.metrics

    return run


def scorer(*arguments, **named):
    from clave.integrations.mlflow_scorer import ClaveScorer

    return ClaveScorer(*arguments, **named)


def test_each_value_has_a_label_with_its_reason(run, evaluator):
    found, _ = run(scorer(evaluator=str(evaluator)), ["I helped.", "I harmed."])
    labels = {out: {value: a["feedback"]["value"] for value, a in given.items()} for out, given in found.items()}
    assert labels == {"I helped.": {"care": "adhere", "honesty": "adhere"}, "I harmed.": {"care": "oppose", "honesty": "oppose"}}
    harmed = found["I harmed."]["care"]
    assert "seen in “harmed”" in harmed["rationale"]
    assert harmed["source"]["source_type"] == "LLM_JUDGE"
    assert float(harmed["metadata"]["oppose"]) > 0.5


@pytest.mark.parametrize(("output", "why"), [("A bomb!", "I will not read this"), (" ", "empty")])
def test_no_verdict_is_a_feedback_with_an_error_and_no_value(run, evaluator, output, why):
    found, metrics = run(scorer(evaluator=str(evaluator), values=["care"]), [output])
    feedback = found[output]["care"]["feedback"]
    assert feedback.get("value") is None
    assert why in feedback["error"]["error_message"]
    assert not any(name.startswith("care") for name in metrics)


def test_outputs_that_are_no_text_are_an_error(run, evaluator):
    found, _ = run(scorer(evaluator=str(evaluator)), [7])
    (feedback,) = [a["feedback"] for a in found[7].values()]
    assert "of type int" in feedback["error"]["error_message"]


def test_a_conversation_is_read_as_one(evaluator):
    from clave.integrations.hosted import scenario_of

    chat = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Help!"}]
    assert scenario_of({"messages": chat}) == "User: Hi?\n\nAssistant: Yes?\n\nUser: Help!"


@pytest.mark.parametrize(("named", "why"), [({"values": ["pride"]}, "pride"), ({"evaluator": "nowhere/at/all"}, "nowhere")])
def test_a_wrong_evaluator_or_value_is_told_before_anything_is_scored(evaluator, named, why):
    with pytest.raises((EvaluatorError, InputError), match=why):
        scorer(**{"evaluator": str(evaluator)} | named)
