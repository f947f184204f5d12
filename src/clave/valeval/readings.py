"""Second readings: what someone says of rows whose labels they did not see, kept without the texts, and how far that bears the labels out.

    rows = blind(tested, per_source=60, seed=0)           # what a reader is given
    agreement(labels, read_file(Path("first.jsonl")))     # per source: rows read, labels borne out
    kappa(read_file(Path("first.jsonl")), read_file(Path("second.jsonl")))     # do two readers see the same?

A file of readings has a line for each row read: {"id": "xstest-0c1d…", "reader": "a", "label": "oppose"}. An id is a hash of the text and
the value, so that a file goes with any build and holds nothing of the data; verdicts of `clave evaluate` are readings too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from clave.errors import InputError
from clave.io import read_rows
from clave.io.rows import good_rows
from clave.records import LABELS, Label, Record
from clave.scoring.statistics import wilson
from clave.valeval.diversity import spread
from clave.valeval.row import ValEvalRow


class Reading(Record):
    """One reader's label of one row."""

    id: str
    reader: str
    label: Label


def share_text(hits: int, n: int) -> str:
    """`27 of 30 (.74-.97)`, with the 95 % score interval."""
    low, high = wilson(hits / n, n)
    return f"{hits} of {n} ({low:.2f}-{high:.2f})".replace("0.", ".")


class Kappa(NamedTuple):
    """Cohen's kappa of two readers (Cohen 1960), with what it stands on."""

    value: float | None
    """None where there is no row, or both readers say one thing throughout."""
    agreed: int
    n: int


def blind(rows: Sequence[ValEvalRow], per_source: int, seed: int) -> list[dict[str, str]]:
    """Rows for a reader, without labels, as many of each label of a source as there are, shuffled. Ids name the source: hide them."""
    cells = defaultdict[str, dict[Label, list[ValEvalRow]]](lambda: {label: [] for label in LABELS})
    for row in spread(rows, seed):
        cells[row.source][row.label].append(row)
    chosen = []
    for _, by_label in sorted(cells.items()):
        turns = [own[i] for i in range(per_source) for own in by_label.values() if i < len(own)]
        chosen += turns[:per_source]
    return [{"id": r.id, "value": r.value, "scenario": r.scenario, "response": r.response} for r in spread(chosen, seed + 1)]


def read_file(path: Path) -> dict[str, Reading]:
    """Readings by row id; a verdict without a label is none.

    Raises:
        InputError: A line is neither a reading nor a verdict, or a row is read twice; names the line.
    """
    found: dict[str, Reading] = {}
    for row in good_rows(read_rows(path), "stop", None):
        if row.data.get("status", "ok") != "ok":
            continue
        said = {"id": row.data.get("id"), "label": row.data.get("label"), "reader": row.data.get("reader") or path.stem}
        try:
            reading = Reading.model_validate(said)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{row.where}: not a reading: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None
        if reading.id in found:
            raise InputError(f"{row.where}: row {reading.id} is read twice: keep one of the lines")
        found[reading.id] = reading
    return found


def agreement(labels: Mapping[str, Label], readings: Mapping[str, Reading]) -> dict[str, tuple[int, int]]:
    """Source -> (labels that the reader gives too, rows read)."""
    out = defaultdict[str, list[bool]](list)
    for identity, reading in sorted(readings.items()):
        if identity in labels:
            out[identity.rpartition("-")[0]].append(labels[identity] == reading.label)
    return {source: (sum(hits), len(hits)) for source, hits in sorted(out.items())}


def kappa(one: Mapping[str, Reading], other: Mapping[str, Reading], ids: Iterable[str] | None = None) -> Kappa:
    """Agreement of two readers on the rows that both read, beyond what their shares of each label make likely."""
    shared = sorted((one.keys() & other.keys()) if ids is None else (one.keys() & other.keys() & set(ids)))
    pairs = [(one[i].label, other[i].label) for i in shared]
    n, agreed = len(pairs), sum(a == b for a, b in pairs)
    expected = sum(sum(a == label for a, _ in pairs) * sum(b == label for _, b in pairs) for label in LABELS) / max(1, n * n)
    return Kappa((agreed / n - expected) / (1 - expected) if n and expected < 1 else None, agreed, n)


class Against(NamedTuple):
    """Rows in which two readers give one label, and the source another."""

    source: str
    label: Label
    """The source's."""
    said: Label
    rows: int


def against(labels: Mapping[str, Label], one: Mapping[str, Reading], other: Mapping[str, Reading]) -> list[Against]:
    """Where the source is alone with its label, the most frequent kind first."""
    alike = [i for i in one.keys() & other.keys() & labels.keys() if one[i].label == other[i].label != labels[i]]
    kinds = Counter((i.rpartition("-")[0], labels[i], one[i].label) for i in sorted(alike))
    return [Against(*kind, n) for kind, n in kinds.most_common()]


@cache
def shipped() -> dict[str, dict[str, Reading]]:
    """The readings that come with the package, by reader."""
    with resources.as_file(resources.files("clave.valeval") / "readings") as folder:
        return {path.stem: read_file(path) for path in sorted(folder.glob("*.jsonl"))}


def summary(labels: Mapping[str, Label], readers: Mapping[str, Mapping[str, Reading]]) -> dict[str, Any]:
    """Per reader and source the labels borne out, and the kappa of the first two readers, as a manifest keeps it."""
    known = {name: {i: r for i, r in found.items() if i in labels} for name, found in readers.items()}
    first, second = [*known.values(), {}, {}][:2]
    both = sorted(first.keys() & second.keys())
    of_source = {s: [i for i in both if i.rpartition("-")[0] == s] for s in sorted({i.rpartition("-")[0] for i in both})}
    found: dict[str, Any] = {"readers": {}, "kappa": {}}
    for name, readings in known.items():
        found["readers"][name] = {source: {"agreed": agreed, "read": n} for source, (agreed, n) in agreement(labels, readings).items()}
    for source, ids in {**of_source, "all": both}.items():
        k = kappa(first, second, ids)
        found["kappa"][source] = {"value": None if k.value is None else round(k.value, 3), "agreed": k.agreed, "read": k.n}
    return found
