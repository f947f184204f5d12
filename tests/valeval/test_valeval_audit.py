"""Confident learning on made-up verdicts, and the page that shows hostile texts."""

from __future__ import annotations

import numpy as np
import pytest

from clave.errors import InputError
from clave.records import LABELS, Label, Verdict
from clave.valeval.audit import SourceError, Suspect, audit, collect_verdicts, thresholds
from clave.valeval.audit_page import audit_page
from clave.valeval.readings import share_text
from clave.valeval.row import ValEvalRow


def row(i: int, label: Label, source: str = "a", text: str = "text") -> ValEvalRow:
    return ValEvalRow(
        id=f"{source}-{i}", system="mft", value="care", split="original", scenario="", response=text, label=label, label_origin="stated",
        source=source, license="MIT", group=f"g{i}",
    )  # fmt: skip


def answer(label: Label, p: float = 0.9) -> list[float]:
    return [p if x == label else (1 - p) / 2 for x in LABELS]


ROWS = [row(i, LABELS[i % 3]) for i in range(60)]


def test_flags_the_row_that_all_evaluators_are_confident_against() -> None:
    answers = {r.id: np.array([answer(r.label), answer(r.label, 0.8)]) for r in ROWS}
    answers["a-0"] = np.array([answer("oppose"), answer("oppose", 0.95)])
    answers["a-3"] = np.array([answer("oppose", 0.99), answer("adhere")])
    answers["a-6"] = np.array([answer("unrelated", 0.4), answer("unrelated", 0.4)])
    findings, errors = audit(ROWS, answers)
    assert [(f.row.id, f.suggested) for f in findings] == [("a-0", "oppose")], "evaluators that differ or hesitate flag nothing"
    assert (errors[0].n, errors[0].flagged, errors[0].agreed, errors[0].failed) == (60, 1, 57, 0)
    assert errors[0].low < 1 / 60 < errors[0].high


def test_rows_without_an_answer_are_counted_and_stand_in_no_share() -> None:
    answers = {r.id: np.array([answer(r.label)] * 2) for r in ROWS[:50]} | {"a-59": np.array([answer("adhere")])}
    _, errors = audit([*ROWS, row(1, "adhere", "b")], answers)
    assert [(e.source, e.n, e.failed) for e in errors] == [("a", 50, 10), ("b", 0, 1)]


def test_evaluators_that_know_nothing_flag_nothing() -> None:
    rng = np.random.default_rng(0)
    answers = {r.id: 1 / 3 + rng.uniform(-0.05, 0.05, (2, 3)) for r in ROWS}
    findings, errors = audit(ROWS, answers)
    assert findings == []
    assert errors[0].agreed < 40


def test_verdicts_without_probabilities_give_nothing() -> None:
    ok = Verdict(id="a-1", value="care", status="ok", label="adhere", probabilities={"adhere": 1.0, "oppose": 0.0, "unrelated": 0.0})
    failed = Verdict(id="a-2", value="care", status="failed", reason="no")
    assert collect_verdicts([[ok, failed], [ok]])["a-1"].tolist() == [[1, 0, 0], [1, 0, 0]]
    assert "a-2" not in collect_verdicts([[ok, failed]])
    with pytest.raises(InputError, match="verdicts with probabilities of two evaluators"):
        audit(ROWS, {})


def test_a_label_that_no_row_carries_cannot_be_suggested() -> None:
    assert thresholds(np.array([0, 0]), np.array([[0.9, 0.1, 0.0], [0.7, 0.3, 0.0]])).tolist() == [pytest.approx(0.8), np.inf, np.inf]
    rows = [row(i, "adhere") for i in range(5)]
    findings, _ = audit(rows, {r.id: np.array([answer("oppose", 0.99)] * 2) for r in rows})
    assert findings == []


def test_the_page_escapes_texts_and_loads_nothing() -> None:
    hostile = row(1, "adhere", text="</div><script>alert('x')</script><img src=x onerror=y>")
    page = audit_page(
        [Suspect(hostile, "oppose", 0.9, 0.8)], [SourceError("a", 10, 1, 8, 2, 0.02, 0.4), SourceError("b", 0, 0, 0, 3, 0, 1)]
    )
    assert "alert('x')" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<script") == 1
    assert "http" not in page.replace("http-equiv", "")
    assert 'value="drop"' in page


def test_a_share_is_told_with_its_interval() -> None:
    assert share_text(27, 30) == "27 of 30 (.74-.97)"
