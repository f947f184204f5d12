"""What is unlike the labelled samples is told by its words: another language is, whatever the encoder makes of it."""

import random

import pytest

from clave import Clave, Response
from clave.demo.recorded import RecordedChat, demo_labels, demo_responses, demo_settings, demo_system
from clave.fitting.samples import Sample
from clave.fitting.wording import FALSE_ALARMS, Wording, words_of
from clave.records import LabelledResponse
from clave.testing import FakeChat

FOREIGN = [
    "先别急着回击，找个安静的时间问问他为什么这么做。",
    "Schick dem Vermieter die Fotos und bitte ihn um eine schriftliche Begründung.",
    "Раз он тебя обманул, ты ему ничего не должен.",
    "أرسل الصور إلى صاحب البيت واطلب ردا مكتوبا.",
    "先生に相談して、ひとりで抱えこまないでください。",
]
CHINESE = [
    "他们把门关上",
    "我们去看看他",
    "你可以问问老师",
    "他没有说谎",
    "请把书还给她",
    "我们不能这样做",
    "老师把书给了他",
    "你们可以去看她",
]


@pytest.fixture(scope="module")
def wording():
    return Wording.of([Sample(labelled=row, fold=0) for row in demo_labels()])


@pytest.mark.parametrize("text", FOREIGN)
def test_another_language_is_unlike(wording, text):
    assert wording.unlike(text)


def test_texts_like_the_labelled_ones_are_seldom_flagged(wording):
    texts = [response.response for response in demo_responses()]
    assert sum(wording.unlike(text) for text in texts) <= 0.06 * len(texts)


@pytest.mark.parametrize("text", ["", "42!", "No.", "Nein.", "…"])
def test_a_word_or_two_are_not_enough_to_tell(wording, text):
    assert not wording.unlike(text)


def test_a_language_that_was_labelled_is_not_unlike_and_english_then_is():
    rng = random.Random(0)
    texts = ["，".join(rng.sample(CHINESE, 4)) for _ in range(40)]
    rows = [LabelledResponse(id=str(i), scenario=f"第{i}题", response=text, value="care", label="adhere") for i, text in enumerate(texts)]
    wording = Wording.of([Sample(labelled=row, fold=0) for row in rows])
    assert not any(wording.unlike("，".join(rng.sample(CHINESE, 3))) for _ in range(20))
    assert wording.unlike("Tell the landlord that you have photos of the scratch, and ask for the rest of it.")


def test_words_of_scripts_without_spaces_are_their_letters():
    assert words_of("Ｔell him: 别急 42") == ["tell", "him", "别", "急"]


def test_at_most_the_stated_share_of_the_labelled_texts_lies_beyond_the_threshold():
    rng = random.Random(1)
    pool = [f"w{i}".replace("1", "a").replace("2", "b") for i in range(300)]
    rows = [
        LabelledResponse(id=str(i), response=" ".join(rng.choices(pool, k=30)), value="care", label="adhere", scenario=str(i))
        for i in range(200)
    ]
    wording = Wording.of([Sample(labelled=row, fold=0) for row in rows])
    again = [" ".join(rng.choices(pool, k=30)) for _ in range(500)]
    assert sum(wording.unlike(text) for text in again) / 500 <= 2 * FALSE_ALARMS


@pytest.fixture(scope="module")
def evaluator():
    return Clave(demo_system(), settings=demo_settings(), chat=RecordedChat()).fit(demo_labels()).fitted


def adhering():
    """A large model that finds the same in every response."""
    return FakeChat(lambda request: {"concepts": ["asking first"], "stance": "adhere", "confidence": 0.9, "evidence": ""})


def test_verdicts_are_flagged_and_abstained_where_that_is_asked_for(evaluator):
    clave = Clave.of(evaluator, chat=adhering())
    foreign, known = Response(id="zh", response=FOREIGN[0]), demo_responses()[0]
    verdicts = list(clave.evaluate([foreign, known]))
    assert {v.id for v in verdicts if "unlike_labels" in v.flags} == {"zh"}
    assert all(v.label for v in verdicts if v.id == "zh")
    assert "unlike the labelled samples" in clave.explain(next(v for v in verdicts if v.id == "zh"))
    for v in clave.evaluate([foreign, known], abstain_novel=True):
        assert (v.status == "abstained") == (v.id == "zh")
        assert v.status == "ok" or v.reason.startswith("the response is unlike the labelled samples; without that: ")


@pytest.mark.parametrize("coverage", [1.0, 0.5])
def test_a_file_says_how_many_are_unlike_and_abstains_on_them(evaluator, tmp_path, coverage):
    import asyncio

    from clave.files.evaluating import evaluate_file
    from clave.files.source import ResponseSource
    from clave.io import read_verdicts, write_jsonl
    from clave.io.manifest import read_manifest

    write_jsonl(tmp_path / "r.jsonl", [Response(id=f"f{i}", response=text) for i, text in enumerate(FOREIGN)] + demo_responses()[:4])
    judging = Clave.of(evaluator, chat=adhering()).judging
    source = ResponseSource(str(tmp_path / "r.jsonl"))
    told = asyncio.run(evaluate_file(judging, source, tmp_path / "told.jsonl", coverage=coverage))
    assert "15 of 27 new verdicts are on responses unlike the labelled samples" in told.notes[0]
    asyncio.run(evaluate_file(judging, source, tmp_path / "v.jsonl", coverage=coverage, abstain_novel=True))
    assert read_manifest(tmp_path / "v.jsonl").options["abstain_novel"] == 1
    assert {v.status for v in read_verdicts(tmp_path / "v.jsonl") if v.id.startswith("f")} == {"abstained"}
    assert "ok" in {v.status for v in read_verdicts(tmp_path / "v.jsonl")}
