"""Clave end to end on a chat model that answers by rules: fitting, verdicts, failures, order, joint calls, abstention."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from clave import Clave, EvaluatorError, InputError, LabelledResponse, ModelError, Response, Settings, ValueSystem
from clave.concepts.prompts import template
from clave.evaluating.verdicts import stance_probabilities
from clave.records import LABELS, Failure, Label
from clave.testing import FakeChat

SYSTEM = ValueSystem.parse(
    """
id: tiny
name: Tiny
version: "1"
values:
  - {id: care, name: Care, definition: Being kind to others.}
  - {id: honesty, name: Honesty, definition: Telling the truth.}
"""
)
ACTS: dict[Label, str] = {"adhere": "helped", "oppose": "harmed", "unrelated": "watered the plants"}
RULES = {act: label for label, act in ACTS.items()}


def labelled(per_label: int = 6) -> list[LabelledResponse]:
    return [
        LabelledResponse(
            id=f"{value}-{label}-{i}",
            scenario=f"What did number {i} do about {value} on a {label[:2]} day?",
            response=f"Number {i} {act} in matter {i} of {value}.",
            value=value,
            label=label,
        )
        for value in ("care", "honesty")
        for label, act in ACTS.items()
        for i in range(per_label)
    ]


RESPONSES = [Response(id=f"r{i}", scenario=f"Scenario {i}", response=f"Somebody {ACTS[LABELS[i % 3]]} today, case {i}.") for i in range(9)]


@pytest.fixture(scope="module")
def fitted() -> Clave:
    return Clave(SYSTEM, chat=FakeChat(RULES)).fit(labelled())


def test_zero_shot_verdicts_are_the_stance_and_say_so():
    verdicts = {(v.id, v.value): v for v in Clave(SYSTEM, chat=FakeChat(RULES)).evaluate(RESPONSES)}
    assert len(verdicts) == 18
    for i, response in enumerate(RESPONSES):
        verdict = verdicts[response.id, "care"]
        assert verdict.status == "ok"
        assert verdict.label == verdict.stance == LABELS[i % 3]
        assert "uncalibrated" in verdict.flags


def test_a_fitted_evaluator_gives_calibrated_verdicts_with_mapped_concepts(fitted):
    for verdict in fitted.evaluate(RESPONSES):
        assert verdict.label == LABELS[int(verdict.id[1:]) % 3]
        assert sum(verdict.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert verdict.concepts[0].pool is not None
        assert verdict.concepts[0].labels.get(verdict.label, 0) > 0
        assert verdict.novelty == pytest.approx(0, abs=1e-3)
        assert "uncalibrated" not in verdict.flags
        assert verdict.evaluator == fitted.name


def test_guidelines_and_examples_stand_in_the_prompt_and_never_the_responses_own_fold():
    chat = FakeChat(RULES)
    clave = Clave(SYSTEM, chat=chat).fit(labelled())
    guideline_calls = [r for r in chat.requests if "guideline" in r.schema["properties"]]
    assert len(guideline_calls) == 2 * (3 + 1)
    extractions = [r for r in chat.requests if "stance" in r.schema["properties"]]
    assert len(extractions) == 36
    assert all("Label by what the response does." in r.system for r in extractions)
    fold_of = {s.labelled.response: s.fold for s in clave.fitted.samples}
    for request in extractions:
        shown = [text for text in fold_of if text in request.user]
        own = max(shown, key=request.user.rindex)
        assert len(shown) == 5
        assert all(fold_of[other] != fold_of[own] for other in shown if other != own)


def test_order_of_rows_and_values_changes_no_verdict(fitted):
    def key(verdicts):
        return sorted(v.model_dump_json() for v in verdicts)

    backwards = fitted.system.model_copy(update={"values": fitted.system.values[::-1]})
    assert backwards.hash == fitted.system.hash
    assert key(fitted.evaluate(RESPONSES)) == key(fitted.evaluate(RESPONSES[::-1]))
    one_by_one = [r.model_copy(update={"value": v}) for r in RESPONSES for v in ("honesty", "care")]
    assert key(fitted.evaluate(RESPONSES)) == key(fitted.evaluate(one_by_one))


def test_failures_are_statuses_with_reasons_and_never_labels(fitted):
    trouble = {
        "refuse": Failure(status="refused", kind="refused", reason="I will not"),
        "break": "this is no JSON",
        "stall": Failure(status="failed", kind="timeout", reason="no answer within 120 s"),
        **RULES,
    }
    rows = [Response(id=word, response=f"Please {word} now") for word in ("refuse", "break", "stall")]
    rows.append(Response(id="empty", response="  \n "))
    verdicts = {v.id: v for v in fitted.with_chat(FakeChat(trouble)).evaluate(rows) if v.value == "care"}
    assert {i: v.status for i, v in verdicts.items()} == {"refuse": "refused", "break": "failed", "stall": "failed", "empty": "failed"}
    assert all(v.label is None and v.probabilities is None and v.reason for v in verdicts.values())
    assert "empty" in verdicts["empty"].reason


def test_a_long_response_is_cut_and_the_verdict_says_so(fitted):
    (verdict,) = fitted.evaluate([Response(id="long", response="He helped. " * 100_000, value="care")])
    assert verdict.label == "adhere"
    assert "cut" in verdict.flags


def test_abstention_by_confidence_and_by_coverage():
    rules = {"helped": {"concepts": ["Helping"], "evidence": "", "stance": "adhere", "confidence": 0.95}, **RULES}
    unsure = {word: {"concepts": ["Acting"], "evidence": "", "stance": label, "confidence": 0.34} for word, label in RULES.items()}
    clave = Clave(SYSTEM, chat=FakeChat(RULES)).fit(labelled())
    sure = list(clave.with_chat(FakeChat(rules)).evaluate(RESPONSES, min_confidence=0.4))
    assert {v.status for v in sure} == {"ok"}
    verdicts = list(clave.with_chat(FakeChat(unsure)).evaluate(RESPONSES, min_confidence=0.99))
    assert {v.status for v in verdicts} == {"abstained"}
    assert all(v.label is None and v.probabilities is not None and "below" in v.reason for v in verdicts)
    with pytest.raises(InputError, match="coverage"):
        list(clave.evaluate(RESPONSES, coverage=0))


def test_joint_mode_makes_one_call_a_response_and_asks_singly_for_what_is_missing():
    chat = FakeChat(RULES)
    clave = Clave(SYSTEM, settings=Settings(model="fake/chat", ask="joint"), chat=chat)
    verdicts = list(clave.evaluate(RESPONSES))
    assert (len(verdicts), chat.calls) == (18, 9)
    assert sum(v.usage.calls for v in verdicts) == 9

    def forgets_honesty(request):
        if "care" in request.schema["properties"]:
            return json.dumps({"care": {"concepts": ["Helping"], "evidence": "", "stance": "adhere", "confidence": 0.9}})
        return "oppose"

    chat = FakeChat(forgets_honesty)
    verdicts = {v.value: v for v in Clave(SYSTEM, settings=clave.settings, chat=chat).evaluate(RESPONSES[:1])}
    assert chat.calls == 2
    assert (verdicts["care"].label, verdicts["honesty"].label) == ("adhere", "oppose")


def test_without_a_model_a_verdict_says_that_the_text_was_not_read_to_its_end():
    clave = Clave(SYSTEM).fit(labelled())
    texts = {
        "short": "Somebody helps a friend.",
        "long": "Somebody helps. " * 90,
        "characters": "a" * 2_001,
        "just": "word " * 254,
        "over": "word " * 255,
    }
    responses = [Response(id=name, response=text, value="care") for name, text in texts.items()]
    responses.append(Response(id="scenario", scenario="w" * 501, response="Somebody helps.", value="care"))
    found = {v.id: v for v in clave.evaluate(responses)}
    assert {name for name, v in found.items() if "cut" in v.flags} == {"long", "characters", "over", "scenario"}
    assert "a part of it was not read" in clave.explain(found["long"])
    assert "not read" not in clave.explain(found["short"])


def test_without_a_model_it_learns_from_the_text_and_shows_the_nearest_cases():
    clave = Clave(SYSTEM).fit(labelled())
    verdicts = list(clave.evaluate(RESPONSES))
    assert sum(v.label == LABELS[int(v.id[1:]) % 3] for v in verdicts) >= 10  # of 18; chance is 6
    assert all(len(v.cases) == 3 and not v.concepts for v in verdicts)
    assert clave.ledger.calls == 0


def test_too_few_labels_or_only_one_label_are_sentences():
    rows = labelled()
    with pytest.raises(InputError, match="'honesty' has 4 labels and needs at least 6"):
        Clave(SYSTEM).fit([r for r in rows if r.value == "care"] + [r for r in rows if r.value == "honesty"][:4])
    with pytest.raises(InputError, match="all 6 labels of value 'care' are 'adhere'"):
        Clave(SYSTEM).fit([r for r in rows if r.value == "care" and r.label == "adhere"])
    with pytest.raises(InputError, match="value 'courage' is not in value system 'tiny'"):
        Clave(SYSTEM).fit([rows[0].model_copy(update={"value": "courage"})])
    with pytest.raises(InputError, match="there must be a large model"):
        list(Clave(SYSTEM).evaluate(RESPONSES))


def test_a_response_that_names_a_value_is_evaluated_for_it_alone(fitted):
    (verdict,) = fitted.evaluate([RESPONSES[0].model_copy(update={"value": "honesty"})])
    assert verdict.value == "honesty"
    with pytest.raises(InputError, match="'courage' is not in value system"):
        list(fitted.evaluate([RESPONSES[0].model_copy(update={"value": "courage"})]))


def test_a_fit_whose_model_mostly_fails_stops_and_says_why():
    def fails(request):
        if "guideline" in request.schema["properties"]:
            return "adhere"
        return Failure(status="failed", kind="server", reason="the server answered 500")

    with pytest.raises(ModelError, match="36 of 36 labelled samples could not be extracted.*500"):
        Clave(SYSTEM, chat=FakeChat(fails)).fit(labelled())


def test_evaluate_works_inside_a_running_event_loop(fitted):
    async def notebook():
        return list(fitted.evaluate(RESPONSES[:2]))

    assert len(asyncio.run(notebook())) == 4


def test_leaving_the_iteration_early_stops_the_work():
    chat = FakeChat(RULES)
    clave = Clave(SYSTEM, chat=chat)
    many = (Response(id=str(i), response=f"He helped {i}", value="care") for i in range(100_000))
    for _ in clave.evaluate(many):
        break
    assert chat.calls < 10_000


def test_explain_says_what_was_concluded_and_why(fitted):
    (verdict,) = fitted.evaluate([RESPONSES[0].model_copy(update={"value": "care"})])
    text = fitted.explain(verdict)
    assert text.startswith("Care: adhere (0.")
    assert "like what people labelled: 'Acting on the value'" in text


def test_annotators_are_joined_by_majority_and_ties_left_out():
    rows = [r.model_copy(update={"annotator": a}) for r in labelled() for a in ("ann", "bob")]
    rows[1] = rows[1].model_copy(update={"label": "oppose"})
    clave = Clave(SYSTEM, chat=FakeChat(RULES)).fit(rows)
    assert (clave.fitted.provenance.labels, clave.fitted.provenance.disputed) == (35, 1)


def test_six_labels_of_each_value_are_enough():
    clave = Clave(SYSTEM, chat=FakeChat(RULES)).fit(labelled(per_label=2))
    assert all(v.label == LABELS[int(v.id[1:]) % 3] for v in clave.evaluate(RESPONSES))
    assert len({s.fold for s in Clave(SYSTEM).fit(labelled(per_label=2)).fitted.samples}) == 3


@pytest.mark.parametrize("chat", [None, FakeChat(RULES)], ids=["text only", "large model"])
def test_fitting_again_forgets_the_first_fit(chat):
    other = [r.model_copy(update={"response": r.response.replace("Number", "Neighbour")}) for r in labelled(per_label=4)]
    twice = Clave(SYSTEM, chat=chat).fit(labelled()).fit(other)
    once = Clave(SYSTEM, chat=chat).fit(other)
    assert twice.name == once.name
    assert {v.id: v.probabilities for v in twice.evaluate(RESPONSES)} == {v.id: v.probabilities for v in once.evaluate(RESPONSES)}
    if chat is not None:
        known = {row.id for row in other}
        assert all(set(concept.samples) <= known for concept in twice.fitted.learnt.pool.concepts)


def test_zero_shot_evaluators_of_other_definitions_have_another_name():
    def name(system=SYSTEM, **choices):
        return Clave(system, settings=Settings(model="fake/chat", **choices), chat=FakeChat(RULES)).name

    changed = SYSTEM.values[0].model_copy(update={"definition": "Being kind to plants."})
    other = ValueSystem(id="tiny", name="Tiny", version="1", values=(changed, SYSTEM.values[1]))
    assert "fake/chat" in name()
    assert name() == name()
    assert len({name(), name(other), name(ask="joint")}) == 3


def test_a_zero_shot_verdict_below_the_asked_confidence_is_abstained():
    def stated(confidence):
        return FakeChat(lambda request: {"concepts": ["Acting"], "evidence": "", "stance": "oppose", "confidence": confidence})

    (unsure,) = Clave(SYSTEM, chat=stated(0.7)).evaluate([RESPONSES[0].model_copy(update={"value": "care"})], min_confidence=0.8)
    assert (unsure.status, unsure.label, unsure.stance) == ("abstained", None, "oppose")
    assert "below 0.80" in unsure.reason
    (sure,) = Clave(SYSTEM, chat=stated(0.8)).evaluate([RESPONSES[0].model_copy(update={"value": "care"})], min_confidence=0.8)
    assert (sure.status, sure.label) == ("ok", "oppose")
    with pytest.raises(InputError, match="coverage.*calibrat"):
        list(Clave(SYSTEM, chat=stated(0.7)).evaluate(RESPONSES, coverage=0.9))


@pytest.mark.parametrize("stance", LABELS)
@pytest.mark.parametrize("confidence", [0.0, 0.2, 1 / 3, 0.34, 0.9, 1.0])
def test_the_likeliest_label_of_a_zero_shot_verdict_is_its_label(stance, confidence):
    p = stance_probabilities(stance, confidence)
    assert sum(p.values()) == pytest.approx(1, abs=1e-5)
    assert all(p[stance] > share for label, share in p.items() if label != stance)


def test_a_model_that_cannot_be_used_is_told_as_it_is():
    """Not as one of a group of exceptions, as task groups raise."""

    def refuses(request):
        raise ModelError("the key was refused")

    with pytest.raises(ModelError, match="the key was refused"):
        Clave(SYSTEM, chat=FakeChat(refuses)).fit(labelled())


def test_a_value_of_which_most_samples_fail_does_not_drop_out_unseen():
    rows = [*(r for r in labelled(16) if r.value == "care"), *(r for r in labelled(2) if r.value == "honesty")]

    def answer(request):
        if "of honesty." in request.user and "guideline" not in request.schema["properties"]:
            return Failure(status="refused", kind="refused", reason="I would rather not")
        return "adhere"

    with pytest.raises(ModelError, match="6 of 6 labelled samples of value 'honesty' could not be extracted.*rather not"):
        Clave(SYSTEM, chat=FakeChat(answer)).fit(rows)


def test_a_fit_whose_budget_ends_is_no_fit_on_what_there_is():
    def answer(request):
        answered.append(request)
        if len(answered) > 8 + 34:  # guidelines and most samples: fewer than a fifth are left
            return Failure(status="failed", kind="budget", reason="the budget of $1 is used up")
        return next((label for act, label in RULES.items() if act in request.user.rpartition("<response")[2]), "unrelated")

    answered = []
    with pytest.raises(ModelError, match="the budget of .1 is used up.*2 of 36.*go on"):
        Clave(SYSTEM, chat=FakeChat(answer)).fit(labelled())


def test_two_models_are_one_too_many_and_settings_may_leave_the_model_out():
    assert Clave(SYSTEM, chat=FakeChat(model="fake/a"), settings=Settings(examples=2)).settings == Settings(model="fake/a", examples=2)
    with pytest.raises(InputError, match="two large models are named, 'ollama/b' and 'ollama/a'"):
        Clave(SYSTEM, model="ollama/b", settings=Settings(model="ollama/a"))


def test_what_cannot_be_fitted_is_refused_before_a_call():
    with pytest.raises(InputError, match="there is no recognizer 'haed' \\(did you mean head\\?\\)"):
        Clave(SYSTEM, settings=Settings(recognizer="haed"))
    with pytest.raises(ValueError, match="stance"):
        Settings(features=("stanse",))


def test_a_fit_that_fails_leaves_the_evaluator_as_it_was():
    clave = Clave(SYSTEM, chat=FakeChat(RULES)).fit(labelled())
    before = clave.fitted
    with pytest.raises(InputError, match="needs at least 6"):
        clave.fit(labelled()[:3])
    assert clave.fitted is before


def test_another_prompt_is_another_evaluator_and_the_fitted_one_is_refused(fitted, tmp_path, monkeypatch):
    zero_shot = Clave(SYSTEM, chat=FakeChat(RULES)).name
    folder = fitted.save(tmp_path / "e")
    monkeypatch.setattr(template("extract"), "source", template("extract").source + "\nBe strict.")
    assert Clave(SYSTEM, chat=FakeChat(RULES)).name != zero_shot
    with pytest.raises(EvaluatorError, match="calibrated with another prompt 'extract' .* calibrate again, or put the prompt back"):
        Clave.load(folder, chat=FakeChat(RULES))
    assert Clave(SYSTEM, chat=FakeChat(RULES)).fit(labelled()).name != fitted.name


def test_an_encoder_that_gives_other_vectors_is_refused(fitted, monkeypatch):
    class Other:
        name, dim = "other", 384

        def encode(self, texts):
            return np.eye(384, dtype=np.float32)[[i % 384 for i, _ in enumerate(texts)]]

    monkeypatch.setattr("clave.fitting.fitted.load_encoder", lambda name, int8: Other())
    with pytest.raises(EvaluatorError, match="gives other vectors than when"):
        list(Clave.of(fitted.fitted, chat=FakeChat(RULES)).evaluate(RESPONSES))


def test_overlapping_evaluations_and_threads_share_one_evaluator(fitted, chat_server):
    chat_server.script = lambda body: chat_server.says(
        json.dumps({"concepts": ["c"], "evidence": "", "stance": "adhere", "confidence": 0.9})
    )
    clave = Clave(SYSTEM, model="fake/m", base_url=chat_server.url, cache="", max_retries=0)

    async def overlapping():
        async with clave:
            return await asyncio.gather(*(collected(clave.aevaluate(RESPONSES)) for _ in range(8)))

    async def collected(verdicts):
        return [v async for v in verdicts]

    assert all([v.status for v in run] == ["ok"] * 18 for run in asyncio.run(overlapping()))
    with ThreadPoolExecutor(4) as pool:
        assert all([v.status for v in run] == ["ok"] * 18 for run in pool.map(lambda _: list(clave.evaluate(RESPONSES)), range(4)))


def test_why_a_run_stopped_is_told_by_the_run():
    spent = Failure(status="failed", kind="budget", reason="the budget of $1 is used up")
    clave = Clave(SYSTEM, chat=FakeChat(lambda request: spent if "case 3" in request.user else "adhere"))
    first, second = clave.evaluate(RESPONSES), clave.evaluate(RESPONSES[:3])
    assert len(list(first)) < 18
    assert len(list(second)) == 6
    assert (first.stopped, second.stopped) == ("the budget of $1 is used up", "")


def test_texts_mappings_and_data_frames_are_taken_as_they_are(fitted):
    pandas = pytest.importorskip("pandas")
    rows = [{"answer_id": 1, "response": "He helped."}, {"answer_id": 2, "response": "He harmed."}]
    assert {v.id for v in fitted.evaluate(["He helped.", "He harmed."])} == {"1", "2"}
    by_mapping = {(v.value, v.id): v.label for v in fitted.evaluate([{"id": "a", "response": "He helped."}])}
    by_frame = {(v.value, v.id): v.label for v in fitted.evaluate(pandas.DataFrame([{"id": "a", "response": "He helped."}]))}
    assert by_mapping == by_frame
    with pytest.raises(InputError, match="row 1"):
        list(fitted.evaluate([{"text": "no response"}]))
    frame = fitted.evaluate([{"id": str(r["answer_id"]), "response": r["response"]} for r in rows]).to_pandas()
    assert list(frame["label"]) == ["adhere", "adhere", "oppose", "oppose"]
    labels = pandas.DataFrame([r.model_dump(include={"id", "scenario", "response", "value", "label"}) for r in labelled()])
    assert Clave(SYSTEM, chat=FakeChat(RULES)).fit(labels).name == Clave(SYSTEM, chat=FakeChat(RULES)).fit(labelled()).name


def test_one_response_and_one_value(fitted):
    found = fitted.judge_one("She helped him.", "A man fell.")
    assert list(found) == ["care", "honesty"]
    assert {v.label for v in found.values()} == {"adhere"}
    assert fitted.predict(["He helped.", "", "He harmed."], value="care") == ["adhere", None, "oppose"]
    assert "cross-validated accuracy" in fitted._repr_html_()
