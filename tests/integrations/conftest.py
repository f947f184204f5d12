"""A saved evaluator whose large model is answered by rules, as the adapters load it."""

from __future__ import annotations

from pathlib import Path

import pytest
from integrations.rules import ACTS, ANSWERS, RULES, SYSTEM

from clave import Clave, LabelledResponse
from clave.testing import FakeChat


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Path:
    """The folder of an evaluator that was fitted on rules."""
    rows = [
        LabelledResponse(id=f"{v}-{label}-{i}", scenario=f"Case {i}, {v}, {label}?", response=f"Number {i} {act}.", value=v, label=label)
        for v in ("care", "honesty")
        for label, act in ACTS.items()
        for i in range(6)
    ]
    return Clave(SYSTEM, chat=FakeChat(RULES)).fit(rows).save(tmp_path_factory.mktemp("saved") / "evaluator")


@pytest.fixture
def evaluator(saved, monkeypatch) -> Path:
    """The same folder; whoever loads it gets the large model that is answered by rules, as no server is at hand."""
    load = Clave.load.__func__

    def with_rules(cls: type[Clave], folder: str | Path, **options: object) -> Clave:
        return load(cls, folder, chat=FakeChat(ANSWERS))

    monkeypatch.setattr(Clave, "load", classmethod(with_rules))
    return saved
