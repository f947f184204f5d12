"""Build ValEval from raw files: read, group, cut, perturb, write. The same inputs, package and seed give the same bytes.

report = build(Plan(out=Path("valeval"), raw_dir=Path("raw"), sources=find_sources()))
report.manifest["outputs"]
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np

from clave.encoder import load_encoder
from clave.errors import InputError
from clave.valeval.card import data_card
from clave.valeval.corrections import check_corrections, corrected, read_corrections
from clave.valeval.diversity import Vectors
from clave.valeval.download import Progress, file_sha256
from clave.valeval.inputs import Input, find_inputs, refuse_missing
from clave.valeval.perturbations.rows import PER_CELL, perturb
from clave.valeval.pool import SourceCounts, fill_pool
from clave.valeval.row import SPLITS, Row, write_split
from clave.valeval.sources.spec import Source
from clave.valeval.splits import cut
from clave.values import ValueSystem, builtin_ids

if TYPE_CHECKING:
    from clave.llm.chat import ChatModel

EXTRA_SYSTEMS = ("assistant_conduct", "common_morality")
"""Systems of values that are never calibrated; they come with ValEval."""
_TOKENS_CUT = 1200
"""Characters of a text that are embedded: about what the encoder's 256 tokens hold."""


@dataclass(frozen=True)
class Plan:
    """What to build from what."""

    out: Path
    raw_dir: Path
    sources: tuple[Source, ...]
    seed: int = 0
    accept_nc: bool = False
    allow_changed: bool = False
    corrections: Path | None = None
    """Accepted label corrections, as `clave valeval audit` writes them."""
    chat: ChatModel | None = None
    """With it the perturbation split also has paraphrases and translations, as the model gives them: keep its cache to build the same
    bytes again."""


