"""Raw files, and a build of them."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest
from valeval import raw_files
from valeval.raw_files import SOURCES, write_raw

from clave.valeval.build import BuildPlan, build
from clave.valeval.sources.registry import find_sources


@pytest.fixture(scope="session")
def raw() -> ModuleType:
    """The writers of raw files."""
    return raw_files


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """One build for all tests, which do not change it; those that tamper copy it."""
    root = tmp_path_factory.mktemp("valeval")
    plan = BuildPlan(root / "out", write_raw(root / "raw"), find_sources(SOURCES), accept_nc=True, allow_changed=True)
    return SimpleNamespace(plan=plan, out=plan.out, raw=plan.raw_dir, manifest=build(plan))
