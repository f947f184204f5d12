"""The files of a saved evaluator: which may be there, how large, and whether they are as they were written. The folder is foreign.

folder = Path("evaluator")
refuse_odd(folder)
changed = changed_files(folder, read_json(folder / "manifest.json")["files"], edited=False)
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from clave.errors import EvaluatorError

CHECKS = "checks.jsonl"
"""Later checks for drift: no part of the evaluator, so the manifest leaves them out."""
_EDITABLE = ("guidelines/", "concepts.jsonl")
_TEXTS = (".json", ".jsonl", ".yaml", ".md")
_MOST_FILES = 10_000
_MOST_BYTES = 256_000_000
"""Of a text file."""
_MOST_BYTES_OF_WEIGHTS = 64_000_000_000


def refuse_odd(folder: Path) -> None:
    """Only files of a sane size, and folders: links lead to files that are no part of an evaluator (those of the Hub's cache stay within
    it), and a pipe would be read for ever.
    """
    place = _real(folder)
    own = {place} | ({place.parents[1] / "blobs"} if place.parent.name == "snapshots" else set())
    for count, path in enumerate(folder.rglob("*")):
        if count == _MOST_FILES:
            raise EvaluatorError(f"{folder} holds more than {_MOST_FILES:,} files: it is no evaluator")
        if path.is_symlink() and not any(_real(path).is_relative_to(place) for place in own):
            raise EvaluatorError(f"{path} is a link to a file elsewhere, which is not followed: put the file itself there")
        if not (path.is_file() or path.is_dir()):
            raise EvaluatorError(f"{path} is neither a file nor a folder: take it away")
        if path.is_file() and path.stat().st_size > (_MOST_BYTES if path.suffix in _TEXTS else _MOST_BYTES_OF_WEIGHTS):
            raise EvaluatorError(f"{path} is too large to be part of an evaluator ({path.stat().st_size:,} bytes)")


def _real(path: Path) -> Path:
    """Where a path leads; links in a circle lead nowhere, at which `Path.resolve` ends up to Python 3.12."""
    return Path(os.path.realpath(path))


def changed_files(folder: Path, files: dict[str, str], edited: bool) -> set[str]:
    """The editable files that were changed; anything else that was is an error."""
    if not files:
        raise EvaluatorError(f"{folder / 'manifest.json'} states no hashes of the files beside it: calibrate again")
    if not isinstance(files, dict) or any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
        raise EvaluatorError(f"{folder / 'manifest.json'} is damaged: it names files that are not beside it; calibrate again")
    there = (p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file())
    unlisted = [name for name in there if name not in files and name not in ("manifest.json", CHECKS) and not name.startswith(".")]
    unlisted = [name for name in unlisted if not (edited and name.startswith(_EDITABLE))]
    if unlisted:
        raise EvaluatorError(f"{folder / unlisted[0]} is no part of the evaluator: its manifest does not list it; take it away")
    changed = set[str]()
    for name, expected in files.items():
        path = folder / name
        same = path.is_file() and sha256(path) == expected
        if same or name == "README.md":
            continue
        if not name.startswith(_EDITABLE):
            state = "damaged" if path.is_file() else "missing"
            raise EvaluatorError(f"{path} is {state}: restore it, or calibrate again")
        changed.add(name)
    if changed and not edited:
        raise EvaluatorError(f"{folder / min(changed)} was changed since the evaluator was fitted: run `clave refit {folder}`")
    return changed


def read_json(path: Path) -> dict[str, Any]:
    """The object of a JSON file.

    Raises:
        EvaluatorError: It is not there, or damaged.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise EvaluatorError(f"{path} is not there: {path.parent} is not a saved evaluator, which is a folder") from None
    except (OSError, ValueError, RecursionError) as error:
        raise EvaluatorError(f"{path} is damaged: {error}") from None
    if not isinstance(data, dict):
        raise EvaluatorError(f"{path} is damaged: it holds no object")
    return data


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
