"""Groups of near-duplicate texts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clave.valeval.neardup import group_texts, similar_pairs

BASE = "Could you tell me how the old bridge over the river near the mill was built by the monks"


def test_case_marks_and_a_changed_word_do_not_make_another_scenario() -> None:
    rows = [
        [BASE],
        [BASE.upper() + "?!"],
        [BASE.replace("monks", "farmers")],
        ["What does a lighthouse keeper eat for breakfast on Sundays"],
    ]
    assert group_texts(rows) == [0, 0, 0, 1]


def test_a_row_with_two_texts_joins_their_groups() -> None:
    assert group_texts([["first text alone here"], ["second text over there"], ["first text alone here", "second text over there"]]) == [
        0,
        0,
        0,
    ]


def test_pairs_known_by_other_means_are_joined() -> None:
    texts = ["How would one build a boat?", "In which way are boats made?", "Who sings?"]
    vectors = np.array([[1, 0], [0.98, 0.199], [0, 1]], np.float32)
    pairs = similar_pairs(texts, vectors)
    assert pairs == [(texts[0], texts[1])]
    assert group_texts([[t] for t in texts], pairs) == [0, 0, 1]
    assert similar_pairs(texts * 1000, np.tile(vectors, (1000, 1)), 2.0) == []


def test_short_and_wordless_texts_keep_apart() -> None:
    assert group_texts([["one"], ["two"], ["?!"], ["one"], ["??"], ["?!"]]) == [0, 1, 2, 0, 3, 2]


def test_templates_that_share_half_their_words_keep_apart() -> None:
    assert group_texts([["We should ban whaling"], ["We should ban gambling"], ["We should ban zoos"]]) == [0, 1, 2]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("ab ", max_size=12), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_who_is_with_whom(texts: list[str], random: object) -> None:
    order = sorted(range(len(texts)), key=lambda i: (texts[i][::-1], i))
    there = group_texts([[t] for t in texts])
    here = group_texts([[texts[i]] for i in order])
    for a in range(len(order)):
        for b in range(len(order)):
            assert (here[a] == here[b]) == (there[order[a]] == there[order[b]])
