"""How likely a model found each of a few words at one place of its answer, by the log probabilities that some servers tell.

    score = Weighed("score", ("1", "2", "3", "4", "5"))
    likelihoods(logprobs, score)      # {"1": 0.00, "2": 0.00, "3": 0.00, "4": 0.82, "5": 0.18}; or None where the server does not tell

Two forms are read: that of chat completions, `{"content": [{"token", "logprob", "top_logprobs": [{"token", "logprob"}]}]}`, and the older
one of completions, `{"tokens", "token_logprobs", "top_logprobs": [{token: logprob}]}`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

_LEAST = 0.5
"""Probability of all the words together below which the model was about to say something else."""
_AROUND = " \t\r\n\"',:{}[]"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A field of the answer whose value is one of a few words, each told from the others by its beginning."""

    field: str
    words: tuple[str, ...]


def likelihoods(logprobs: Any, weighed: Weighed) -> dict[str, float] | None:
    """The probability of each word where the answer has its value; they sum to 1. None where that is not told.

    Args:
        logprobs: What the server sent: foreign, of whatever form.
        weighed: The field and the words.
    """
    tokens = list(_tokens(logprobs))
    text = "".join(token for token, _ in tokens)
    places = [found.end() for found in re.finditer(rf'"{re.escape(weighed.field)}"\s*:\s*"?', text)]
    if not places:
        return None
    at, value = 0, places[-1]  # an earlier one may be a quote
    for token, others in tokens:
        at += len(token)
        if at > value:
            return _shares(others, weighed.words)
    return None


def _shares(others: dict[str, float], words: tuple[str, ...]) -> dict[str, float] | None:
    found = dict.fromkeys(words, 0.0)
    for token, logprob in others.items():
        said = token.strip(_AROUND)
        meant = [word for word in words if said and word.startswith(said)]
        if len(meant) == 1:
            found[meant[0]] += math.exp(min(logprob, 0.0))
    total = sum(found.values())
    return {word: share / total for word, share in found.items()} if total >= _LEAST else None


def _tokens(logprobs: Any) -> Iterator[tuple[str, dict[str, float]]]:
    """Each token of the answer, and the log probabilities of those that could have stood in its place."""
    if not isinstance(logprobs, dict):
        return
    content = logprobs.get("content")
    if isinstance(content, list):
        for entry in content:
            if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
                return
            tops = entry.get("top_logprobs")
            rows = [entry, *(tops if isinstance(tops, list) else ())]
            yield entry["token"], _numbers((row.get("token"), row.get("logprob")) for row in rows if isinstance(row, dict))
        return
    tokens, own, tops = (_listed(logprobs.get(name)) for name in ("tokens", "token_logprobs", "top_logprobs"))
    for token, logprob, top in zip_longest(tokens, own[: len(tokens)], tops[: len(tokens)]):
        if not isinstance(token, str):
            return
        yield token, _numbers([(token, logprob), *(top.items() if isinstance(top, dict) else ())])


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _numbers(pairs: Any) -> dict[str, float]:
    return {
        token: float(number)
        for token, number in pairs
        if isinstance(token, str) and isinstance(number, int | float) and not isinstance(number, bool) and not math.isnan(number)
    }
