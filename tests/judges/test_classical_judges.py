import asyncio

import numpy as np
import pytest

from clave.errors import InputError
from clave.judges.classical import encoder_head, majority, naive_bayes, nearest, prototypes, tfidf, tfidf_chars
from clave.judges.controls import response_only, scenario_only, surface
from clave.judges.lexicon import count, lexicon, words_of
from clave.judges.protocol import Task
from clave.judges.registry import JUDGES, Material, open_judges
from clave.records import LABELS, LabelledResponse, Response
from clave.testing import FakeChat
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


LEARNING = [tfidf(), tfidf_chars(), naive_bayes(), prototypes(bag), nearest(3, bag), encoder_head(bag), response_only(bag)]


@pytest.mark.parametrize("judge", LEARNING, ids=lambda j: j.name)
def test_learning_judges_find_the_labels(judge):
    assert {v.id: v.label for v in verdicts_of(judge)} == {label: label for label in LABELS}


EVERY = [majority(), *LEARNING, lexicon(), scenario_only(bag), surface()]


@pytest.mark.parametrize("judge", EVERY, ids=lambda j: j.name)
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
    for judge in (tfidf(), naive_bayes(), prototypes(bag), encoder_head(bag), surface()):
        assert {v.label for v in verdicts_of(judge, Task({"care": CARE}, CALIBRATION[:4], TASK.responses))} == {"adhere"}


@pytest.mark.parametrize("judge", EVERY, ids=lambda j: j.name)
def test_an_empty_response_is_judged_and_no_response_is_no_verdict(judge):
    blank = Response(id="blank", response="", value="care")
    (verdict,) = verdicts_of(judge, Task({"care": CARE}, CALIBRATION, [blank]))
    assert (verdict.id, verdict.status) == ("blank", "ok")
    assert verdicts_of(judge, Task({"care": CARE}, CALIBRATION, [])) == []


def labelled(*pairs):
    return [LabelledResponse(id=f"{i}", response=text, value="care", label=label) for i, (text, label) in enumerate(pairs)]


def probabilities_of(judge, calibration, text):
    (verdict,) = verdicts_of(judge, Task({"care": CARE}, calibration, [Response(id="asked", response=text, value="care")]))
    return [verdict.probabilities[label] for label in LABELS]


@pytest.mark.parametrize("order", [1, -1])
def test_naive_bayes_by_hand_whatever_the_order_of_the_rows(order):
    """Two labels of two words: (1 + 1) / (1 + 2) against (0 + 1) / (1 + 2), each with half of the rows; the third label was never seen."""
    rows = labelled(("help", "adhere"), ("kick", "unrelated"))[::order]
    adhere, oppose, unrelated = (LABELS.index(label) for label in ("adhere", "oppose", "unrelated"))
    found = probabilities_of(naive_bayes(), rows, "Help")
    assert [found[i] for i in (adhere, oppose, unrelated)] == pytest.approx([2 / 3, 0, 1 / 3])


def test_naive_bayes_knows_nothing_of_new_words_but_the_labels_shares():
    rows = labelled(("help", "adhere"), ("help her", "adhere"), ("comfort", "adhere"), ("kick", "oppose"))
    for text in ("", "zebra"):
        assert probabilities_of(naive_bayes(), rows, text) == pytest.approx([0.75, 0.25, 0])


@pytest.mark.parametrize("order", [1, -1])
def test_prototypes_by_hand_whatever_the_order_of_the_rows(order):
    """Cosines to the mean directions: a label's rows at 0 and 90 degrees have theirs at 45."""
    at = {"east": (1.0, 0.0), "north": (0.0, 1.0), "west": (-1.0, 0.0)}

    def encode(texts):
        return np.array([at[text] for text in texts], np.float32)

    rows = labelled(("east", "oppose"), ("north", "oppose"), ("west", "adhere"))[::order]
    weights = {"oppose": np.exp(10 * np.sqrt(0.5)), "adhere": np.exp(0.0), "unrelated": 0.0}
    expected = [weights[label] / sum(weights.values()) for label in LABELS]
    assert probabilities_of(prototypes(encode), rows, "north") == pytest.approx(expected)
    softer = np.array([weights[label] ** 0.1 for label in ("adhere", "oppose")])
    assert probabilities_of(prototypes(encode, sharpness=1.0), rows, "north")[:2] == pytest.approx(list(softer / softer.sum()))


def test_a_prototype_without_a_direction_is_no_failure():
    """Texts that cancel out, or of which the encoder sees nothing, leave a mean of zero: it is as near as anything else."""
    rows = labelled(("", "adhere"), ("kick", "oppose"))
    assert probabilities_of(prototypes(bag), rows, "zebra") == pytest.approx([0.5, 0.5, 0])


def test_character_grams_read_through_spelling_errors():
    texts = {"adhere": "Comfrt hr wrmly", "oppose": "Kickk teh dogg"}
    task = Task({"care": CARE}, CALIBRATION, [Response(id=label, response=text, value="care") for label, text in texts.items()])
    assert {v.id: v.label for v in verdicts_of(tfidf_chars(), task)} == {label: label for label in texts}


def test_controls_see_only_their_part():
    """One response under two scenarios, and two responses of one layout under one scenario."""
    rows = [r.model_copy(update={"scenario": f"{r.label} case"}) for r in CALIBRATION]
    asked = [
        Response(id="a", scenario="adhere case", response="Kick the dog", value="care"),
        Response(id="b", scenario="oppose case", response="Kick the dog", value="care"),
        Response(id="c", scenario="adhere case", response="Feed the dog", value="care"),
    ]
    task = Task({"care": CARE}, rows, asked)
    labels = {judge.name: [v.label for v in verdicts_of(judge, task)] for judge in (scenario_only(bag), response_only(bag))}
    assert labels["scenario-only"] == ["adhere", "oppose", "adhere"]
    assert labels["response-only"][:2] == ["oppose", "oppose"]
    _, same, layout = (list(v.probabilities.values()) for v in verdicts_of(surface(), Task({"care": CARE}, rows, asked)))
    first, _, third = (v.probabilities for v in verdicts_of(surface(), task))
    assert first == third
    assert same == layout


def test_surface_learns_a_leak_of_the_layout():
    rows = labelled(*[("Yes! " * (5 + i), "adhere") for i in range(6)], *[("it is, as ever, so", "oppose") for _ in range(6)])
    assert np.argmax(probabilities_of(surface(), rows, "Not! Now! Nor! Any! Day! Ever!")) == LABELS.index("adhere")


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
    names = [*JUDGES.names(), "nearest-15", "setfit-75"]
    assert [judge.name for judge in open_judges(names, Material(FakeChat(), [FakeChat(model="fake/b")]))] == names
    with pytest.raises(InputError, match="no judge 'zeroshot' \\(did you mean zero-shot\\?\\)"):
        open_judges(["zeroshot"])


def test_lexicon_without_words_for_a_value_says_unrelated():
    kindness = Value(id="shan", name="善", definition="待人以善，不加伤害。")
    rows = [Response(id="a", response="He helped her up and brought her home.", value="shan")]
    (verdict,) = verdicts_of(lexicon(), Task({"shan": kindness}, [], rows))
    assert verdict.label == "unrelated"
