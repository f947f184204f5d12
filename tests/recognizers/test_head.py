"""The head: never worse than the stance, better where concepts say more, and the same in any order and after saving."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clave.errors import EvaluatorError, InputError
from clave.recognizers.head import Candidate, Head, _softmax, _train, _trust
from clave.recognizers.observation import Observation, block
from clave.recognizers.protocol import Probabilities
from clave.records import LABELS, Extraction, MappedConcept, Response

DIM = 8


def observation(i, value, stance, confidence, vectors, mapped=()):
    extraction = Extraction(concepts=("c",), stance=stance, confidence=confidence)
    text = np.asarray(vectors[0] if len(vectors) else np.zeros(DIM), np.float32)
    response = Response(id=str(i), response=f"response {i}")
    return Observation(value, response, text, extraction, np.asarray(vectors, np.float32), tuple(mapped))


def made(n=120, *, stance_right=0.8, concept_signal=0.0, values=("care", "fairness"), labels=LABELS, seed=0):
    """Observations whose stance is right so often and whose concept vectors point so clearly to the label."""
    random = np.random.default_rng(seed)
    observations, gold = [], []
    for i in range(n):
        label = labels[i % len(labels)]
        others = [other for other in LABELS if other != label]
        right = random.random() < stance_right
        vector = random.normal(0, 0.3, DIM)
        vector[LABELS.index(label)] += concept_signal
        confidence = random.uniform(0.6, 0.95) if right else random.uniform(0.3, 0.8)
        stance = label if right else others[random.integers(2)]
        mapped = [MappedConcept(text="c", pool="p", similarity=0.5, labels={label: 3})] if concept_signal else []
        observations.append(
            observation(i, values[i // len(labels) % len(values)], stance, confidence, [vector / np.linalg.norm(vector)], mapped)
        )
        gold.append(label)
    return observations, gold, [f"g{i}" for i in range(n)]


def accuracy(p: Probabilities, gold) -> float:
    return float(np.mean([LABELS[i] == label for i, label in zip(p.argmax(axis=1), gold, strict=True)]))


def stance_accuracy(observations, gold) -> float:
    return float(np.mean([o.extraction.stance == label for o, label in zip(observations, gold, strict=True)]))


@pytest.fixture(scope="module")
def informed():
    """A head that had reason to use the concepts."""
    return Head().fit(*made(stance_right=1 / 3, concept_signal=2.0))


def test_a_good_stance_alone_is_kept_as_stated():
    observations, gold, groups = made(stance_right=0.85)
    head = Head().fit(observations, gold, groups)
    assert head.features == ("stance",)
    assert accuracy(head.oof_, gold) >= stance_accuracy(observations, gold)
    fresh, fresh_gold, _ = made(60, stance_right=0.85, seed=1)
    assert accuracy(head.predict_proba(fresh), fresh_gold) == stance_accuracy(fresh, fresh_gold)


def test_with_a_useless_stance_it_uses_the_concepts(informed):
    assert "concepts" in informed.features
    fresh, gold, _ = made(60, stance_right=1 / 3, concept_signal=2.0, seed=1)
    assert accuracy(informed.predict_proba(fresh), gold) > 0.9
    assert stance_accuracy(fresh, gold) < 0.6


@given(st.lists(st.tuples(st.sampled_from(range(3)), st.booleans(), st.floats(0, 1)), min_size=1, max_size=40))
def test_the_candidate_as_stated_keeps_the_stance_for_all_it_saw(rows):
    """Also where the stance is mostly wrong: what it is worth then, others must show."""
    observations = [observation(i, "care", LABELS[k], sure, np.zeros((1, DIM))) for i, (k, _, sure) in enumerate(rows)]
    y = np.array([k if right else (k + 1) % 3 for k, right, _ in rows])
    x = block("stance", observations)
    weights = _trust(x, y)
    p = _softmax(x @ weights[:, :-1].T + weights[:, -1])
    assert p.argmax(axis=1).tolist() == [k for k, _, _ in rows]


@pytest.mark.parametrize("labels", [("adhere", "oppose"), ("oppose", "unrelated")])
def test_a_label_that_nobody_gave_stays_unlikely(labels):
    observations, gold, groups = made(stance_right=0.4, concept_signal=2.0, labels=labels)
    head = Head(("concepts",)).fit(observations, gold, groups)
    p = head.predict_proba(observations)
    missing = next(i for i, label in enumerate(LABELS) if label not in labels)
    assert p[:, missing].max() < 0.05
    assert accuracy(p, gold) > 0.9


@pytest.mark.parametrize("only", range(3))
def test_training_rows_of_one_label_give_that_label(only):
    weights = _train(np.ones((4, 2)), np.full(4, only), Candidate(("concepts",), 0.0, 1.0), np.ones(4))
    assert _softmax(np.ones((1, 2)) @ weights[:, :-1].T + weights[:, -1])[0, only] > 0.99


def test_two_labels_give_what_a_binary_model_gives():
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    x = random.normal(size=(50, 3))
    y = np.where(x[:, 0] + random.normal(0, 0.5, 50) > 0, 2, 1)
    weights = _train(x, y, Candidate(("concepts",), 0.0, 1.0), np.ones(len(y)))
    p = _softmax(x @ weights[:, :-1].T + weights[:, -1])
    expected = LogisticRegression().fit(x, y).predict_proba(x)
    np.testing.assert_allclose(p[:, 2] / (p[:, 1] + p[:, 2]), expected[:, 1], atol=1e-6)


def test_six_labels_of_one_value_are_enough():
    observations, gold, groups = made(6, values=("care",), concept_signal=1.0)
    p = Head().fit(observations, gold, groups).predict_proba(observations)
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_concepts_that_are_nowhere_to_be_found_do_no_harm():
    observations = [observation(i, "care", LABELS[i % 3], 0.9, np.zeros((0, DIM))) for i in range(30)]
    gold = [LABELS[i % 3] for i in range(30)]
    head = Head().fit(observations, gold, [str(i) for i in range(30)])
    assert accuracy(head.predict_proba(observations), gold) == 1
    alone = Head(("concepts",)).fit(observations, gold, [str(i) for i in range(30)])
    np.testing.assert_allclose(alone.predict_proba(observations), 1 / 3, atol=0.05)


def test_all_rows_of_one_scenario_are_a_sentence():
    observations, gold, _ = made(12)
    with pytest.raises(InputError, match="there is one scenario among the labelled samples.*add other scenarios"):
        Head().fit(observations, gold, ["g"] * 12)


def test_out_of_fold_probabilities_have_not_seen_their_scenario():
    """Twins share a label that nothing else tells: who saw one twin knows the other, who did not guesses."""
    random = np.random.default_rng(0)
    vectors, labels = random.normal(size=(30, 40)), random.permutation(LABELS * 10)
    observations = [observation(i, "care", "unrelated", 0.5, [vectors[i // 2]]) for i in range(60)]
    gold, groups = [str(labels[i // 2]) for i in range(60)], [f"g{i // 2}" for i in range(60)]
    head = Head(("text",)).fit(observations, gold, groups)
    assert accuracy(head.predict_proba(observations), gold) > 0.8
    assert accuracy(head.oof_, gold) < 0.6
    np.testing.assert_allclose(head.oof_.sum(axis=1), 1)


@given(order=st.permutations(range(20)), size=st.integers(1, 20))
def test_neither_order_nor_company_changes_a_probability(informed, order, size):
    observations, _, _ = made(20, concept_signal=1.0, seed=3)
    together = informed.predict_proba(observations)
    some = list(order[:size])
    np.testing.assert_array_equal(informed.predict_proba([observations[i] for i in some]), together[some])
    np.testing.assert_allclose(together.sum(axis=1), 1)


def test_nothing_in_nothing_out(informed):
    assert informed.predict_proba([]).shape == (0, 3)


def test_saving_and_loading_changes_no_probability(informed, tmp_path):
    observations, _, _ = made(30, concept_signal=1.0, seed=4)
    informed.save(tmp_path)
    loaded = Head.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(observations), informed.predict_proba(observations))
    assert (loaded.features, loaded.values_, loaded.report_) == (informed.features, informed.values_, informed.report_)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["head.json", "head.safetensors"]


def _cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def _flip(path):
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def _another_shape(path):
    from safetensors.numpy import save_file

    save_file({"weights.concepts": np.zeros((1, 3, 2)), "weights.stance": np.zeros((1, 3, 2)), "bias": np.zeros((7, 3))}, path)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("head.safetensors", _cut),
        ("head.safetensors", _flip),
        ("head.safetensors", _another_shape),
        ("head.safetensors", lambda path: path.unlink()),
        ("head.json", _cut),
        ("head.json", lambda path: path.unlink()),
        ("head.json", lambda path: path.write_text("[]")),
        ("head.json", lambda path: path.write_text(json.dumps({"features": ["text"], "values": ["care"], "cross_validation": {}}))),
    ],
)
def test_a_damaged_file_is_a_sentence(informed, tmp_path, name, damage):
    informed.save(tmp_path)
    damage(tmp_path / name)
    with pytest.raises(EvaluatorError, match="the recognizer is damaged.*clave refit"):
        Head.load(tmp_path)
