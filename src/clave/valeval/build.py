"""Build ValEval from raw files: read, group, cut, perturb, write. The same inputs, package and seed give the same bytes.

from clave.valeval.sources.registry import find_sources

manifest = build(BuildPlan(out=Path("built"), raw_dir=Path("raw"), sources=find_sources(["safetext"]), allow_changed=True))
manifest["outputs"]
"""

from __future__ import annotations

import json
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
from clave.io.replacing import replacing
from clave.text.bounded import read_object
from clave.valeval.card import data_card
from clave.valeval.ceilings import ceilings
from clave.valeval.corrections import check_corrections, corrected, read_corrections
from clave.valeval.croissant import CROISSANT, croissant_metadata
from clave.valeval.diversity import Vectors
from clave.valeval.download import Downloaded, file_sha256
from clave.valeval.edition import VERSION, changes
from clave.valeval.hard import floor, hard_rows
from clave.valeval.inputs import Input, find_inputs, refuse_missing
from clave.valeval.perturbations.rows import PER_CELL, perturb
from clave.valeval.pool import SourceCounts, fill_pool
from clave.valeval.provenance import ORIGINS, TERMS, Origin, Terms
from clave.valeval.readings import shipped, summary
from clave.valeval.row import SPLITS, TESTED, VIEWS, ValEvalRow, write_split
from clave.valeval.sources.spec import Source
from clave.valeval.splits import RESERVE, cut
from clave.valeval.views import deciding, marked
from clave.values import ValueSystem, builtin_ids

if TYPE_CHECKING:
    from clave.llm.chat import ChatModel

EXTRA_SYSTEMS = ("assistant_conduct", "common_morality")
"""Systems of values that are never calibrated; they come with ValEval."""
_TOKENS_CUT = 1200
"""Characters of a text that are embedded: about what the encoder's 256 tokens hold."""


@dataclass(frozen=True)
class BuildPlan:
    """What to build from what."""

    out: Path
    raw_dir: Path
    sources: tuple[Source, ...]
    seed: int = 0
    accept_nc: bool = False
    allow_changed: bool = False
    corrections: Path | None = None
    """Labels that people settled, as the page of `clave valeval audit` saves them."""
    origins: tuple[Origin, ...] = ORIGINS
    """Only labels that came about so are taken."""
    terms: tuple[Terms, ...] = TERMS
    """Only sources whose licences allow so much are taken."""
    chat: ChatModel | None = None
    """With it the perturbation split also has paraphrases and translations, as the model gives them: keep its cache to build the same
    bytes again."""


