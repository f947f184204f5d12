"""A judge that counts words: a response is what the labelled responses are that it shares most words with."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from clave.judges.protocol import PerValueJudge, Probabilities
from clave.judges.registry import Material
from clave.records import LABELS, LabelledResponse, Response
from clave.values import Value


def overlap(material: Material) -> PerValueJudge:
    """The judge; it needs nothing of the material, such as a large model."""
    return PerValueJudge("overlap", _score)


def _score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
    """Probabilities of shape (n, 3): for each label the mean share of words in common, with a little for every label."""
    known = [(LABELS.index(row.label), _words(row.response)) for row in calibration]
    found: Probabilities = np.full((len(responses), len(LABELS)), 0.01)
    for place, response in enumerate(responses):
        words = _words(response.response)
        for label in range(len(LABELS)):
            shares = [len(words & other) / max(1, len(words | other)) for which, other in known if which == label]
            found[place, label] += sum(shares) / max(1, len(shares))
    found /= found.sum(axis=1, keepdims=True)
    return found


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))
