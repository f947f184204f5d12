"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real labelled data beside the checkout (or where CLAVE_SHARED points); tests that need them are skipped without."""
    folder = Path(os.environ.get("CLAVE_SHARED") or Path(__file__).resolve().parents[1].parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip(f"the real labelled data are not here: {folder}")
    return folder
