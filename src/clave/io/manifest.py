"""What a file of verdicts was made with, in a file beside it: `verdicts.manifest.json` for `verdicts.jsonl`.

    write_manifest("verdicts.jsonl", RunManifest(evaluator="clave-mft-1a2b3c4d", system="mft", values={"care": "Care"}))
    read_manifest("verdicts.jsonl").values      # {"care": "Care"}

A run that goes on with a file compares it, so that no two kinds of verdicts are mixed; a report takes the values' names from it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from clave.errors import InputError
from clave.io.replacing import replacing
from clave.records import Record
from clave.text.bounded import read_text

Shares = tuple[float, float, float]
"""Of adhere, oppose and unrelated."""


class ResponsesFile(Record):
    """The responses that were judged."""

    name: str
    sha256: str | None = None
    """Of the file; None for standard input and the Hub."""


class Shift(Record):
    """Shares of adhere, oppose and unrelated on one value."""

    calibration: Shares
    """Among the labels that probabilities were calibrated on."""
    prevalence: Shares
    """In the run, given or estimated."""


class RunManifest(Record):
    """See the module."""

    format: Literal[1] = 1
    clave: str = ""
    """The version that wrote it."""
    evaluator: str
    system: str
    """The id of the value system."""
    values: dict[str, str]
    """Id -> name of those that were asked for, in the system's order."""
    responses: ResponsesFile | None = None
    options: dict[str, float | str] = Field(default_factory=dict)
    """What else shapes the verdicts: `coverage`, `min_confidence`, and `prevalence` and `abstain_novel` where they were asked for."""
    shifts: dict[str, Shift] = Field(default_factory=dict)
    """By value, where the verdicts are at another prevalence than the calibration's."""


def manifest_path(verdicts: str | Path) -> Path:
    """Where the manifest of a file of verdicts stands."""
    path = Path(verdicts)
    if path.is_dir():  # its parts are alike
        return next(iter(sorted(path.glob("*.manifest.json"))), path / "manifest.json")
    return path.with_name(f"{path.stem}.manifest.json")


def read_manifest(verdicts: str | Path) -> RunManifest | None:
    """The manifest of a file of verdicts; None where there is none, as for files of version 0.1.

    Raises:
        InputError: There is something else in its place.
    """
    path = manifest_path(verdicts)
    try:
        return RunManifest.model_validate_json(read_text(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else getattr(error, "strerror", None) or error
        raise InputError(f"{path}: not a manifest of verdicts ({reason}): move it away, or name another output") from None


def write_manifest(verdicts: str | Path, manifest: RunManifest) -> None:
    """Write the manifest of a file of verdicts."""
    with replacing(manifest_path(verdicts)) as file:
        file.write(manifest.model_dump_json(indent=1).encode() + b"\n")


def responses_file(source: str) -> ResponsesFile:
    """What a manifest says of the responses, by their source as `read_responses` takes it."""
    path = Path(source)
    if source == "-" or source.startswith("hf://") or not path.is_file():
        return ResponsesFile(name=source)
    with path.open("rb") as file:
        return ResponsesFile(name=path.name, sha256=hashlib.file_digest(file, "sha256").hexdigest())
