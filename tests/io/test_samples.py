"""Rows become responses and labels, or a sentence that says what is wrong and where."""

import gc
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clave.annotate.exchange import read_judgements
from clave.errors import InputError
from clave.io import Skipped, read_labels, read_responses, write_jsonl
from clave.records import LABELS, Response
from clave.text.content import is_blank

VALUES = ("care", "fairness")


@pytest.fixture
def file(tmp_path):
    def write(*rows, name="r.jsonl"):
        path = tmp_path / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return path

    return write


def test_a_response_keeps_what_is_not_a_field_of_its_own(file):
    path = file({"id": 7, "response": "x", "scenario": None, "value": "", "model": "m", "metadata": {"n": 1}}, {"id": 1.5, "response": ""})
    assert list(read_responses(path)) == [
        Response(id="7", response="x", metadata={"n": 1, "model": "m"}),
        Response(id="1.5", response=""),
    ]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"id": "a"}, "no 'response': it has id; name it with `mapping={'column': 'response'}`"),
        ({"response": "x"}, "no 'id'"),
        ({}, "it has nothing"),
        ({"id": None, "response": "x"}, "no 'id'"),
        ({"id": "", "response": "x"}, "'id' must be text or a number"),
        ({"id": True, "response": "x"}, "'id' must be text or a number"),
        ({"id": [1], "response": "x"}, "'id' must be text or a number"),
        ({"id": "a", "response": 3}, "'response' must be text, not int"),
        ({"id": "a", "response": "x", "scenario": ["y"]}, "'scenario' must be text, not list"),
    ],
)
def test_a_row_that_is_no_response_is_a_sentence(file, row, sentence):
    with pytest.raises(InputError, match=f"r.jsonl, line 1: .*{sentence}"):
        list(read_responses(file(row)))


def test_ids_are_unique_for_each_value(file):
    rows = [{"id": "a", "response": "x", "value": v} for v in VALUES]
    assert len(list(read_responses(file(*rows)))) == 2
    for bad in ([rows[0], rows[0]], [rows[0], rows[0] | {"value": None}], [rows[0] | {"value": None}, rows[0]]):
        with pytest.raises(InputError, match="line 2: id 'a'.*stands twice"):
            list(read_responses(file(*bad)))
    with pytest.raises(InputError, match="line 2: id '1' stands twice"):
        list(read_responses(file({"id": 1, "response": "x"}, {"id": "1", "response": "y"})))


def test_columns_are_renamed(file):
    path = file({"key": "a", "answer": "x", "response": "other"}, {"key": "b", "answer": "y", "response": "other"})
    found = list(read_responses(path, mapping={"key": "id", "answer": "response"}))
    assert [(r.id, r.response, r.metadata) for r in found] == [("a", "x", {}), ("b", "y", {})]
    swapped = list(
        read_responses(file({"id": "a", "response": "x", "scenario": "y"}), mapping={"response": "scenario", "scenario": "response"})
    )
    assert (swapped[0].response, swapped[0].scenario) == ("y", "x")


def test_a_bad_mapping_is_a_sentence(file):
    path = file({"id": "a", "response": "x", "b": "y"})
    with pytest.raises(InputError, match="line 1: `mapping` names column 'answer', which the row does not have: it has id, response, b"):
        list(read_responses(path, mapping={"answer": "response"}))
    with pytest.raises(InputError, match="`mapping` gives 'response' more than one column: response, b"):
        list(read_responses(path, mapping={"response": "response", "b": "response"}))


def test_long_and_wide_labels_say_the_same(file):
    long = file(
        {"id": "a", "response": "x", "value": "care", "label": "adhere", "note": "n"},
        {"id": "a", "response": "x", "value": "fairness", "label": " Oppose ", "note": "n"},
    )
    wide = file("id,response,care,fairness,note", "a,x,adhere,oppose,n", name="w.csv")
    found = list(read_labels(long, values=VALUES))
    assert [(r.value, r.label, r.metadata) for r in found] == [("care", "adhere", {"note": "n"}), ("fairness", "oppose", {"note": "n"})]
    assert list(read_labels(wide, values=VALUES)) == found


def test_an_empty_cell_of_a_wide_table_is_no_label(file):
    path = file("id,response,care,fairness", "a,x,,oppose", "b,y,unrelated,", name="w.csv")
    assert [(r.id, r.value) for r in read_labels(path, values=VALUES)] == [("a", "fairness"), ("b", "care")]


