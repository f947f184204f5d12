"""What examples of `clave.concepts` take as given: labelled samples, their vectors and the concepts found in them."""

from __future__ import annotations

from functools import cache

import numpy as np
from docstrings.given import everywhere

from clave.concepts.cases import Case
from clave.concepts.pool import Mention
from clave.encoder import load_encoder
from clave.records import LabelledResponse

TEXTS = {"adhere": "Advising against a risky plan", "oppose": "Urging a risky plan", "unrelated": "Explaining a recipe"}


def samples() -> list[LabelledResponse]:
    return [sample.labelled for sample in everywhere.fitted().samples if sample.labelled.value == "care"]


def mentions() -> list[Mention]:
    return [Mention(TEXTS[row.label], row.value, row.id, row.label, 0) for row in samples()]


def vectors() -> np.ndarray:
    return load_encoder().encode([mention.text for mention in mentions()])


@cache
def vector() -> np.ndarray:
    return load_encoder().encode(["Warning against a risky plan"])[0]


def cases() -> list[Case]:
    return []
