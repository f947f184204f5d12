"""What examples of `clave.profile` take as given: verdicts on two models' responses, and what labels tell of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from tests.profile.drawn import audited, draw, known_of

from clave.io.verdicts import write_jsonl
from clave.profile.auditing import Audits, read_audits, to_label
from clave.profile.corrected import corrected
from clave.profile.design import Design
from clave.profile.estimates import Profile, Rows
from clave.profile.rates import Known, error_rates
from clave.profile.rectified import Audit, rectified
from clave.profile.study import Verdicts
from clave.records import LABELS, LabelledResponse, Response, Verdict

MODELS = {"model-a": [0.6, 0.1, 0.3], "model-b": [0.3, 0.4, 0.3]}


@cache
def cells() -> dict[str, tuple[np.ndarray, Rows]]:
    """The labels that people would give, and the verdicts; the models answer the same scenarios."""
    rng = np.random.default_rng(0)
    return {model: draw(rng, 300, shares, model=model, value="care") for model, shares in MODELS.items()}


def rows() -> Rows:
    return cells()["model-a"][1]


def rows_of_all_models() -> list[Rows]:
    return [rows for _, rows in cells().values()]


@cache
def known() -> Known:
    return known_of(np.random.default_rng(1), values=("care", "fairness"))


@cache
def audit() -> Audit:
    return audited(np.random.default_rng(2), *cells()["model-a"], 60)


def drawn() -> np.ndarray:
    return audit().rows


def shares() -> np.ndarray:
    return audit().labels


def inclusion() -> np.ndarray:
    return 1 / audit().weights


def strata() -> np.ndarray:
    return audit().strata


def other() -> Profile:
    return rectified(cells()["model-b"][1], audited(np.random.default_rng(3), *cells()["model-b"], 60))


def profiles() -> list[Profile]:
    return [corrected(own, error_rates(known(), "care")) for own in rows_of_all_models()]


def texts() -> dict[str, Response]:
    return responses_by_model()["model-a"]


def responses_by_model() -> dict[str, dict[str, Response]]:
    return {
        model: {i: Response(id=i, scenario=f"Question {n // 2}?", response=f"Answer {i}.") for n, i in enumerate(rows.ids)}
        for model, (_, rows) in cells().items()
    }


@cache
def verdicts() -> Verdicts:
    said = Verdicts()
    for model, (_, own) in cells().items():
        for i, identity in enumerate(own.ids):
            chances = dict(zip(LABELS, map(float, own.probabilities[i] / own.probabilities[i].sum()), strict=True))
            verdict = Verdict(id=identity, value="care", evaluator="clave", status="ok", label=LABELS[own.codes[i]], probabilities=chances)
            said.add(verdict, model, f"s{own.scenarios[i]}")
    return said


def audits() -> Audits:
    path = Path("given-labels.jsonl")
    write_audit(path)
    return read_audits(path, verdicts().rows())


def write_audit(path: Path) -> None:
    labels, own = cells()["model-a"]
    label_of = dict(zip(own.ids, labels, strict=True))
    write_jsonl(
        path,
        [
            LabelledResponse(**drawn.model_dump(), label=LABELS[label_of[next(iter(drawn.metadata.values()))["id"]]])
            for drawn in to_label(texts(), Design(own), 60, seed=0)
        ],
    )


FILES = {"labels.jsonl": write_audit}
