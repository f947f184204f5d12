"""The part of fitting that calls the large model: guidelines, then an extraction for every labelled sample, cross-fitted.

What a recognizer is trained on must not have seen the sample's own label: the guideline and the examples in its prompt come from the
other folds. Everything is asked for at once; the chat model paces itself and keeps every answer, so a killed fit goes on for free.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from clave.concepts.cases import CaseIndex
from clave.concepts.extractor import Extracted, Extractor
from clave.concepts.guideline import induce_guideline
from clave.encoder.encoder import Vectors
from clave.errors import ModelError
from clave.fitting.samples import Sample
from clave.llm.chat import ChatModel
from clave.records import Failure, LabelledResponse
from clave.settings import Settings
from clave.values import ValueSystem

Progress = Callable[[str, int, int], None]
"""(stage, done, total)."""

_MOST_FAILED = 0.2
_MOST_FAILED_OF_A_VALUE = 0.5
"""So that no value drops out unseen among many."""
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
    kept, failed, served = await extract_samples(chat, system, samples, text_vectors, cross, settings, progress)
    rows = {(s.labelled.id, s.labelled.value): i for i, s in enumerate(samples)}
    own = text_vectors[[rows[s.labelled.id, s.labelled.value] for s in kept]]
    return CrossFitted(kept, own, guidelines, failed, sorted(served))


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
    texts = await _all([partial(induce_guideline, chat, system[v], rows) for v, _, rows in wanted], "guidelines", progress)
    for (value, without, _), text in zip(wanted, texts, strict=True):
        if isinstance(text, Failure):
            raise ModelError(f"the guideline of {value!r} could not be written: {text.reason}; run the same command to go on")
        if without is None:
            final[value] = text
        else:
            cross[value, without] = text
    return final, cross


async def extract_samples(
    chat: ChatModel,
    system: ValueSystem,
    samples: Sequence[Sample],
    text_vectors: Vectors,
    guidelines: dict[tuple[str, int], str],
    settings: Settings,
    progress: Progress,
) -> tuple[list[Sample], dict[str, int], set[str]]:
    """Extract concepts and stance for every sample.

    Returns:
        The samples that could be extracted, failures by kind, and the model ids as the server returned them.

    Raises:
        ModelError: More than a fifth of the samples failed, or half of one value's, or the budget ended before all were asked about.
    """
    extractor = Extractor(chat)
    index = CaseIndex([s.labelled for s in samples], text_vectors, [s.fold for s in samples])

    async def single(i: int) -> Extracted | Failure:
        sample = samples[i].labelled
        examples = index.nearest(sample.value, text_vectors[i], settings.examples, without_group=sample.group, without_fold=samples[i].fold)
        guideline = guidelines.get((sample.value, samples[i].fold))
        return await extractor.extract(sample, system[sample.value], guideline=guideline, examples=examples)

    async def joint(i: int) -> Extracted | Failure:
        sample, fold = samples[i].labelled, samples[i].fold
        values = [system[v] for v in system.ids()]
        shown = {v.id: guidelines.get((v.id, fold)) for v in values}
        return (await extractor.extract_joint(sample, values, shown))[sample.value]

    one = joint if settings.joint else single
    found = await _all([partial(one, i) for i in range(len(samples))], "extractions", progress)
    unasked = [result.reason for result in found if isinstance(result, Failure) and result.kind == "budget"]
    if unasked:
        raise ModelError(
            f"{unasked[0]}: {len(unasked)} of {len(samples)} labelled samples are left; run it again with a larger one to go on"
        )
    _check_failed(samples, found)
    kept, failed, served = list[Sample](), defaultdict[str, int](int), set[str]()
    for sample, result in zip(samples, found, strict=True):
        if isinstance(result, Failure):
            failed[result.kind] += 1
        else:
            kept.append(sample.model_copy(update={"extraction": result.extraction}))
            served.add(result.served_by)
    return kept, dict(failed), served


def _check_failed(samples: Sequence[Sample], found: Sequence[Extracted | Failure]) -> None:
    for value in (None, *dict.fromkeys(s.labelled.value for s in samples)):
        own = [result for s, result in zip(samples, found, strict=True) if value in (None, s.labelled.value)]
        reasons = [result.reason for result in own if isinstance(result, Failure)]
        if len(reasons) > (_MOST_FAILED if value is None else _MOST_FAILED_OF_A_VALUE) * len(own):
            of = f"{len(reasons)} of {len(own)} labelled samples" + (f" of value {value!r}" if value else "")
            raise ModelError(f"{of} could not be extracted, e.g.: {reasons[0]}; run the same command to go on")


async def _all(jobs: Sequence[Callable[[], Awaitable[T]]], stage: str, progress: Progress) -> list[T]:
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
