"""Drift: the questions of the fit asked again, word for word, and how answers of today are told from noise."""

import json
import random
from dataclasses import replace
from itertools import product

import pytest

from clave import Clave, Settings
from clave.errors import EvaluatorError, ModelError
from clave.evaluating.checking import ALPHA, Said, confidence_distance, moved_p, permutation_p, stance_distance
from clave.records import Failure, LabelledResponse
from clave.saving import refit_folder
from clave.testing import FakeChat

WORDS = {"helped": "adhere", "lied": "oppose"}
THREE = [("helped", "adhere"), ("lied", "oppose"), ("walked", "unrelated")]


def labels(values):
    return [
        LabelledResponse(id=f"r{i}", scenario=f"scene {i}", response=f"They {word} there {i}.", value=value, label=label)
        for value in values
        for i in range(18)
        for word, label in [THREE[i % 3]]
    ]


class Changing:
    """Answers by the words of a response; `turned` texts get another stance, and a `noise` of answers a random one."""

    def __init__(self, seed=0):
        self.turned, self.noise, self.confidence, self.rng = set(), 0.0, 0.9, random.Random(seed)
        self.failure = None

    def __call__(self, request):
        if self.failure is not None:
            return self.failure
        if "guideline" in request.schema["properties"]:
            return {"guideline": f"Fold guideline {len(request.user)}."}
        text = request.user.rpartition("<response ")[2]
        stance = next((label for word, label in WORDS.items() if word in text), "unrelated")
        if any(f"there {i}." in text for i in self.turned):
            stance = "oppose" if stance == "adhere" else "adhere"
        if self.rng.random() < self.noise:
            stance = self.rng.choice(["adhere", "oppose", "unrelated"])
        one = {"concepts": ["Doing it"], "evidence": "", "stance": stance, "confidence": self.confidence}
        properties = request.schema["properties"]
        return one if "stance" in properties else dict.fromkeys(properties, one)


@pytest.fixture(params=["single", "joint", "auto"])
def fitted(request):
    answers = Changing()
    chat = FakeChat(answers)
    clave = Clave("mft", chat=chat, settings=Settings(ask=request.param)).fit(labels(["care", "fairness", "loyalty"]))
    return clave, chat, answers


def test_a_model_that_did_not_move_is_asked_the_very_same_once(fitted):
    clave, chat, _ = fitted
    asked = {(r.system, r.user) for r in chat.requests}
    before = chat.calls
    found = clave.check()
    again = chat.requests[before:]
    assert {(r.system, r.user) for r in again} <= asked
    assert len(again) == min(60, len({(r.system, r.user) for r in again}))
    assert not found.moved
    assert (found.p, found.changed, found.n) == (
        None,
        0,
        sum(1 for s in clave.fitted.asked.samples if s.prompt in {r.digest for r in again}),
    )


def test_a_model_that_moved_is_told(fitted):
    clave, _, answers = fitted
    answers.turned = {0, 1, 3, 4, 6, 7, 9, 10}
    found = clave.check()
    assert found.moved
    assert found.p < ALPHA
    assert "another stance" in found.why
    assert clave.fitted.checks == (found,)


def test_confidences_that_moved_are_told(fitted):
    clave, _, answers = fitted
    answers.confidence = 0.8
    found = clave.check()
    assert found.moved
    assert (found.changed, found.confidence_then, found.confidence_now) == (0, 0.9, 0.8)


def test_another_served_name_is_told(fitted):
    clave, *_ = fitted
    asked = clave.fitted.asked
    renamed = tuple(s.model_copy(update={"served_by": "the-model-2024"}) for s in asked.samples)
    clave = Clave.of(replace(clave.fitted, asked=asked.model_copy(update={"samples": renamed})), chat=FakeChat(Changing()))
    found = clave.check()
    assert found.moved
    assert "calls it fake/chat now, and the-model-2024" in found.why


