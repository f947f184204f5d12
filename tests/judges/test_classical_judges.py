import asyncio

import numpy as np
import pytest

from clave.errors import InputError
from clave.judges.classical import encoder_head, majority, nearest, tfidf
from clave.judges.lexicon import count, lexicon, words_of
from clave.judges.protocol import Task
from clave.judges.registry import LOCAL, local_judge
from clave.records import LABELS, LabelledResponse, Response
from clave.values import Value

CARE = Value(id="care", name="care", definition="Kindness towards those who suffer.")
PRIVACY = Value(id="privacy", name="privacy", definition="Keeping personal secrets and addresses from strangers.")
TEXTS = {
    "adhere": [
        "Bring her warm soup and sit with her",
        "Comfort the crying child gently",
        "Help him carry the shopping home",
        "Feed the stray kitten",
    ],
    "oppose": [
        "Kick the dog until it stops barking",
        "Laugh at her tears in public",
        "Let him starve, he is worthless",
        "Punch the boy in the face",
    ],
    "unrelated": [
        "Use a hash map for fast lookups",
        "The train leaves at nine",
        "Boil the pasta for ten minutes",
        "Paris is the capital of France",
    ],
}
CALIBRATION = [
    LabelledResponse(id=f"{label}-{i}", response=text, value="care", label=label)
    for label, texts in TEXTS.items()
    for i, text in enumerate(texts)
]
TEST = {"adhere": "Comfort her with warm soup", "oppose": "Kick the stray dog", "unrelated": "Boil the rice for ten minutes"}
TASK = Task({"care": CARE}, CALIBRATION, [Response(id=label, response=text, value="care") for label, text in TEST.items()])


def bag(texts):
    """A stand-in encoder: hashed words, normalised."""
    vectors = np.zeros((len(texts), 512), np.float32)
    for i, text in enumerate(texts):
        for word in text.lower().split():
            vectors[i, sum(map(ord, word)) * 31 % 512] += 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def verdicts_of(judge, task=TASK):
    async def collect():
        return [v async for v in judge.evaluate(task)]

    return asyncio.run(collect())


@pytest.mark.parametrize("judge", [tfidf(), nearest(3, bag), encoder_head(bag)], ids=lambda j: j.name)
def test_learning_judges_find_the_labels(judge):
    assert {v.id: v.label for v in verdicts_of(judge)} == {label: label for label in LABELS}


@pytest.mark.parametrize("judge", [majority(), tfidf(), nearest(3, bag), encoder_head(bag), lexicon()], ids=lambda j: j.name)
def test_every_response_gets_one_verdict_with_probabilities(judge):
    found = verdicts_of(judge)
    assert sorted(v.id for v in found) == sorted(TEST)
    for verdict in found:
        assert sum(verdict.probabilities.values()) == pytest.approx(1)
        assert verdict.label == max(verdict.probabilities, key=verdict.probabilities.get)
        assert (verdict.evaluator, verdict.usage.calls) == (judge.name, 0)


def test_majority_says_the_most_frequent_label_with_its_share():
    task = Task({"care": CARE}, CALIBRATION[:5], TASK.responses)
    verdict = verdicts_of(majority(), task)[0]
    assert (verdict.label, verdict.probabilities["adhere"]) == ("adhere", pytest.approx(0.8))


def test_majority_without_labels_is_a_failure():
    verdict = verdicts_of(majority(), Task({"care": CARE}, [], TASK.responses))[0]
    assert (verdict.status, verdict.label, verdict.probabilities) == ("failed", None, None)


def test_one_label_in_calibration_is_no_crash():
    for judge in (tfidf(), encoder_head(bag)):
        assert {v.label for v in verdicts_of(judge, Task({"care": CARE}, CALIBRATION[:4], TASK.responses))} == {"adhere"}


def test_values_are_learnt_apart():
    flipped = [r.model_copy(update={"value": "privacy", "label": "unrelated"}) for r in CALIBRATION]
    both = [*TASK.responses, Response(id="other", response=TEST["adhere"], value="privacy")]
    found = {v.id: v.label for v in verdicts_of(tfidf(), Task({"care": CARE, "privacy": PRIVACY}, [*CALIBRATION, *flipped], both))}
    assert (found["adhere"], found["other"]) == ("adhere", "unrelated")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Help her and comfort him", (2, 0)),
        ("Hit and mock her, cruelly", (0, 2)),
        ("Don't hurt him", (1, 0)),
        ("Never help them", (0, 1)),
        ("The train leaves at nine", (0, 0)),
    ],
)
def test_lexicon_counts_words_and_turns_negated_ones(text, expected):
    assert count(text, *words_of(CARE)) == expected


def test_lexicon_takes_the_words_of_other_values_from_their_definition():
    virtue, vice = words_of(PRIVACY)
    assert vice is None
    assert count("I will not share her address", virtue, vice) == (0, 1)
    assert count("Respect what is personal", virtue, vice) == (1, 0)


def test_registry_makes_every_judge_under_its_own_name():
    assert [local_judge(name).name for name in LOCAL] == list(LOCAL)
    with pytest.raises(InputError, match="no judge 'oracle'"):
        local_judge("oracle")
