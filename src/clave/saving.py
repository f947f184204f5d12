"""A fitted evaluator as a folder that people can read, compare and edit: JSON, YAML, Markdown and safetensors, no pickle.

    config.json          schema version, settings, library versions       value_system.yaml
    guidelines/*.md      one a value                                       concepts.jsonl    one pool concept a line
    samples.jsonl        labelled samples, folds, extractions              vectors.safetensors
    recognizer/          the small model                                   calibration.json
    manifest.json        hashes of all files, prompts, labels, scores      README.md         model card
    asked.json           what the large model was asked at the fit         checks.jsonl      later checks for drift, one a line

Guidelines and concepts.jsonl may be edited; `clave refit` then takes them up. `clave check` adds to checks.jsonl, which is no part of what
the evaluator is: the manifest leaves it out. Any other change is damage and is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

from clave.calibration import Calibration
from clave.concepts.cases import CaseIndex
from clave.concepts.pool import Concept, ConceptPool
from clave.concepts.prompts import prompts_in_use
from clave.encoder.encoder import Vectors
from clave.encoder.precision import Precision
from clave.errors import EvaluatorError, InputError, require
from clave.fitting.asked import Asked, Check
from clave.fitting.closer_look import CloserLook
from clave.fitting.fit import refit
from clave.fitting.fitted import Fitted, Provenance
from clave.fitting.learn import Learnt
from clave.fitting.samples import Sample
from clave.io import read_records, write_jsonl
from clave.io.appending import write_whole
from clave.recognizers.head import Head
from clave.recognizers.reading import refuse_pickles
from clave.recognizers.registry import recognizer_class
from clave.records import LABELS
from clave.settings import Settings
from clave.text.plain import markdown
from clave.trust import names_in, refuse_foreign
from clave.values import ValueSystem

SCHEMA_VERSION = 2
"""2: where it comes from stands under `provenance`. Version 1 (clave 0.1) is read, too."""
_EDITABLE = ("guidelines/", "concepts.jsonl")
_CHECKS = "checks.jsonl"
_TEXTS = (".json", ".jsonl", ".yaml", ".md")
_MOST_FILES = 10_000
_MOST_BYTES = 256_000_000
"""Of a text file."""
_MOST_BYTES_OF_WEIGHTS = 64_000_000_000
_MOST_BYTES_OF_CHECKS = 1_000_000
"""Some 2,000 checks."""
_LIBRARIES = ("clave", "numpy", "scikit-learn", "onnxruntime", "tokenizers")


def save(fitted: Fitted, folder: Path) -> Path:
    """Write the folder, whole or not at all. An evaluator that is there already is replaced; anything else is left alone.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """
    refuse_occupied(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error}") from None
    try:
        _write(fitted, fresh)
        for path in fresh.rglob("*"):  # labelled samples are the user's alone
            path.chmod(0o700 if path.is_dir() else 0o600)
        _put(fresh, folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def refuse_occupied(folder: Path) -> None:
    """Commands ask this before they spend anything on an evaluator that could not be saved.

    Raises:
        InputError: Something else than an evaluator is there.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / "manifest.json").exists())):
        raise InputError(f"{folder} is there and is no evaluator: name another folder")


