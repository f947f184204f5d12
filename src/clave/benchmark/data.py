"""The labelled rows of a benchmark: calibration rows for the judges to learn from, and rows to judge with their human labels.

data = load(Plan(valeval="valeval", splits=("original",), limit=50))
data.task                      # what judges see: no label of a row that they are to judge
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clave.benchmark.annotators import Annotated, annotated
from clave.benchmark.plan import Plan
from clave.benchmark.running import Gold
from clave.errors import InputError
from clave.fitting.samples import check_apart, one_label_each
from clave.io import read_labels
from clave.judges.protocol import Task
from clave.records import LabelledResponse, Response
from clave.valeval.row import SPLITS, VIEWS
from clave.values import Value, ValueSystem

CALIBRATION = "calibration"
_NEVER_JUDGED = frozenset({CALIBRATION, "calibration_random"})


@dataclass(frozen=True)
class BenchData:
    """Everything that a benchmark run reads."""

    values: Mapping[str, Value]
    system_of: Mapping[str, str]
    """Value -> its system."""
    calibration: Sequence[LabelledResponse]
    rows: Sequence[LabelledResponse]
    """What is judged."""
    gold: Mapping[tuple[str, str], Gold]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What was not taken, and why: it stands in the manifest."""
    annotated: Sequence[Annotated] = ()
    """What each annotator said of the rows of the judged splits that have several, also of rows that are not judged."""

    @property
    def task(self) -> Task:
        """What judges are given."""
        return Task(self.values, self.calibration, [unlabelled(row) for row in self.rows])

    @property
    def shared_scenarios(self) -> int:
        """Rows that are judged and share their scenario with a calibration row: near twins of what judges learnt from."""
        learnt = {str(r.metadata.get("group") or r.group) for r in self.calibration}
        return sum(g.group in learnt for g in self.gold.values())

    @property
    def splits(self) -> list[str]:
        """In the order in which they are judged."""
        return list(dict.fromkeys(g.split for g in self.gold.values()))


def unlabelled(row: LabelledResponse) -> Response:
    """A row without what people said of it."""
    return Response(id=row.id, scenario=row.scenario, response=row.response, value=row.value)


def load(plan: Plan) -> BenchData:
    """Read the rows that a plan names.

    Raises:
        InputError: The plan names no data or both kinds, a file cannot be read, a split or a value is not there.
    """
    if (plan.valeval is None) == (plan.labels is None):
        raise InputError("name the data either with `valeval` or with `labels`")
    systems, labelled = _valeval(plan) if plan.valeval is not None else _files(plan)
    system_of: dict[str, str] = {}
    for system in systems:
        for value in system.values:
            if system_of.setdefault(value.id, system.id) != system.id:
                raise InputError(f"value {value.id!r} stands in two of the systems: rename it in one")
    values = {v.id: v for s in systems for v in s.values}
    unknown = [v for v in plan.values if v not in values]
    if unknown:
        raise InputError(f"there is no value {unknown[0]!r}: there are {', '.join(values)}")
    wanted = set(plan.values) or set(values)
    calibration, disputed = one_label_each(r for r in labelled.pop(CALIBRATION, []) if r.value in wanted)
    known = {r.value for r in calibration}
    left_out = Counter[str]()
    if disputed:
        left_out["calibration rows whose annotators disagree without a majority"] = disputed
    rows, gold, said = list[LabelledResponse](), dict[tuple[str, str], Gold](), list[Annotated]()
    labelled = {split: own for split, own in labelled.items() if split not in _NEVER_JUDGED}
    splits = plan.splits or tuple(labelled)
    for split in splits:
        _refuse_unknown(split, labelled)
        joined, disputed = one_label_each(r for r in labelled[split] if r.value in wanted)
        said += annotated((r for r in labelled[split] if r.value in known), split)
        left_out[f"rows of {split} whose annotators disagree without a majority"] += disputed
        left_out[f"rows of {split} whose value has no calibration rows"] += sum(r.value not in known for r in joined)
        for row in limited([r for r in joined if r.value in known], plan.limit, plan.seed):
            if (row.id, row.value) in gold:
                raise InputError(f"id {row.id!r} stands twice for value {row.value!r}: ids must be unique over all splits")
            rows.append(row)
            gold[row.id, row.value] = gold_of(row, system_of[row.value], split)
    if not rows:
        raise InputError("there is no row to judge: every value needs calibration rows and rows of a split that is judged")
    if plan.limit is not None:
        rows = _with_their_bases(rows, {(r.id, r.value) for split in splits for r in labelled[split]})
        gold = {(r.id, r.value): gold[r.id, r.value] for r in rows}
    judged = {r.value for r in rows}
    return BenchData(
        values={v: values[v] for v in values if v in judged},
        system_of=system_of,
        calibration=[r for r in calibration if r.value in judged],
        rows=rows,
        gold=gold,
        left_out={why: str(n) for why, n in left_out.items() if n},
        annotated=[a for a in said if a.value in judged],
    )


