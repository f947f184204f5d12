"""Judges that learn from the labels alone: majority, TF-IDF, nearest neighbours, a head on a frozen encoder.

    judge = tfidf()
    async for verdict in judge.evaluate(task): ...

They are the floor: an evaluator that does not pass them has learnt nothing from its large model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clave.concepts.cases import encoded_text
from clave.encoder import load_encoder
from clave.encoder.encoder import Encoder, Vectors
from clave.judges.protocol import PerValueJudge, Probabilities
from clave.records import LABELS, LabelledResponse, Response
from clave.values import Value

Encode = Callable[[Sequence[str]], Vectors]


@cache
def _encoded() -> tuple[Encoder, dict[str, NDArray[np.float32]]]:
    return load_encoder(), {}


def default_encode(texts: Sequence[str]) -> Vectors:
    """Vectors of the default encoder; a text that several judges or values read is encoded once."""
    encoder, known = _encoded()
    new = [text for text in dict.fromkeys(texts) if text not in known]
    known.update(zip(new, encoder.encode(new), strict=True))
    return np.stack([known[text] for text in texts]) if texts else np.zeros((0, encoder.dim), np.float32)


def majority() -> PerValueJudge:
    """Says of every response the most frequent label of the value, with the labels' shares as probabilities."""

    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        counts = Counter(row.label for row in calibration)
        shares = np.array([counts[label] for label in LABELS], dtype=np.float64) / max(1, len(calibration))
        return np.tile(shares if len(calibration) else np.full(3, np.nan), (len(responses), 1))

    return PerValueJudge("majority", score)


def tfidf() -> PerValueJudge:
    """Words and pairs of words, weighted by TF-IDF, under a logistic regression."""

    return _tfidf("tfidf", ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")


def tfidf_chars() -> PerValueJudge:
    """Two to five characters of a word each, weighted by TF-IDF, under a logistic regression: it reads through spelling errors."""
    return _tfidf("tfidf-chars", analyzer="char_wb", ngram_range=(2, 5))


def _tfidf(name: str, **grams: Any) -> PerValueJudge:
    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(sublinear_tf=True, strip_accents="unicode", **grams)
        train = vectorizer.fit_transform([encoded_text(r) for r in calibration])
        return logistic(train, [r.label for r in calibration], vectorizer.transform([encoded_text(r) for r in responses]), c=10.0)

    return PerValueJudge(name, score)


def naive_bayes() -> PerValueJudge:
    """Word counts under a multinomial naive Bayes: the classic of text classification with few labels."""

    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.naive_bayes import MultinomialNB

        vectorizer = CountVectorizer(strip_accents="unicode", token_pattern=r"(?u)\b\w+\b")
        model = MultinomialNB().fit(vectorizer.fit_transform([encoded_text(r) for r in calibration]), [r.label for r in calibration])
        chances = np.zeros((len(responses), 3))
        found = model.predict_proba(vectorizer.transform([encoded_text(r) for r in responses]))
        chances[:, [LABELS.index(label) for label in model.classes_]] = found
        return chances

    return PerValueJudge("naive-bayes", score)


def prototypes(encode: Encode = default_encode, sharpness: float = 10.0) -> PerValueJudge:
    """The label whose labelled responses have the nearest mean vector.

    After Snell et al. 2017 (arXiv 1703.05175), with a frozen encoder and the cosine for their squared distance.

    Args:
        encode: Texts to vectors of length 1.
        sharpness: What the cosines are multiplied by before the softmax; nothing is learnt, so it is a guess.
    """

    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        train, test = encode([encoded_text(r) for r in calibration]), encode([encoded_text(r) for r in responses])
        scores = np.full((len(responses), 3), -np.inf)
        for label in {r.label for r in calibration}:
            mean = train[[r.label == label for r in calibration]].mean(axis=0)
            scores[:, LABELS.index(label)] = sharpness * (test @ (mean / max(float(np.linalg.norm(mean)), 1e-9)))
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))

    return PerValueJudge("prototypes", score)


def nearest(k: int = 5, encode: Encode = default_encode) -> PerValueJudge:
    """The labels of the k nearest labelled responses, weighted by cosine similarity."""

    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        similar = encode([encoded_text(r) for r in responses]) @ encode([encoded_text(r) for r in calibration]).T
        labels = np.eye(3)[[LABELS.index(r.label) for r in calibration]]
        votes = np.full((len(responses), 3), 0.1)  # one label among all neighbours is no certainty
        for i, row in enumerate(similar):
            top = np.argsort(-row, kind="stable")[:k]
            votes[i] += np.maximum(row[top], 0.0) @ labels[top]
        return np.asarray(votes / votes.sum(axis=1, keepdims=True))

    return PerValueJudge(f"nearest-{k}", score)


def encoder_head(encode: Encode = default_encode) -> PerValueJudge:
    """A logistic regression on the sentence vector: the FULCRA authors' scheme (arXiv 2311.10766) with the encoder kept frozen."""

    def score(value: Value, calibration: Sequence[LabelledResponse], responses: Sequence[Response]) -> Probabilities:
        train = encode([encoded_text(r) for r in calibration])
        return logistic(train, [r.label for r in calibration], encode([encoded_text(r) for r in responses]), c=5.0)

    return PerValueJudge("encoder-head", score)


def logistic(train: Any, labels: Sequence[str], test: Any, *, c: float) -> Probabilities:
    """Probabilities of a balanced logistic regression in the order of `LABELS`; one label among the training rows is certain."""
    from sklearn.linear_model import LogisticRegression

    if len(set(labels)) == 1:
        return np.tile(np.eye(3)[LABELS.index(labels[0])], (test.shape[0], 1))
    model = LogisticRegression(C=c, class_weight="balanced", max_iter=2000).fit(train, labels)
    chances = np.zeros((test.shape[0], 3))
    chances[:, [LABELS.index(label) for label in model.classes_]] = model.predict_proba(test)
    return chances
