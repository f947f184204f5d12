"""Labels made ready for fitting: one each, enough of them, and folds that split no scenario."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clave.errors import InputError
from clave.fitting.samples import check_enough, deal_folds, one_label_each, unseen_labels
from clave.recognizers.folds import scenario_folds
from clave.records import LABELS, LabelledResponse


def labelled(identity, label="adhere", value="care", *, annotator=None, scenario="", response=None, fold=None):
    return LabelledResponse(
        id=identity, response=response or f"text {identity}", scenario=scenario, value=value, label=label, annotator=annotator, fold=fold
    )


def test_the_majority_of_annotators_decides_and_ties_are_left_out():
    rows = [
        *[labelled("a", label, annotator=str(i)) for i, label in enumerate(["oppose", "adhere", "oppose"])],
        *[labelled("b", label, annotator=str(i)) for i, label in enumerate(["oppose", "adhere"])],
        *[labelled("c", label, annotator=str(i)) for i, label in enumerate(["oppose", "adhere", "unrelated", "adhere"])],
        labelled("a", "unrelated", "fairness"),
    ]
    for order in (rows, rows[::-1]):
        joined, disputed = one_label_each(order)
        assert [(s.id, s.value, s.label) for s in joined] == [
            ("a", "care", "oppose"),
            ("a", "fairness", "unrelated"),
            ("c", "care", "adhere"),
        ]
        assert disputed == 1


@pytest.mark.parametrize("change", [{"response": "other"}, {"scenario": "other"}])
def test_one_id_for_two_texts_is_a_sentence(change):
    with pytest.raises(InputError, match="id 'a' stands for different texts"):
        one_label_each([labelled("a", annotator="1"), labelled("a", annotator="2", **change)])


def many(labels, value="care"):
    return [labelled(str(i), label, value) for i, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        ([], "there are no labelled samples"),
        (many(["adhere", "oppose"] * 2), "value 'care' has 4 labels and needs at least 6"),
        (many(["oppose"] * 8), "all 8 labels of value 'care' are 'oppose'"),
        (many(LABELS * 3) + many(LABELS, "fairness"), "value 'fairness' has 3 labels"),
    ],
)
def test_too_little_to_learn_from_is_a_sentence(samples, sentence):
    with pytest.raises(InputError, match=sentence):
        check_enough(samples)


def test_enough_is_enough():
    check_enough(many(LABELS * 2))
    check_enough(many(["adhere"] * 5 + ["oppose"]))


def test_labels_that_nobody_gave_are_told():
    assert unseen_labels(many(LABELS) + many(["adhere", "oppose"], "fairness")) == {"fairness": ["unrelated"]}


samples = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(["care", "fairness"]), st.integers(0, 12)), min_size=6, max_size=60)


@given(rows=samples, folds=st.integers(2, 5), seed=st.integers(0, 3))
def test_no_scenario_stands_in_two_folds(rows, folds, seed):
    dealt = [labelled(str(i), label, value, scenario=f"Scenario {group}.") for i, (label, value, group) in enumerate(rows)]
    scenarios = {group for *_, group in rows}
    if len(scenarios) < folds:
        with pytest.raises(InputError, match="add other scenarios"):
            deal_folds(dealt, folds, seed, given=False)
        return
    out = deal_folds(dealt, folds, seed, given=False)
    assert [s.labelled for s in out] == dealt
    assert {s.fold for s in out} <= set(range(folds))
    assert len({(s.labelled.group, s.fold) for s in out}) == len(scenarios)
    assert deal_folds(dealt, folds, seed, given=False) == out


def test_scenarios_that_differ_in_spelling_only_are_one():
    rows = [labelled(str(i), LABELS[i % 3], scenario=["What now?", "what  NOW", "And then?", "Why?"][i % 4]) for i in range(24)]
    out = deal_folds(rows, 3, 0, given=False)
    assert len({s.fold for s in out if "now" in s.labelled.scenario.lower()}) == 1


def test_every_value_and_label_is_spread():
    rows = [labelled(f"{v}{i}", LABELS[i % 3], v) for v in ("care", "fairness") for i in range(30)]
    for fold in range(3):
        inside = [(s.labelled.value, s.labelled.label) for s in deal_folds(rows, 3, 0, given=False) if s.fold == fold]
        assert all(2 <= inside.count((v, label)) <= 5 for v in ("care", "fairness") for label in LABELS)


def test_the_fewest_labels_can_be_dealt():
    """Two of each label in three folds: no label is in all of them, and each fold holds some."""
    out = deal_folds(many(LABELS * 2), 3, 0, given=False)
    assert {s.fold for s in out} == {0, 1, 2}


def test_given_folds_are_kept():
    rows = [labelled(str(i), fold=["x", "b", "x"][i]) for i in range(3)]
    assert [s.fold for s in deal_folds(rows, 3, 0, given=True)] == [1, 0, 1]
    with pytest.raises(InputError, match="puts all samples into one fold"):
        deal_folds(rows[:1], 3, 0, given=True)


def test_one_scenario_cannot_be_dealt():
    with pytest.raises(InputError, match="there is one scenario"):
        scenario_folds(["a", "b"], ["g", "g"], 1, 0)


def test_an_id_is_one_text_for_all_values():
    rows = [LabelledResponse(id="a", response=text, value=value, label="adhere") for text, value in (("x", "care"), ("y", "fairness"))]
    with pytest.raises(InputError, match="id 'a' stands for different texts"):
        one_label_each(rows)
