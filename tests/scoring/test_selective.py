import numpy as np
import pytest

from clave.errors import InputError
from clave.records import LABELS
from clave.scoring.selective import choose_threshold, coverage_at_risk

A, X, U = LABELS


def world(rng, n, twins=1, kept=0.97):
    """Confidences that are kept but for a few, of scenarios whose rows mostly share their luck."""
    top, luck, group = rng.uniform(1 / 3, 1, n), rng.random(n), np.arange(n) // twins
    if twins > 1:
        top, luck = (np.where(rng.random(n) < 0.6, x[group * twins], x) for x in (top, luck))
    return top, luck > top * kept, group


@pytest.mark.parametrize("twins", [1, 3])
@pytest.mark.parametrize("n", [120, 400])
def test_the_risk_holds_on_new_rows(n, twins):
    """The largest share at which the errors *seen* stay within the risk breaks it on .6 of new data sets."""
    rng = np.random.default_rng(0)
    fresh, wrong, _ = world(rng, 100_000)
    broken = 0
    for _ in range(200):
        found = choose_threshold(*world(rng, n, twins), risk=0.2)
        broken += found.threshold is not None and wrong[fresh >= found.threshold].mean() > 0.2
    assert broken / 200 <= 0.13


def test_a_higher_risk_never_answers_less_and_little_evidence_answers_nothing():
    top, wrong, group = world(np.random.default_rng(1), 600)
    thresholds = [choose_threshold(top, wrong, group, risk=r).threshold or 1.0 for r in (0.05, 0.1, 0.2, 0.3)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[-1] < thresholds[0]
    assert choose_threshold(top[:15], wrong[:15], group[:15], risk=0.1).threshold is None


def test_twins_are_one_trial():
    """Ten right answers are too few to promise a risk of .1, however often they are repeated."""
    top, right = np.full(1000, 0.98), np.zeros(1000, bool)
    assert choose_threshold(top, right, np.arange(1000) % 10, risk=0.1).threshold is None
    assert choose_threshold(top, right, np.arange(1000), risk=0.1).threshold is not None


def test_order_of_rows_is_no_matter():
    top, wrong, group = world(np.random.default_rng(2), 300, 3)
    order = np.random.default_rng(3).permutation(300)
    assert choose_threshold(top[order], wrong[order], group[order], risk=0.25) == choose_threshold(top, wrong, group, risk=0.25)


@pytest.mark.parametrize("bad", [{"risk": 0.0}, {"risk": 1.0}, {"risk": 0.1, "confidence": 1.0}])
def test_risks_out_of_range_are_refused(bad):
    with pytest.raises(InputError, match="between 0 and 1"):
        choose_threshold(np.full(3, 0.5), np.zeros(3, bool), ["a", "b", "c"], **bad)


def test_coverage_is_the_share_that_may_be_answered():
    """Half of the rows are right at .95, half are a coin at .5."""
    sure, coin = [[0.95, 0.05, 0.0]] * 100, [[0.5, 0.5, 0.0]] * 100
    found = coverage_at_risk([A] * 100 + [A, X] * 50, sure + coin)
    assert found.value == 0.5
    assert found.low < 0.5 < found.high
    nothing = coverage_at_risk([A, X] * 100, coin + coin)
    assert (nothing.value, nothing.low, nothing.n) == (0.0, None, 200)
    assert coverage_at_risk([A, X], [None, None]).value is None


def test_at_another_balance_of_labels_the_risk_holds_there():
    """Chosen as if labels were balanced here as there, a threshold breaks the risk where the label that is misread is frequent."""
    rng, share = np.random.default_rng(4), 0.85

    def balanced(n, rare):
        often = rng.random(n) > rare
        top = rng.uniform(0.5, 1, n)
        return top, rng.random(n) > np.where(often, top * 0.75, top), often

    top, wrong, _ = balanced(100_000, 1 - share)
    broken = {"as here": 0, "as there": 0}
    for _ in range(200):
        sure, errors, often = balanced(400, 0.5)
        weights = {"as here": None, "as there": np.where(often, share / 0.5, (1 - share) / 0.5)}
        for kind, given in weights.items():
            found = choose_threshold(sure, errors, np.arange(400), risk=0.3, weights=given)
            broken[kind] += found.threshold is not None and wrong[top >= found.threshold].mean() > 0.3
    assert broken["as here"] / 200 > 0.3
    assert broken["as there"] / 200 <= 0.13
    assert choose_threshold(sure, errors, np.arange(400), risk=0.3, weights=np.ones(400)) == choose_threshold(
        sure, errors, np.arange(400), risk=0.3
    )


def test_rows_that_never_come_do_not_count():
    """Also where they are the surest: of a label that the user says does not occur."""
    rng = np.random.default_rng(0)
    certainty, wrong = np.append(rng.uniform(0.4, 0.9, 50), np.full(10, 0.95)), np.append(rng.random(50) < 0.02, np.ones(10, bool))
    comes = certainty < 0.9
    found = choose_threshold(certainty, wrong, np.arange(60), risk=0.3, weights=comes.astype(float))
    assert found == choose_threshold(certainty[comes], wrong[comes], np.arange(50), risk=0.3)
    assert found.threshold is not None
    assert choose_threshold(certainty, wrong, np.arange(60), risk=0.3, weights=np.zeros(60)).threshold is None
