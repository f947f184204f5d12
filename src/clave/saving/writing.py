"""Write a fitted evaluator as a folder; what stands in it is told in `clave.saving`.

save(fitted, Path("a-folder"))
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

from clave.errors import InputError
from clave.fitting.asked import Check
from clave.fitting.fitted import Fitted
from clave.io import write_jsonl
from clave.io.appending import write_whole
from clave.saving.files import CHECKS, sha256
from clave.text.plain import markdown

SCHEMA_VERSION = 2
"""2: where it comes from stands under `provenance`. Version 1 (clave 0.1) is read, too."""
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


def add_check(folder: Path, check: Check) -> None:
    """Note a check beside the evaluator that was checked.

    Raises:
        InputError: It cannot be written.
    """
    try:
        fd = os.open(folder / CHECKS, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            write_whole(fd, check.model_dump_json().encode() + b"\n")
        finally:
            os.close(fd)
    except OSError as error:
        raise InputError(f"the check could not be noted in {folder / CHECKS} ({error.strerror})") from None


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
        "labels_sha256": sha256(folder / "samples.jsonl"),
        "recognizer": learnt.recognizer.report_,
        "provenance": fitted.provenance.model_dump(mode="json"),
    }
    (folder / "README.md").write_text(_card(fitted), encoding="utf-8")
    if fitted.asked is not None:
        _json(folder / "asked.json", fitted.asked.model_dump(mode="json"))
    files = {p.relative_to(folder).as_posix(): sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    _json(folder / "manifest.json", manifest | {"files": files})
    if fitted.checks:
        write_jsonl(folder / CHECKS, fitted.checks)


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
