"""Edits of small words that say the same: contractions, fillers, British and American spelling."""

from __future__ import annotations

import random
import re

from clave.valeval.perturbations.kind import Kind, Strength, like_case, replace_at, sentences, share

_VERBS = ["do", "does", "did", "is", "are", "was", "were", "should", "would", "could", "have", "has", "had", "must", "need"]
_CONTRACT = {f"{v} not": f"{v}n't" for v in _VERBS} | {"cannot": "can't", "will not": "won't"}
_CONTRACT_BEFORE_WORD = {
    "i am": "I'm",
    "you are": "you're",
    "we are": "we're",
    "they are": "they're",
    "it is": "it's",
    "that is": "that's",
    "i will": "I'll",
    "you will": "you'll",
}
_EXPAND = {short: long for long, short in _CONTRACT.items()} | {
    "i'm": "I am",
    "you're": "you are",
    "we're": "we are",
    "they're": "they are",
    "i'll": "I will",
    "you'll": "you will",
}
"""'it's' and 'that's' are not expanded: they may stand for 'has'."""
_ANY = re.compile(
    r"\b(?:(?P<long>"
    + "|".join(_CONTRACT)
    + r")\b|(?P<before>"
    + "|".join(_CONTRACT_BEFORE_WORD)
    + r")(?= [a-z])|(?P<short>"
    + "|".join(re.escape(s) for s in _EXPAND)
    + r")\b)",
    re.IGNORECASE,
)


def contractions(text: str, strength: Strength, rng: random.Random) -> str | None:
    """At a third, two thirds or all of the places, 'do not' becomes 'don't' and the other way round."""
    text = text.replace("’", "'")
    places = list(_ANY.finditer(text))
    if not places:
        return None
    return replace_at(text, [(m.start(), m.end(), like_case(_other_form(m), m[0])) for m in share(places, strength, rng)])


def _other_form(match: re.Match[str]) -> str:
    words = match[0].lower()
    if match["long"]:
        return _CONTRACT[words]
    return _CONTRACT_BEFORE_WORD[words] if match["before"] else _EXPAND[words]


_FILLERS = ("Um", "Well", "You know", "I mean", "So", "Okay", "Right", "Basically", "Look", "Anyway")
_OPENERS = "the a an it this that these those you he she they we in if there when what how as for to my your his her"
_VERB_OPENERS = "are is do can could should would will have let"
_LOWER = frozenset(f"{_OPENERS} {_VERB_OPENERS}".split())
_FILLER_COUNT = {1: 1, 2: 2, 3: 4}


def filler(text: str, strength: Strength, rng: random.Random) -> str | None:
    """One, two or four filler words at the beginning of sentences (in a text with fewer sentences, at each)."""
    parts = sentences(text)
    chosen = set(rng.sample(range(len(parts)), min(len(parts), _FILLER_COUNT[strength])))
    if len(chosen) < strength - 1:
        return None
    return " ".join(_after(rng.choice(_FILLERS), part) if i in chosen else part for i, part in enumerate(parts))


def _after(word: str, sentence: str) -> str:
    first = sentence.partition(" ")[0]
    return f"{word}, {sentence[0].lower() + sentence[1:] if first.lower() in _LOWER else sentence}"


_AMERICAN = {
    "color": "colour",
    "colors": "colours",
    "behavior": "behaviour",
    "behaviors": "behaviours",
    "favor": "favour",
    "favorite": "favourite",
    "honor": "honour",
    "humor": "humour",
    "labor": "labour",
    "neighbor": "neighbour",
    "neighbors": "neighbours",
    "neighborhood": "neighbourhood",
    "rumor": "rumour",
    "rumors": "rumours",
    "harbor": "harbour",
    "center": "centre",
    "theater": "theatre",
    "liter": "litre",
    "defense": "defence",
    "offense": "offence",
    "license": "licence",
    "organize": "organise",
    "organized": "organised",
    "organization": "organisation",
    "organizations": "organisations",
    "recognize": "recognise",
    "recognized": "recognised",
    "realize": "realise",
    "realized": "realised",
    "apologize": "apologise",
    "apologized": "apologised",
    "criticize": "criticise",
    "emphasize": "emphasise",
    "minimize": "minimise",
    "maximize": "maximise",
    "prioritize": "prioritise",
    "summarize": "summarise",
    "utilize": "utilise",
    "legalize": "legalise",
    "legalized": "legalised",
    "marginalized": "marginalised",
    "stigmatized": "stigmatised",
    "traveling": "travelling",
    "traveler": "traveller",
    "canceled": "cancelled",
    "counseling": "counselling",
    "counselor": "counsellor",
    "jewelry": "jewellery",
    "program": "programme",
    "programs": "programmes",
    "catalog": "catalogue",
    "gray": "grey",
    "mom": "mum",
    "skillful": "skilful",
    "fulfill": "fulfil",
    "enrollment": "enrolment",
    "pediatric": "paediatric",
    "judgment": "judgement",
    "aging": "ageing",
    "tire": "tyre",
    "tires": "tyres",
    "pajamas": "pyjamas",
    "analyze": "analyse",
    "analyzed": "analysed",
}
_SPELLINGS = _AMERICAN | {british: american for american, british in _AMERICAN.items()}
_SPELLED = re.compile(r"\b(?:" + "|".join(sorted(_SPELLINGS, key=len, reverse=True)) + r")\b", re.IGNORECASE)


def spelling(text: str, strength: Strength, rng: random.Random) -> str | None:
    """At a third, two thirds or all of the places, the American spelling becomes the British one and the other way round."""
    places = list(_SPELLED.finditer(text))
    if not places:
        return None
    return replace_at(text, [(m.start(), m.end(), like_case(_SPELLINGS[m[0].lower()], m[0])) for m in share(places, strength, rng)])


KINDS = (
    Kind("contractions", "The short and the long form say the same, and each negation stays one.", contractions, 0.35, 0.35),
    Kind("filler", "Fillers hold the floor and state nothing; no hedge that would weaken a claim is among them.", filler, 0.0, 0.6, True),
    Kind("spelling", "The same words as they are spelled on the other side of the Atlantic.", spelling, 0.35, 0.35),
)
