"""Rejects an edit that changes too much: words gone or added, negations touched, meaning moved.

    problem(base, edited, kind)          # "": the edit may stand, or else why not
    too_far(similarity, kind)            # for kinds that move words: cosine similarity of the two texts' embeddings

Words are compared after undoing what the kind is allowed to do to them (case, look-alike letters), as bags: order is for the kinds.
"""

from __future__ import annotations

import re
from collections import Counter

from clave.valeval.perturbations.kind import NEGATIONS, Kind
from clave.valeval.perturbations.surface import UNHOMOGLYPH

MIN_SIMILARITY = 0.7
"""Cosine similarity of base and edited text below which an edit that moves words is rejected."""


def words(text: str) -> list[str]:
    """Words in lower case, look-alike letters undone, without marks."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.translate(UNHOMOGLYPH).replace("’", "'").lower())


def negations(text: str) -> Counter[str]:
    """How often each negation stands in a text; `don't` and `do not` count the same."""
    plain = text.translate(UNHOMOGLYPH).replace("’", "'").lower()
    plain = re.sub(r"n't\b", " not", plain.replace("cannot", "can not"))
    return Counter(w for w in re.findall(r"\w+", plain) if w in NEGATIONS)


def problem(base: str, edited: str, kind: Kind) -> str:
    """Why the edit must not stand, or an empty text."""
    if edited == base:
        return "nothing changed"
    before, after = Counter(words(base)), Counter(words(edited))
    n = max(1, before.total())
    if (before - after).total() / n > kind.max_gone:
        return "too many words gone"
    if (after - before).total() / n > kind.max_added:
        return "too many words added"
    if negations(base) != negations(edited):
        return "a negation changed"
    return ""


def too_far(similarity: float, kind: Kind) -> str:
    """Why the edit must not stand given the cosine similarity of the embeddings, or an empty text."""
    return "meaning moved too far" if kind.semantic and similarity < MIN_SIMILARITY else ""