GOOD = {"id": "a", "response": "x", "value": "care", "label": "adhere"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"label": "yes"}, "label 'yes' is not one of adhere, oppose, unrelated"),
        ({"label": None}, "the row has no label"),
        ({"label": "  "}, "the row has no label"),
        ({"value": "honour"}, "value 'honour' is not in the value system: its values are care, fairness"),
        ({"value": None}, "has a label and no value"),
        ({"value": 3}, "'value' must be text, not int"),
        ({"response": " "}, "must not be empty"),
    ],
)
def test_a_row_that_is_no_label_is_a_sentence_or_skipped(file, change, sentence):
    path = file(GOOD, GOOD | {"id": "b"} | change, GOOD | {"id": "c"})
    with pytest.raises(InputError, match=f"line 2: .*{sentence}"):
        list(read_labels(path, values=VALUES))
    skipped = Skipped()
    assert [r.id for r in read_labels(path, values=VALUES, on_error="skip", skipped=skipped)] == ["a", "c"]
    assert skipped.count == 1


def test_a_row_with_neither_label_nor_value_column_is_a_sentence(file):
    with pytest.raises(InputError, match="neither a column `label` nor a label in a column named after a value"):
        list(read_labels(file({"id": "a", "response": "x"}), values=VALUES))
    with pytest.raises(InputError, match="it has id, response, adherence; name it with `mapping={'column': 'label'}`"):
        list(read_labels(file({"id": "a", "response": "x", "adherence": "yes"}), values=VALUES))


def test_annotators_may_each_label_a_response_once(file):
    rows = [GOOD | {"annotator": who} for who in ("ann", 2, None)]
    assert [r.annotator for r in read_labels(file(*rows))] == ["ann", "2", None]
    with pytest.raises(InputError, match="line 4: id 'a' and value 'care' stands twice"):
        list(read_labels(file(*rows, rows[0])))


def test_folds_come_from_their_column(file):
    path = file(GOOD | {"fold": 1}, GOOD | {"id": "b", "fold": 0}, GOOD | {"id": "c"})
    rows = read_labels(path, fold_column="fold")
    assert [next(rows).fold, next(rows).fold] == ["1", "0"]
    with pytest.raises(InputError, match="line 3: the row has no 'fold', which `fold_column` names"):
        next(rows)


def test_only_so_many_reasons_are_kept(file):
    skipped = Skipped()
    assert list(read_responses(file(*["bad"] * 20), on_error="skip", skipped=skipped)) == []
    assert (skipped.count, len(skipped.reasons)) == (20, 5)


