"""What stands in somebody's columns becomes the fields of a response; what could be read in two ways is refused."""

import json
from decimal import Decimal

import numpy as np
import pytest

from clave.annotate.exchange import read_judgements
from clave.errors import InputError, InputWarning
from clave.io import read_labels, read_responses
from clave.records import Response


@pytest.fixture
def file(tmp_path):
    def write(*rows, name="r.jsonl"):
        path = tmp_path / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return path

    return write


@pytest.mark.parametrize(
    ("cell", "identity"),
    [("1.0", "1"), ("1", "1"), ("1e3", "1000"), ("1.5", "1.5"), ('"1.0"', "1.0"), ("12345678901234567890", "12345678901234567890")],
)
def test_a_whole_number_is_one_id_however_it_is_written(file, cell, identity):
    assert next(read_responses(file(f'{{"id": {cell}, "response": "x"}}'))).id == identity


def test_ids_that_are_one_number_stand_twice(file):
    with pytest.raises(InputError, match="line 2: id '1' stands twice"):
        list(read_responses(file('{"id": 1, "response": "x"}', '{"id": 1.0, "response": "y"}')))


def test_a_table_says_a_whole_number_as_pandas_writes_it_where_a_cell_is_empty(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("number,response,value,label\n1.0,x 1.0,care,1.0\n2,1.0,care,-1.0\nv1.0,x,care,1\n")
    mapping, names = {"number": "id"}, {"1": "adhere", "-1": "oppose"}
    labels = [(r.id, r.response, r.label) for r in read_labels(path, mapping=mapping, label_names=names)]
    assert labels == [("1", "x 1.0", "adhere"), ("2", "1.0", "oppose"), ("v1.0", "x", "adhere")]
    assert [r.id for r in read_responses(path, mapping=mapping)] == ["1", "2", "v1.0"]
    assert [j.id for j in read_judgements(path, mapping=mapping, label_names=names)] == ["1", "2", "v1.0"]


@pytest.mark.parametrize(("cell", "identity"), [("1.0", "1"), ('"1.0"', "1.0")])
def test_judgements_have_the_ids_that_responses_have(file, cell, identity):
    path = file(f'{{"id": {cell}, "response": "x", "value": "care", "label": "adhere"}}')
    assert [r.id for r in (*read_judgements(path), *read_labels(path), *read_responses(path))] == [identity] * 3


def test_a_frame_gives_what_its_file_gives():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": [1.0], "scenario": pandas.array([pandas.NA], dtype="string")})
    frame["messages"] = pandas.Series([np.array(CHAT, dtype=object)])  # as pandas reads a list from Parquet
    with pytest.warns(InputWarning, match="'scenario' is NaN"):
        (found,) = read_responses(frame)
    assert (found.id, found.response) == ("1", "A dog.")


@pytest.mark.parametrize("cell", ["Infinity", "-Infinity"])
def test_an_id_without_end_is_none(file, cell):
    with pytest.raises(InputError, match="'id' must be text or a number"):
        list(read_responses(file(f'{{"id": {cell}, "response": "x"}}')))


def test_a_cell_that_is_no_number_is_empty_and_that_is_said_once(file):
    path = file(*(f'{{"id": {i}, "response": "x", "scenario": NaN, "note": NaN}}' for i in range(3)))
    with pytest.warns(InputWarning) as told:
        found = list(read_responses(path))
    assert [(r.scenario, r.metadata) for r in found] == [("", {"note": None})] * 3
    assert [str(w.message) for w in told] == [f"{path}, line 1: 'scenario' is NaN, which is taken as empty here and wherever it stands"]


@pytest.mark.parametrize("field", ["id", "response"])
def test_a_field_that_must_be_there_is_not_there_as_nan(file, field):
    row = json.dumps({"id": 1, "response": "x"} | {field: float("nan")})
    with pytest.warns(InputWarning), pytest.raises(InputError, match=f"the row has no {field!r}"):
        list(read_responses(file(row)))


@pytest.mark.parametrize("cell", ["nan", "NaN"])
def test_a_missing_value_of_a_table_is_empty_in_csv_too(tmp_path, cell):
    path = tmp_path / "r.csv"
    path.write_text(f"id,scenario,response\n1,{cell},a nan of bread\n")
    with pytest.warns(InputWarning, match="line 2: 'scenario' is NaN"):
        assert [(r.scenario, r.response) for r in read_responses(path)] == [("", "a nan of bread")]


def test_a_label_that_is_nan_is_no_label(file):
    path = file('{"id": 1, "response": "x", "care": NaN, "fairness": "adhere"}')
    assert [(r.value, r.label) for r in read_labels(path, values=("care", "fairness"))] == [("fairness", "adhere")]


@pytest.mark.parametrize("text", ["\u200b", "\ufeff \u2060"])
def test_a_text_that_cannot_be_seen_is_no_labelled_response(file, text):
    path = file({"id": 1, "response": text, "value": "care", "label": "adhere"})
    with pytest.raises(InputError, match="must not be empty"):
        list(read_labels(path))


def test_a_field_within_a_column_is_named_with_a_dot(file):
    path = file({"key": {"n": 3}, "choices": [{"message": {"content": "x"}}], "a.b": "kept"})
    mapping = {"key.n": "id", "choices.0.message.content": "response", "a.b": "scenario"}
    found = next(read_responses(path, mapping=mapping))
    assert (found.id, found.response, found.scenario) == ("3", "x", "kept")
    with pytest.raises(InputError, match="`mapping` names column 'key.m', which the row does not have: it has key, choices, a.b"):
        list(read_responses(path, mapping={"key.m": "id"}))


CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]},
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "And now?"},
    {"role": "assistant", "content": "A dog."},
    {"role": "user", "content": "Thanks."},
]


