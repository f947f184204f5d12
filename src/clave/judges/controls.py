"""Judges that are kept from reading all of a response: what they get right, labels give away without the value being understood.

    judge = scenario_only()      # what was asked, not what was answered
    judge = response_only()      # what was answered, not what it answers
    judge = surface()            # layout alone: length, punctuation, capitals

Partial-input baselines, after Gururangan et al. 2018 (arXiv 1803.02324) and Poliak et al. 2018 (arXiv 1805.01042) for natural language
inference. A benchmark on which one of them comes near the best judge does not measure what it says; one that a judge does not pass,
that judge has not passed by reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from clave.concepts.cases import encoded_text
from clave.judges.classical import Encode, default_encode, logistic
from clave.judges.protocol import PerValueJudge, Probabilities
from clave.records import LabelledResponse, Response
from clave.values import Value

NOT_READING = ("majority", "surface", "scenario-only")
"""Judges that never read a word of the response."""

_MARKS = ("?", "!", ",", ".", ":", ";", "'", '"', "(", "\n", "*", "#")


def scenario_only(encode: Encode = default_encode) -> PerValueJudge:
    """`encoder-head` on the scenario alone; where rows have none, it can tell no two of them apart."""
    return _on("scenario-only", lambda r: r.scenario[:500], encode)


def response_only(encode: Encode = default_encode) -> PerValueJudge:
    """`encoder-head` on the response without its scenario; where rows have none, it is `encoder-head`."""
    return _on("response-only", lambda r: encoded_text(r.model_copy(update={"scenario": ""})), encode)


def surface() -> PerValueJudge:
    """A logistic regression on what is seen without reading: how long, and how often each mark stands."""

    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        train = scaler.fit_transform(_looks(calibration)) if calibration else np.zeros((0, 0))
        test = scaler.transform(_looks(responses)) if calibration and responses else np.zeros((len(responses), 0))
        return logistic(np.clip(train, -5, 5), [r.label for r in calibration], np.clip(test, -5, 5), c=1.0)

    return PerValueJudge("surface", score)


def _on(name: str, part: Callable[[Response], str], encode: Encode) -> PerValueJudge:
    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        train = encode([part(r) for r in calibration])
        return logistic(train, [r.label for r in calibration], encode([part(r) for r in responses]), c=5.0)

    return PerValueJudge(name, score)


def _looks(responses: Sequence[Response]) -> NDArray[np.float64]:
    """Shape (n, 32), 16 of the scenario and 16 of the response: marks, capitals and digits per 100 characters, logarithms of lengths."""
    return np.array([[*_look(r.scenario), *_look(r.response)] for r in responses], dtype=np.float64)


def _look(text: str) -> list[float]:
    words, size = re.findall(r"\w+", text), max(1, len(text))
    marks = [100 * text.count(mark) / size for mark in _MARKS]
    letters = (100 * sum(map(str.isupper, text)) / size, 100 * sum(map(str.isdigit, text)) / size)
    return [*marks, float(np.log1p(len(text))), float(np.log1p(len(words))), *letters]
