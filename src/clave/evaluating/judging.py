"""An evaluation: from responses and the values they are asked for to verdicts.

    async for verdict in clave.judging.verdicts([(response, (value,))]): ...

The large model extracts, the pool maps, the recognizer concludes. Without a large model the recognizer reads the text's vector; without
labels the large model's stance is the verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clave.concepts.cases import encoded_text, is_cut
from clave.concepts.extractor import Extracted, Extractor
from clave.encoder import BatchingEncoder
from clave.encoder.encoder import Vectors
from clave.errors import InputError
from clave.evaluating.stream import StopStreamError, Stream, run_sync
from clave.evaluating.verdicts import UNLIKE, calibrated_verdict, failed_verdict, novel_abstained, novelty_of, zero_shot_verdict
from clave.fitting.fitted import Fitted
from clave.fitting.learn import Learnt
from clave.fitting.naming import zero_shot_name
from clave.fitting.prevalence import balance_of
from clave.llm.cached import CachedChat, cached
from clave.llm.chat import ChatModel
from clave.recognizers.observation import Observation
from clave.records import Case, Failure, Response, Verdict
from clave.scoring.statistics import Array
from clave.settings import Settings
from clave.text.content import is_blank
from clave.values import Value, ValueSystem

_SHOWN_CASES = 3
_ENCODING = 32
"""Responses under way beyond the calls, so that the encoder has the next ones ready."""

T = TypeVar("T")
Unit = tuple[Response, tuple[Value, ...]]
"""A response and the values it is evaluated for."""


@dataclass(frozen=True)
class Judging:
    """See the module."""

    system: ValueSystem
    settings: Settings
    fitted: Fitted | None
    chat: CachedChat | None
    encoder: BatchingEncoder

    @cached_property
    def name(self) -> str:
        """The evaluator's, for its verdicts."""
        return self.fitted.name if self.fitted is not None else zero_shot_name(self.system, self.settings)

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The values it judges when none is named: those it was fitted on, else those of the system."""
        return self.fitted.values if self.fitted is not None else tuple(self.system.ids())

    async def leave(self) -> None:
        """Let go of the connections that the running event loop has opened, and of the files."""
        if self.chat is not None:
            await self.chat.close()

    def run(self, job: Coroutine[Any, Any, T]) -> T:
        """Run what makes calls, from code that is not async.

        Ctrl-C has no more calls started and waits some seconds for those under way, so that the cache keeps their answers.
        """
        if self.chat is None:
            return run_sync(job)
        ledger = self.chat.ledger
        try:
            return run_sync(job, ledger.stop)
        except KeyboardInterrupt:
            ledger.stopped = ""  # of this run alone: others may share the ledger
            raise

    def with_chat(self, chat: ChatModel) -> Judging:
        """The same on another chat model."""
        return replace(self, chat=cached(chat))

    def values_of(self, response: Response) -> tuple[Value, ...]:
        """The values that a response is to be judged for.

        Raises:
            InputError: It names a value that the evaluator does not know.
        """
        if response.value is None:
            return tuple(self.system[v] for v in self.values)
        if self.fitted is not None and response.value in self.system and response.value not in self.values:
            raise InputError(
                f"response {response.id!r}: the evaluator was not fitted on value {response.value!r}, only on {', '.join(self.values)}"
            )
        try:
            return (self.system[response.value],)
        except InputError as error:
            raise InputError(f"response {response.id!r}: {error}") from None

    def verdicts(
        self, units: Iterable[Unit], *, min_confidence: float = 0.0, coverage: float = 1.0, abstain_novel: bool = False
    ) -> Stream[Verdict]:
        """Judge (response, values) pairs.

        Args:
            units: Any number; read as workers become free.
            min_confidence: See `Clave.evaluate`.
            coverage: See `Clave.evaluate`.
            abstain_novel: See `Clave.evaluate`.

        Raises:
            InputError: It is neither fitted nor has a large model, or one of the two is out of range.
        """
        if self.fitted is None and self.chat is None:
            raise InputError("without labels there must be a large model: name one, or fit on labels first")
        if abstain_novel and self.fitted is None:
            raise InputError("what is unlike the labelled samples needs some: calibrate on labels first, or leave `abstain_novel` out")
        floor = self.floor(min_confidence, coverage)
        workers = _ENCODING + (self.chat.width if self.chat is not None else 0)
        if isinstance(units, Sequence):  # of a service, whose requests are short: no workers that find nothing to do
            workers = min(workers, sum(len(values) for _, values in units))
        return Stream(self.split(units), partial(self.judge, floor=floor, abstain_novel=abstain_novel), workers)

    def floor(self, min_confidence: float, coverage: float) -> float:
        """The probability below which a verdict is abstained.

        Raises:
            InputError: One of the two is out of range.
        """
        if not 0 < coverage <= 1 or not 0 <= min_confidence < 1:
            raise InputError("coverage must be above 0 and at most 1, and the least confidence from 0 to below 1")
        if coverage < 1 and self.fitted is None:
            raise InputError("coverage is a share of what a calibrated evaluator is sure of: calibrate on labels first, or leave it out")
        return max(min_confidence, self.fitted.learnt.calibration.min_confidence(coverage) if self.fitted else 0.0)

    def balances(self, _flags: Sequence[str] = ()) -> Mapping[str, Array]:
        """By value, the shares of adhere, oppose and unrelated at which probabilities are calibrated, each of shape (3,).

        Raises:
            InputError: It is not fitted.
        """
        if self.fitted is None:
            raise InputError("`coverage` and `prevalence` are for probabilities of a calibrated evaluator: calibrate on labels first")
        return self._balances

    @cached_property
    def _balances(self) -> dict[str, Array]:
        return balance_of(self.fitted) if self.fitted is not None else {}

    def split(self, units: Iterable[Unit]) -> Iterator[Unit]:
        """One unit per call: all values of a response where they are asked for together, else one by one."""
        for response, values in units:
            if self.asks_together:
                yield response, values
            else:
                yield from ((response, (value,)) for value in values)

    @cached_property
    def asks_together(self) -> bool:
        """Whether one call asks for all values of a response."""
        return self.settings.ask == "joint" or (self.fitted is not None and self.fitted.closer_look is not None)

    def guideline(self, value: Value) -> str | None:
        """The one in force for a value."""
        if self.fitted is not None:
            return self.fitted.guideline(value)
        return value.guideline if self.settings.guideline else None

    async def judge(self, unit: Unit, floor: float, *, abstain_novel: bool = False) -> list[Verdict]:
        """A verdict for each of the unit's values, which `split` made, but those that wait for a batch; abstained below `floor`.

        Raises:
            StopStreamError: The budget is spent; the message says so.
        """
        found = await self._judge(unit, floor)
        if self.fitted is None or not self.fitted.wording.unlike(unit[0].response):
            return found
        flagged = [verdict.model_copy(update={"flags": (*verdict.flags, UNLIKE)}) for verdict in found]
        return list(map(novel_abstained, flagged)) if abstain_novel else flagged

    async def _judge(self, unit: Unit, floor: float) -> list[Verdict]:
        response, values = unit
        if is_blank(response.response):
            failure = Failure(status="failed", kind="empty", reason="the response is empty: there is nothing to judge")
            return [failed_verdict(response, value.id, failure, self.name) for value in values]
        vector = await self._text_vector(response)
        if self.chat is None:
            return [await self._by_text(response, value, vector, floor) for value in values]
        extractor = Extractor(self.chat)
        if self.asks_together:
            known = tuple(self.system[v] for v in self.values)
            found = await extractor.extract_joint(
                response,
                known if set(values) <= set(known) else values,
                {v.id: self.guideline(v) for v in (*known, *values)},
                below=self.fitted.closer_look.below if self.fitted is not None and self.fitted.closer_look is not None else 0.0,
                wanted={v.id for v in values},
                examples=lambda value: self._examples(response, value, vector),
            )
        else:
            (value,) = values
            examples = self._examples(response, value, vector)
            found = {value.id: await extractor.extract(response, value, guideline=self.guideline(value), examples=examples)}
        ready = [value for value in values if not _waits(found[value.id])]
        return [await self._verdict(response, value, found[value.id], vector, floor) for value in ready]

    async def _text_vector(self, response: Response) -> Vectors | None:
        if self.fitted is None:
            return None
        by_text = "text" in self.fitted.learnt.recognizer.features
        if not by_text and (self.settings.examples == 0 or self.settings.ask == "joint"):
            return None
        return await self.encoder.encode(encoded_text(response))

    def _examples(self, response: Response, value: Value, vector: Vectors | None) -> list[Case]:
        if self.fitted is None or vector is None:
            return []
        return self.fitted.learnt.cases.nearest(value.id, vector, self.settings.examples)

    async def _predict(self, learnt: Learnt, observation: Observation) -> NDArray[np.float64]:
        """Calibrated probabilities, shape (3,)."""
        recognizer = learnt.recognizer
        if recognizer.heavy:
            p = await asyncio.to_thread(recognizer.predict_proba, [observation])
        else:
            p = recognizer.predict_proba([observation])
        calibrated: NDArray[np.float64] = learnt.calibration.apply(p)[0]
        return calibrated

    async def _by_text(self, response: Response, value: Value, vector: Vectors | None, floor: float) -> Verdict:
        assert self.fitted is not None
        assert vector is not None
        return calibrated_verdict(
            response,
            value.id,
            await self._predict(self.fitted.learnt, Observation(value.id, response, vector)),
            min_confidence=floor,
            novelty=novelty_of([self.fitted.learnt.cases.similarity(value.id, vector)]),
            cases=self.fitted.learnt.cases.nearest(value.id, vector, _SHOWN_CASES)[::-1],
            flags=("cut",) if not self.fitted.learnt.recognizer.heavy and is_cut(response, self.encoder.ready()) else (),
            evaluator=self.name,
        )

    async def _verdict(self, response: Response, value: Value, found: Extracted | Failure, vector: Vectors | None, floor: float) -> Verdict:
        if isinstance(found, Failure):
            if found.kind == "budget":
                raise StopStreamError(found.reason)
            return failed_verdict(response, value.id, found, self.name)
        extraction = found.extraction
        if self.fitted is None or self.fitted.learnt.pool is None:
            return zero_shot_verdict(response, value.id, extraction, self.name, found.usage, found.cached, min_confidence=floor)
        pool = self.fitted.learnt.pool
        concepts = extraction.concepts
        vectors = await self.encoder.encode_all(concepts) if concepts else np.zeros((0, pool.vectors.shape[1]), np.float32)
        mapped = tuple(pool.map(value.id, text, v) for text, v in zip(concepts, vectors, strict=True))
        observation = Observation(value.id, response, vector, extraction, vectors, mapped)
        return calibrated_verdict(
            response,
            value.id,
            await self._predict(self.fitted.learnt, observation),
            min_confidence=floor,
            novelty=novelty_of([m.similarity for m in mapped]),
            evaluator=self.name,
            found=extraction,
            mapped=mapped,
            usage=found.usage,
            cached=found.cached,
        )


def _waits(found: Extracted | Failure) -> bool:
    return isinstance(found, Failure) and found.kind == "waiting"
