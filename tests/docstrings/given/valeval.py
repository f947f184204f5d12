"""What examples of `clave.valeval` take as given: raw files in the layouts of the real ones, and a build of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from valeval.raw_files import SOURCES, write_raw

from clave.io.verdicts import write_jsonl
from clave.judges.classical import naive_bayes, tfidf
from clave.records import Label
from clave.valeval.audit import SourceError, Suspect, audit, collect
from clave.valeval.build import BuildPlan, build, embed
from clave.valeval.check import read_manifest
from clave.valeval.crossfit import cross_fitted
from clave.valeval.diversity import Vectors
from clave.valeval.inputs import layout_in
from clave.valeval.perturbations.kind import Kind
from clave.valeval.perturbations.rows import KINDS
from clave.valeval.pool import fill_pool
from clave.valeval.readings import Reading
from clave.valeval.row import ValEvalRow, read_split
from clave.valeval.sources.registry import find_sources
from clave.valeval.sources.spec import Role, Source


@cache
def built() -> Path:
    root = Path(tempfile.mkdtemp())
    build(BuildPlan(root / "valeval", write_raw(root / "raw"), sources(), accept_nc=True, allow_changed=True))
    return root


def sources() -> tuple[Source, ...]:
    return find_sources(SOURCES)


def source() -> Source:
    return find_sources(["safetext"])[0]


def layouts() -> dict[str, tuple[str, ...]]:
    return {source.id: layout_in(source, built() / "raw") or () for source in sources()}


def roles() -> dict[str, Role]:
    return {source.id: source.role for source in sources()}


def manifest() -> dict[str, object]:
    return read_manifest(built() / "valeval")


def vectors_of() -> Callable[[list[str]], Vectors]:
    return embed


@cache
def pool() -> list[ValEvalRow]:
    found, _ = fill_pool(sources(), layouts(), built() / "raw", embed)
    return found


def original() -> list[ValEvalRow]:
    return list(read_split(built() / "valeval" / "original.jsonl"))


def learnt() -> list[ValEvalRow]:
    return list(read_split(built() / "valeval" / "calibration.jsonl"))


def tested() -> list[ValEvalRow]:
    return [row for name in ("original", "generalization") for row in read_split(built() / "valeval" / f"{name}.jsonl")]


def rows() -> list[ValEvalRow]:
    return original()


def labels() -> dict[str, Label]:
    return {row.id: row.label for row in original()}


def candidates() -> list[ValEvalRow]:
    return learnt()


def vectors() -> Vectors:
    return embed([row.response for row in learnt()])


def kind() -> Kind:
    return KINDS[0]


def base() -> str:
    return "You should never do this to a friend, since it hurts. Ask them first, and wait for what they say."


def edited() -> str:
    return base().upper()


def similarity() -> float:
    return 0.9


def answers() -> dict[str, np.ndarray]:
    write_verdicts(tfidf(), Path("a.jsonl"))
    write_verdicts(naive_bayes(), Path("b.jsonl"))
    return collect([Path("a.jsonl"), Path("b.jsonl")])


def findings() -> list[Suspect]:
    return audit(rows(), answers())[0]


def errors() -> list[SourceError]:
    return audit(rows(), answers())[1]


def write_verdicts(judge: object, path: Path) -> None:
    write_jsonl(path, cross_fitted(judge, original(), learnt=(), folds=3, seed=0))


def write_readings(path: Path) -> None:
    write_jsonl(path, [Reading(id=row.id, reader=path.stem, label=row.label) for row in original()])


def copied(name: str) -> Callable[[Path], object]:
    return lambda path: shutil.copytree(built() / name, path.parts[0], dirs_exist_ok=True)


FILES = {
    "valeval": copied("valeval"),
    "raw": copied("raw"),
    "raw/xstest/xstest_prompts.csv": copied("raw"),
    "a.jsonl": lambda path: write_verdicts(tfidf(), path),
    "b.jsonl": lambda path: write_verdicts(naive_bayes(), path),
    "first.jsonl": write_readings,
    "second.jsonl": write_readings,
}
