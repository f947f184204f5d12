"""The part of fitting that calls the large model: guidelines, then an extraction for every labelled sample, cross-fitted.

What a recognizer is trained on must not have seen the sample's own label: the guideline and the examples in its prompt come from the
other folds. Everything is asked for at once; the chat model paces itself and keeps every answer, so a killed fit goes on for free.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, cast

from clave.concepts.extractor import Extracted, Extractor
from clave.concepts.guideline import induce_guideline
from clave.encoder.encoder import Vectors
from clave.errors import ModelError
from clave.fitting.asked import Asked, AskedSample
from clave.fitting.closer_look import CloserLook, choose_closer_look
from clave.fitting.questions import Questions
from clave.fitting.samples import Sample
from clave.llm.chat import ChatModel
from clave.records import Failure, LabelledResponse, Progress
from clave.settings import Settings
from clave.values import ValueSystem

_MOST_FAILED = 0.2
_MOST_FAILED_OF_A_VALUE = 0.5
"""So that no value drops out unseen among many."""
FEWEST_TOGETHER = 3
"""Values from which on one call for all of them is cheaper."""
T = TypeVar("T")


@dataclass(frozen=True)
class CrossFitted:
    """Labelled samples with what the large model found in each without having seen its label."""

    samples: list[Sample]
    """Those that could be extracted."""
    text_vectors: Vectors
    """Of their texts, shape (n, dim)."""
    guidelines: dict[str, str] = field(default_factory=dict)
    """Value -> its guideline."""
    failed: dict[str, int] = field(default_factory=dict)
    """Kind of failure -> samples."""
    served: list[str] = field(default_factory=list)
    """Model ids as the server returned them."""
    closer_look: CloserLook | None = None
    """When a joint answer is looked at closer; None where each value is asked for by itself, or all only together."""
    asked: Asked | None = None
    """The questions, for asking them again."""


async def cross_fit(
    chat: ChatModel, system: ValueSystem, samples: Sequence[Sample], text_vectors: Vectors, settings: Settings, progress: Progress
) -> CrossFitted:
    """Write the guidelines, then extract every sample with those that have not seen its label.

    Raises:
        ModelError: A guideline could not be written, or too many samples failed; what was answered is kept.
    """
    guidelines, cross = dict[str, str](), dict[tuple[str, int], str]()
    if settings.guideline:
        guidelines, cross = await write_guidelines(chat, system, samples, progress)
    asking = _Asking(Extractor(chat), Questions(system, samples, text_vectors, cross, settings))
    found, look, asked = await asking.all(progress)
    _check_failed(samples, found)
    kept = [i for i, result in enumerate(found) if isinstance(result, Extracted)]
    return CrossFitted(
        [samples[i].model_copy(update={"extraction": cast(Extracted, found[i]).extraction}) for i in kept],
        text_vectors[kept],
        guidelines,
        dict(Counter(result.kind for result in found if isinstance(result, Failure))),
        sorted({result.served_by for result in found if isinstance(result, Extracted)}),
        look,
        asked,
    )


async def write_guidelines(
    chat: ChatModel, system: ValueSystem, samples: Sequence[Sample], progress: Progress
) -> tuple[dict[str, str], dict[tuple[str, int], str]]:
    """Write the guideline of each value from all its samples, and one for each fold from the others'.

    A guideline that stands in the value system is taken as it is.

    Returns:
        value -> guideline, and (value, fold) -> the guideline that has not seen the fold.

    Raises:
        ModelError: A guideline could not be written; what was answered is kept.
    """
    by_value: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_value[sample.labelled.value].append(sample)
    final, cross = dict[str, str](), dict[tuple[str, int], str]()
    wanted: list[tuple[str, int | None, list[LabelledResponse]]] = []
    for value, own in sorted(by_value.items()):
        given = system[value].guideline
        folds = sorted({s.fold for s in own})
        if given:
            final[value] = given
            cross |= {(value, fold): given for fold in folds}
            continue
        wanted.append((value, None, [s.labelled for s in own]))
        for fold in folds:
            others = [s.labelled for s in own if s.fold != fold]
            if others:
                wanted.append((value, fold, others))
    texts = await run_all([partial(induce_guideline, chat, system[v], rows) for v, _, rows in wanted], "guidelines", progress)
    for (value, without, _), text in zip(wanted, texts, strict=True):
        if isinstance(text, Failure):
            raise ModelError(f"the guideline of {value!r} could not be written: {text.reason}; run the same command to go on")
        if without is None:
            final[value] = text
        else:
            cross[value, without] = text
    return final, cross


@dataclass(frozen=True)
class _Asking:
    """The extraction of labelled samples, in the way in which responses will be asked about."""

    extractor: Extractor
    questions: Questions

    async def all(self, progress: Progress) -> tuple[list[Extracted | Failure], CloserLook | None, Asked]:
        """What was found in each sample, when a joint answer is looked at closer, where values are asked for together, and what was asked.

        Raises:
            ModelError: The budget ended before all were asked about.
        """
        n, settings = len(self.questions.samples), self.questions.settings
        together = settings.ask == "joint" or (settings.ask == "auto" and len(self.questions.values) >= FEWEST_TOGETHER)
        alone = settings.ask != "joint"
        ways = [way for way, wanted in ((self._single, alone), (self._joint, together)) if wanted]
        found = await run_all([partial(way, i) for way in ways for i in range(n)], "extractions", progress)
        unasked = [result.reason for result in found if isinstance(result, Failure) and result.kind == "budget"]
        if unasked:
            raise ModelError(
                f"{unasked[0]}: {len(unasked)} of {len(found)} labelled samples are left; run it again with a larger one to go on"
            )
        if not (together and alone):
            return found, None, _asked(self.questions, found, together=together)
        single, joint = found[:n], found[n:]
        look = self._closer_look(single, joint)
        if look is None:
            return single, None, _asked(self.questions, single, together=False)
        mixed = [j if isinstance(j, Extracted) and j.extraction.confidence >= look.below else s for s, j in zip(single, joint, strict=True)]
        return mixed, look, _asked(self.questions, joint, together=True)

    def _closer_look(self, single: Sequence[Extracted | Failure], joint: Sequence[Extracted | Failure]) -> CloserLook | None:
        both = [
            (j.extraction, s.extraction, sample.labelled)
            for j, s, sample in zip(joint, single, self.questions.samples, strict=True)
            if isinstance(j, Extracted) and isinstance(s, Extracted)
        ]
        if not both:
            return None
        first, second, rows = zip(*both, strict=True)
        return choose_closer_look(first, second, [row.label for row in rows], [row.group for row in rows])

    async def _single(self, i: int) -> Extracted | Failure:
        sample, (guideline, examples) = self.questions.samples[i].labelled, self.questions.shown(i)
        return await self.extractor.extract(sample, self.questions.system[sample.value], guideline=guideline, examples=examples)

    async def _joint(self, i: int) -> Extracted | Failure:
        sample, asked = self.questions.samples[i].labelled, self.questions
        return (await self.extractor.extract_joint(sample, asked.values, asked.all_shown(i), wanted={sample.value}))[sample.value]


def _asked(questions: Questions, found: Sequence[Extracted | Failure], *, together: bool) -> Asked:
    """What was asked in one way, of all samples that were answered so: not of those chosen by their answers."""
    guidelines: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for (value, fold), text in questions.guidelines.items():
        guidelines[value][fold] = text
    kept = []
    for i, (sample, result) in enumerate(zip(questions.samples, found, strict=True)):
        request = questions.together(i) if together else questions.alone(i)
        if isinstance(result, Extracted) and result.request == request:
            said = result.extraction
            kept.append(
                AskedSample(
                    id=sample.labelled.id,
                    value=sample.labelled.value,
                    prompt=request.digest,
                    stance=said.stance,
                    confidence=said.confidence,
                    served_by=result.served_by,
                )
            )
    return Asked(together=together, guidelines=dict(guidelines), samples=tuple(kept))


def _check_failed(samples: Sequence[Sample], found: Sequence[Extracted | Failure]) -> None:
    for value in (None, *dict.fromkeys(s.labelled.value for s in samples)):
        own = [result for s, result in zip(samples, found, strict=True) if value in (None, s.labelled.value)]
        reasons = [result.reason for result in own if isinstance(result, Failure)]
        if len(reasons) > (_MOST_FAILED if value is None else _MOST_FAILED_OF_A_VALUE) * len(own):
            of = f"{len(reasons)} of {len(own)} labelled samples" + (f" of value {value!r}" if value else "")
            raise ModelError(f"{of} could not be extracted, e.g.: {reasons[0]}; run the same command to go on")


async def run_all(jobs: Sequence[Callable[[], Awaitable[T]]], stage: str, progress: Progress) -> list[T]:
    """Run jobs together; the first exception cancels the others."""
    done = 0

    async def counted(job: Callable[[], Awaitable[T]]) -> T:
        nonlocal done
        result = await job()
        done += 1
        progress(stage, done, len(jobs))
        return result

    progress(stage, 0, len(jobs))
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(counted(job)) for job in jobs]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
