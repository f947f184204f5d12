"""Drift: is the model that answers behind a name still the one that the evaluator was fitted with?

    found = clave.check()
    found.moved, found.why

The questions of the fit are asked again word for word, past the cache, twice. Models that answer a little differently each time are told
from models that moved by an exact permutation test: if nothing moved, the three answers to a question - at fit time and the two of
today - are three draws from one distribution, and which of them stands out is a matter of chance. See docs/design/drift.md.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import combinations

import numpy as np

from clave.concepts.extractor import read_alone, read_together
from clave.errors import EvaluatorError, ModelError
from clave.evaluating.judging import Judging
from clave.fitting.asked import Asked, AskedSample, Check
from clave.fitting.cross_fitting import run_all
from clave.fitting.fitted import Fitted
from clave.fitting.questions import Questions
from clave.llm.cached import CachedChat
from clave.llm.chat import ChatModel, ChatRequest, Completion
from clave.records import Failure, Progress, Response
from clave.values import Value

PROMPTS = 60
"""Questions that are asked again, at the most."""
ALPHA = 0.01
"""How often a model that did not move is said to have, at the most."""
_MOST_FAILED = 0.2
"""Of the questions; beyond it nothing can be said."""
_STEPS = 200
"""Confidences are compared in steps of .005."""
_OF_THE_MODEL = ("refused", "bad_answer", "cut_off")
"""Failures that are the model's own doing: they are compared like stances."""


@dataclass(frozen=True)
class Said:
    """An answer as it is compared: its stance, or why there is none, and its confidence."""

    stance: str
    confidence: float = 0.0


@dataclass(frozen=True)
class _Again:
    """One question that is asked again."""

    request: ChatRequest
    response: Response
    values: tuple[Value, ...]
    """Those that it asks for together; none where it asks for the sample's own."""
    samples: tuple[AskedSample, ...]
    """Those whose answers it holds."""

    def said(self, value: str, answer: Completion | Failure) -> Said:
        """What an answer says of a value."""
        if isinstance(answer, Failure):
            return Said(answer.kind)
        if not self.values:
            found = read_alone(answer, self.response, self.request).extraction
            return Said(found.stance, found.confidence)
        part = read_together(answer, self.values, self.response, self.request).get(value)
        return Said("bad_answer") if part is None else Said(part.extraction.stance, part.extraction.confidence)


@dataclass(frozen=True)
class _Reading:
    said: dict[tuple[str, str], Said]
    served: set[str]
    failed: Counter[str]
    """Kind -> questions without an answer, for a reason that says nothing of the model."""


async def check(judging: Judging, *, progress: Progress = lambda stage, done, total: None) -> Check:
    """Ask a fixed, seeded set of the fit's questions again and compare; each is asked twice unless the first reading finds nothing new.

    Args:
        judging: A fitted evaluator with a large model.
        progress: Called with what is under way, done and total.

    Raises:
        EvaluatorError: It has no large model, does not know what it was asked, or its prompts cannot be built again.
        ModelError: The large model cannot be used, or too few answers came.
    """
    chat, chosen = _checkable(judging)
    fresh = CachedChat(chat.chat, None, chat.ledger)
    calls = chat.ledger.calls
    then = {_key(s): Said(s.stance, s.confidence) for again in chosen for s in again.samples}
    first = second = await _read(fresh, chosen, "first reading", progress)
    if first.said != {key: then[key] for key in first.said}:
        second = await _read(fresh, chosen, "second reading", progress)
    failed = first.failed if second is first else first.failed + second.failed
    answered = [again for again in chosen if all(_key(s) in first.said and _key(s) in second.said for s in again.samples)]
    if len(answered) < (1 - _MOST_FAILED) * len(chosen):
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(failed.items()))
        raise ModelError(f"{len(chosen) - len(answered)} of {len(chosen)} questions got no answer ({kinds}): check again later")
    keys = [[_key(s) for s in again.samples] for again in answered]
    p = None
    if second is not first:
        p = moved_p(*([[said[key] for key in own] for own in keys] for said in (then, first.said, second.said)))
    every = [key for own in keys for key in own]
    served_then, served_now = {s.served_by for again in chosen for s in again.samples}, first.served | second.served
    check = Check(
        at=datetime.now(UTC).replace(microsecond=0),
        model=judging.settings.model,
        clave=version("clave"),
        moved=bool(served_now - served_then) or (p is not None and p < ALPHA),
        why="",
        n=len(every),
        calls=chat.ledger.calls - calls,
        changed=sum(then[key].stance != first.said[key].stance for key in every),
        unsteady=sum(first.said[key].stance != second.said[key].stance for key in every),
        confidence_then=_mean([then[key].confidence for key in every]),
        confidence_now=_mean([said[key].confidence for key in every for said in (first.said, second.said)]),
        p=p,
        served_then=tuple(sorted(served_then)),
        served_now=tuple(sorted(served_now)),
        failed=dict(failed),
    )
    return check.model_copy(update={"why": _sentence(check)})


def questions_of(judging: Judging) -> list[ChatRequest]:
    """What one reading of a check asks, e.g. to know its price; errors as `check`."""
    return [again.request for again in _checkable(judging)[1]]


def moved_p(then: Sequence[Sequence[Said]], first: Sequence[Sequence[Said]], second: Sequence[Sequence[Said]]) -> float:
    """How often chance alone sets the answers of fit time as far apart from those of today as they are, in stance or in confidence.

    Args:
        then: Per question, the answers of fit time: one a sample that it asked about.
        first: Those of the first reading of today, in the same order.
        second: Those of the second.

    Returns:
        Twice the smaller p of two permutation tests, at the most 1.
    """
    return min(1.0, 2 * min(permutation_p(then, first, second, distance) for distance in (stance_distance, confidence_distance)))


