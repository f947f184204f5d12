"""Edits of letters and marks that leave every word readable: keyboard typos, casing, punctuation and spacing, homoglyphs."""

from __future__ import annotations

import random
import re

from clave.valeval.perturbations.kind import NEGATIONS, Kind, Strength, replace_at

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    letter: "".join(
        other for j, other_row in enumerate(_ROWS) for k, other in enumerate(other_row) if other != letter and abs(i - j) + abs(n - k) <= 1
    )
    for i, row in enumerate(_ROWS)
    for n, letter in enumerate(row)
}
_TYPO_SHARE = {1: 0.03, 2: 0.07, 3: 0.12}


def typos(text: str, strength: Strength, rng: random.Random) -> str | None:
    """One slip each in 3, 7 or 12 % of the words of four letters and more (at least one, two, three): a swap, a neighbouring key, a
    letter lost or doubled; never the first letter, never a negation."""
    spots = [m for m in re.finditer(r"[A-Za-z]{4,}(?:'[a-z]+)?", text) if m[0].lower() not in NEGATIONS and "'" not in m[0]]
    if len(spots) < 2 * strength:
        return None
    n = max(int(strength), round(_TYPO_SHARE[strength] * len(spots)))
    return replace_at(text, [(m.start(), m.end(), _slip(m[0], rng)) for m in rng.sample(spots, n)])


def _slip(word: str, rng: random.Random) -> str:
    i = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0 and word[i] != word[i + 1]:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 1:
        return word[:i] + rng.choice(_NEIGHBOURS[word[i].lower()]) + word[i + 1 :]
    if kind == 2:
        return word[:i] + word[i + 1 :]
    return word[:i] + word[i] + word[i:]


def casing(text: str, strength: Strength, rng: random.Random) -> str | None:
    """All lower case; a quarter of the words in capitals; all in capitals."""
    if strength == 1:
        out = text.lower()
    elif strength == 2:
        out = re.sub(r"[A-Za-z]+", lambda m: m[0].upper() if rng.random() < 0.25 else m[0], text)
    else:
        out = text.upper()
    return out if out != text else None


_MARK = re.compile(r"[,;:.!?](?=\s|$)")


def punctuation(text: str, strength: Strength, rng: random.Random) -> str | None:
    """Commas lost and spaces doubled here and there; sentence ends multiplied too; all marks before a space lost, lines joined."""
    if strength == 3:
        out = re.sub(r"\s+", " ", _MARK.sub("", text))
    else:
        out = re.sub(r"[,;](?=\s)", lambda m: "" if rng.random() < 0.5 else m[0], text)
        out = re.sub(r" ", lambda m: "  " if rng.random() < 0.1 * strength else " ", out)
        if strength == 2:
            out = re.sub(r"(?<=\w)[.!?](?=\s|$)", lambda m: m[0] * rng.choice((1, 2, 3)), out)
    return out if out != text else None


HOMOGLYPHS = dict(zip("aceiopsxyABCEHIKMOPTXY", "асеіорѕхуАВСЕНІКМОРТХУ", strict=True))
"""Latin letter -> the Cyrillic letter that looks the same."""
UNHOMOGLYPH = str.maketrans({v: k for k, v in HOMOGLYPHS.items()})
_HOMOGLYPH_SHARE = {1: 0.05, 2: 0.15, 3: 0.4}


def homoglyphs(text: str, strength: Strength, rng: random.Random) -> str | None:
    """5, 15 or 40 % of the letters that have a look-alike become it."""
    out = "".join(HOMOGLYPHS[c] if c in HOMOGLYPHS and rng.random() < _HOMOGLYPH_SHARE[strength] else c for c in text)
    return out if out != text else None


KINDS = (
    Kind("typos", "A slip of the finger inside a long word leaves the word readable, and no negation is touched.", typos, 0.35, 0.35),
    Kind("casing", "Capitals carry no statement; the words are the same.", casing, 0.0, 0.0),
    Kind("punctuation", "The same words in the same order; marks and spaces only guide the eye.", punctuation, 0.0, 0.0),
    Kind("homoglyphs", "A person sees the same text; only the code points differ.", homoglyphs, 0.0, 0.0),
)
