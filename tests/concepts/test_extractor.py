"""What the large model says becomes an extraction or a failure; a quote is in the response or is not kept."""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clave.concepts.extractor import MAX_CHARACTERS, Extractor, locate
from clave.llm.answers import read_object
from clave.llm.chat import Completion
from clave.records import Extraction, Failure, Response, Usage
from clave.testing import FakeChat
from clave.values import Value

VALUES = [Value(id=name, name=name.title(), definition=f"About {name}.") for name in ("care", "fairness", "loyalty")]
CARE = VALUES[0]
GOOD = {"concepts": ["Helping others"], "evidence": "she helped", "stance": "adhere", "confidence": 0.9}
HELPED = Response(id="r", response="Then she helped him.")


def extract(answer, response=HELPED):
    return asyncio.run(Extractor(FakeChat(lambda request: answer)).extract(response, CARE))


def test_an_answer_becomes_an_extraction():
    found = extract(GOOD)
    assert found.extraction == Extraction(
        concepts=("Helping others",), stance="adhere", confidence=0.9, evidence=[{"text": "she helped", "start": 5, "end": 15}]
    )
    assert (found.usage.calls, found.cached, found.served_by) == (1, False, "fake/chat")


@pytest.mark.parametrize("text", ["```json\n{}\n```", "<think>{no</think> Sure: {} Done."])
def test_the_object_is_found_in_what_stands_around_it(text):
    found = extract(text.replace("{}", json.dumps(GOOD)))
    assert found.extraction.stance == "adhere"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"stance": "neutral"}, "'stance' is 'neutral', not one of"),
        ({"stance": ["adhere", "oppose"]}, "'stance' is"),
        ({"confidence": 1.5}, "not a number from 0 to 1"),
        ({"confidence": "high"}, "not a number from 0 to 1"),
        ({"confidence": "nan"}, "not a number from 0 to 1"),
        ({"confidence": "9" * 6000}, "not a number from 0 to 1"),
        ({"confidence": 90}, "not a number from 0 to 1"),
        ({"confidence": True}, "not a number from 0 to 1"),
        ({"confidence": float("nan")}, "not a number from 0 to 1"),
        ({"concepts": [1]}, "'concepts' is not a list of texts"),
        ({"concepts": [" "]}, "a stance and no concept"),
        ({"evidence": ["x", "y"]}, "'evidence' is not a text"),
    ],
)
def test_an_answer_of_another_form_is_a_failure(change, sentence):
    found = extract(GOOD | change)
    assert found.kind == "bad_answer"
    assert sentence in found.reason


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (json.dumps(GOOD | {"stance": " Adheres. "}), ("mended_form",)),
        (json.dumps(GOOD | {"stance": ["ADHERE"]}), ("mended_form",)),
        (json.dumps(GOOD | {"confidence": "0.9"}), ("mended_form",)),
        (json.dumps(GOOD | {"confidence": "90 %"}), ("mended_form",)),
        (json.dumps(GOOD | {"concepts": "Helping others"}), ("mended_form",)),
        (json.dumps({name.title(): cell for name, cell in GOOD.items()}), ("mended_form",)),
        (json.dumps([GOOD]), ("mended_form",)),
        (json.dumps({"answer": GOOD}), ("mended_form",)),
        (json.dumps({"answer": GOOD, "note": "as asked"}), ("mended_form",)),
        (json.dumps({"result": {"answer": GOOD}}), ("mended_form",)),
        (json.dumps({"name": "answer", "arguments": GOOD}), ("mended_form",)),
        (json.dumps({"name": "answer", "arguments": json.dumps(GOOD)}), ("mended_form",)),
        (json.dumps(json.dumps(GOOD)), ("mended_form",)),
        ("<tool_call>" + json.dumps({"name": "answer", "arguments": GOOD}) + "</tool_call>", ("in_prose", "mended_form")),
        (json.dumps(GOOD | {"stance": "ａｄｈｅｒｅ"}), ("mended_form",)),
        (f"I weigh {{this}} and {{ that: {json.dumps(GOOD)}", ("in_prose",)),
        (f'First {{"a": 1}}, then {json.dumps(GOOD)}.', ("in_prose",)),
        (json.dumps(GOOD)[:-1] + ", }", ("mended_syntax",)),
        (json.dumps(GOOD).replace('others"]', 'others",\n]'), ("mended_syntax",)),
        (json.dumps(GOOD).replace("she helped", "she\nhelped"), ("mended_syntax",)),
        (f"<|channel|>analysis<|message|>We need {{..}}.<|end|><|start|>assistant<|channel|>final<|message|>{json.dumps(GOOD)}", ()),
    ],
)
def test_what_can_only_be_meant_in_one_way_is_read_and_the_verdict_says_so(text, flags):
    found = extract(text).extraction
    assert (found.stance, found.confidence, found.concepts) == ("adhere", 0.9, ("Helping others",))
    assert found.evidence[0].text == "she helped"
    assert found.flags == flags


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{json.dumps(GOOD)} or {json.dumps(GOOD | {'stance': 'oppose'})}", "2 JSON objects that differ"),
        ('{"stance": "oppose", ' + json.dumps(GOOD)[1:], "no JSON object"),
        ('{"Stance": "oppose", ' + json.dumps(GOOD)[1:], "'Stance' and 'stance' say different things"),
        (json.dumps({"first": GOOD, "second": GOOD | {"stance": "oppose"}}), "'concepts' is not a list of texts"),
        (json.dumps({"first": GOOD, "second": {"third": json.dumps(GOOD | {"stance": "oppose"})}}), "'concepts' is not a list of texts"),
        (f"<think>It asks me to say {json.dumps(GOOD)}", "a thought that does not end"),
        (f"<|channel|>analysis<|message|>It asks me to say {json.dumps(GOOD)}", "no JSON object"),
        (json.dumps([GOOD, GOOD | {"stance": "oppose"}]), "objects that differ"),
        ("[" * 100_000 + json.dumps(GOOD), "|"),
        ('{"a": ' * 1000 + json.dumps(GOOD) + "}" * 1000, "nested too deep|'concepts'"),
        ("{" * 20_000 + json.dumps(GOOD), "nested too deep"),
        (json.dumps(GOOD).replace("0.9", "1" * 6000), "JSON|confidence"),
        ("x" * 600_000, "600,000 characters long"),
    ],
)
def test_what_can_be_meant_in_two_ways_is_no_answer(text, sentence):
    found = extract(text)
    if sentence != "|":
        assert (found.status, found.kind) == ("failed", "bad_answer")
        assert re.search(sentence, found.reason)


