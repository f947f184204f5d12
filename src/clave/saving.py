"""A fitted evaluator as a folder that people can read, compare and edit: JSON, YAML, Markdown and safetensors, no pickle.

    config.json          schema version, settings, library versions       value_system.yaml
    guidelines/*.md      one a value                                       concepts.jsonl    one pool concept a line
    samples.jsonl        labelled samples, folds, extractions              vectors.safetensors
    recognizer/          the small model                                   calibration.json
    manifest.json        hashes of all files, prompts, labels, scores      README.md         model card

Guidelines and concepts.jsonl may be edited; `clave refit` then takes them up. Any other change is damage and is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from pydantic import ValidationError

from clave.calibration import Calibration
from clave.concepts.cases import CaseIndex
from clave.concepts.pool import Concept, ConceptPool
from clave.concepts.prompts import template
from clave.encoder.precision import Precision
from clave.errors import EvaluatorError, InputError, require
from clave.evaluator import Clave
from clave.fitting.learn import Learnt
from clave.fitting.samples import Sample
from clave.io import read_records, write_jsonl
from clave.llm.chat import ChatModel, OfflineChat
from clave.llm.opening import ChatOptions
from clave.recognizers.registry import recognizer_class
from clave.settings import Settings
from clave.values import ValueSystem

SCHEMA_VERSION = 1
_EDITABLE = ("guidelines/", "concepts.jsonl")
_LIBRARIES = ("clave", "numpy", "scikit-learn", "onnxruntime", "openai")


def save(clave: Clave, folder: Path) -> Path:
    """Write the folder, whole or not at all. An evaluator that is there already is replaced; anything else is left alone.

    Raises:
        EvaluatorError: The evaluator is not fitted.
        InputError: The folder holds something else, or cannot be written.
    """
    if clave.learnt_ is None:
        raise EvaluatorError("only a fitted evaluator can be saved: fit it first")
    refuse_occupied(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error}") from None
    try:
        _write(clave, clave.learnt_, fresh)
        fresh.chmod(0o755)
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


def _write(clave: Clave, learnt: Learnt, folder: Path) -> None:
    from safetensors.numpy import save_file

    config = {
        "schema_version": SCHEMA_VERSION,
        "settings": clave.settings.model_dump(mode="json"),
        "precision": clave.precision_.model_dump(mode="json"),
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
    }
    _json(folder / "config.json", config)
    (folder / "value_system.yaml").write_text(clave.system.to_yaml(), encoding="utf-8")
    (folder / "guidelines").mkdir()
    for value, text in clave.guidelines_.items():
        (folder / "guidelines" / f"{value}.md").write_text(text + "\n", encoding="utf-8")
    write_jsonl(folder / "samples.jsonl", clave.samples_)
    vectors = {"samples": clave.text_vectors_}
    if learnt.oof is not None:
        vectors["out_of_fold"] = np.ascontiguousarray(learnt.oof)
    if learnt.pool is not None:
        write_jsonl(folder / "concepts.jsonl", learnt.pool.concepts)
        vectors["concepts"] = learnt.pool.vectors
    save_file(vectors, folder / "vectors.safetensors")
    learnt.recognizer.save(folder / "recognizer")
    calibration = learnt.calibration.model_dump() | {"threshold": learnt.pool.threshold if learnt.pool else None}
    _json(folder / "calibration.json", calibration)
    prompts = {name: template(name).hash for name in ("extract", "extract_joint", "guideline")} if clave.settings.calls else {}
    ledger = clave.ledger
    manifest = {
        "evaluator": clave.name,
        "value_system": {"id": clave.system.id, "version": clave.system.version, "hash": clave.system.hash},
        "labels_sha256": _hash(folder / "samples.jsonl"),
        "prompts": prompts,
        "cost": {"calls": ledger.calls, "cache_hits": ledger.cache_hits, "dollars": None if ledger.unpriced else round(ledger.cost, 6)},
        "recognizer": learnt.recognizer.report_,
        **clave.manifest_,
    }
    (folder / "README.md").write_text(_card(clave, manifest), encoding="utf-8")
    files = {p.relative_to(folder).as_posix(): _hash(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    _json(folder / "manifest.json", manifest | {"files": files})


def load(
    folder: Path, *, chat: ChatModel | None = None, offline: bool = False, edited: bool = False, **options: Unpack[ChatOptions]
) -> Clave:
    """Read what `save` wrote.

    Args:
        folder: The folder.
        chat: A chat model of your own.
        offline: Make no call and need no key: to look at it, or to fit it again.
        edited: Take edited guidelines and concepts up, as a refit does; the pool's vectors are then computed anew.
        **options: How calls are made.

    Raises:
        EvaluatorError: Another version, a missing or damaged file, or an edit that was not taken up.
    """
    manifest = _read_json(folder / "manifest.json")
    config = _read_json(folder / "config.json")
    if config.get("schema_version") != SCHEMA_VERSION:
        found = config.get("schema_version")
        raise EvaluatorError(f"{folder} is of schema version {found}, and this clave reads version {SCHEMA_VERSION}: calibrate it again")
    changed = _verify(folder, manifest.get("files") or {}, edited)
    try:
        settings = Settings.model_validate(config["settings"])
        if offline and settings.calls:
            chat = OfflineChat(settings.model)
        clave = Clave(ValueSystem.load(folder / "value_system.yaml"), settings=settings, chat=chat, **options)
        clave._encode_in(Precision.model_validate(config.get("precision", {})))
        clave.guidelines_ = {p.stem: p.read_text(encoding="utf-8").strip() for p in sorted((folder / "guidelines").glob("*.md"))}
        clave.samples_ = tuple(read_records(folder / "samples.jsonl", Sample))
        clave.learnt_, clave.text_vectors_ = _learnt(clave, folder, "concepts.jsonl" in changed, manifest)
    except (KeyError, UnicodeDecodeError, ValidationError, InputError) as error:
        raise EvaluatorError(f"{folder} is damaged: {error}; calibrate it again") from None
    clave.name = str(manifest.get("evaluator"))
    known = {"labels", "disputed", "failed", "unseen_labels", "served_by", "scores", "distilled"}
    clave.manifest_ = {k: v for k, v in manifest.items() if k in known}
    return clave


def _learnt(clave: Clave, folder: Path, new_concepts: bool, manifest: dict[str, Any]) -> tuple[Learnt, np.ndarray[Any, Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        vectors = load_file(folder / "vectors.safetensors")
    except (OSError, SafetensorError) as error:
        raise EvaluatorError(f"{folder / 'vectors.safetensors'} is damaged ({error}): calibrate again") from None
    calibration = _read_json(folder / "calibration.json")
    threshold = calibration.pop("threshold")
    pool = None
    if (folder / "concepts.jsonl").exists():
        concepts = list(read_records(folder / "concepts.jsonl", Concept))
        if new_concepts:
            pool = ConceptPool(concepts, np.zeros((len(concepts), vectors["concepts"].shape[1]), np.float32), threshold)
        else:
            pool = ConceptPool(concepts, vectors["concepts"], threshold)
    cases = CaseIndex([s.labelled for s in clave.samples_], vectors["samples"], [s.fold for s in clave.samples_])
    recognizer = recognizer_class(clave.settings.recognizer).load(folder / "recognizer")
    learnt = Learnt(
        cases, pool, recognizer, Calibration.model_validate(calibration), manifest.get("scores") or {}, vectors.get("out_of_fold")
    )
    return learnt, vectors["samples"]


def refit(folder: Path) -> Clave:
    """Take edits of guidelines and concepts up, fit again without a call, and save.

    Raises:
        EvaluatorError: Something else was changed, or the folder is damaged.
    """
    clave = load(folder, edited=True, offline=True)
    clave.refit()
    clave.save(folder)
    return clave


def _verify(folder: Path, files: dict[str, str], edited: bool) -> set[str]:
    """The editable files that were changed; anything else that was is an error."""
    if not files:
        raise EvaluatorError(f"{folder / 'manifest.json'} states no hashes of the files beside it: calibrate again")
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


def push(clave: Clave, repo: str, *, private: bool) -> str:
    """Upload a fitted evaluator to the Hub, in place of all that the repository held; its address.

    Raises:
        EvaluatorError: It is not fitted, or the Hub does not take it.
    """
    hub = require("huggingface_hub", "hub")
    with tempfile.TemporaryDirectory() as place:
        folder = save(clave, Path(place) / "evaluator")
        try:
            made = hub.create_repo(repo, private=private, exist_ok=True)
            message = f"Evaluator for {clave.system.name}"
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


def _card(clave: Clave, manifest: dict[str, Any]) -> str:
    import jinja2

    source = (resources.files("clave") / "model_card.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    settings = clave.settings
    return environment.from_string(source).render(system=clave.system, settings=settings, manifest=manifest, values=clave.values) + "\n"


def _json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise EvaluatorError(f"{path} is not there: {path.parent} is not a saved evaluator, which is a folder") from None
    except (OSError, ValueError) as error:
        raise EvaluatorError(f"{path} is damaged: {error}") from None
    if not isinstance(data, dict):
        raise EvaluatorError(f"{path} is damaged: it holds no object")
    return data


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
