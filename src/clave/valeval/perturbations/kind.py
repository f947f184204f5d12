"""What a kind of perturbation is: a seeded edit in three strengths, with the reason why it keeps the label and limits that are checked.

from clave.valeval.perturbations.surface import KINDS

KINDS[0].apply("You should not do this.", 2, random.Random(0))     # the edited text, or None where the edit does not fit the text
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Strength = Literal[1, 2, 3]
STRENGTHS: tuple[Strength, ...] = (1, 2, 3)
Edit = Callable[[str, Strength, random.Random], str | None]
T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """A kind of edit."""

    id: str
    why: str
    """Why the label holds after the edit."""
    apply: Edit
    max_gone: float
    """Largest share of the text's words that may be missing afterwards."""
    max_added: float
    """Most new words, as a share of the text's words."""
    semantic: bool = False
    """Words come, go or move: the similarity of the texts' embeddings is checked too. It says little about mere spelling."""


_NOT = "not no never none nor neither nothing nobody nowhere without cannot refuse refuses refused decline declines declined"
_SHORT = "don't doesn't didn't won't wouldn't can't couldn't shouldn't isn't aren't wasn't weren't haven't hasn't hadn't mustn't ain't"
NEGATIONS = frozenset(f"{_NOT} {_SHORT}".split())
"""Words an edit never touches: the label may hang on them."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z])")


def sentences(text: str) -> list[str]:
    """The sentences of a text that is one paragraph."""
    return _SENTENCE_END.split(text.strip())


def share(places: Sequence[T], strength: Strength, rng: random.Random) -> list[T]:
    """A third, two thirds or all of the places, at least one, in the order given."""
    n = max(1, round(len(places) * strength / 3))
    return [places[i] for i in sorted(rng.sample(range(len(places)), n))]


def replace_at(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    """Replace spans (start, end, new text); they must not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def like_case(new: str, old: str) -> str:
    """`new` with the capitals of `old`."""
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new[0].upper() + new[1:] if old[0].isupper() else new