def test_the_last_assistant_turn_is_judged_in_the_light_of_what_came_before(file):
    (found,) = read_responses(file({"id": "c", "messages": CHAT, "model": "m"}))
    assert found.response == "A dog."
    assert found.scenario == "System: Be brief.\n\nUser: What is this?\n[image_url]\n\nAssistant: A cat.\n\nUser: And now?"
    assert (found.id, found.metadata) == ("c", {"model": "m"})


def test_every_assistant_turn_is_judged_when_that_is_asked_for(file):
    found = list(read_responses(file({"id": "c", "messages": CHAT}, {"id": "d", "response": "x"}), turns="all"))
    assert [(r.id, r.response) for r in found] == [("c#1", "A cat."), ("c#2", "A dog."), ("d", "x")]
    assert found[0].scenario == "System: Be brief.\n\nUser: What is this?\n[image_url]"


@pytest.mark.parametrize("column", ["conversations", "conversation", "messages"])
@pytest.mark.parametrize("keys", [("from", "value"), ("role", "content")])
def test_conversations_of_every_format_say_the_same(file, column, keys):
    said = [("human" if keys[0] == "from" else "user", "Hi?"), ("gpt" if keys[0] == "from" else "assistant", "Hello.")]
    chat = [dict(zip(keys, turn, strict=True)) for turn in said]
    assert list(read_responses(file({"id": 1, column: chat}))) == [Response(id="1", scenario="Hi?", response="Hello.")]
    assert next(read_responses(file({"id": 1, "chat": {"turns": chat}}), mapping={"chat.turns": "messages"})).response == "Hello."


def test_a_conversation_in_a_cell_of_a_table_is_json(tmp_path):
    import csv

    path = tmp_path / "r.csv"
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([["id", "messages"], ["1", json.dumps(CHAT)]])
    assert next(read_responses(path)).response == "A dog."
    path.write_text("id,messages\n1,\"[{'role': 'user', 'content': 'Hi?'}]\"\n")
    with pytest.raises(InputError, match="line 2: a conversation must be a list .* in a cell of text that list as JSON"):
        list(read_responses(path))


