"""Read a saved evaluator. The folder is foreign: all types, shapes and ranges are checked, and what it names must be trusted.

load(Path("evaluator"))
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clave.calibration import Calibration
from clave.concepts.cases import CaseIndex
from clave.concepts.pool import Concept, ConceptPool
from clave.concepts.prompts import prompts_in_use
from clave.encoder.encoder import Vectors
from clave.encoder.precision import Precision
from clave.errors import EvaluatorError, InputError
from clave.fitting.asked import Asked, Check
from clave.fitting.closer_look import CloserLook
from clave.fitting.fitted import Fitted, Provenance
from clave.fitting.learn import Learnt
from clave.fitting.samples import Sample
from clave.io import read_records
from clave.recognizers.reading import refuse_pickles
from clave.recognizers.registry import recognizer_class
from clave.records import LABELS
from clave.saving.files import CHECKS, changed_files, read_json, refuse_odd
from clave.saving.writing import SCHEMA_VERSION
from clave.settings import Settings
from clave.trust import names_in, refuse_foreign
from clave.values import ValueSystem

_MOST_BYTES_OF_CHECKS = 1_000_000
"""Some 2,000 checks."""


def load(folder: Path, *, edited: bool = False, trust: bool = False) -> Fitted:
    """Read what `save` wrote.

    Args:
        folder: The folder.
        edited: Take edited guidelines and concepts up, as a refit does; the pool's vectors are then computed anew.
        trust: Use small models that it names and the user has not named.

    Raises:
        EvaluatorError: Another version, a missing or damaged file, or an edit that was not taken up.
        UntrustedError: It names an encoder or a base model that the user has not named; see `clave.trust`.
    """
    refuse_odd(folder)
    refuse_pickles(folder)
    manifest = read_json(folder / "manifest.json")
    config = read_json(folder / "config.json")
    found = config.get("schema_version")
    if found not in (1, SCHEMA_VERSION):
        raise EvaluatorError(f"{folder} is of schema version {found}, and this clave reads version {SCHEMA_VERSION}: calibrate it again")
    changed = changed_files(folder, manifest.get("files") or {}, edited)
    try:
        settings = Settings.model_validate(config["settings"])
        provenance = Provenance.model_validate(manifest["provenance"] if found == SCHEMA_VERSION else _as_of_version_1(manifest, settings))
        if not trust:
            refuse_foreign(str(folder), names_in(settings, _bases(folder)), calls=False)
        name, system = _name(manifest), ValueSystem.load(folder / "value_system.yaml")
        samples = tuple(read_records(folder / "samples.jsonl", Sample))
        _check_samples(samples, system)
        learnt, vectors = _learnt(folder, settings, samples, provenance, "concepts.jsonl" in changed)
        return Fitted(
            name=name,
            system=system,
            settings=settings,
            samples=samples,
            vectors=vectors,
            guidelines={p.stem: p.read_text(encoding="utf-8").strip() for p in sorted((folder / "guidelines").glob("*.md"))},
            precision=Precision.model_validate(config.get("precision", {})),
            learnt=learnt,
            provenance=provenance,
            closer_look=None if config.get("closer_look") is None else CloserLook.model_validate(config["closer_look"]),
            asked=Asked.model_validate(read_json(folder / "asked.json")) if (folder / "asked.json").exists() else None,
            checks=_checks(folder / CHECKS),
        )
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        InputError,
    ) as error:  # what a file of another form may raise
        why = " ".join(str(error).split())[:300] or type(error).__name__
        raise EvaluatorError(f"{folder} is damaged: {why}; calibrate it again") from None


def _name(manifest: dict[str, Any]) -> str:
    name = manifest["evaluator"]
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]{1,200}", name):
        raise ValueError("its name is none")
    return name


def _check_samples(samples: Sequence[Sample], system: ValueSystem) -> None:
    """What the types do not say of samples.

    Raises:
        ValueError: One is not as a fit makes them.
    """
    if not samples:
        raise ValueError("it has no samples")
    if len({(s.labelled.id, s.labelled.value) for s in samples}) < len(samples):
        raise ValueError("a sample stands in it twice")
    for sample in samples:
        system[sample.labelled.value]
        found = sample.extraction
        if not 0 <= sample.fold < len(samples):
            raise ValueError(f"sample {sample.labelled.id[:80]!r} is in fold {str(sample.fold)[:20]}")
        if found is not None and not 0 <= found.confidence <= 1:  # NaN is not, either
            raise ValueError(f"the confidence of sample {sample.labelled.id[:80]!r} is no number from 0 to 1")


def _bases(folder: Path) -> list[str]:
    """Base models that adapters are for: they are loaded by these names."""
    return [str(read_json(path).get("base", "")) for path in sorted((folder / "recognizer").rglob("lora.json"))]


def _as_of_version_1(manifest: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Provenance as it stood in the manifests of 0.1, loose among other things."""
    known = {k: manifest[k] for k in Provenance.model_fields if k in manifest}
    known["prompts"] = {name: found for name, found in manifest.get("prompts", {}).items() if name in prompts_in_use(settings)}
    if "distilled" in known:
        known["distilled"] = {("source" if k == "from" else k): v for k, v in known["distilled"].items()}
    return known


