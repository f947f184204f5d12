"""Exports of annotation tools give every annotator's label; several questions are never guessed at."""

import json

import pytest

from clave.annotate.exchange import read_judgements
from clave.errors import InputError
from clave.io import read_labels, read_responses

SCENARIO, TEXT = "Should I tell her?", "Tell her plainly 🙂 and soon."


def choice(label, control="label", to="response", **more):
    return {"from_name": control, "to_name": to, "type": "choices", "value": {"choices": [label, *more.get("also", ())]}}


def span(start, end, text, to="response"):
    return {"from_name": "marks", "to_name": to, "type": "labels", "value": {"start": start, "end": end, "text": text, "labels": ["x"]}}


def task(*results, data=None, **annotation):
    shown = {"id": "t1", "scenario": SCENARIO, "response": TEXT, "value": "honesty"} if data is None else data
    return {"id": 11, "data": shown, "annotations": [{"id": 1, "completed_by": 4, "result": list(results), **annotation}]}


@pytest.fixture
def export(tmp_path):
    def write(*tasks, name="export.json"):
        path = tmp_path / name
        path.write_text(json.dumps(tasks) if name.endswith(".json") else "".join(json.dumps(t) + "\n" for t in tasks), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", ["export.json", "export.jsonl"])
def test_both_readers_read_an_export(export, name):
    path = export(task(choice("adhere")), name=name)
    (label,) = read_labels(path, values=("honesty",))
    assert (label.id, label.label, label.annotator, label.response) == ("t1", "adhere", "4", TEXT)
    (judgement,) = read_judgements(path)
    assert (judgement.id, judgement.label, judgement.annotator) == ("t1", "adhere", "4")
    assert [r.response for r in read_responses(path)] == [TEXT]


@pytest.mark.parametrize("read", [read_labels, read_judgements])
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (task(choice("adhere"), choice("oppose", "quality")), "several controls, label, quality: pick one with `control`"),
        (task(choice("oppose", "quality"), choice("adhere")), "several controls, label, quality"),
        (task(choice("adhere", also=["oppose"])), "several choices in one annotation, adhere, oppose"),
        (task(choice("adhere"), choice("oppose")), "several choices in one annotation"),
        (
            task(choice("adhere"), data={"id": "t", "text": TEXT, "value": "honesty"}),
            "no text 'response': it has id, text, value; name it with `mapping=",
        ),
        (task(choice("adhere", to="scenario")), "'label' is chosen for 'scenario', not for the response"),
        (task(choice("adhere") | {"value": {"choices": ["adhere"], "start": 0, "end": 4}}), "'label' is chosen for a marked stretch"),
        (task(), "an annotation has no choice: choose a label in Label Studio"),
        (task(span(0, 4, "Tell")), "an annotation has no choice"),
        (task(choice("adhere"), span(0, 4, "Nope")), "the marked text does not stand in the response from 0 to 4"),
        (task({"type": "choices"}), "must be a list of objects with a 'value'"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(export, read, given, sentence):
    with pytest.raises(InputError, match=f"export.json, item 1: .*{sentence}"):
        list(read(export(given)))


@pytest.mark.parametrize("read", [read_labels, read_judgements])
def test_the_option_picks_the_control(export, read):
    path = export(task(choice("adhere"), choice("oppose", "quality")))
    assert [row.label for row in read(path, control="quality")] == ["oppose"]
    assert [row.label for row in read(path, control="label")] == ["adhere"]
    with pytest.raises(InputError, match="no answer to 'lable', which `control` names: there are label, quality"):
        list(read(path, control="lable"))


def test_controls_named_after_values_hold_a_label_each(export):
    data = {"id": "t1", "response": TEXT}
    path = export(task(choice("adhere", "care"), choice("unrelated", "honesty"), data=data))
    assert [(r.value, r.label) for r in read_labels(path, values=("care", "honesty"))] == [("care", "adhere"), ("honesty", "unrelated")]


def test_a_text_under_another_key_is_named(export):
    path = export(
        task(choice("adhere"), span(0, 4, "Tell", to="text"), data={"id": "t", "text": TEXT, "value": "honesty", "meta": {"q": SCENARIO}})
    )
    mapping = {"text": "response", "meta.q": "scenario"}
    assert [(r.response, r.scenario) for r in read_labels(path, mapping=mapping)] == [(TEXT, SCENARIO)]
    assert [e.text for e in read_judgements(path, mapping={"text": "response"})[0].evidence] == ["Tell"]


def test_a_span_is_evidence_only_where_it_lies_in_the_response(export):
    data = {"id": "t", "scenario": "Tell me: " + SCENARIO, "response": TEXT, "value": "honesty"}
    spans = (span(0, 4, "Tell", to="scenario"), span(17, 19, "🙂"), span(0, 6, "Should", to="prompt"))
    (found,) = read_judgements(export(task(choice("adhere"), *spans, data=data)))
    assert [(e.text, TEXT[e.start : e.end]) for e in found.evidence] == [("🙂", "🙂")]


def test_the_settled_label_is_calibrated_on_and_the_votes_are_agreement(export):
    whole = task(choice("adhere"), annotator="ana")
    whole["annotations"] += [
        {"annotator": "ben", "result": [choice("oppose")]},
        {"annotator": "settled", "ground_truth": True, "result": [choice("adhere")]},
        {"annotator": "eve", "was_cancelled": True, "result": []},
    ]
    path = export(whole)
    assert [(r.annotator, r.label) for r in read_labels(path)] == [("settled", "adhere")]
    assert [(j.annotator, j.label) for j in read_judgements(path)] == [("ana", "adhere"), ("ben", "oppose")]


def test_json_min_is_read_by_its_columns(export):
    row = {"id": 7, "response": TEXT, "value": "honesty", "adherence": "adhere", "quality": "good", "annotator": 3, "lead_time": 2.5}
    path = export(row, {**row, "annotator": 4, "adherence": "oppose"})
    assert [(r.id, r.label, r.annotator) for r in read_labels(path, mapping={"adherence": "label"})] == [
        ("7", "adhere", "3"),
        ("7", "oppose", "4"),
    ]
    with pytest.raises(InputError, match="neither a column `label`.*adherence, quality"):
        list(read_labels(path, values=("honesty",)))
    several = export({**row, "label": {"choices": ["adhere", "oppose"]}})
    with pytest.raises(InputError, match="item 1: label .* is not one of"):
        list(read_labels(several))


NESTED = {
    "id": "r1",
    "fields": {"prompt": SCENARIO, "answer": TEXT},
    "metadata": {"value": "honesty", "model": "m"},
    "suggestions": {"adherence": {"value": "oppose", "score": 0.9, "agent": "bot"}},
    "responses": {"adherence": [{"value": "adhere", "user_id": "u1"}, {"value": "oppose", "user_id": "u2"}]},
    "vectors": {},
    "status": "completed",
    "_server_id": "x",
}
FLAT = {
    "id": "r1",
    "status": "completed",
    "_server_id": "x",
    "prompt": SCENARIO,
    "answer": TEXT,
    "value": "honesty",
    "model": "m",
    "adherence.responses": ["adhere", "oppose", "unrelated"],
    "adherence.responses.users": ["u1", "u2", "u3"],
    "adherence.responses.status": ["submitted", "submitted", "draft"],
    "adherence.suggestion": "oppose",
    "adherence.suggestion.score": 0.9,
    "adherence.suggestion.agent": "bot",
}
ARGILLA = {"prompt": "scenario", "answer": "response"}


@pytest.mark.parametrize("record", [NESTED, FLAT])
def test_argillas_exports_give_every_annotators_answer_and_no_suggestion(export, record):
    path = export(record)
    found = list(read_labels(path, values=("honesty",), mapping=ARGILLA))
    assert [(r.id, r.value, r.label, r.annotator) for r in found] == [("r1", "honesty", "adhere", "u1"), ("r1", "honesty", "oppose", "u2")]
    assert (found[0].scenario, found[0].response, found[0].metadata) == (SCENARIO, TEXT, {"model": "m"})
    assert [(j.annotator, j.label) for j in read_judgements(path, mapping=ARGILLA)] == [("u1", "adhere"), ("u2", "oppose")]
    assert [r.response for r in read_responses(path, mapping=ARGILLA)] == [TEXT]


def test_several_questions_of_argilla_are_not_guessed_at(export):
    more = {**NESTED, "responses": {**NESTED["responses"], "tone": [{"value": "oppose", "user_id": "u1"}]}}
    with pytest.raises(InputError, match="item 1: labels come from several controls, adherence, tone: pick one with `control`"):
        list(read_labels(export(more), mapping=ARGILLA))
    more = {**NESTED, "responses": {"adherence": [{"value": ["adhere", "oppose"], "user_id": "u1"}]}}
    with pytest.raises(InputError, match="several choices in one annotation, adhere, oppose"):
        list(read_labels(export(more), mapping=ARGILLA))
    uneven = {**FLAT, "adherence.responses.users": ["u1"]}
    with pytest.raises(InputError, match="'adherence.responses' has 3 answers of 1 users"):
        list(read_labels(export(uneven), mapping=ARGILLA))


@pytest.mark.parametrize(
    "record",
    [
        {**FLAT, "tone.responses": ["adhere"], "tone.responses.users": ["u4"], "tone.responses.status": ["submitted"]},
        {**FLAT, "adherence.responses": None, "adherence.responses.users": None, "adherence.responses.status": None}
        | {"tone.responses": ["adhere"], "tone.responses.users": ["u4"], "tone.responses.status": ["submitted"]},
        {**NESTED, "responses": {"adherence": NESTED["responses"]["adherence"], "tone": [{"value": "adhere", "user_id": "u4"}]}},
        {**NESTED, "responses": {"tone": [{"value": "adhere", "user_id": "u4"}]}},
    ],
)
def test_the_one_question_that_an_annotator_answered_is_not_guessed_to_be_the_label(export, record):
    path = export(record)
    with pytest.raises(InputError, match="labels come from several controls, adherence, tone: pick one with `control`"):
        list(read_labels(path, mapping=ARGILLA))
    found = list(read_labels(path, mapping=ARGILLA, control="adherence"))
    assert "u4" not in {row.annotator for row in found}  # who left the question open gave no label
    assert [row.label for row in read_labels(path, mapping=ARGILLA, control="tone") if row.annotator == "u4"] == ["adhere"]


def test_who_could_not_tell_gave_no_label(export):
    path = export(task(choice("cannot_tell")), {**task(choice("adhere")), "data": {"id": "t2", "response": TEXT, "value": "honesty"}})
    assert [r.id for r in read_labels(path)] == ["t2"]


@pytest.mark.parametrize("name", ["ls_two_choice_controls.json", "ls_text_column.json"])
def test_the_cases_are_refused_and_the_option_mends_them(shared, name):
    path = shared / "cases" / name
    with pytest.raises(InputError, match="`control`|`mapping="):
        list(read_labels(path))
    mend = {"control": "label"} if "controls" in name else {"mapping": {"text": "response"}}
    assert [r.label for r in read_labels(path, **mend)] == ["adhere"]
    assert [j.label for j in read_judgements(path, **mend)] == ["adhere"]


def test_the_settled_export_is_read_by_both(shared):
    path = shared / "cases" / "settled_ls_export.json"
    plain = list(read_labels(shared / "cases" / "l12.jsonl"))
    assert [(r.id, r.label) for r in read_labels(path)] == [(r.id, r.label) for r in plain]
    assert len(read_judgements(path)) == len(plain)


@pytest.mark.parametrize("read", [read_labels, read_judgements])
def test_both_readers_take_the_owners_names_of_labels(export, read):
    path = export(task(choice("Helps")), name="export.jsonl")
    assert [row.label for row in read(path, label_names={"helps": "adhere"})] == ["adhere"]


def test_an_answer_of_argilla_counts_by_a_status_that_is_known(export):
    def said(status):
        return export({**NESTED, "responses": {"adherence": [{"value": "adhere", "user_id": "u", "status": status}]}})

    assert len(list(read_labels(said("Submitted"), values=("honesty",), mapping=ARGILLA))) == 1
    assert not list(read_labels(said("draft"), values=("honesty",), mapping=ARGILLA))
    with pytest.raises(InputError, match="an answer has the status 'done', which is not one of submitted, draft, pending"):
        list(read_labels(said("done"), values=("honesty",), mapping=ARGILLA))


def test_an_id_of_argilla_may_be_zero(export):
    assert next(read_responses(export({**NESTED, "id": 0}), mapping=ARGILLA)).id == "0"


def test_what_was_cancelled_may_be_said_as_text(export):
    def said(cell, name="was_cancelled"):
        whole = task(choice("adhere"))
        whole["annotations"][0][name] = cell
        return export(whole)

    for cell in (False, None, 0, 0.0, "false", "False", "0", ""):
        assert [r.label for r in read_labels(said(cell))] == ["adhere"]
    for cell in (True, 1, "true", "True", "1"):
        assert not list(read_labels(said(cell)))
        assert not list(read_labels(said(cell, "skipped")))
    with pytest.raises(InputError, match="item 1: an annotation's 'was_cancelled' is 'perhaps': it must be true or false"):
        list(read_labels(said("perhaps")))


def test_what_is_settled_may_be_said_as_text(export):
    whole = task(choice("oppose"), annotator="ana")
    whole["annotations"] += [{"annotator": "ben", "ground_truth": "true", "result": [choice("adhere")]}]
    assert [(r.annotator, r.label) for r in read_labels(export(whole))] == [("ben", "adhere")]


LISTED = {
    "external_id": "r1",
    "fields": {"prompt": SCENARIO, "answer": TEXT},
    "metadata": {"value": "honesty"},
    "responses": [
        {"user_id": "u1", "values": {"adherence": {"value": "adhere"}}, "status": "submitted"},
        {"user_id": "u2", "values": {"adherence": {"value": "oppose"}}, "status": "Discarded"},
        {"user_id": "u3", "values": None, "status": "discarded"},
    ],
    "suggestions": [{"question_name": "adherence", "value": "oppose"}],
}
COLUMNS = {
    "external_id": "r1",
    "prompt": SCENARIO,
    "answer": TEXT,
    "metadata": json.dumps({"value": "honesty"}),
    "adherence": [
        {"user_id": "u1", "value": "adhere", "status": "submitted"},
        {"user_id": "u2", "value": "oppose", "status": "discarded"},
        {"user_id": "u3", "value": None, "status": None},
    ],
    "adherence-suggestion": "oppose",
    "adherence-suggestion-metadata": {"score": 0.5},
}
LISTS = COLUMNS | {
    "adherence": {"user_id": ["u1", "u2"], "value": ["adhere", "oppose"], "status": ["submitted", "Discarded"]},
}
FIRST = {
    "id": "r1",
    "text": TEXT,
    "value": "honesty",
    "prediction": [{"label": "oppose", "score": 0.9}],
    "annotation": "adhere",
    "annotation_agent": "u1",
    "status": "Validated",
    "metadata": {},
}


@pytest.mark.parametrize("record", [LISTED, COLUMNS, LISTS])
def test_exports_of_argillas_first_version_give_what_was_submitted(export, record):
    path = export(record)
    found = list(read_labels(path, values=("honesty",), mapping=ARGILLA))
    assert [(r.id, r.scenario, r.response, r.value, r.label, r.annotator) for r in found] == [
        ("r1", SCENARIO, TEXT, "honesty", "adhere", "u1")
    ]
    assert [(r.id, r.response) for r in read_responses(path, mapping=ARGILLA)] == [("r1", TEXT)]
    assert [(j.annotator, j.label) for j in read_judgements(path, mapping=ARGILLA)] == [("u1", "adhere")]


@pytest.mark.parametrize(
    ("status", "labels"), [("Validated", ["adhere"]), ("Discarded", []), ("discarded", []), ("Default", []), ("Edited", [])]
)
@pytest.mark.parametrize("mapping", [{"text": "response"}, {"text": "response", "annotation": "label"}])
def test_a_record_of_the_first_data_sets_counts_by_its_status(export, status, labels, mapping):
    path = export(FIRST | {"status": status})
    assert [r.label for r in read_labels(path, values=("honesty",), mapping=mapping)] == labels


def test_two_questions_of_argillas_first_version_are_not_guessed_at(export):
    said = [{"user_id": "u1", "values": {"adherence": {"value": "adhere"}, "tone": {"value": "oppose"}}, "status": "submitted"}]
    for record in (LISTED | {"responses": said}, COLUMNS | {"tone": None, "tone-suggestion": "oppose"}):
        with pytest.raises(InputError, match="labels come from several controls, adherence, tone: pick one with `control`"):
            list(read_labels(export(record), mapping=ARGILLA))
        assert [r.label for r in read_labels(export(record), mapping=ARGILLA, control="adherence")] == ["adhere"]


def test_an_annotator_of_argilla_may_have_no_name_or_a_number(export):
    for user, name in ((None, None), (7, "7"), (7.0, "7")):
        path = export({**NESTED, "responses": {"adherence": [{"value": "adhere", "user_id": user}]}})
        assert [r.annotator for r in read_labels(path, mapping=ARGILLA)] == [name]
