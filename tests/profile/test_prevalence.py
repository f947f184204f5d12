"""Probabilities at another balance of labels: they mean again what they say."""

import numpy as np
import pytest
from typer.testing import CliRunner

from clave import Clave, LabelledResponse, Response
from clave.cli.main import app
from clave.errors import InputError
from clave.fitting.prevalence import at_prevalence, estimated, prevalence_of
from clave.io import read_verdicts, write_jsonl
from clave.profile.known import known_of
from clave.records import LABELS


def scores(rng, n, shares):
    """Labels, and probabilities that are calibrated at a third each."""
    labels = rng.choice(3, n, p=shares)
    x = rng.normal(np.eye(3)[labels] * 1.5, 1.0)
    p = np.exp(1.5 * x)
    return labels, p / p.sum(axis=1, keepdims=True)


def test_a_share_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="sum to 1"):
        prevalence_of("nan/0.5/0.5", ["care"])


def test_probabilities_mean_again_what_they_say():
    rng, third = np.random.default_rng(0), np.full(3, 1 / 3)
    labels, p = scores(rng, 20_000, [0.1, 0.05, 0.85])
    shares = estimated(p, third)
    assert shares == pytest.approx([0.1, 0.05, 0.85], abs=0.01)
    new = at_prevalence(p, third, shares)

    def off(q):
        sided = q.argmax(axis=1) < 2
        return abs(float((q.argmax(axis=1) == labels)[sided].mean() - q.max(axis=1)[sided].mean()))

    assert off(p) > 0.2  # stated far too surely
    assert off(new) < 0.02


def test_at_the_same_balance_nothing_changes():
    _, p = scores(np.random.default_rng(1), 50, [1 / 3] * 3)
    assert at_prevalence(p, np.full(3, 1 / 3), np.full(3, 1 / 3)) == pytest.approx(p)


def test_how_it_is_written():
    assert prevalence_of("auto", ["care"]) == "auto"
    assert prevalence_of("0.1/0.05/0.85", ["care", "fairness"]) == dict.fromkeys(("care", "fairness"), (0.1, 0.05, 0.85))
    assert prevalence_of("care=0.2/0.2/0.6", ["care", "fairness"]) == {"care": (0.2, 0.2, 0.6)}
    for wrong in ("0.5/0.5", "0.5/0.6/0.1", "a/b/c", "honour=0.2/0.2/0.6", "-0.1/0.1/1"):
        with pytest.raises(InputError, match="`prevalence`"):
            prevalence_of(wrong, ["care"])


def test_evaluate_shifts_and_keeps_the_plain_verdicts(tmp_path):
    said = {"adhere": "We help and protect her gently", "oppose": "We hurt and mock her cruelly", "unrelated": "The train leaves at noon"}
    labels = [
        LabelledResponse(id=f"{label}{i}", response=f"{said[label]}, number {i}.", value="care", label=label)
        for label in LABELS
        for i in range(8)
    ]
    clave = Clave("mft").fit(labels)
    clave.save(tmp_path / "e")
    write_jsonl(tmp_path / "r.jsonl", [Response(id=f"r{i}", response=f"{said[LABELS[i % 3]]}, case {i}.") for i in range(12)])
    command = ["evaluate", str(tmp_path / "r.jsonl"), "-e", str(tmp_path / "e"), "-o", str(tmp_path / "v.jsonl")]
    result = CliRunner().invoke(app, [*command, "--prevalence", "0.001/0.001/0.998", "--coverage", "0.5"])
    assert result.exit_code == 0, result.output
    assert "these responses" in result.output
    plain, new = list(read_verdicts(tmp_path / "v.plain.jsonl")), list(read_verdicts(tmp_path / "v.jsonl"))
    assert {v.label for v in plain} == set(LABELS)
    assert sum(v.label is None for v in new) == 6
    assert all(n.probabilities["unrelated"] > p.probabilities["unrelated"] for n, p in zip(new, plain, strict=True))
    known_of(clave.fitted, [v.evaluator for v in plain])
    with pytest.raises(InputError, match="name the file NAME.plain.jsonl"):
        known_of(clave.fitted, [v.evaluator for v in new])
