"""Evaluators on the Hugging Face Hub.

folder = fetch("org/name")
push(fitted, "org/name", private=True)
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from clave.errors import EvaluatorError, require
from clave.fitting.fitted import Fitted
from clave.saving.writing import save


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