def _learnt(
    folder: Path, settings: Settings, samples: tuple[Sample, ...], provenance: Provenance, new_concepts: bool
) -> tuple[Learnt, Vectors]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        vectors = load_file(folder / "vectors.safetensors")
    except (OSError, SafetensorError) as error:
        raise EvaluatorError(f"{folder / 'vectors.safetensors'} is damaged ({error}): calibrate again") from None
    calibration = read_json(folder / "calibration.json")
    threshold = calibration.pop("threshold")
    if threshold is not None and (isinstance(threshold, bool) or not isinstance(threshold, int | float) or not -1 <= threshold <= 1):
        raise EvaluatorError(f"{folder / 'calibration.json'} is damaged: 'threshold' is no similarity; calibrate again")
    _check_shape(folder, "samples", vectors.get("samples"), len(samples), None)
    dim = vectors["samples"].shape[1]
    if "out_of_fold" in vectors:
        _check_shape(folder, "out_of_fold", vectors["out_of_fold"], len(samples), len(LABELS))
    pool = None
    if (folder / "concepts.jsonl").exists():
        concepts = list(read_records(folder / "concepts.jsonl", Concept))
        if threshold is None:
            raise EvaluatorError(f"{folder / 'calibration.json'} is damaged: 'threshold' is missing; calibrate again")
        _check_shape(folder, "concepts", vectors.get("concepts"), None if new_concepts else len(concepts), dim)
        if new_concepts:
            pool = ConceptPool(concepts, np.zeros((len(concepts), vectors["concepts"].shape[1]), np.float32), threshold)
        else:
            pool = ConceptPool(concepts, vectors["concepts"], threshold)
    cases = CaseIndex([s.labelled for s in samples], vectors["samples"], [s.fold for s in samples])
    recognizer = recognizer_class(settings.recognizer).load(folder / "recognizer")
    if not {s.labelled.value for s in samples} <= set(recognizer.values):
        raise EvaluatorError(f"{folder / 'recognizer'} is damaged: it does not know all values of the samples; calibrate again")
    learnt = Learnt(cases, pool, recognizer, Calibration.model_validate(calibration), provenance.scores, vectors.get("out_of_fold"))
    return learnt, vectors["samples"]


def _checks(path: Path) -> tuple[Check, ...]:
    """The checks that are noted beside an evaluator; they may be taken away without harm.

    Raises:
        EvaluatorError: The file holds something else.
    """
    if not path.exists():
        return ()
    try:
        if path.stat().st_size > _MOST_BYTES_OF_CHECKS:
            raise InputError(f"it has more than {_MOST_BYTES_OF_CHECKS:,} bytes")
        return tuple(read_records(path, Check))
    except (OSError, InputError) as error:
        raise EvaluatorError(f"{path} holds something else than checks ({' '.join(str(error).split())[:300]}): take it away") from None


def _check_shape(folder: Path, name: str, found: Any, rows: int | None, columns: int | None) -> None:
    """A tensor is what the other files say that it is."""
    if (
        found is None
        or found.ndim != 2
        or found.dtype.kind != "f"
        or (rows is not None and found.shape[0] != rows)
        or found.shape[1] != (columns or found.shape[1])
        or not np.isfinite(found).all()
    ):
        raise EvaluatorError(f"{folder / 'vectors.safetensors'} is damaged: {name!r} is missing or not of its shape; calibrate again")
