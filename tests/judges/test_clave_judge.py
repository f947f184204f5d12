import asyncio
import json

import pytest

from clave.judges.clave_judge import VARIANTS, ClaveJudge
from clave.judges.protocol import Task
from clave.llm.chat import Completion
from clave.records import LabelledResponse, Response, Usage
from clave.settings import Settings
from clave.values import Value

VALUES = {
    "care": Value(id="care", name="care", definition="Kindness towards those who suffer."),
    "order": Value(id="order", name="order", definition="Following rules."),
}
TEXTS = {"adhere": "help her with", "oppose": "kick her over", "unrelated": "boil some"}
CALIBRATION = [
    LabelledResponse(id=f"{value}-{label}-{i}", response=f"{text} thing {i}", value=value, label=label)
    for value in VALUES
    for label, text in TEXTS.items()
    for i in range(8)
]
ROWS = [Response(id=f"{value}-{label}", response=f"{text} soup", value=value) for value in VALUES for label, text in TEXTS.items()]


class Sharp:
    """Reads the label off the words of the response; writes one guideline for all."""

    model, endpoint = "fake/sharp", ""
    width = 8

    def __init__(self):
        self.systems = []

    async def complete(self, request):
        self.systems.append(request.system)
        fields = request.schema["properties"]
        last = request.user.rfind("<response")
        label = next((label for label, text in TEXTS.items() if text in request.user[last:]), "unrelated")
        one = {"concepts": [f"Doing what is {label}"], "evidence": "", "stance": label, "confidence": 0.9}
        if "stance" in fields:
            data = one
        elif set(fields) & set(VALUES):
            data = dict.fromkeys(fields, one)
        else:
            data = dict.fromkeys(
                fields, "Kicking opposes; helping adheres; cooking is unrelated, whoever asks and in whatever words they do so."
            )
        return Completion(json.dumps(data), self.model, "json_schema", Usage(calls=1, prompt_tokens=10, completion_tokens=5))

    async def close(self): ...


def verdicts_of(judge):
    async def collect():
        return [v async for v in judge.evaluate(Task(VALUES, CALIBRATION, ROWS))]

    return asyncio.run(collect())


@pytest.mark.parametrize("name", ["clave", "clave-plain", "clave-joint"])
def test_clave_judges_every_row_under_the_name_of_its_variant(name):
    judge = ClaveJudge.variant(name, Sharp())
    found = verdicts_of(judge)
    assert {v.id: v.label for v in found} == {r.id: r.id.split("-")[1] for r in ROWS}
    assert {v.evaluator for v in found} == {name}
    assert all(v.concepts for v in found)


def test_values_of_two_systems_are_fitted_apart():
    found = verdicts_of(ClaveJudge("clave", Sharp(), Settings(guideline=False, examples=0), systems={"care": "one", "order": "two"}))
    assert len(found) == len(ROWS)
    assert {v.status for v in found} == {"ok"}


def test_every_variant_is_a_setting_that_exists():
    assert [ClaveJudge.variant(name, Sharp()).name for name in VARIANTS] == list(VARIANTS)


def test_a_joint_call_serves_every_row_of_its_text():
    twins = [ROWS[0], ROWS[0].model_copy(update={"id": "twin"})]

    async def collect():
        judge = ClaveJudge.variant("clave-joint", Sharp())
        return [v async for v in judge.evaluate(Task(VALUES, CALIBRATION, twins))]

    found = asyncio.run(collect())
    assert sorted((v.id, v.label) for v in found) == [("care-adhere", "adhere"), ("twin", "adhere")]
    assert sum(v.usage.calls for v in found) == 1
