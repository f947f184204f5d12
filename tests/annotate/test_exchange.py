"""What goes out comes in again, in every format, and the settled labels are what calibration reads."""

import json
from pathlib import Path

import pytest

from clave.annotate.aggregate import aggregate
from clave.annotate.exchange import FORMATS, SUFFIX, judgement_rows, label_rows, read_judgements, write_rows
from clave.annotate.judgement import Judgement
from clave.errors import InputError
from clave.io import read_labels, read_rows
from clave.records import Evidence

TEXTS = ["plain", 'quotes " and, commas', "two\nlines", "مرحبا بالعالم", "你好", "nul \0 and \u202e bidi", "🙂 evidence"]


@pytest.fixture
def judgements() -> list[Judgement]:
    rows = []
    for i, text in enumerate(TEXTS):
        for who, label in (("ana", "adhere"), ("ben", "adhere" if i % 2 else "cannot_tell")):
            rows.append(
                Judgement.model_validate(
                    {
                        "id": f"r{i}",
                        "value": "care",
                        "annotator": who,
                        "label": label,
                        "scenario": f"s{i}",
                        "response": text,
                        "note": 'why, "so"' if i == 1 else "",
                        "evidence": [Evidence(text=text[:2], start=0, end=2)] if i == 6 else [],
                        "seconds": 1.5,
                        "at": 1000.0 + i,
                        "metadata": {"model": "m", "n": i},
                    }
                )
            )
    return rows


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_brings_every_judgement_back(format: str, judgements: list[Judgement], tmp_path: Path) -> None:
    path = tmp_path / f"labels{SUFFIX[format]}"  # type: ignore[index]
    assert write_rows(path, judgement_rows(judgements)) == len(judgements)
    again = read_judgements(path)
    assert [j.model_dump(exclude={"metadata"}) for j in again] == [j.model_dump(exclude={"metadata"}) for j in judgements]
    kind = str if format == "csv" else int
    assert [j.metadata for j in again] == [{"model": "m", "n": kind(j.metadata["n"])} for j in judgements]


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_settled_labels_are_read_for_calibration(format: str, judgements: list[Judgement], tmp_path: Path) -> None:
    path = tmp_path / f"labels{SUFFIX[format]}"  # type: ignore[index]
    settled = aggregate(judgements).labelled
    write_rows(path, label_rows(settled))
    again = list(read_labels(path, values=["care"]))
    assert [(r.id, r.value, r.label, r.scenario, r.response) for r in again] == [
        (r.id, r.value, r.label, r.scenario, r.response) for r in settled
    ]


def test_a_label_studio_export_is_read(tmp_path: Path) -> None:
    task = {
        "id": 9,
        "data": {"id": "a", "value": "care", "response": "Be kind.", "scenario": "?"},
        "annotations": [
            {
                "completed_by": {"id": 3, "email": "ana@example.org"},
                "lead_time": 2.5,
                "result": [
                    {"type": "choices", "from_name": "label", "to_name": "response", "value": {"choices": ["adhere"]}},
                    {"type": "labels", "value": {"start": 0, "end": 2, "text": "Be", "labels": ["evidence"]}},
                    {"type": "textarea", "value": {"text": ["clear"]}},
                ],
            },
            {"completed_by": 4, "was_cancelled": True, "result": []},
        ],
    }
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task]))
    (found,) = read_judgements(path)
    assert (found.annotator, found.label, found.note, found.seconds) == ("ana@example.org", "adhere", "clear", 2.5)
    assert found.evidence == (Evidence(text="Be", start=0, end=2),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a", "value": "care", "label": "good", "response": "x"}', "line 1: label 'good' is not one of adhere"),
        ('{"id": "a", "label": "adhere", "response": "x"}', "line 1: the row has no 'value'"),
        ('{"id": "a", "value": "car", "label": "adhere", "response": "x"}', "line 1: value 'car' is not in the value system"),
        ('{"id": "a", "value": "care", "label": "adhere", "response": "x"}\n' * 2, "line 2: annotator 'unknown' labels id 'a'"),
        ('{"id": "a", "value": "care", "label": "adhere", "evidence": "{"}', "line 1: "),
    ],
)
def test_a_bad_row_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_judgements(path, values=["care"])


@pytest.mark.parametrize(
    "text", ["{", "{}", "[1]", '[{"d": 1}]', '[{"data": {}, "annotations": [3]}]', '[{"data": {}, "annotations": [{"result": [{}]}]}]']
)
def test_what_is_no_label_studio_export_is_refused_in_a_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InputError, match="x.json"):
        read_judgements(path)


@pytest.mark.parametrize("format", FORMATS)
def test_settled_labels_bring_every_annotators_vote_to_agreement(format: str, judgements: list[Judgement], tmp_path: Path) -> None:
    path = tmp_path / f"labels{SUFFIX[format]}"  # type: ignore[index]
    write_rows(path, label_rows(aggregate(judgements).labelled))
    again = read_judgements(path)
    assert {(j.id, j.annotator, j.label) for j in again} == {(j.id, j.annotator, j.label) for j in judgements}


@pytest.mark.parametrize("format", FORMATS)
def test_settled_labels_of_every_format_calibrate(format: str, judgements: list[Judgement], tmp_path: Path) -> None:
    path = tmp_path / f"labels{SUFFIX[format]}"  # type: ignore[index]
    settled = aggregate(judgements).labelled
    write_rows(path, label_rows(settled))
    assert [(r.id, r.label) for r in read_labels(path)] == [(r.id, r.label) for r in settled]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("what", ["judgements", "labels"])
def test_the_responses_own_columns_go_through(what: str, format: str, tmp_path: Path) -> None:
    """As an audit plan has them; one that is called like a column of ours is kept apart."""
    own = {"inclusion_probability": 0.0421, "stratum": "model-a/high", "round": 2, "seed": 7, "model": "model-a", "note": "mine"}
    said = Judgement(id="r1", value="care", annotator="ana", label="adhere", response="Be kind.", note="clear", metadata=own)
    path = tmp_path / f"out{SUFFIX[format]}"  # type: ignore[index]
    write_rows(path, judgement_rows([said]) if what == "judgements" else label_rows(aggregate([said]).labelled))
    (row,) = read_rows(path)
    columns = row.data["data"] if format == "label-studio" else row.data
    assert {k: type(v)(columns[k]) for k, v in own.items() if k != "note"} == {k: v for k, v in own.items() if k != "note"}
    (again,) = read_judgements(path)
    assert again.metadata["note"] == "mine"
    assert again.note == ("clear" if what == "judgements" else "")
    (labelled,) = read_labels(path)
    assert float(labelled.metadata["inclusion_probability"]) == 0.0421
