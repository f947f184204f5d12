"""Moral-foundations lexicon scoring: counts words that stand for a value, and words that stand against it.

    judge = lexicon()

The method is that of the Moral Foundations Dictionary (Graham, Haidt, Nosek 2009, doi:10.1037/a0015141) and of the eMFD (Hopp et al.
2021, doi:10.3758/s13428-020-01433-0). Their word lists are not in this package: lexicon.yaml is a small seed list of our own, of word
beginnings per foundation. Other values take their words from their own name and definition, for which "against" is only "no" and its
kind nearby: a floor that shows what counting words can do, not a rival.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from importlib import resources

import numpy as np
import yaml

from clave.judges.protocol import PerValueJudge, Probabilities
from clave.records import LabelledResponse, Response
from clave.values import Value

_ABOUT_LABELS = {"adhere", "adheres", "oppose", "opposes", "unrelated", "value", "values", "response", "responses", "person", "people"}
_NEGATION = re.compile(r"\b(?:no|not|never|\w+n't|without|hardly|nothing|nobody)\W+(?:\w+\W+){0,2}$", re.IGNORECASE)


def lexicon() -> PerValueJudge:
    """Words for a value against words against it; unrelated where neither occurs. Uses no label."""

    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        virtue, vice = words_of(value)
        return np.array([_chances(*count(r.response, virtue, vice)) for r in responses]).reshape(-1, 3)

    return PerValueJudge("lexicon", score)


@functools.cache
def _lists() -> dict[str, dict[str, str]]:
    text = (resources.files("clave.judges") / "lexicon.yaml").read_text(encoding="utf-8")
    data: dict[str, dict[str, str]] = yaml.safe_load(text)
    return data


def words_of(value: Value) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """Patterns of words for and against a value."""
    lists = _lists().get(value.id)
    if lists is not None:
        return _pattern(lists["virtue"].split()), _pattern(lists["vice"].split())
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = set(re.findall(r"[a-z]{4,}", f"{value.name} {value.definition}".lower())) - ENGLISH_STOP_WORDS - _ABOUT_LABELS
    return _pattern(sorted(w[:6] for w in words)), None


def _pattern(beginnings: Sequence[str]) -> re.Pattern[str]:
    if not beginnings:  # a definition in another script: an empty choice would match every word
        return re.compile(r"(?!)")
    return re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, set(beginnings)), key=len, reverse=True))})\w*", re.IGNORECASE)


def count(text: str, virtue: re.Pattern[str], vice: re.Pattern[str] | None) -> tuple[int, int]:
    """Words for and against; one after a negation counts for the other side."""
    sides = [0, 0]
    for side, pattern in enumerate((virtue, vice)):
        for match in pattern.finditer(text) if pattern else ():
            negated = _NEGATION.search(text[max(0, match.start() - 40) : match.start()]) is not None
            sides[side ^ negated] += 1
    return sides[0], sides[1]


def _chances(virtue: int, vice: int) -> tuple[float, float, float]:
    """One word is little proof: each side and 'unrelated' begin with some weight."""
    adhere, oppose, unrelated = virtue + 0.3, vice + 0.3, 0.8
    total = adhere + oppose + unrelated
    return adhere / total, oppose / total, unrelated / total
