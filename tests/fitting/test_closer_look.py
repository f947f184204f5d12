"""One call for all values, then a closer look: where the joint answer is trusted, and what is asked again."""

import json

import pytest

from clave import Clave, LabelledResponse, Response, Settings, ValueSystem
from clave.fitting.closer_look import choose_closer_look
from clave.records import Extraction
from clave.testing import FakeChat

SYSTEM = ValueSystem.parse(
    """
id: three
name: Three
version: "1"
values:
  - {id: care, name: Care, definition: Being kind.}
  - {id: honesty, name: Honesty, definition: Telling the truth.}
  - {id: courage, name: Courage, definition: Facing what one fears.}
"""
)
WORDS = {"helped": "adhere", "harmed": "oppose", "watered": "unrelated"}


def rows():
    return [
        LabelledResponse(id=f"{v}{word}{i}", scenario=f"{v} {word} day {i}", response=f"Number {i} {word} there.", value=v, label=label)
        for v in SYSTEM.by_id
        for word, label in WORDS.items()
        for i in range(4)
    ]


def answers(request):
    """Sure of what helped or harmed and unsure, and wrong, of the rest: but only where all values are asked for at once."""
    if "guideline" in request.schema["properties"]:
        return "adhere"
    last = request.user[request.user.rindex("<response") :]
    label = next((label for word, label in WORDS.items() if word in last), "unrelated")
    one = {"concepts": ["Doing"], "evidence": "", "stance": label, "confidence": 0.9}
    if "stance" in request.schema["properties"]:
        return json.dumps(one)
    unsure = one | {"stance": "adhere", "confidence": 0.55} if label == "unrelated" else one
    return json.dumps(dict.fromkeys(request.schema["properties"], unsure))


@pytest.fixture(scope="module")
def fitted():
    return Clave(SYSTEM, chat=FakeChat(answers)).fit(rows())


def joint(request):
    return len(request.schema["properties"]) == 3 and "care" in request.schema["properties"]


def test_the_threshold_is_the_lowest_at_which_nothing_is_lost(fitted):
    look = fitted.fitted.closer_look
    assert (look.below, look.loss.value) == (0.7, 0)
    assert look.share == pytest.approx(1 / 3, abs=1e-3)


def test_what_a_joint_answer_is_unsure_of_is_asked_by_itself_with_examples(fitted):
    chat = FakeChat(answers)
    found = list(fitted.with_chat(chat).evaluate([Response(id="h", response="She helped."), Response(id="w", response="He watered it.")]))
    assert [v.label for v in found if v.id == "h"] == ["adhere"] * 3
    assert [v.label for v in found if v.id == "w"] == ["unrelated"] * 3
    assert sum(map(joint, chat.requests)) == 2
    alone = [r for r in chat.requests if not joint(r)]
    assert len(alone) == 3
    assert all("<example" in r.user or "Label:" in r.user for r in alone)
    assert sum(v.usage.calls for v in found) == 5


def test_the_same_text_is_one_joint_call_whichever_values_are_wanted(fitted):
    chat = FakeChat(answers)
    asked = [Response(id=v, response="She helped.", value=v) for v in ("care", "courage")]
    assert {v.label for v in fitted.with_chat(chat).evaluate(asked)} == {"adhere"}
    assert len({(r.system, r.user) for r in chat.requests}) == 1


def test_two_values_and_no_labels_are_asked_for_singly(fitted):
    chat = FakeChat(answers)
    two = Clave(SYSTEM, chat=chat).fit([r for r in rows() if r.value != "courage"])
    assert two.fitted.closer_look is None
    assert not any(map(joint, chat.requests))
    list(Clave(SYSTEM, chat=chat).evaluate([Response(id="h", response="She helped.")]))
    assert not any(map(joint, chat.requests))


def test_it_is_saved_and_part_of_the_name(fitted, tmp_path):
    loaded = Clave.load(fitted.save(tmp_path / "e"), chat=FakeChat(answers))
    assert loaded.fitted.closer_look == fitted.fitted.closer_look
    single = Clave(SYSTEM, chat=FakeChat(answers), settings=Settings(ask="single")).fit(rows())
    assert single.name != fitted.name


def test_an_evaluator_of_0_1_is_read_as_it_asked():
    assert Settings.model_validate({"joint": True}).ask == "joint"
    assert Settings.model_validate({"joint": False}).ask == "single"


def test_joint_answers_that_cost_too_much_everywhere_are_not_used():
    right = [Extraction(concepts=("a",), stance="adhere", confidence=0.9)] * 40
    wrong = [Extraction(concepts=("a",), stance="oppose", confidence=0.99)] * 40
    assert choose_closer_look(wrong, right, ["adhere"] * 40, [str(i) for i in range(40)]) is None
