"""The demonstration data: shape, variety, and labels that a small encoder can learn."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from clave.io import read_labels, read_responses
from clave.records import LabelledResponse, Response, scenario_key
from clave.values import ValueSystem

VALUES = list(ValueSystem.load("mft").ids())
DEMO = Path(str(resources.files("clave.demo")))


def examples() -> list[LabelledResponse]:
    return list(read_labels(DEMO / "examples.jsonl", values=VALUES))


def responses() -> list[Response]:
    return list(read_responses(DEMO / "responses.jsonl"))


def key() -> dict[tuple[str, str], str]:
    rows = [json.loads(line) for line in (DEMO / "responses_key.jsonl").read_text(encoding="utf-8").splitlines()]
    return {(row["id"], row["value"]): row["label"] for row in rows}


def test_twelve_examples_per_value_and_label() -> None:
    counts = Counter((e.value, e.label) for e in examples())
    assert set(counts.values()) == {12}
    assert len(counts) == 5 * 3
    assert len({e.id for e in examples()}) == 180


def test_examples_hold_only_the_stated_fields() -> None:
    rows = [json.loads(line) for line in (DEMO / "examples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {tuple(row) for row in rows} == {("id", "scenario", "response", "value", "label")}


def test_no_scenario_or_response_stands_twice() -> None:
    rows: list[Response] = [*examples(), *responses()]
    assert len({scenario_key(r.scenario) for r in rows}) == len(rows)
    assert len({scenario_key(r.response) for r in rows}) == len(rows)


def test_responses_are_short_prose() -> None:
    for row in [*examples(), *responses()]:
        assert 4 <= len(row.response.split()) <= 70, row.id
        assert row.scenario.strip()


def test_length_does_not_give_the_label_away() -> None:
    words = {label: np.mean([len(e.response.split()) for e in examples() if e.label == label]) for label in ("adhere", "oppose")}
    assert 0.75 < words["adhere"] / words["oppose"] < 1.33


def test_the_key_covers_every_response_and_value() -> None:
    assert set(key()) == {(r.id, v) for r in responses() for v in VALUES}
    assert Counter(key().values()) == {"unrelated": 38, "oppose": 12, "adhere": 10}


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    from clave.encoder import load_encoder

    rows: list[Response] = [*examples(), *responses()]
    return dict(zip([r.id for r in rows], load_encoder(threads=1).encode([f"{r.scenario}\n{r.response}" for r in rows]), strict=True))


def test_the_labels_are_learnable_by_a_small_encoder(vectors: dict[str, np.ndarray]) -> None:
    """Logistic heads, stratified 5-fold cross-validation over distinct scenarios, n = 36 per value; chance is 1/3."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    accuracy = {}
    for value in VALUES:
        rows = [e for e in examples() if e.value == value]
        x, y = np.stack([vectors[e.id] for e in rows]), [e.label for e in rows]
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        accuracy[value] = float(np.mean(cross_val_score(LogisticRegression(C=10, max_iter=2000), x, y, cv=folds)))
    assert min(accuracy.values()) > 0.5, accuracy
    assert np.mean(list(accuracy.values())) > 0.58, accuracy


def test_what_was_learnt_beats_always_unrelated_on_the_key(vectors: dict[str, np.ndarray]) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score

    gold, predicted = [], []
    for value in VALUES:
        rows = [e for e in examples() if e.value == value]
        head = LogisticRegression(C=10, max_iter=2000).fit(np.stack([vectors[e.id] for e in rows]), [e.label for e in rows])
        gold += [key()[r.id, value] for r in responses()]
        predicted += list(head.predict(np.stack([vectors[r.id] for r in responses()])))
    right = sum(a == b for a, b in zip(gold, predicted, strict=True))
    assert right > 38, right
    assert balanced_accuracy_score(gold, predicted) > 0.6