def build(
    plan: BuildPlan, *, progress: Callable[[str], Downloaded] | None = None, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Build the data set in `plan.out`; its manifest.

    Raises:
        InputError: A licence was not accepted, a raw file is missing or changed, a correction names no row, or nothing is left to take.
    """
    sources = tuple(s for s in plan.sources if s.terms in plan.terms)
    refuse_unaccepted(sources, plan.accept_nc)
    refuse_missing(sources, plan.raw_dir)
    inputs = {
        s.id: find_inputs(s, plan.raw_dir, recorded=_recorded(plan.out), allow_changed=plan.allow_changed, progress=progress)
        for s in sources
    }
    say("reading the sources")
    pool, counts = fill_pool(sources, {s.id: tuple(i.path for i in inputs[s.id]) for s in sources}, plan.raw_dir, embed)
    for row in pool:
        if row.label_origin not in plan.origins:
            counts[row.source].dropped["label of an origin that was not asked for"] += 1
    pool = [r for r in pool if r.label_origin in plan.origins]
    if not pool:
        raise InputError("nothing is left to build from: name other `sources`, `terms` or `origins`")
    corrections = {} if plan.corrections is None else check_corrections(pool, read_corrections(plan.corrections))
    dropped = {i for i, c in corrections.items() if c.new == "drop"}
    say(f"cutting {len(pool):,} labelled texts into splits")
    splits, why = cut(pool, {s.id: s.role for s in sources}, embed, plan.seed)
    reserve = splits.pop(RESERVE)
    for row in pool:
        if reason := why.get(row.id) or ("dropped by a correction" if row.id in dropped else ""):
            counts[row.source].dropped[reason] += 1
    splits = {name: corrected(rows, corrections) for name, rows in splits.items()}
    splits |= {name: marked(splits[name]) for name in TESTED}
    say("editing original rows")
    splits["perturbation"], rejected = perturb(splits["original"], embed, plan.seed)
    if plan.chat is not None:
        say("asking the chat model to paraphrase and translate")
        rewritten, failed = anyio.run(_rewrite, splits["original"], plan.chat, plan.seed)
        splits["perturbation"] += rewritten
        rejected += failed
    say("choosing the hard view")
    views, controls = _views(splits, corrected(reserve, corrections), plan.seed)
    plan.out.mkdir(parents=True, exist_ok=True)
    say("writing")
    written = [path for name in SPLITS for path in write_split(plan.out, name, splits[name])]
    written += [path for name in VIEWS for path in write_split(plan.out, name, views[name])]
    written += _write_systems(plan.out, splits)
    manifest = _manifest(plan, sources, inputs, counts, splits, rejected, len(corrections))
    manifest |= {
        "views": {name: _by_system(rows) for name, rows in views.items()},
        "controls": controls,
        "annotators": ceilings(sources, {s: tuple(i.path for i in own) for s, own in inputs.items()}, plan.raw_dir),
        "readings": summary({r.id: r.label for r in pool}, shipped()),
    }
    texts = {"DATA_CARD.md": data_card(sources, manifest), "CHANGES.md": changes()}
    for name, text in texts.items():
        (plan.out / name).write_text(text, encoding="utf-8", newline="\n")
    written += [plan.out / name for name in texts]
    manifest["outputs"] = {str(p.relative_to(plan.out)): file_sha256(p) for p in sorted(written)}
    croissant = plan.out / CROISSANT
    croissant.write_text(json.dumps(croissant_metadata(sources, manifest), indent=1) + "\n", encoding="utf-8", newline="\n")
    manifest["outputs"][CROISSANT] = file_sha256(croissant)
    with replacing(plan.out / "manifest.json") as file:
        file.write(json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n")
    return manifest


async def _rewrite(original: Sequence[ValEvalRow], chat: ChatModel, seed: int) -> tuple[list[ValEvalRow], Counter[str]]:
    from clave.valeval.perturbations.rewrite import KINDS, rewrite

    rows, failed = list[ValEvalRow](), Counter[str]()
    for kind in KINDS:
        found, problems = await rewrite(original, chat, kind, embed, per_cell=3 * PER_CELL, seed=seed)
        rows += found
        failed += problems
    await chat.close()
    return rows, failed


def _views(
    splits: dict[str, list[ValEvalRow]], reserve: Sequence[ValEvalRow], seed: int
) -> tuple[dict[str, list[ValEvalRow]], dict[str, Any]]:
    """The views, and how controls that do not read fare on the test splits and the views: the floor under every figure."""
    tested, learnt = [r for name in TESTED for r in splits[name]], splits["calibration"]
    known = {r.id for r in tested}
    views = {
        "decides": deciding(tested, seed),
        "hard": hard_rows([*tested, *(r for r in reserve if r.id not in known)], learnt, embed, seed),
        "verified": [r for r in tested if r.verified],
    }
    parts = {name: splits[name] for name in TESTED} | views
    calibrated = {(r.system, r.value) for r in learnt}
    asked = {name: [r for r in rows if (r.system, r.value) in calibrated] for name, rows in parts.items()}
    halves = {"hard": seed + 1}
    floors = {name: floor(rows, learnt, embed, halves=halves.get(name)) for name, rows in asked.items() if rows}
    return views, {name: {"rows": len(asked[name]), **found} for name, found in floors.items()}


def _by_system(rows: Sequence[ValEvalRow]) -> dict[str, int]:
    return dict(sorted(Counter(r.system for r in rows).items()))


def refuse_unaccepted(sources: Sequence[Source], accept_nc: bool) -> None:
    """Non-commercial licences are taken knowingly or not at all."""
    bound = [s for s in sources if s.terms == "non-commercial"]
    if bound and not accept_nc:
        names = ", ".join(f"{s.id} ({s.license})" for s in bound)
        raise InputError(f"non-commercial licence: {names}: accept it with `accept_nc`, or leave it out of `sources`")


def embed(texts: list[str]) -> Vectors:
    """A vector for each text. Sorted batches on a fixed number of threads: the same bits on each run."""
    if not texts:
        return {}
    vectors = load_encoder(threads=1).encode([t[:_TOKENS_CUT] for t in texts])
    return dict(zip(texts, vectors.astype(np.float32), strict=True))


def _recorded(out: Path) -> dict[str, str]:
    """Hashes of the raw files of an earlier build into the same folder."""
    try:
        manifest = read_object(out / "manifest.json")
        return {i["path"]: i["sha256"] for inputs in manifest["inputs"].values() for i in inputs}
    except FileNotFoundError:
        return {}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{out / 'manifest.json'}: not the manifest of a build: {error}: delete it to build anew") from None


def _write_systems(out: Path, splits: dict[str, list[ValEvalRow]]) -> list[Path]:
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
    plan: BuildPlan,
    sources: Sequence[Source],
    inputs: dict[str, tuple[Input, ...]],
    counts: dict[str, SourceCounts],
    splits: dict[str, list[ValEvalRow]],
    rejected: Counter[str],
    corrections: int,
) -> dict[str, Any]:
    cells = Counter((name, r.system, r.value, r.label, r.source) for name, rows in splits.items() for r in rows)
    origins = Counter((name, r.source, r.label, r.label_origin) for name, rows in splits.items() for r in rows)
    return {
        "name": "ValEval",
        "version": VERSION,
        "schema": 2,
        "clave": package_version(),
        "selection": {"origins": sorted(plan.origins), "terms": sorted(plan.terms)},
        "seed": plan.seed,
        "corrections": corrections,
        "chat_model": None if plan.chat is None else plan.chat.model,
        "sources": {s.id: {"license": s.license, "terms": s.terms, "role": s.role, **counts[s.id].as_dict()} for s in sources},
        "inputs": {k: [asdict(i) for i in v] for k, v in sorted(inputs.items())},
        "rows": {name: len(splits[name]) for name in SPLITS},
        "cells": [
            {"split": split, "system": system, "value": value, "label": label, "source": source, "rows": n}
            for (split, system, value, label, source), n in sorted(cells.items())
        ],
        "origins": [
            {"split": split, "source": source, "label": label, "origin": origin, "rows": n}
            for (split, source, label, origin), n in sorted(origins.items())
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
