"""Publish a built data set on the Hub, after it has passed `check`.

push(Path("valeval"), "our-org/valeval", private=True)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clave.errors import InputError, require
from clave.valeval.check import check

_PATTERNS = ["*.parquet", "*.jsonl", "manifest.json", "value_systems/*.yaml"]


def push(folder: Path, repo: str, *, private: bool = True, api: Any = None) -> str:
    """Upload the splits, the manifest and the card (as README.md); the address of the data set.

    Args:
        folder: A built data set.
        repo: `owner/name` on the Hub.
        private: Create the repository as private. One that is there keeps its setting.
        api: A `huggingface_hub.HfApi`; by default one that uses the token of the Hub's own login.

    Raises:
        InputError: The data set does not pass its check, or the Hub refuses.
        MissingExtraError: huggingface_hub is not installed.
    """
    problems = check(folder)
    if problems:
        raise InputError(f"{folder} does not pass its check, nothing was uploaded: {len(problems)} problems, the first: {problems[0]}")
    if api is None:
        api = require("huggingface_hub", "hub").HfApi()
    try:
        address = api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=str(folder), allow_patterns=_PATTERNS, commit_message="ValEval")
        card = folder / "DATA_CARD.md"
        api.upload_file(repo_id=repo, repo_type="dataset", path_or_fileobj=str(card), path_in_repo="README.md", commit_message="Data card")
    except (OSError, ValueError) as error:  # the Hub's own errors derive from these
        raise InputError(f"the Hub refuses {repo}: {str(error).splitlines()[0]}") from None
    return str(address)