def gold_of(row: LabelledResponse, system: str, split: str) -> Gold:
    """What people said, with what the row's other columns say of it."""
    more = row.metadata
    return Gold(
        label=row.label,
        group=str(more.get("group") or row.group),
        system=system,
        split=split,
        source=str(more.get("source") or ""),
        perturbation=str(more.get("kind") or ""),
        strength=float(more["strength"]) if more.get("kind") and more.get("strength") is not None else None,
        base=str(more["base_id"]) if more.get("base_id") else None,
    )


def limited(rows: Sequence[LabelledResponse], limit: int | None, seed: int) -> list[LabelledResponse]:
    """At most so many rows of each value. Edited rows go with their base: by it they are drawn."""
    if limit is None:
        return list(rows)
    by_value: defaultdict[str, list[LabelledResponse]] = defaultdict(list)
    for row in rows:
        by_value[row.value].append(row)

    def drawn(row: LabelledResponse) -> tuple[float, str]:
        base = str(row.metadata.get("base_id") or row.id)
        return random.Random(f"{seed} {row.value} {base}").random(), row.id

    return [row for own in by_value.values() for row in sorted(own, key=drawn)[:limit]]


def _refuse_unknown(split: str, splits: Collection[str]) -> None:
    if split not in splits:
        raise InputError(f"there is no split {split!r}: there are {', '.join(splits) or 'none'}")


def _with_their_bases(rows: Sequence[LabelledResponse], there: Collection[tuple[str, str]]) -> list[LabelledResponse]:
    """Drawn rows without the edited ones whose base is among the judged splits and was not drawn: they have nothing to be compared with."""
    drawn = {(r.id, r.value) for r in rows}
    bases = [(str(r.metadata.get("base_id") or r.id), r.value) for r in rows]
    return [row for row, base in zip(rows, bases, strict=True) if base in drawn or base not in there]


def _valeval(plan: Plan) -> tuple[list[ValueSystem], dict[str, list[LabelledResponse]]]:
    folder = Path(plan.valeval or "")
    found = sorted((folder / "value_systems").glob("*.yaml"))
    if not found or not (folder / f"{CALIBRATION}.jsonl").is_file():
        raise InputError(f"{folder}: is no built ValEval: make one with clave valeval build -o {folder}")
    present = [s for s in SPLITS if s not in _NEVER_JUDGED and (folder / f"{s}.jsonl").is_file()]
    for split in plan.splits:  # a view's rows stand in a split too: it is judged where it is named
        _refuse_unknown(split, [*present, *(v for v in VIEWS if (folder / f"{v}.jsonl").is_file())])
    labelled = {split: list(read_labels(folder / f"{split}.jsonl")) for split in (CALIBRATION, *(plan.splits or present))}
    return [ValueSystem.load(path) for path in found], labelled


def _files(plan: Plan) -> tuple[list[ValueSystem], dict[str, list[LabelledResponse]]]:
    if not plan.systems:
        raise InputError("name the value system of the labels with `systems`")
    systems = [ValueSystem.load(s) for s in plan.systems]
    ids = [v for s in systems for v in s.by_id]
    rows = list(read_labels(plan.labels or "", values=ids))
    labelled: dict[str, list[LabelledResponse]] = {}
    for row in rows:
        labelled.setdefault(str(row.metadata.get("split") or "test"), []).append(row)
    if plan.calibration is not None:
        labelled[CALIBRATION] = list(read_labels(plan.calibration, values=ids, fold_column=plan.fold_column))
    elif CALIBRATION in labelled:
        labelled[CALIBRATION] = [_with_fold(r, plan.fold_column) for r in labelled[CALIBRATION]]
    else:
        raise InputError(f"{plan.labels} has no row whose split is calibration: name a file of them with `calibration`")
    if plan.fold_column is not None and plan.calibration is None and any(r.fold is None for r in labelled[CALIBRATION]):
        raise InputError(f"a calibration row of {plan.labels} has no {plan.fold_column!r}, which `fold_column` names")
    check_apart(labelled[CALIBRATION], (r for split, rows in labelled.items() if split not in _NEVER_JUDGED for r in rows))
    return systems, labelled


def _with_fold(row: LabelledResponse, column: str | None) -> LabelledResponse:
    fold = row.metadata.get(column) if column else None
    return row if fold is None else row.model_copy(update={"fold": str(fold)})
