"""The best supported estimate of each model and value."""

from dataclasses import replace

import numpy as np
from tests.profile.drawn import RATES, draw, known_of

from clave.profile.auditing import Audits
from clave.profile.rectified import Audit
from clave.profile.study import Verdicts, findings
from clave.profile.support import unsupported
from clave.records import LABELS, Verdict


def verdicts(rng, n=200, model="a", shares=(0.5, 0.2, 0.3), novelty=0.5):
    out, labels = Verdicts(), rng.choice(3, n, p=shares)
    for i, label in enumerate(labels):
        code = int(rng.choice(3, p=RATES[label]))
        p = np.full(3, 0.1)
        p[code] = 0.8
        probabilities = dict(zip(LABELS, p.tolist(), strict=True))
        given = Verdict(id=f"{model}{i}", value="v", status="ok", label=LABELS[code], probabilities=probabilities, novelty=novelty)
        out.add(given, model, f"s{i // 2}")
    out.add(Verdict(id="x", value="v", status="abstained"), model, "s0")
    return labels, out


def test_rectified_comes_before_corrected_before_counted():
    rng = np.random.default_rng(0)
    labels, said = verdicts(rng)
    known = known_of(rng)
    known = type(known)(
        known.values, np.where(known.probabilities == known.probabilities.max(1, keepdims=True), 0.8, 0.1), known.labels, known.groups
    )
    chosen = np.arange(0, 200, 4)
    audit = Audit(chosen, np.eye(3)[labels[chosen]], np.full(50, 4.0), np.zeros(200, int))
    assert [f.best.method for f in findings(said)] == ["counted"]
    assert [f.best.method for f in findings(said, known=known)] == ["corrected"]
    found = findings(said, known=known, audits=Audits({("a", "v"): audit}))[0]
    assert found.best.method == "rectified"
    assert found.counted.method == "counted"
    assert found.best.labels == 50
    assert found.best.scenarios == 100
    assert found.statuses == {"abstained": 1}


def test_an_audit_that_is_too_small_leaves_the_next_best():
    rng = np.random.default_rng(1)
    labels, said = verdicts(rng)
    audit = Audit(np.arange(8), np.eye(3)[labels[:8]], np.full(8, 25.0), np.zeros(200, int))
    found = findings(said, audits=Audits({("a", "v"): audit}))[0].best
    assert found.method == "counted"
    assert "too little" in found.note
    assert not found.supported


def test_a_model_unlike_the_labelled_rows_is_counted_and_nothing_is_claimed():
    rng = np.random.default_rng(2)
    _, said = verdicts(rng)
    found = findings(said, known=known_of(rng))[0].best  # verdicts all equally sure, the labelled ones not
    assert found.method == "counted"
    assert found.note.startswith("not supported")


def test_an_evaluator_that_is_all_but_certain_is_not_refused_for_being_a_little_surer_when_fitted_on_all_labels():
    rng, right = np.random.default_rng(3), np.eye(3)
    known = known_of(rng, values=("v",), rates=right)
    known = replace(known, probabilities=np.where(right[known.probabilities.argmax(axis=1)] == 1, 0.991, 0.0045))
    _, rows = draw(rng, 60, [0.5, 0.2, 0.3], right)
    assert not unsupported([replace(rows, probabilities=np.where(rows.one_hot == 1, 0.9926, 0.0037))], known)
