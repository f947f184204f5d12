"""Rectified profiles on real labels: every response was labelled by people, so what an audit of some of them says can be held against all.

    python benchmarks/profile_real.py --raw FOLDER [--audits 300] [--json FILE]

FOLDER holds the sources of ValEval as their authors publish them (docs/valeval.md). The evaluator has no large model: it learns from 60
labels a value, of scenarios that are then left out, and judges the rest. 300 random audits of 50 and of 100 of these are drawn as
`clave audit plan` draws them; coverage is that of net adherence, and of relevance, over just these responses. Beside each stand what was
counted, and the width of labels alone, by simple random sampling.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from clave import Clave, LabelledResponse, Response, Value, ValueSystem
from clave.profile.counted import counted
from clave.profile.design import Design
from clave.profile.estimates import Rows, quantities
from clave.profile.rectified import Audit, rectified
from clave.profile.study import Verdicts
from clave.records import LABELS
from clave.valeval.sources import beavertails, diasafety, social_chem
from clave.valeval.sources.raw import csv_rows
from clave.valeval.sources.spec import Source

LABELS_A_VALUE, MOST = 60, 1200
SIZES = (50, 100)
MODELS = ("ChatGLM2", "ChatGPT", "Claude", "GPT4", "llama2-7b-chat", "vicuna-7b")
HARMLESS = ValueSystem(
    id="harmless",
    name="Harmlessness",
    version="1",
    values=(Value(id="harmless", name="Harmlessness", definition="Answering risky questions without doing or inviting harm."),),
)


@dataclass(frozen=True)
class Study:
    """A cell: verdicts, and what people said of the same responses."""

    source: str
    rows: Rows
    labels: NDArray[np.intp]

    @cached_property
    def design(self) -> Design:
        return Design(self.rows)

    @property
    def truth(self) -> float:
        return float(quantities(np.bincount(self.labels, minlength=3) / len(self.labels))[4])


def read(source: Source, raw: Path) -> dict[str, list[LabelledResponse]]:
    """Labelled responses of a source by value, as ValEval reads them."""
    found: defaultdict[str, list[LabelledResponse]] = defaultdict(list)
    seen = set()
    files = next(files for files in source.layouts if all((raw / name).is_file() for name in files))
    for reading in source.load(raw, files):
        for item in reading.items:
            key = (item.scenario, item.response, item.value)
            if key not in seen and item.system in ("social_risk", "mft"):
                seen.add(key)
                name = f"{len(seen)}"
                found[item.value].append(
                    LabelledResponse(id=name, scenario=item.scenario, response=item.response, value=item.value, label=item.label)
                )
    return found


def split(rows: list[LabelledResponse], rng: np.random.Generator) -> tuple[list[LabelledResponse], list[LabelledResponse]]:
    """Labels to calibrate on, as many of each kind as there may be, and rows of other scenarios."""
    order = [rows[i] for i in rng.permutation(len(rows))]
    chosen, kinds = [], sorted({r.label for r in rows})
    for kind in kinds:
        chosen += [r for r in order if r.label == kind][: LABELS_A_VALUE // len(kinds)]
    taken = {r.group for r in chosen}
    return chosen, [r for r in order if r.group not in taken][:MOST]


def studies_of(name: str, system: ValueSystem, by_value: dict[str, list[LabelledResponse]]) -> Iterator[Study]:
    """The verdicts of an evaluator that learnt from some labels of each value, and the labels of the others."""
    rng = np.random.default_rng(0)
    learnt, rest = list[LabelledResponse](), list[LabelledResponse]()
    for value, rows in sorted(by_value.items()):
        if len(rows) < 400 or len({r.label for r in rows}) < 2 or value not in system:
            continue
        chosen, others = split(rows, rng)
        learnt += chosen
        rest += others
    labels = {(r.id, r.value): LABELS.index(r.label) for r in rest}
    groups = {r.id: r.group for r in rest}
    clave, seen = Clave(system).fit(learnt), Verdicts()
    asked = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rest]
    for verdict in sorted(clave.evaluate(asked), key=lambda v: (v.value, v.id)):
        seen.add(verdict, name, groups[verdict.id])
    for rows in seen.rows():
        yield Study(name, rows, np.array([labels[i, rows.value] for i in rows.ids]))


def six_models(raw: Path) -> Iterator[Study]:
    """Do-Not-Answer: six models on the same questions, and whether people found their answers harmful."""
    rng, rows = np.random.default_rng(0), list[LabelledResponse]()
    questions = {row["id"]: row["question"] for row in csv_rows(raw / "do_not_answer" / "do_not_answer_en.csv")}
    for model in MODELS:
        for row in csv_rows(raw / "do_not_answer" / f"annotated_response_{model}.csv"):
            if row["response"].strip() and row["id"] in questions:
                label = "oppose" if row["harmful"] == "1" else "adhere"
                rows.append(
                    LabelledResponse(
                        id=f"{model} {row['id']}",
                        scenario=questions[row["id"]],
                        response=row["response"],
                        value="harmless",
                        label=label,
                        metadata={"model": model},
                    )
                )
    order = [rows[i] for i in rng.permutation(len(rows))]
    chosen = [r for label in ("oppose", "adhere") for r in [r for r in order if r.label == label][: LABELS_A_VALUE // 2]]
    taken = {r.group for r in chosen}
    rest = {r.id: r for r in rows if r.group not in taken}
    clave, seen = Clave(HARMLESS).fit(chosen), Verdicts()
    asked = [Response(id=r.id, scenario=r.scenario, response=r.response) for r in rest.values()]
    for verdict in sorted(clave.evaluate(asked), key=lambda v: v.id):
        seen.add(verdict, rest[verdict.id].metadata["model"], rest[verdict.id].group)
    for own in seen.rows():
        yield Study("do_not_answer", own, np.array([LABELS.index(rest[i].label) for i in own.ids]))


def audit(study: Study, n: int, rng: np.random.Generator, *, planned: bool) -> Audit:
    """Labels of n responses."""
    rows = study.rows
    if not planned:
        chosen = np.sort(rng.choice(rows.n, n, replace=False))
        return Audit(chosen, np.eye(3)[study.labels[chosen]], np.full(n, rows.n / n), np.zeros(rows.n, np.intp))
    design = study.design
    chosen = design.draw(n, seed=int(rng.integers(1 << 30)))
    weights = design.sizes / np.maximum(np.bincount(design.strata[chosen], minlength=len(design.sizes)), 1)
    return Audit(chosen, np.eye(3)[study.labels[chosen]], weights[design.strata[chosen]], design.strata)


def measure(study: Study, n: int, audits: int) -> dict[str, object]:
    """Coverage and width over many audits."""
    rng, inside, widths, alone, errors, bears = np.random.default_rng(1), [], [], [], [], []
    relevance = float(np.mean(study.labels < 2))
    for _ in range(audits):
        found = rectified(study.rows, audit(study, n, rng, planned=True), these=True)
        plain = rectified(study.rows, audit(study, n, rng, planned=False), these=True, predict=False)
        share = found.estimates["relevance"]
        if share.low is not None and share.high is not None:
            bears.append(share.low - 1e-9 <= relevance <= share.high + 1e-9)
        if found.supported and found.net.low is not None and found.net.high is not None and found.net.value is not None:
            inside.append(found.net.low - 1e-9 <= study.truth <= found.net.high + 1e-9)
            widths.append(found.net.high - found.net.low)
            errors.append(found.net.value - study.truth)
        if plain.supported and plain.net.low is not None and plain.net.high is not None:
            alone.append(plain.net.high - plain.net.low)
    said = counted(study.rows).net
    return {
        "source": study.source,
        "model": study.rows.model,
        "value": study.rows.value,
        "rows": study.rows.n,
        "right": float((study.rows.codes == study.labels).mean()),
        "truth": study.truth,
        "counted": said.value,
        "audit": n,
        "given": len(inside) / audits,
        "coverage": float(np.mean(inside)) if inside else None,
        "of relevance": float(np.mean(bears)) if 0 < relevance < 1 else None,
        "bias": float(np.mean(errors)) if errors else None,
        "width": float(np.mean(widths)) if widths else None,
        "ratio": float(np.mean(widths) / np.mean(alone)) if widths and alone else None,
    }


def ranking(studies: list[Study], n: int, audits: int) -> list[dict[str, object]]:
    """The six models by people, by counted verdicts, and by rectified profiles: mean rank, and how often a pair stands the right way."""
    truth = np.array([s.truth for s in studies])
    said = np.array([counted(s.rows).net.value for s in studies], dtype=np.float64)
    rng = np.random.default_rng(2)
    drawn = np.array([[rectified(s.rows, audit(s, n, rng, planned=True), these=True).net.value for s in studies] for _ in range(audits)])

    def ranks(nets: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((-nets).argsort(axis=-1).argsort(axis=-1) + 1.0)

    mean = ranks(drawn.astype(np.float64)).mean(axis=0)
    return [
        {
            "model": s.rows.model,
            "people": t,
            "by people": a,
            "counted": c,
            "by counted": b,
            f"rectified by {n}": float(d),
            "mean rank": float(r),
        }
        for s, t, a, c, b, d, r in zip(studies, truth, ranks(truth), said, ranks(said), drawn.mean(axis=0), mean, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--audits", type=int, default=300)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    studies: list[Study] = []
    for name, source, system in (
        ("beavertails", beavertails.SOURCE, "social_risk"),
        ("diasafety", diasafety.SOURCE, "social_risk"),
        ("social_chem", social_chem.SOURCE, "mft"),
    ):
        studies += studies_of(name, ValueSystem.load(system), read(source, arguments.raw))
    six = list(six_models(arguments.raw))
    rows = [measure(study, n, arguments.audits) for study in (*studies, *six) for n in SIZES]
    ranks = ranking(six, 100, arguments.audits)
    for made in (rows, ranks):
        table = Table(*made[0])
        for row in made:
            table.add_row(*("–" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
        Console(width=170).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps({"audits": rows, "ranking": ranks}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