texts = st.text(st.characters(codec="utf-8"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts, lambda v: st.lists(v, max_size=3)
)
responses = st.builds(
    Response,
    id=texts.filter(lambda text: not is_blank(text)),
    response=texts,
    scenario=texts,
    value=st.sampled_from(["care", None]),
    metadata=st.dictionaries(texts.filter(lambda k: k not in Response.model_fields), json_values, max_size=3),
)


@given(rows=st.lists(responses, unique_by=lambda r: r.id, max_size=5))
def test_what_was_written_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("laws") / "r.jsonl"
    assert write_jsonl(path, rows) == len(rows)
    assert list(read_responses(path)) == rows


@pytest.mark.parametrize("label", LABELS)
def test_labels_are_read_as_they_are(file, label):
    assert next(read_labels(file(GOOD | {"label": label}))).label == label


def test_memory_grows_with_the_ids_only(tmp_path):
    """A row is 5,000 characters here: 20,000 of them would be 100 MB; what is kept of each is a hash."""

    def peak(n):
        path = tmp_path / f"{n}.jsonl"
        with path.open("w") as out:
            out.writelines(f'{{"id": "{i}", "response": "{"x" * 5000}"}}\n' for i in range(n))
        gc.collect()
        tracemalloc.start()
        assert sum(1 for _ in read_responses(path)) == n
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        path.unlink()
        return size

    assert peak(20_000) - peak(1_000) < 20_000 * 120 + 4_000_000


@pytest.mark.parametrize("column", ["Fairness", " fairness "])
def test_a_value_that_is_written_otherwise_is_not_left_out(file, column):
    with pytest.raises(InputError, match="is not written as the value 'fairness' is"):
        list(read_labels(file({"id": "a", "response": "x", "care": "adhere", column: "oppose"}), values=VALUES))


@pytest.mark.parametrize("names", [{"Yes": "adhere", "yes ": "oppose"}, {"1": "adhere", "1.0": "oppose"}, {"adhere": "oppose"}])
def test_one_name_of_two_labels_is_refused(file, names):
    with pytest.raises(InputError, match="give each name one label"):
        list(read_labels(file(GOOD), values=VALUES, label_names=names))


def test_an_annotator_is_one_however_the_number_is_written(file):
    with pytest.raises(InputError, match="line 2: id 'a' and value 'care' stands twice"):
        list(read_labels(file(GOOD | {"annotator": 1}, GOOD | {"annotator": 1.0}), values=VALUES))
    with pytest.raises(InputError, match="'annotator' must be text or a number"):
        list(read_labels(file(GOOD | {"annotator": {"email": "a@b"}}), values=VALUES))


BOTH = {"id": 1, "response": "x", "scenario": ""}


@pytest.mark.parametrize(
    ("cells", "aside"),
    [
        ({"value": "care", "label": "adhere", "fairness": "oppose"}, "{'value': 'old_value', 'label': 'old_label'}"),
        ({"value": "care", "label": "adhere", "care": "oppose"}, "{'value': 'old_value', 'label': 'old_label'}"),
        ({"value": "care", "label": "adhere", " Care": 0.4}, "{'value': 'old_value', 'label': 'old_label'}"),
        ({"label": "adhere", "care": "adhere"}, "{'label': 'old_label'}"),
        ({"value": "care", "care": "adhere", "fairness": "oppose"}, "{'value': 'old_value'}"),
        ({"value": "care", "label": None, "fairness": "oppose"}, "{'value': 'old_value'}"),
    ],
)
@pytest.mark.parametrize("read", [read_labels, read_judgements])
def test_a_row_that_is_long_and_wide_is_refused(file, cells, aside, read):
    with pytest.raises(InputError, match="line 1: .*cannot be told which of them hold the labels") as refused:
        list(read(file(BOTH | cells), values=VALUES))
    assert f"`mapping={aside}`" in str(refused.value)


def test_each_row_of_a_table_is_long_or_wide_by_what_it_holds(file):
    rows = ["id,response,value,label,care,fairness", "1,x,care,adhere,,", "2,y,,,oppose,adhere"]
    found = [(r.id, r.value, r.label) for r in read_labels(file(*rows, name="l.csv"), values=VALUES)]
    assert found == [("1", "care", "adhere"), ("2", "care", "oppose"), ("2", "fairness", "adhere")]


@pytest.mark.parametrize("label", ["ａｄｈｅｒｅ", "adhere\u00a0", "\ufeffadhere", "ad\u200bhere", "ADHERE\u2060", "adhere\t"])
def test_a_label_is_one_in_whatever_letters_it_is_written(file, label):
    row = {"id": 1, "response": "x", "value": "care", "label": label}
    assert [r.label for r in read_labels(file(row))] == ["adhere"]
    assert [j.label for j in read_judgements(file(row))] == ["adhere"]
    assert [r.label for r in read_labels(file({"id": 1, "response": "x", "care": label}), values=VALUES)] == ["adhere"]


@pytest.mark.parametrize("label", ["adhere\u0301", "\u0430dhere", "Adhere.", "1e0", True, 1.5, [], {}])
def test_a_label_that_is_another_word_is_none(file, label):
    with pytest.raises(InputError, match="line 1: label .* is not one of adhere, oppose, unrelated"):
        list(read_labels(file({"id": 1, "response": "x", "value": "care", "label": label})))


@pytest.mark.parametrize("column", ["ｃａｒｅ", "care\u00a0", "\ufeffcare"])
def test_a_column_of_a_value_is_not_left_out_for_its_letters(file, column):
    with pytest.raises(InputError, match="is not written as the value 'care' is"):
        list(read_labels(file({"id": 1, "response": "x", column: "adhere", "fairness": "oppose"}), values=VALUES))


def test_names_that_are_one_in_other_letters_are_refused(file):
    with pytest.raises(InputError, match="give each name one label"):
        list(read_labels(file(), label_names={"ｙes": "adhere", "Yes ": "oppose"}))


def test_what_could_not_be_told_is_a_label_where_it_is_named_one(file):
    row = {"id": 1, "response": "x", "value": "care", "label": "cannot_tell"}
    assert not list(read_labels(file(row)))
    assert [r.label for r in read_labels(file(row), label_names={"cannot_tell": "unrelated"})] == ["unrelated"]


@pytest.mark.parametrize("mapping", [{"": "response"}, {"a": ""}, {"a": " "}])
def test_a_mapping_without_a_name_is_refused(file, mapping):
    with pytest.raises(InputError, match="a name is missing in `mapping="):
        list(read_responses(file({"id": 1, "response": "x", "a": "y"}), mapping=mapping))


@pytest.mark.parametrize("identity", ["", "  ", "\u200b", "\ufeff\n"])
def test_an_id_that_cannot_be_seen_is_none(file, identity):
    with pytest.raises(InputError, match="line 1: 'id' must be text or a number that is not empty"):
        list(read_responses(file({"id": identity, "response": "x"})))


def test_an_id_may_be_very_long(file):
    ids = ["x" * 100_000, "x" * 100_000 + "y"]
    assert [r.id for r in read_responses(file(*({"id": i, "response": "x"} for i in ids)))] == ids