ASKED = "System: Be brief.\n\nUser: What is this?\n[image_url]"


@pytest.mark.parametrize("column", ["scenario", "prompt"])
@pytest.mark.parametrize("cell", [CHAT[:2], json.dumps(CHAT[:2])])
def test_what_was_asked_may_be_a_conversation(file, column, cell):
    (found,) = read_responses(file({"id": 1, column: cell, "response": "A cat."}))
    assert (found.scenario, found.response, found.metadata) == (ASKED, "A cat.", {})


def test_a_prompt_is_the_scenario_where_the_row_has_no_other(file):
    rows = ({"id": 1, "prompt": "Why?", "response": "x"}, {"id": 2, "prompt": "p", "scenario": "Why?", "response": "x"})
    assert [(r.scenario, r.metadata) for r in read_responses(file(*rows))] == [("Why?", {}), ("Why?", {"prompt": "p"})]


def test_a_conversation_in_a_column_of_another_name_is_never_left_out_without_a_word(file):
    path = file({"id": 1, "history": CHAT[:2], "response": "A cat."})
    with pytest.raises(InputError, match="a conversation in 'history': `mapping={'history': 'scenario'}` if .*'metadata'"):
        list(read_responses(path))
    assert next(read_responses(path, mapping={"history": "scenario"})).scenario == ASKED
    (found,) = read_responses(path, mapping={"history": "metadata"})
    assert (found.scenario, found.metadata) == ("", {"metadata": CHAT[:2]})


def test_metadata_that_are_no_object_are_kept(file):
    rows = ({"id": i, "response": "x", "metadata": cell} for i, cell in enumerate(["a", {"b": 1}, None]))
    assert [r.metadata for r in read_responses(file(*rows))] == [{"metadata": "a"}, {"b": 1}, {}]


