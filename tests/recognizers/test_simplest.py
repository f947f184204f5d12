import numpy as np

from clave.recognizers.simplest import simplest

GROUPS = [str(i) for i in range(100)]


def right(n):
    return np.array([1.0] * n + [0.0] * (100 - n))


def test_the_simplest_stays_unless_it_is_beaten_clearly():
    assert simplest({"plain": right(70), "rich": right(72)}, "rich", GROUPS) == "plain"
    assert simplest({"plain": right(50), "middle": right(70), "rich": right(72)}, "rich", GROUPS) == "middle"
    assert simplest({"plain": right(72), "rich": right(70)}, "plain", GROUPS) == "plain"


def test_rows_of_one_scenario_are_one_piece_of_evidence():
    found = {"plain": right(60), "rich": right(70)}
    assert simplest(found, "rich", GROUPS) == "rich"
    assert simplest(found, "rich", [str(i // 10) for i in range(100)]) == "plain"