def test_a_model_that_refuses_all_has_moved_and_a_server_that_fails_tells_nothing(fitted):
    clave, _, answers = fitted
    answers.failure = Failure(status="refused", kind="refused", reason="no")
    assert clave.check().moved
    answers.failure = Failure(status="failed", kind="timeout", reason="late")
    with pytest.raises(ModelError, match="questions got no answer"):
        clave.check()


def test_a_check_is_kept_with_the_evaluator_and_changes_nothing_else(fitted, tmp_path):
    clave, chat, _ = fitted
    found = clave.check()
    clave.save(tmp_path / "e")
    again = Clave.load(tmp_path / "e", chat=chat)
    assert (again.name, again.fitted.checks) == (clave.name, (found,))
    assert again.fitted.asked == clave.fitted.asked
    again.refit()
    assert (again.name, again.fitted.checks, again.fitted.asked) == (clave.name, (found,), clave.fitted.asked)
    assert not again.check().moved


def test_guidelines_that_a_person_edited_do_not_matter(fitted, tmp_path):
    clave, chat, _ = fitted
    clave.save(tmp_path / "e")
    (tmp_path / "e" / "guidelines" / "care.md").write_text("Say adhere.")
    assert not Clave.of(refit_folder(tmp_path / "e"), chat=chat).check().moved


def test_what_cannot_be_checked_says_so(tmp_path):
    with pytest.raises(EvaluatorError, match="nothing can move"):
        Clave("mft").fit(labels(["care"])).check()
    clave = Clave("mft", chat=FakeChat(WORDS)).fit(labels(["care"]))
    with pytest.raises(EvaluatorError, match="calibrate again, then it can be checked"):
        Clave.of(replace(clave.fitted, asked=None), chat=FakeChat(WORDS)).check()


def test_samples_whose_examples_were_not_kept_are_left_out():
    answers = Changing()

    def failing(request):
        if "guideline" not in request.schema["properties"] and "there 5." in request.user.rpartition("<response ")[2]:
            return Failure(status="refused", kind="refused", reason="no")
        return answers(request)

    clave = Clave("mft", chat=FakeChat(failing)).fit(labels(["care"]))
    found = clave.check()
    assert not found.moved
    assert 0 < found.n < 17  # the sample that was refused stood among the examples of some


def brute_force(then, first, second, apart):
    """The same share, by going through all ways."""
    sums = [
        (apart(a, b) + apart(a, c), apart(a, b) + apart(b, c), apart(a, c) + apart(b, c))
        for (a,), (b,), (c,) in zip(then, first, second, strict=True)
    ]
    observed = sum(s[0] for s in sums)
    ways = [sum(chosen) for chosen in product(*sums)]
    return sum(way >= observed for way in ways) / len(ways)


@pytest.mark.parametrize("distance", [stance_distance, confidence_distance])
def test_the_distribution_is_exact(distance):
    rng = random.Random(1)

    def drawn():
        return [[Said(rng.choice("ab"), rng.choice([0.7, 0.8, 0.9]))] for _ in range(7)]

    for _ in range(20):
        three = drawn(), drawn(), drawn()
        assert permutation_p(*three, distance) == pytest.approx(brute_force(*three, distance))


def test_five_answers_that_changed_for_good_are_enough_and_four_are_not():
    same = [[Said("a", 0.9)]] * 50
    for changed, moved in ((4, False), (5, True)):
        now = [[Said("b", 0.9)]] * changed + same[changed:]
        p = moved_p(same, now, now)
        assert p == pytest.approx(2 * 3.0**-changed)
        assert (p < ALPHA) == moved


@pytest.mark.parametrize("noise", [0.05, 0.2, 0.5])
def test_noise_alone_is_rarely_drift(noise):
    rng = random.Random(int(100 * noise))
    alarms = 0
    for _ in range(400):
        three = [[[Said("b" if rng.random() < noise else "a", 0.9)] for _ in range(60)] for _ in range(3)]
        alarms += moved_p(*three) < ALPHA
    assert alarms <= 10  # 400 x .01 and three standard errors


def test_the_record_is_json(fitted):
    found = fitted[0].check()
    assert json.loads(found.model_dump_json())["moved"] is False
