"""The perturbation split: edited copies of original rows, the same number for each value, label, kind and strength where texts allow.

rows, rejected = perturb(original, vectors_of, seed=0)
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from clave.valeval.diversity import Vectors, spread
from clave.valeval.perturbations import form, surface, wording
from clave.valeval.perturbations.checks import problem, too_far
from clave.valeval.perturbations.kind import STRENGTHS, Kind, Strength
from clave.valeval.row import ValEvalRow

KINDS: tuple[Kind, ...] = (*surface.KINDS, *wording.KINDS, *form.KINDS)
"""The offline kinds."""

PER_CELL = 2
"""Rows of each value, label, kind and strength."""
PER_BASE = 6
"""Most edited copies of one original row: a thin cell stays thin."""
MAX_CHARS = 2000
"""Longer texts are not edited: an edit is read beside its original."""


def rng_for(seed: int, row: ValEvalRow, kind: str, strength: int) -> random.Random:
    """Random numbers that hang on nothing but the row, the kind, the strength and the seed."""
    digest = hashlib.blake2b(f"{seed}\0{row.id}\0{kind}\0{strength}".encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest))


def perturb(
    original: Sequence[ValEvalRow], vectors_of: Callable[[list[str]], Vectors], seed: int, kinds: Sequence[Kind] = KINDS
) -> tuple[list[ValEvalRow], Counter[str]]:
    """Edited rows, and how many edits were rejected, by kind and reason."""
    cells = defaultdict[tuple[str, str, str], list[ValEvalRow]](list)
    for row in original:
        if len(row.response) <= MAX_CHARS:
            cells[row.system, row.value, row.label].append(row)
    rejected = Counter[str]()
    copies = Counter[str]()
    proposed = [
        (base, edited, kind)
        for _, rows in sorted(cells.items())
        for strength in STRENGTHS
        for kind in kinds
        for base, edited in _propose(rows, kind, strength, seed, rejected, copies)
    ]
    texts = {t for base, edited, kind in proposed if kind.semantic for t in (base.response, edited.response)}
    vectors = vectors_of(sorted(texts))
    kept = []
    for base, edited, kind in proposed:
        reason = too_far(float(vectors[base.response] @ vectors[edited.response]), kind) if kind.semantic else ""
        if reason:
            rejected[f"{kind.id}: {reason}"] += 1
        else:
            kept.append(edited)
    return kept, rejected


def _propose(
    rows: Sequence[ValEvalRow], kind: Kind, strength: Strength, seed: int, rejected: Counter[str], copies: Counter[str]
) -> list[tuple[ValEvalRow, ValEvalRow]]:
    """The first rows, in an order of this kind and strength, whose edit passes the checks that need no embedding."""
    turn = int.from_bytes(hashlib.blake2b(f"{seed}\0{kind.id}\0{strength}".encode(), digest_size=4).digest())
    found = []
    for base in spread([r for r in rows if copies[r.id] < PER_BASE], turn):
        text = kind.apply(base.response, strength, rng_for(seed, base, kind.id, strength))
        if text is None:
            continue
        reason = problem(base.response, text, kind)
        if reason:
            rejected[f"{kind.id}: {reason}"] += 1
            continue
        copies[base.id] += 1
        found.append((base, edited_row(base, text, kind.id, strength)))
        if len(found) == PER_CELL:
            break
    return found


def edited_row(base: ValEvalRow, text: str, kind: str, strength: int) -> ValEvalRow:
    """The row of an edited text; it keeps the label and the group of its base."""
    identity = f"{base.id}-{kind}{strength}"
    return base.model_copy(
        update={"id": identity, "split": "perturbation", "response": text, "base_id": base.id, "kind": kind, "strength": strength}
    )