def permutation_p(
    then: Sequence[Sequence[Said]],
    first: Sequence[Sequence[Said]],
    second: Sequence[Sequence[Said]],
    distance: Callable[[Said, Said], int],
) -> float:
    """The exact permutation test for three answers to each question; arguments as for `moved_p`.

    If nothing moved, each of the three is as likely as the others to be the one that stands farthest from the other two. The distribution
    of the sum over questions is worked out whole, not sampled.

    Returns:
        The share of the 3^n ways of naming one answer to each of the n questions "then" whose distances sum to at least the observed.
    """
    chances, observed = np.ones(1), 0
    for answers in zip(then, first, second, strict=True):
        ab, ac, bc = (sum(map(distance, one, other)) for one, other in combinations(answers, 2))
        observed += ab + ac
        sums = (ab + ac, ab + bc, ac + bc)
        longer = np.zeros(len(chances) + max(sums))
        for total in sums:
            longer[total : total + len(chances)] += chances / 3
        chances = longer
    return min(1.0, float(chances[observed:].sum()))


def stance_distance(a: Said, b: Said) -> int:
    """1 where two answers take another stance."""
    return int(a.stance != b.stance)


def confidence_distance(a: Said, b: Said) -> int:
    """How far two answers of one stance are apart in confidence, in steps."""
    return round(abs(a.confidence - b.confidence) * _STEPS) if a.stance == b.stance else 0


def _checkable(judging: Judging) -> tuple[CachedChat, list[_Again]]:
    """What a check asks of whom: the same questions each time.

    Raises:
        EvaluatorError: There is nothing to ask.
    """
    fitted, chat = judging.fitted, judging.chat
    if fitted is None or chat is None:
        raise EvaluatorError("only a fitted evaluator with a large model can be checked for drift: without one nothing can move")
    if fitted.asked is None:
        raise EvaluatorError(f"{fitted.name} was saved without what it asked when it was fitted: calibrate again, then it can be checked")
    known = _rebuilt(fitted, fitted.asked)
    if not known:
        raise EvaluatorError(f"this clave asks otherwise than the one that fitted {fitted.name}: calibrate again, then it can be checked")
    random.Random(f"check {fitted.settings.seed}").shuffle(known)
    return chat, known[:PROMPTS]


def _rebuilt(fitted: Fitted, asked: Asked) -> list[_Again]:
    """The prompts that come out as they were: not those whose examples hold a sample that failed at the fit and was not kept."""
    guidelines = {(value, fold): text for value, folds in asked.guidelines.items() for fold, text in folds.items()}
    questions = Questions(fitted.system, fitted.samples, fitted.vectors, guidelines, fitted.settings)
    at = {(s.labelled.id, s.labelled.value): i for i, s in enumerate(fitted.samples)}
    by_prompt: defaultdict[str, list[AskedSample]] = defaultdict(list)
    for sample in asked.samples:
        if _key(sample) in at:
            by_prompt[sample.prompt].append(sample)
    found = []
    for prompt, samples in sorted(by_prompt.items()):
        i = at[_key(samples[0])]
        request = questions.together(i) if asked.together else questions.alone(i)
        if request.digest == prompt:
            values = questions.values if asked.together else ()
            found.append(_Again(request, fitted.samples[i].labelled, values, tuple(samples)))
    return found


async def _read(chat: ChatModel, chosen: Sequence[_Again], stage: str, progress: Progress) -> _Reading:
    """Ask all of it once.

    Raises:
        ModelError: The large model cannot be used, or the budget ended.
    """
    reading = _Reading({}, set(), Counter())
    for again, answer in zip(chosen, await run_all([partial(chat.complete, a.request) for a in chosen], stage, progress), strict=True):
        if isinstance(answer, Failure) and answer.kind == "budget":
            raise ModelError(f"{answer.reason}: nothing is known of the model before all is asked")
        if isinstance(answer, Failure) and answer.kind not in _OF_THE_MODEL:
            reading.failed[answer.kind] += 1
            continue
        if isinstance(answer, Completion):
            reading.served.add(answer.model)
        reading.said.update({_key(sample): again.said(sample.value, answer) for sample in again.samples})
    return reading


def _key(sample: AskedSample) -> tuple[str, str]:
    return sample.id, sample.value


def _mean(numbers: Sequence[float]) -> float | None:
    return round(sum(numbers) / len(numbers), 4) if numbers else None


def _sentence(check: Check) -> str:
    new = sorted(set(check.served_now) - set(check.served_then))
    if new:
        was = ", ".join(check.served_then)
        return (
            f"the model behind {check.model} moved: the server calls it {', '.join(new)} now, and {was} when the evaluator was calibrated"
        )
    if check.p is None:
        return f"the model behind {check.model} is as it was: {check.n} of {check.n} answers are the same"
    told = (
        f"{check.changed} of {check.n} answers take another stance than when the evaluator was calibrated, {check.unsteady} differ between "
        f"two readings of today, mean confidence {check.confidence_then:.3f} then and {check.confidence_now:.3f} now (p = {check.p:.2g})"
    )
    if check.moved:
        return f"the model behind {check.model} moved: {told}"
    return f"the model behind {check.model} is as it was, as far as this can tell: {told}"
