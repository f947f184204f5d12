"""Prove the invariants of a built data set: schema, labels, ids, no scenario across splits, perturbations, counts, hashes.

problems = check(Path("valeval"))        # sentences; empty when all is well
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clave.errors import InputError, require
from clave.records import LABELS, scenario_key
from clave.text.bounded import read_object
from clave.valeval.build import EXTRA_SYSTEMS, load_system
from clave.valeval.download import file_sha256
from clave.valeval.perturbations.checks import problem
from clave.valeval.perturbations.rows import KINDS
from clave.valeval.row import SPLITS, TESTED, VIEWS, ValEvalRow, read_split
from clave.valeval.splits import PER_VALUE
from clave.values import builtin_ids

_APART = ("calibration", *TESTED)


def check(folder: Path, raw_dir: Path | None = None) -> list[str]:
    """What is wrong with a built data set, one sentence each.

    Args:
        folder: Where it was built.
        raw_dir: If given, the raw files are checked against the manifest too.

    Raises:
        InputError: It is not a built data set, or a row cannot be read.
    """
    manifest = read_manifest(folder)
    splits = {name: list(read_split(folder / f"{name}.jsonl")) for name in SPLITS}
    return list(
        itertools.chain(
            _hashes(folder, manifest),
            _raw_hashes(raw_dir, manifest) if raw_dir else (),
            _rows(splits),
            _scenarios_apart(splits),
            _responses_apart(splits),
            _two_labels(splits),
            _views(folder, splits),
            _perturbations(splits),
            _counts(splits, manifest),
            _parquet_agrees(folder, splits),
        )
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a build.

    Raises:
        InputError: There is none, or it is damaged.
    """
    try:
        return read_object(folder / "manifest.json")
    except FileNotFoundError:
        raise InputError(f"{folder / 'manifest.json'}: there is none: build the data set with clave valeval build -o {folder}") from None
    except ValueError as error:
        raise InputError(f"{folder / 'manifest.json'}: not JSON: {error}: build the data set anew") from None