def build(plan: Plan, *, progress: Callable[[str], Progress] | None = None, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Build the data set in `plan.out`; its manifest.

    Raises:
        InputError: A licence was not accepted, a raw file is missing or changed, a correction names no row.
    """
    refuse_unaccepted(plan.sources, plan.accept_nc)
    refuse_missing(plan.sources, plan.raw_dir)
    inputs = {
        s.id: find_inputs(s, plan.raw_dir, recorded=_recorded(plan.out), allow_changed=plan.allow_changed, progress=progress)
        for s in plan.sources
    }
    say("reading the sources")
    pool, counts = fill_pool(plan.sources, {s.id: tuple(i.path for i in inputs[s.id]) for s in plan.sources}, plan.raw_dir, embed)
    if not pool:
        raise InputError("the sources gave no row: name others with --sources")
    corrections = {} if plan.corrections is None else check_corrections(pool, read_corrections(plan.corrections))
    say(f"cutting {len(pool):,} labelled texts into splits")
    splits = cut(pool, {s.id: s.role for s in plan.sources}, embed, plan.seed)
    _count_splits(pool, splits, counts, plan.sources, {i for i, c in corrections.items() if c.new == "drop"})
    splits = {name: corrected(rows, corrections) for name, rows in splits.items()}
    say("editing original rows")
    splits["perturbation"], rejected = perturb(splits["original"], embed, plan.seed)
    if plan.chat is not None:
        say("asking the chat model to paraphrase and translate")
        rewritten, failed = anyio.run(_rewrite, splits["original"], plan.chat, plan.seed)
        splits["perturbation"] += rewritten
        rejected += failed
    plan.out.mkdir(parents=True, exist_ok=True)
    say("writing")
    written = [path for name in SPLITS for path in write_split(plan.out, name, splits[name])]
    written += _write_systems(plan.out, splits)
    manifest = _manifest(plan, inputs, counts, splits, rejected, len(corrections))
    card = plan.out / "DATA_CARD.md"
    card.write_text(data_card(plan.sources, manifest), encoding="utf-8", newline="\n")
    manifest["outputs"] = {str(p.relative_to(plan.out)): file_sha256(p) for p in sorted([*written, card])}
    part = plan.out / "manifest.json.part"
    part.write_text(json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
    os.replace(part, plan.out / "manifest.json")
    return manifest


async def _rewrite(original: Sequence[Row], chat: ChatModel, seed: int) -> tuple[list[Row], Counter[str]]:
    from clave.valeval.perturbations.rewrite import KINDS, rewrite

    rows, failed = list[Row](), Counter[str]()
    for kind in KINDS:
        found, problems = await rewrite(original, chat, kind, embed, per_cell=3 * PER_CELL, seed=seed)
        rows += found
        failed += problems
    await chat.close()
    return rows, failed


def refuse_unaccepted(sources: Sequence[Source], accept_nc: bool) -> None:
    """Non-commercial licences are taken knowingly or not at all."""
    bound = [s for s in sources if s.non_commercial]
    if bound and not accept_nc:
        names = ", ".join(f"{s.id} ({s.license})" for s in bound)
        raise InputError(f"non-commercial licence: {names}: accept it with --accept-nc, or leave it out with --sources")


def embed(texts: list[str]) -> Vectors:
    """A vector for each text. Sorted batches on a fixed number of threads: the same bits on each run."""
    if not texts:
        return {}
    vectors = load_encoder(threads=1).encode([t[:_TOKENS_CUT] for t in texts])
    return dict(zip(texts, vectors.astype(np.float32), strict=True))


def _recorded(out: Path) -> dict[str, str]:
    """Hashes of the raw files of an earlier build into the same folder."""
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InputError(f"{out / 'manifest.json'}: not JSON: {error}: delete it to build anew") from None
    return {i["path"]: i["sha256"] for inputs in manifest["inputs"].values() for i in inputs}


def _count_splits(
    pool: Sequence[Row], splits: dict[str, list[Row]], counts: dict[str, SourceCounts], sources: Sequence[Source], dropped: set[str]
) -> None:
    """What of the pool went nowhere: generalization rows whose scenario the calibration sources know, and rows beyond a cap."""
    roles = {s.id: s.role for s in sources}
    known = {r.group for r in pool if roles[r.source] == "calibration"}
    taken = {r.id for name in ("calibration", "original", "generalization") for r in splits[name]}
    for row in pool:
        if row.id in taken and row.id in dropped:
            counts[row.source].dropped["dropped by a correction"] += 1
        elif row.id not in taken:
            overlaps = roles[row.source] == "generalization" and row.group in known
            counts[row.source].dropped["scenario also in a calibration source" if overlaps else "beyond the balance of its split"] += 1


def _write_systems(out: Path, splits: dict[str, list[Row]]) -> list[Path]:
    """The definitions that the labels go with, for every system that occurs."""
    used = sorted({r.system for rows in splits.values() for r in rows})
    folder = out / "value_systems"
    folder.mkdir(exist_ok=True)
    paths = []
    for name in used:
        if name in (*builtin_ids(), *EXTRA_SYSTEMS):
            path = folder / f"{name}.yaml"
            path.write_text(load_system(name).to_yaml(), encoding="utf-8", newline="\n")
            paths.append(path)
    return paths


def load_system(name: str) -> ValueSystem:
    """A built-in value system, or one of those that come with ValEval."""
    if name in EXTRA_SYSTEMS:
        return ValueSystem.parse((resources.files("clave.valeval") / "systems" / f"{name}.yaml").read_text(encoding="utf-8"), name)
    return ValueSystem.load(name)


def _manifest(
    plan: Plan,
    inputs: dict[str, tuple[Input, ...]],
    counts: dict[str, SourceCounts],
    splits: dict[str, list[Row]],
    rejected: Counter[str],
    corrections: int,
) -> dict[str, Any]:
    cells = Counter((name, r.system, r.value, r.label, r.source) for name, rows in splits.items() for r in rows)
    return {
        "name": "ValEval",
        "schema": 1,
        "clave": package_version(),
        "seed": plan.seed,
        "corrections": corrections,
        "chat_model": None if plan.chat is None else plan.chat.model,
        "sources": {s.id: {"license": s.license, "role": s.role, **counts[s.id].as_dict()} for s in plan.sources},
        "inputs": {k: [asdict(i) for i in v] for k, v in sorted(inputs.items())},
        "rows": {name: len(splits[name]) for name in SPLITS},
        "cells": [
            {"split": split, "system": system, "value": value, "label": label, "source": source, "rows": n}
            for (split, system, value, label, source), n in sorted(cells.items())
        ],
        "perturbations": {
            "kept": dict(sorted(Counter(f"{r.kind} {r.strength}" for r in splits["perturbation"]).items())),
            "rejected": dict(sorted(rejected.items())),
        },
    }


def package_version() -> str:
    """The version of clave, as far as it is installed."""
    try:
        return version("clave")
    except PackageNotFoundError:
        return "not installed"
