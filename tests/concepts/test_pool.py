"""The pool: what people labelled, and nothing of what a sample's own fold says."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clave.concepts.cases import CaseIndex
from clave.concepts.pool import Concept, ConceptPool, Mention, shares
from clave.records import LABELS, LabelledResponse, MappedConcept

DIM = 4


def unit(rows):
    vectors = np.asarray(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def concept(text, labels, value="care", samples=("s",)):
    return Concept(text=text, value=value, labels=labels, samples=samples)


@st.composite
def mentions(draw):
    """Up to three concepts a sample, in two values; a sample has one label a value."""
    found = []
    for i in range(draw(st.integers(2, 14))):
        value, label = draw(st.sampled_from(["care", "fairness"])), draw(st.sampled_from(LABELS))
        found += [Mention(f"c{i}.{j}", value, f"s{i}", label, i % 3) for j in range(draw(st.integers(1, 3)))]
    seed = draw(st.integers(0, 99))
    # few distinct directions, so that one sample's concepts often fall into one cluster
    vectors = unit(np.eye(DIM)[np.random.default_rng(seed).integers(0, DIM, len(found))] + 0.01)
    return found, vectors


@given(mentions(), st.integers(0, 2))
def test_mapping_never_counts_samples_that_are_left_out(drawn, fold):
    found, vectors = drawn
    pool = ConceptPool.build(found, vectors)
    out = {(m.value, m.sample): m.label for m in found if m.fold == fold}
    for mention, vector in zip(found, vectors, strict=True):
        without = {sample: label for (value, sample), label in out.items() if value == mention.value}
        mapped = pool.map(mention.value, mention.text, vector, without=without)
        for target in (c for c in pool.concepts if c.text == mapped.pool and c.value == mention.value):
            kept = {m.sample: m.label for m in found if m.value == mention.value and m.sample in target.samples and m.sample not in without}
            assert mapped.labels == dict(Counter(kept.values()))
            assert kept


@given(mentions())
def test_every_sample_stands_behind_a_concept_of_its_value_with_its_label(drawn):
    found, vectors = drawn
    pool = ConceptPool.build(found, vectors)
    label_of = {(m.value, m.sample): m.label for m in found}
    behind = {(c.value, sample) for c in pool.concepts for sample in c.samples}
    assert behind == set(label_of)
    for c in pool.concepts:
        assert c.labels == dict(Counter(label_of[c.value, sample] for sample in c.samples))


POOL = ConceptPool(
    [concept("Helping", {"adhere": 5}), concept("Harming", {"oppose": 4}), concept("Sharing", {"adhere": 1}, "fairness")],
    unit([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]),
    threshold=0.5,
)


def test_a_concept_maps_to_the_nearest_of_its_value():
    near = POOL.map("care", "Assisting", unit([[1, 0.2, 0, 0]])[0])
    assert (near.pool, near.labels) == ("Helping", {"adhere": 5})
    assert near.similarity == pytest.approx(0.98, abs=0.01)
    assert POOL.map("fairness", "Assisting", unit([[1, 0.2, 0, 0]])[0]).pool == "Sharing"


def test_below_the_threshold_or_in_another_value_it_maps_to_none():
    assert POOL.map("care", "Cooking", unit([[0, 0.1, 1, 0]])[0]) == MappedConcept(text="Cooking", similarity=0.0995)
    assert POOL.map("loyalty", "Cooking", unit([[1, 0, 0, 0]])[0]) == MappedConcept(text="Cooking")


def test_the_threshold_keeps_what_predicts_labels():
    told = [Mention(f"c{i}", "care", f"s{i}", LABELS[i % 2], i % 3) for i in range(24)]
    clear = unit(np.eye(DIM)[[i % 2 for i in range(24)]] + 0.05)
    pool = ConceptPool.build(told, clear)
    pool.choose_threshold(told, clear)
    assert pool.map("care", "x", clear[0]).pool is not None


def test_edited_counts_are_checked_and_zero_is_none():
    with pytest.raises(ValidationError):
        concept("Helping", {"adhere": -1})
    with pytest.raises(ValidationError):
        concept("Helping", {"good": 1})
    pool = ConceptPool(
        [concept("Helping", {"adhere": 0, "oppose": 0}), concept("Harming", {"oppose": 1})], unit([[1, 0, 0, 0], [0, 1, 0, 0]])
    )
    mapped = pool.map("care", "Assisting", unit([[1, 0.2, 0, 0]])[0])
    assert mapped.pool == "Harming"
    np.testing.assert_allclose(shares([mapped]).sum(), 1)


@given(st.lists(st.dictionaries(st.sampled_from(LABELS), st.integers(0, 500)), max_size=3))
def test_shares_sum_to_one(counts):
    found = shares([MappedConcept(text="c", pool="p", labels=c) for c in counts])
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()


def test_an_empty_pool_maps_nothing():
    pool = ConceptPool.build([], np.zeros((0, DIM), np.float32))
    pool.choose_threshold([], np.zeros((0, DIM), np.float32))
    assert pool.map("care", "x", np.ones(DIM, np.float32)) == MappedConcept(text="x")


def test_the_nearest_cases_are_of_other_folds_and_scenarios_and_the_nearest_comes_last():
    samples = [LabelledResponse(id=str(i), scenario=f"S{i // 2}", response="r", value="care", label=LABELS[i % 3]) for i in range(6)]
    vectors = unit([[1, i / 10, 0, 0] for i in range(6)])
    index = CaseIndex(samples, vectors, [0, 0, 1, 1, 2, 2])
    assert [c.id for c in index.nearest("care", vectors[0], 3)] == ["2", "1", "0"]
    assert [c.id for c in index.nearest("care", vectors[0], 3, without_group=samples[0].group)] == ["4", "3", "2"]
    assert [c.id for c in index.nearest("care", vectors[0], 9, without_fold=1)] == ["5", "4", "1", "0"]
    assert index.nearest("care", vectors[0], 0) == index.nearest("fairness", vectors[0], 3) == []
    assert index.similarity("care", vectors[0]) == pytest.approx(1)
    assert index.similarity("fairness", vectors[0]) is None
