"""The cascade: its threshold keeps the stated risk, the large model gets the rest, and the summary says what was saved."""

import numpy as np
import pytest

from clave import Clave, LabelledResponse, Response
from clave.cascade import SMALL, Cascade, choose_threshold
from clave.errors import InputError
from clave.testing import FakeChat

WORDS = {"adhere": "helped the old lady kindly", "oppose": "hurt and insulted the boy", "unrelated": "the engine needs new oil"}


def labelled(n=90, prefix="l"):
    names = list(WORDS)
    return [
        LabelledResponse(
            id=f"{prefix}{i}",
            scenario=f"scene number {i}",
            response=f"{WORDS[names[i % 3]]} at {i} o'clock",
            value="care",
            label=names[i % 3],
        )
        for i in range(n)
    ]


def simulated(n, seed, accuracy_at_top=0.97):
    """Probabilities whose confidence says how often they are right."""
    rng = np.random.default_rng(seed)
    top = rng.uniform(1 / 3, 1, n)
    y = np.zeros(n, int)
    y[rng.random(n) > top * accuracy_at_top] = 1
    return np.stack([top, (1 - top) / 2, (1 - top) / 2], axis=1), y


def test_the_risk_holds_in_repeated_draws():
    risk, confidence, broken = 0.15, 0.9, 0
    fresh, fresh_y = simulated(50_000, 10_000)
    for seed in range(200):
        p, y = simulated(400, seed)
        found = choose_threshold(p, y, [str(i) for i in range(400)], risk=risk, confidence=confidence)
        if found.threshold is not None:
            answered = fresh.max(axis=1) >= found.threshold
            broken += (fresh.argmax(axis=1) != fresh_y)[answered].mean() > risk
    assert broken / 200 <= 1 - confidence + 0.03


def test_a_higher_risk_never_answers_less_and_little_evidence_answers_nothing():
    p, y = simulated(600, 1)
    groups = [str(i) for i in range(600)]
    thresholds = [choose_threshold(p, y, groups, risk=r).threshold or 1.0 for r in (0.05, 0.1, 0.2, 0.3)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[-1] < thresholds[0]
    assert choose_threshold(p[:15], y[:15], groups[:15], risk=0.1).threshold is None


def test_twins_are_one_trial():
    p, y = np.tile([[0.98, 0.01, 0.01]], (1000, 1)), np.zeros(1000, int)
    assert choose_threshold(p, y, [str(i % 10) for i in range(1000)], risk=0.1).threshold is None
    assert choose_threshold(p, y, [str(i) for i in range(1000)], risk=0.1).threshold is not None


@pytest.mark.parametrize("bad", [{"risk": 0.0}, {"risk": 1.0}, {"risk": 0.1, "confidence": 1.0}])
def test_risks_out_of_range_are_refused(bad):
    with pytest.raises(InputError, match="between 0 and 1"):
        choose_threshold(np.full((3, 3), 1 / 3), np.zeros(3, int), ["a", "b", "c"], **bad)


@pytest.fixture(scope="module")
def pair():
    small = Clave("mft").fit(labelled())
    chat = FakeChat({"helped": "adhere", "hurt": "oppose"})
    return small, Clave("mft", chat=chat), chat


def test_the_sure_ones_cost_no_call_and_the_others_are_asked(pair):
    small, large, chat = pair
    cascade = Cascade(small, large, risk=0.2)
    assert cascade.guarantee_.threshold is not None
    before = chat.calls
    rows = [Response(id=r.id, scenario=r.scenario, response=r.response, value="care") for r in labelled(12, "n")]
    rows += [Response(id="odd", response="zxqv", value="care"), Response(id="other", response="He hurt him.", value="loyalty")]
    verdicts = {(v.id, v.value): v for v in cascade.evaluate(rows)}
    assert len(verdicts) == 14
    by_small = {key for key, v in verdicts.items() if SMALL in v.flags}
    assert len(by_small) >= 10
    assert ("other", "loyalty") not in by_small
    assert chat.calls - before == 14 - len(by_small) == cascade.counts_["large"]
    assert all(max(verdicts[key].probabilities.values()) >= cascade.guarantee_.threshold for key in by_small)
    assert {v.evaluator for v in verdicts.values()} == {cascade.name}
    assert f"{len(by_small)} of 14 verdicts" in cascade.summary()
    assert "at most 20%" in cascade.summary()


def test_without_a_threshold_everything_is_asked_and_said(pair):
    small, large, _ = pair
    cascade = Cascade(small, large, risk=0.001)
    assert cascade.guarantee_.threshold is None
    verdicts = list(cascade.evaluate([Response(id="a", response="He helped her.", value="care")]))
    assert [v.label for v in verdicts] == ["adhere"]
    assert "gave none of 1 verdicts" in cascade.summary()


def test_what_cannot_be_a_cascade_is_refused(pair):
    small, large, chat = pair
    with pytest.raises(InputError, match="must be calibrated"):
        Cascade(Clave("mft"), large)
    with pytest.raises(InputError, match="without a large model"):
        Cascade(large, small)
    with pytest.raises(InputError, match="share a value system"):
        Cascade(small, Clave("schwartz", chat=chat))


def test_what_the_small_model_is_not_sure_enough_of_for_the_user_is_asked_of_the_large_one(pair):
    small, large, chat = pair
    cascade = Cascade(small, large, risk=0.2)
    rows = [Response(id=r.id, scenario=r.scenario, response=r.response, value="care") for r in labelled(12, "n")]
    before = chat.calls
    sure = sorted(max(v.probabilities.values()) for v in small.evaluate(rows))
    assert sure[0] >= cascade.guarantee_.threshold
    verdicts = list(cascade.evaluate(rows, min_confidence=sure[6]))
    by_small = [v for v in verdicts if SMALL in v.flags]
    assert 0 < len(by_small) <= 6
    assert {v.status for v in by_small} == {"ok"}
    assert chat.calls - before == 12 - len(by_small)
