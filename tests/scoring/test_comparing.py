import numpy as np
import pytest

from clave.scoring.comparing import pairwise
from clave.scoring.statistics import difference


def judges(rng, chances, n=264, twins=2):
    """Right or wrong, shape (n, judges): hard rows are hard for all, twins are alike."""
    luck, own = rng.random(n), rng.random((n, len(chances)))
    luck = luck[np.arange(n) // twins * twins]
    mixed = np.where(rng.random((n, len(chances))) < 0.5, luck[:, None], own)
    return (mixed < np.array(chances)).astype(float), np.arange(n) // twins


@pytest.mark.parametrize("k", [5, 20])
def test_equal_judges_are_told_apart_in_about_one_run_of_twenty(k):
    """Against the one that came out best, with Holm's correction for the others, that is .08 to .19."""
    rng = np.random.default_rng(0)
    found = [bool((pairwise(*judges(rng, [0.75] * k)) < 0.05).any()) for _ in range(120)]
    assert np.mean(found) <= 0.10


def test_fifty_others_can_be_told_from_the_best():
    p = pairwise(*judges(np.random.default_rng(1), [0.9] + [0.5] * 51))
    assert (p[0, 1:] < 0.05).all()
    assert (p == p.T).all()


def test_of_two_judges_it_is_the_plain_comparison():
    right, groups = judges(np.random.default_rng(2), [0.8, 0.74])
    one = np.ones(len(right))
    alone = difference(*(np.column_stack([right[:, i], one]) for i in (0, 1)), groups, lambda s: s[..., 0] / s[..., 1])
    assert pairwise(right, groups)[0, 1] == pytest.approx(alone.p, abs=0.01)


def test_judges_are_compared_where_both_gave_a_verdict():
    right, groups = judges(np.random.default_rng(3), [0.9, 0.6, 0.6])
    right[:132, 2] = np.nan
    p = pairwise(right, groups)
    assert p[0, 1] < 0.001
    assert p[0, 2] < 0.05
    right[:, 2] = np.nan
    assert pairwise(right, groups)[0, 2] == 1


def test_the_same_judge_twice_and_one_alone():
    right, groups = judges(np.random.default_rng(4), [0.8])
    assert pairwise(np.hstack([right, right]), groups)[0, 1] == 1
    assert pairwise(right, groups).tolist() == [[1.0]]
    assert pairwise(np.zeros((0, 0)), np.zeros(0, np.intp)).shape == (0, 0)