def _put(fresh: Path, folder: Path) -> None:
    """Have a folder take the place of another, which is deleted only when that is done."""
    if not folder.exists():
        os.replace(fresh, folder)
        return
    aside = fresh.with_name(f"{fresh.name}-before")
    os.replace(folder, aside)
    try:
        os.replace(fresh, folder)
    except OSError:
        os.replace(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _write(fitted: Fitted, folder: Path) -> None:
    from safetensors.numpy import save_file

    learnt = fitted.learnt
    config = {
        "schema_version": SCHEMA_VERSION,
        "settings": fitted.settings.model_dump(mode="json"),
        "precision": fitted.precision.model_dump(mode="json"),
        "closer_look": None if fitted.closer_look is None else fitted.closer_look.model_dump(mode="json"),
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
    }
    _json(folder / "config.json", config)
    (folder / "value_system.yaml").write_text(fitted.system.to_yaml(), encoding="utf-8")
    (folder / "guidelines").mkdir()
    for value, text in fitted.guidelines.items():
        (folder / "guidelines" / f"{value}.md").write_text(text + "\n", encoding="utf-8")
    write_jsonl(folder / "samples.jsonl", fitted.samples)
    vectors = {"samples": fitted.vectors}
    if learnt.oof is not None:
        vectors["out_of_fold"] = np.ascontiguousarray(learnt.oof)
    if learnt.pool is not None:
        write_jsonl(folder / "concepts.jsonl", learnt.pool.concepts)
        vectors["concepts"] = learnt.pool.vectors
    save_file(vectors, folder / "vectors.safetensors")
    learnt.recognizer.save(folder / "recognizer")
    calibration = learnt.calibration.model_dump() | {"threshold": learnt.pool.threshold if learnt.pool else None}
    _json(folder / "calibration.json", calibration)
    system = fitted.system
    manifest = {
        "evaluator": fitted.name,
        "value_system": {"id": system.id, "version": system.version, "hash": system.hash},
        "labels_sha256": _hash(folder / "samples.jsonl"),
        "recognizer": learnt.recognizer.report_,
        "provenance": fitted.provenance.model_dump(mode="json"),
    }
    (folder / "README.md").write_text(_card(fitted), encoding="utf-8")
    if fitted.asked is not None:
        _json(folder / "asked.json", fitted.asked.model_dump(mode="json"))
    files = {p.relative_to(folder).as_posix(): _hash(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    _json(folder / "manifest.json", manifest | {"files": files})
    if fitted.checks:
        write_jsonl(folder / _CHECKS, fitted.checks)


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
    _refuse_odd(folder)
    refuse_pickles(folder)
    manifest = _read_json(folder / "manifest.json")
    config = _read_json(folder / "config.json")
    found = config.get("schema_version")
    if found not in (1, SCHEMA_VERSION):
        raise EvaluatorError(f"{folder} is of schema version {found}, and this clave reads version {SCHEMA_VERSION}: calibrate it again")
    changed = _verify(folder, manifest.get("files") or {}, edited)
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
            asked=Asked.model_validate(_read_json(folder / "asked.json")) if (folder / "asked.json").exists() else None,
            checks=_checks(folder / _CHECKS),
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
    return [str(_read_json(path).get("base", "")) for path in sorted((folder / "recognizer").rglob("lora.json"))]


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
    calibration = _read_json(folder / "calibration.json")
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
    if isinstance(recognizer, Head) and not {s.labelled.value for s in samples} <= set(recognizer.values_):
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


def add_check(folder: Path, check: Check) -> None:
    """Note a check beside the evaluator that was checked.

    Raises:
        InputError: It cannot be written.
    """
    try:
        fd = os.open(folder / _CHECKS, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            write_whole(fd, check.model_dump_json().encode() + b"\n")
        finally:
            os.close(fd)
    except OSError as error:
        raise InputError(f"the check could not be noted in {folder / _CHECKS} ({error.strerror})") from None


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


def _refuse_odd(folder: Path) -> None:
    """Only files of a sane size, and folders: links lead to files that are no part of an evaluator (those of the Hub's cache stay within
    it), and a pipe would be read for ever.
    """
    own = {folder.resolve()} | ({folder.resolve().parents[1] / "blobs"} if folder.resolve().parent.name == "snapshots" else set())
    for count, path in enumerate(folder.rglob("*")):
        if count == _MOST_FILES:
            raise EvaluatorError(f"{folder} holds more than {_MOST_FILES:,} files: it is no evaluator")
        if path.is_symlink() and not any(path.resolve().is_relative_to(place) for place in own):
            raise EvaluatorError(f"{path} is a link to a file elsewhere, which is not followed: put the file itself there")
        if not (path.is_file() or path.is_dir()):
            raise EvaluatorError(f"{path} is neither a file nor a folder: take it away")
        if path.is_file() and path.stat().st_size > (_MOST_BYTES if path.suffix in _TEXTS else _MOST_BYTES_OF_WEIGHTS):
            raise EvaluatorError(f"{path} is too large to be part of an evaluator ({path.stat().st_size:,} bytes)")


def refit_folder(folder: Path, *, trust: bool = False) -> Fitted:
    """Take edits of guidelines and concepts up, fit again without a call, and save; further arguments as for `load`.

    Raises:
        EvaluatorError: Something else was changed, the folder is damaged, or it names what the user has not.
    """
    fitted = refit(load(folder, edited=True, trust=trust))
    save(fitted, folder)
    return fitted


def _verify(folder: Path, files: dict[str, str], edited: bool) -> set[str]:
    """The editable files that were changed; anything else that was is an error."""
    if not files:
        raise EvaluatorError(f"{folder / 'manifest.json'} states no hashes of the files beside it: calibrate again")
    if not isinstance(files, dict) or any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
        raise EvaluatorError(f"{folder / 'manifest.json'} is damaged: it names files that are not beside it; calibrate again")
    there = (p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file())
    unlisted = [name for name in there if name not in files and name not in ("manifest.json", _CHECKS) and not name.startswith(".")]
    unlisted = [name for name in unlisted if not (edited and name.startswith(_EDITABLE))]
    if unlisted:
        raise EvaluatorError(f"{folder / unlisted[0]} is no part of the evaluator: its manifest does not list it; take it away")
    changed = set[str]()
    for name, expected in files.items():
        path = folder / name
        same = path.is_file() and _hash(path) == expected
        if same or name == "README.md":
            continue
        if not name.startswith(_EDITABLE):
            state = "damaged" if path.is_file() else "missing"
            raise EvaluatorError(f"{path} is {state}: restore it, or calibrate again")
        changed.add(name)
    if changed and not edited:
        raise EvaluatorError(f"{folder / min(changed)} was changed since the evaluator was fitted: run `clave refit {folder}`")
    return changed


def push(fitted: Fitted, repo: str, *, private: bool) -> str:
    """Upload a fitted evaluator to the Hub, in place of all that the repository held; its address.

    Raises:
        EvaluatorError: The Hub does not take it.
    """
    hub = require("huggingface_hub", "hub")
    with tempfile.TemporaryDirectory() as place:
        folder = save(fitted, Path(place) / "evaluator")
        try:
            made = hub.create_repo(repo, private=private, exist_ok=True)
            message = f"Evaluator for {fitted.system.name}"
            # files of an earlier evaluator would be read as this one's
            hub.upload_folder(repo_id=made.repo_id, folder_path=str(folder), commit_message=message, delete_patterns="*")
        except Exception as error:
            raise EvaluatorError(f"the Hub did not take {repo!r}: {(str(error) or type(error).__name__).splitlines()[0]}") from None
    return str(made)


def fetch(name: str) -> Path:
    """The folder of an evaluator by path or by its name on the Hub."""
    if Path(name).exists():
        return Path(name)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise EvaluatorError(f"there is no folder {name!r}: name the folder that clave calibrate made, or org/name on the Hub")
    hub = require("huggingface_hub", "hub")
    try:
        return Path(hub.snapshot_download(name))
    except Exception as error:
        raise EvaluatorError(f"{name!r} is neither a folder nor an evaluator on the Hub: {str(error).splitlines()[0]}") from None


def _card(fitted: Fitted) -> str:
    import jinja2

    source = (resources.files("clave") / "model_card.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=lambda x: markdown(x) if isinstance(x, str) else x
    )
    return (
        environment.from_string(source).render(fitted=fitted, system=fitted.system, settings=fitted.settings, from_=fitted.provenance)
        + "\n"
    )


def _json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise EvaluatorError(f"{path} is not there: {path.parent} is not a saved evaluator, which is a folder") from None
    except (OSError, ValueError, RecursionError) as error:
        raise EvaluatorError(f"{path} is damaged: {error}") from None
    if not isinstance(data, dict):
        raise EvaluatorError(f"{path} is damaged: it holds no object")
    return data


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