def test_a_call_of_a_tool_is_what_the_assistant_does(file):
    call = {"id": "1", "type": "function", "function": {"name": "delete_all", "arguments": '{"sure": true}'}}
    chat = [{"role": "user", "content": "Clean up."}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    assert next(read_responses(file({"id": 1, "messages": chat}))).response == '[calls delete_all({"sure": true})]'


def test_texts_and_calls_of_older_formats_are_read(file):
    text = [{"type": "text", "text": {"value": "Clean up.", "annotations": []}}]
    chat = [{"role": "user", "content": text}, {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}]
    (found,) = read_responses(file({"id": 1, "messages": chat}))
    assert (found.scenario, found.response) == ("Clean up.", "[calls f({})]")


def test_a_refusal_is_what_the_assistant_says(file):
    chat = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": None, "refusal": "I will not say."}]
    assert next(read_responses(file({"id": 1, "messages": chat}))).response == "I will not say."


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ({"from": "function_call", "value": '{"name": "f"}'}, '{"name": "f"}'),
        ({"role": None, "content": None, "from": "gpt", "value": "No."}, "No."),
        ({"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {"a": "é"}}]}, '[calls f({"a": "é"})]'),
        (
            {"role": "assistant", "content": None, "tool_calls": [{"type": "custom", "custom": {"name": "sh", "input": "ls"}}]},
            "[calls sh(ls)]",
        ),
        ({"role": "assistant", "content": None, "audio": {"id": "x", "transcript": "No."}}, "No."),
    ],
)
def test_what_the_assistant_says_is_never_lost(file, turn, said):
    result = {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "42"}]}]}
    (found,) = read_responses(file({"id": 1, "messages": [{"role": "assistant", "content": "early"}, result, turn]}))
    assert (found.scenario, found.response) == ("Assistant: early\n\nUser: 42", said)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"messages": CHAT[:2]}, "no turn of the assistant"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "message 1: 'narrator' is no role that is known"),
        ({"messages": [{"role": "user", "content": 3}]}, "message 1: 'content' must be text or a list of parts, not int"),
        ({"messages": CHAT, "response": "x"}, "a conversation in 'messages' and also 'response'.*messages': 'scenario'"),
        ({"messages": CHAT, "conversations": CHAT}, "a conversation in 'messages' and also 'conversations'"),
        ({"messages": []}, "no 'response'"),
        ({"messages": {"role": ["user"], "content": ["Hi?"]}, "response": "x"}, "a conversation in 'messages' and also 'response'"),
        ({"messages": {"role": ["user"], "content": ["Hi?"]}}, "a conversation must be a list of messages with 'role'"),
        ({"messages": [{"role": "assistant", "content": "x", "value": "y"}]}, "one thing in 'content' and another in 'value'"),
        ({"messages": [{"content": "Hi?"}], "response": "x"}, "a conversation in 'messages' and also 'response'"),
        ({"messages": [{"content": "Hi?"}]}, "a conversation must be a list of messages with 'role'"),
        ({"messages": [{"role": "assistant", "text": "x"}]}, "message 1: the message has no 'content' and no 'value': it has role, text"),
        ({"messages": [{"role": "assistant", "content": {"a": "x"}}]}, "message 1: a part of 'content' has neither a 'text' nor"),
        ({"messages": [{"role": "assistant", "content": [{"type": "text", "content": "x"}]}]}, "neither a 'text' nor"),
        ({"messages": [{"role": "assistant", "content": "", "tool_calls": "x"}]}, "message 1: 'tool_calls' must be a list of objects"),
        ({"response": CHAT}, "'response' is a conversation: name it with `mapping={'response': 'messages'}`"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(file, row, sentence):
    with pytest.raises(InputError, match=f"line 1.*{sentence}"):
        list(read_responses(file({"id": 1} | row)))


def test_a_conversation_can_be_the_scenario(file):
    path = file({"id": 1, "messages": CHAT[:2], "response": "A cat."})
    (found,) = read_responses(path, mapping={"messages": "scenario"})
    assert (found.scenario, found.response) == ("System: Be brief.\n\nUser: What is this?\n[image_url]", "A cat.")


def test_labels_have_the_names_that_their_owner_gives_them(file):
    names = {"1": "adhere", "0": "unrelated", "-1": "oppose", "Yes": "adhere"}
    labels = [1, "0", -1.0, " yes ", "oppose"]
    path = file(*({"id": i, "response": "x", "value": "care", "label": label} for i, label in enumerate(labels)))
    assert [r.label for r in read_labels(path, label_names=names)] == ["adhere", "unrelated", "oppose", "adhere", "oppose"]
    with pytest.raises(InputError, match="line 1: label 1 is not one of adhere, oppose, unrelated: say what it means, e.g. `label_names="):
        list(read_labels(path))
    with pytest.raises(InputError, match="label '1' is to be 'good', which is not one of"):
        list(read_labels(path, label_names={"1": "good"}))


@pytest.mark.parametrize("number", ["1e17", "9007199254740993.0", "-1e300"])
def test_a_fraction_that_has_lost_digits_is_no_id(tmp_path, number):
    (tmp_path / "r.jsonl").write_text(f'{{"id": {number}, "response": "x"}}\n')
    with pytest.raises(InputError, match="line 1: 'id' is .*write it as text or a whole number"):
        list(read_responses(tmp_path / "r.jsonl"))


@pytest.mark.parametrize(
    ("number", "identity"),
    [
        ("1", "1"),
        ("1.00", "1"),
        ("0.10", "0.1"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("-0.0", "0"),
    ],
)
def test_a_decimal_is_the_number_that_it_is(tmp_path, number, identity):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"id": [Decimal(number)], "response": ["x"]}), tmp_path / "r.parquet")
    assert next(read_responses(tmp_path / "r.parquet")).id == identity
    assert next(read_responses([{"id": Decimal(number), "response": "x"}])).id == identity


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_a_decimal_without_end_is_no_id(number):
    with pytest.raises(InputError, match="row 1: 'id' must be text or a number"):
        list(read_responses([{"id": Decimal(number), "response": "x"}]))
