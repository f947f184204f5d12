"""From what was found in a response to a verdict, with the reason in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clave.records import LABELS, Case, Extraction, Failure, Label, MappedConcept, Response, Usage, Verdict
from clave.values import Value

_LEAST_STANCE = 0.34
"""Of the probability of a stance: just above a third, at which no label would be the likeliest."""
_SAYS: dict[Label, str] = {"adhere": "adheres", "oppose": "opposes", "unrelated": "is unrelated"}


def failed_verdict(response: Response, value: str, failure: Failure, evaluator: str) -> Verdict:
    """The verdict where there is no answer."""
    return Verdict(id=response.id, value=value, status=failure.status, reason=failure.reason, evaluator=evaluator, judged=response.digest)


def zero_shot_verdict(
    response: Response, value: str, found: Extraction, evaluator: str, usage: Usage, cached: bool, *, min_confidence: float = 0.0
) -> Verdict:
    """The large model's own stance and confidence, as they are."""
    probabilities = stance_probabilities(found.stance, found.confidence)
    reason, abstains = _abstention(probabilities[found.stance], min_confidence, _stated(found))
    return Verdict(
        id=response.id,
        value=value,
        status="abstained" if abstains else "ok",
        label=None if abstains else found.stance,
        probabilities=probabilities,
        reason=reason,
        concepts=tuple(MappedConcept(text=text) for text in found.concepts),
        evidence=found.evidence,
        stance=found.stance,
        confidence=found.confidence,
        flags=("uncalibrated", *found.flags),
        evaluator=evaluator,
        judged=response.digest,
        cached=cached,
        usage=usage,
    )


def stance_probabilities(stance: Label, confidence: float) -> dict[Label, float]:
    """The stated confidence as the stance's probability, the others sharing the rest; always the highest, as the stance is the label."""
    sure = max(confidence, _LEAST_STANCE)
    rest = (1 - sure) / (len(LABELS) - 1)
    return {label: round(sure if label == stance else rest, 6) for label in LABELS}


def calibrated_verdict(
    response: Response,
    value: str,
    probabilities: NDArray[np.float64],
    *,
    min_confidence: float,
    novelty: float | None,
    evaluator: str,
    found: Extraction | None = None,
    mapped: Sequence[MappedConcept] = (),
    cases: Sequence[Case] = (),
    flags: Sequence[str] = (),
    usage: Usage | None = None,
    cached: bool = False,
) -> Verdict:
    """The verdict of a fitted evaluator; probabilities of shape (3,), calibrated."""
    rounded = [round(float(p), 6) for p in probabilities]
    best = max(range(len(LABELS)), key=lambda i: rounded[i])
    label, sure = LABELS[best], rounded[best]
    why = _by_concepts(label, found, mapped) if found is not None else _by_cases(label, cases)
    reason, abstains = _abstention(sure, min_confidence, why)
    return Verdict(
        id=response.id,
        value=value,
        status="abstained" if abstains else "ok",
        label=None if abstains else label,
        probabilities=dict(zip(LABELS, rounded, strict=True)),
        reason=reason,
        concepts=tuple(mapped),
        evidence=found.evidence if found else (),
        cases=tuple(cases),
        stance=found.stance if found else None,
        confidence=found.confidence if found else None,
        novelty=novelty,
        flags=(*flags, *(found.flags if found else ())),
        evaluator=evaluator,
        judged=response.digest,
        cached=cached,
        usage=usage or Usage(),
    )


UNLIKE = "unlike_labels"
"""Flag of a verdict on a response that is unlike the labelled samples."""


def novel_abstained(verdict: Verdict) -> Verdict:
    """A verdict on such a response, abstained."""
    if verdict.label is None:
        return verdict
    reason = f"the response is unlike the labelled samples; without that: {verdict.reason}"
    return verdict.model_copy(update={"status": "abstained", "label": None, "reason": reason})


def novelty_of(similarities: Sequence[float | None]) -> float | None:
    """One minus the mean similarity to the nearest labelled things; None where there is nothing to compare."""
    known = [max(0.0, s) for s in similarities if s is not None]
    return round(1 - sum(known) / len(known), 4) if known else None


def verdict_row(verdict: Verdict) -> dict[str, object]:
    """A verdict as the cells of a table."""
    chances = verdict.probabilities or {}
    return {
        "id": verdict.id,
        "value": verdict.value,
        "status": verdict.status,
        "label": verdict.label,
        **{f"p_{label}": chances.get(label) for label in LABELS},
        "reason": verdict.reason,
        "evidence": " … ".join(e.text for e in verdict.evidence),
        "novelty": verdict.novelty,
        "evaluator": verdict.evaluator,
    }


def explained(verdict: Verdict, value: Value) -> str:
    """A verdict in words: what was concluded, how surely, and why."""
    head = f"{value.name}: {verdict.label or verdict.status}"
    if verdict.probabilities and verdict.label:
        head += f" ({verdict.probabilities[verdict.label]:.2f})"
    lines = [head, f"  why: {verdict.reason}"]
    lines += [f"  evidence: “{e.text}”" for e in verdict.evidence]
    lines += [f"  like: [{c.label}] {c.response} (similarity {c.similarity:.2f})" for c in verdict.cases]
    if verdict.novelty is not None:
        lines.append(f"  novelty: {verdict.novelty:.2f}")
    if "cut" in verdict.flags:
        lines.append("  cut: the text was too long, and a part of it was not read")
    if UNLIKE in verdict.flags:
        lines.append("  unlike the labelled samples: another language, or another kind of text")
    return "\n".join(lines)


def _abstention(sure: float, min_confidence: float, reason: str) -> tuple[str, bool]:
    """The reason, and whether the verdict is abstained for want of confidence."""
    if sure >= min_confidence:
        return reason, False
    return f"its probability {sure:.2f} is below {min_confidence:.2f}; without that: {reason}", True


def _stated(found: Extraction) -> str:
    what = f"; it finds: {'; '.join(found.concepts)}" if found.concepts else ""
    return f"the large model says it {_SAYS[found.stance]} ({found.confidence:.2f}){what}"


def _by_concepts(label: Label, found: Extraction, mapped: Sequence[MappedConcept]) -> str:
    like = [f"{m.pool!r} ({_counts(m.labels)})" for m in mapped if m.pool]
    parts = [_stated(found)]
    if like:
        parts.append(f"like what people labelled: {', '.join(dict.fromkeys(like))}")
    elif mapped:
        parts.append("nothing that people labelled is like it")
    if label != found.stance:
        parts.append(f"from that the recognizer concludes that it {_SAYS[label]}")
    return "; ".join(parts)


def _by_cases(label: Label, cases: Sequence[Case]) -> str:
    if not cases:
        return f"the text alone says it {_SAYS[label]}"
    counts = Counter(c.label for c in cases)
    return f"the text says it {_SAYS[label]}; of the {len(cases)} nearest labelled samples: {_counts(counts)}"


def _counts(labels: dict[Label, int] | Counter[Label]) -> str:
    return ", ".join(f"{labels[label]} {label}" for label in LABELS if labels.get(label))