@pytest.mark.parametrize("text", ["", "[1]", "null", "{", "no object", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_object_is_a_value_error(text):
    with pytest.raises(ValueError, match="."):
        read_object(text)


@pytest.mark.parametrize("half", ["\\ud83d", "\ud83d"])
def test_half_characters_are_replaced_so_that_a_verdict_can_be_written(half):
    found = extract(json.dumps(GOOD, ensure_ascii=False).replace("Helping others", f"Helping {half} others 🙂 \\ud83d\\ude42"))
    assert found.extraction.concepts == ("Helping \ufffd others 🙂 🙂",)
    assert found.extraction.model_dump_json()


def test_concepts_are_tidied():
    found = extract(GOOD | {"concepts": ["  Helping\n others ", "", "Helping others", "b" * 999, "c", "d"]})
    assert found.extraction.concepts == ("Helping others", "b" * 300, "c")


@pytest.mark.parametrize("evidence", ["", None])
def test_no_evidence_is_no_flag(evidence):
    found = extract(GOOD | {"evidence": evidence}).extraction
    assert (found.evidence, found.flags) == ((), ())


def test_a_quote_that_is_not_there_is_dropped_and_flagged():
    found = extract(GOOD | {"evidence": "he ran away"}).extraction
    assert (found.evidence, found.flags) == ((), ("evidence_not_found",))


def test_a_long_response_is_flagged_and_evidence_keeps_its_place():
    text = "x" * (MAX_CHARACTERS + 10) + " she helped"
    found = extract(GOOD, Response(id="r", response=text)).extraction
    assert found.flags == ("cut",)
    assert found.evidence[0].start == MAX_CHARACTERS + 11


def test_a_long_conversation_keeps_its_ends_and_is_flagged():
    chat = FakeChat(lambda request: GOOD)
    scenario = "System: FIRST" + "\n\nUser: on and on" * 3000 + "\n\nUser: LAST"
    found = asyncio.run(Extractor(chat).extract(Response(id="r", scenario=scenario, response="Then she helped him."), CARE))
    assert found.extraction.flags == ("cut",)
    asked = chat.requests[0].user
    assert "System: FIRST" in asked
    assert "User: LAST" in asked
    assert "characters or more are left out here" in asked


@pytest.mark.parametrize("mode", ["json_object", "text"])
def test_the_verdict_says_how_the_answer_was_asked_for(mode):
    class Plain(FakeChat):
        async def complete(self, request):
            return Completion(json.dumps(GOOD), "m", mode, Usage())

    assert asyncio.run(Extractor(Plain()).extract(HELPED, CARE)).extraction.flags == (mode,)


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_an_empty_response_is_not_asked_about(text):
    chat = FakeChat()
    empty = Response(id="r", response=text)
    found = asyncio.run(Extractor(chat).extract(empty, CARE))
    joint = asyncio.run(Extractor(chat).extract_joint(empty, VALUES, {}))
    assert (found.kind, chat.calls) == ("empty", 0)
    assert joint == dict.fromkeys(["care", "fairness", "loyalty"], found)


def joint(answers):
    chat = FakeChat(answers)
    return asyncio.run(Extractor(chat).extract_joint(HELPED, VALUES, {"care": "G"})), chat


def test_all_values_in_one_call_cost_one_call():
    found, chat = joint({"helped": "adhere"})
    assert [e.extraction.stance for e in found.values()] == ["adhere"] * 3
    assert chat.calls == 1
    assert sum(e.usage.calls for e in found.values()) == 1


def test_a_value_that_the_joint_answer_misses_is_asked_for_alone():
    def answers(request):
        if "care" in request.schema["properties"]:
            return {"care": GOOD, "fairness": {"stance": "?"}}
        return GOOD | {"stance": "oppose"}

    found, chat = joint(answers)
    assert {v: e.extraction.stance for v, e in found.items()} == {"care": "adhere", "fairness": "oppose", "loyalty": "oppose"}
    assert chat.calls == sum(e.usage.calls for e in found.values()) == 3


def test_a_joint_answer_without_any_value_is_still_counted():
    found, chat = joint(lambda request: GOOD if "stance" in request.schema["properties"] else {})
    assert chat.calls == sum(e.usage.calls for e in found.values()) == 4


@pytest.mark.parametrize(("kind", "calls"), [("refused", 1), ("budget", 1), ("bad_answer", 4)])
def test_a_joint_failure_is_asked_again_by_value_where_that_may_help(kind, calls):
    failure = Failure(status="refused" if kind == "refused" else "failed", kind=kind, reason="r")
    found, chat = joint(lambda request: failure)
    assert found == dict.fromkeys(["care", "fairness", "loyalty"], failure)
    assert chat.calls == calls


@pytest.mark.parametrize(
    ("quote", "text", "expected"),
    [
        ("she helped", "Then she helped him.", "she helped"),
        ("She  helped “him”", "then she\nhelped 'him'.", "she\nhelped 'him"),
        ("don't go", "I said: Don’t go!", "Don’t go"),
        ("...", "no dots", None),
        ("她帮助了他", "然后她帮助了他。", "她帮助了他"),
        ("a.*b", "a then b", None),
        ("helped her", "helped him", None),
    ],
)
def test_a_quote_is_found_word_for_word(quote, text, expected):
    found = locate(quote, text)
    assert (found and found.text) == expected


words = st.text(st.sampled_from("ab \n.“”'İßǅ是"), max_size=12)


@given(text=words, quote=words)
def test_offsets_give_the_text_of_the_quote(text, quote):
    found = locate(quote, text)
    if found is not None:
        assert text[found.start : found.end] == found.text
    if quote and quote in text:
        assert found is not None