def _hashes(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    for name, recorded in sorted(manifest["outputs"].items()):
        path = folder / name
        if not path.is_file():
            yield f"{path} is missing, the manifest lists it"
        elif file_sha256(path) != recorded:
            yield f"{path}: its sha256 is not the one in the manifest: the file was changed after the build"


def _raw_hashes(raw_dir: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    for entry in sorted((i for inputs in manifest["inputs"].values() for i in inputs), key=lambda i: str(i["path"])):
        path = raw_dir / entry["path"]
        if not path.is_file():
            yield f"{path} is missing, the data set was built from it"
        elif file_sha256(path) != entry["sha256"]:
            yield f"{path}: its sha256 is not the one in the manifest: the raw file was changed after the build"


def _rows(splits: Mapping[str, Sequence[ValEvalRow]]) -> Iterator[str]:
    known = {name: set(load_system(name).by_id) for name in (*builtin_ids(), *EXTRA_SYSTEMS)}
    for name, rows in splits.items():
        seen = set[str]()
        for row in rows:
            where = f"{name}, row {row.id}"
            if row.id in seen:
                yield f"{where}: the id stands twice in the split"
            seen.add(row.id)
            if row.split != name:
                yield f"{where}: says split {row.split!r}"
            if row.label not in LABELS:
                yield f"{where}: label {row.label!r} is none of {', '.join(LABELS)}"
            if not row.response.strip():
                yield f"{where}: the response is empty"
            if row.system in known and row.value not in known[row.system]:
                yield f"{where}: value {row.value!r} is not in value system {row.system!r}"
    for (value, name), n in sorted(_calibration_sizes(splits).items()):
        if n > PER_VALUE:
            yield f"{name}: {n} rows of {value}, more than {PER_VALUE}"


def _calibration_sizes(splits: Mapping[str, Sequence[ValEvalRow]]) -> Counter[tuple[str, str]]:
    return Counter((f"{r.system}.{r.value}", s) for s in ("calibration", "calibration_random") for r in splits[s])


def _scenarios_apart(splits: Mapping[str, Sequence[ValEvalRow]]) -> Iterator[str]:
    """By the group that was built, and once more by the bare text, so that a wrong group is found out."""
    sides = {**{s: splits[s] for s in _APART}, "calibration": (*splits["calibration"], *splits["calibration_random"])}
    for what, key in (("group", lambda r: r.group), ("scenario", lambda r: scenario_key(r.scenario or r.response))):
        homes: dict[str, tuple[str, ValEvalRow]] = {}
        told = set[str]()
        for side, rows in sides.items():
            for row in rows:
                k = key(row)
                first, other = homes.setdefault(k, (side, row))
                if first != side and k not in told:
                    told.add(k)
                    yield f"the {what} of {side} row {row.id} also stands in {first} (row {other.id}): it must stand in one split only"


def _responses_apart(splits: Mapping[str, Sequence[ValEvalRow]]) -> Iterator[str]:
    learnt = {scenario_key(r.response): r.id for name in ("calibration", "calibration_random") for r in splits[name]}
    for name in TESTED:
        for row in splits[name]:
            if other := learnt.get(scenario_key(row.response)):
                yield f"the response of {name} row {row.id} also stands in calibration (row {other}): what is tested must not be learnt"


def _two_labels(splits: Mapping[str, Sequence[ValEvalRow]]) -> Iterator[str]:
    for name in TESTED:
        labels = defaultdict[tuple[str, str], Counter[str]](Counter)
        for row in splits[name]:
            # What an audit settled may leave a thin cell with one label: that is no fault of the build.
            labels[row.source, row.value].update([row.label, *([""] if row.corrected else ())])
        for (source, value), counts in sorted(labels.items()):
            if len(counts) == 1:
                yield f"{name}: {source} gives {value} the label {next(iter(counts))} alone: no figure can be had from it"


def _views(folder: Path, splits: Mapping[str, Sequence[ValEvalRow]]) -> Iterator[str]:
    tested = {r.id: r for name in TESTED for r in splits[name]}
    learnt = {r.group for name in ("calibration", "calibration_random") for r in splits[name]}
    for view in VIEWS:
        for row in read_split(folder / f"{view}.jsonl"):
            # The hard view also has rows that were beyond the balance of original.
            if row != tested.get(row.id, row if view == "hard" else None):
                yield f"{view}, row {row.id}: it does not stand so in a test split"
            if row.group in learnt:
                yield f"{view}, row {row.id}: its group also stands in calibration"


def _perturbations(splits: Mapping[str, Sequence[ValEvalRow]]) -> Iterator[str]:
    bases = {r.id: r for r in splits["original"]}
    kinds = {k.id: k for k in KINDS}
    for row in splits["perturbation"]:
        base = bases.get(row.base_id)
        if base is None:
            yield f"perturbation row {row.id}: its base {row.base_id!r} is not in original"
            continue
        if (row.label, row.value, row.system, row.scenario, row.group) != (base.label, base.value, base.system, base.scenario, base.group):
            yield f"perturbation row {row.id}: label, value, scenario or group differs from its base {base.id}"
        if row.kind in kinds and (reason := problem(base.response, row.response, kinds[row.kind])):
            yield f"perturbation row {row.id}: {reason}"


def _counts(splits: Mapping[str, Sequence[ValEvalRow]], manifest: Mapping[str, Any]) -> Iterator[str]:
    recorded = Counter[tuple[str, str, str, str, str]]()
    for c in manifest["cells"]:
        recorded[c["split"], c["system"], c["value"], c["label"], c["source"]] += c["rows"]
    found = Counter[tuple[str, str, str, str, str]]((s, r.system, r.value, r.label, r.source) for s, rows in splits.items() for r in rows)
    for key in sorted(recorded.keys() | found.keys()):
        if recorded[key] != found[key]:
            yield f"{', '.join(key)}: {found[key]} rows, the manifest says {recorded[key]}"
    for name, c in sorted(manifest["sources"].items()):
        left = sum(c["left_out"].values())
        if c["read"] != c["used"] + left:
            yield f"source {name}: {c['read']} rows read, but {c['used']} used and {left} left out"


def _parquet_agrees(folder: Path, splits: Mapping[str, Iterable[ValEvalRow]]) -> Iterator[str]:
    require("pyarrow.parquet", "parquet")
    digests = defaultdict[str, dict[str, int]](dict)
    for name, rows in splits.items():
        digests[name] = {r.id: hash(r.model_dump_json()) for r in rows}
        path = folder / f"{name}.parquet"
        if not path.is_file():
            continue  # the hashes said so
        if {r.id: hash(r.model_dump_json()) for r in read_split(path)} != digests[name]:
            yield f"{path} and {name}.jsonl do not hold the same rows"
