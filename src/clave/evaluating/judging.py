"""One step of an evaluation: from a response and the values it is asked for to their verdicts.

    await Judging(chat, encoder, settings, learnt, guideline, "clave-mft-1a2b3c4d").judge((response, (value,)), floor=0.0)

The large model extracts, the pool maps, the recognizer concludes. Without a large model the recognizer reads the text's vector; without
labels the large model's stance is the verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clave.concepts.cases import encoded_text
from clave.concepts.extractor import Extracted, LLMExtractor
from clave.encoder import BatchingEncoder
from clave.encoder.encoder import Vectors
from clave.evaluating.stream import StopStreamError
from clave.evaluating.verdicts import calibrated_verdict, failed_verdict, novelty_of, zero_shot_verdict
from clave.fitting.learn import Learnt
from clave.llm.cached import CachedChat
from clave.recognizers.observation import Observation
from clave.records import Case, Failure, Response, Verdict
from clave.settings import Settings
from clave.values import Value

_SHOWN_CASES = 3

Unit = tuple[Response, tuple[Value, ...]]
"""A response and the values it is evaluated for."""


@dataclass(frozen=True)
class Judging:
    """See the module."""

    chat: CachedChat | None
    encoder: BatchingEncoder
    settings: Settings
    learnt: Learnt | None
    guideline: Callable[[Value], str | None]
    """The one in force for a value."""
    evaluator: str
    """Its name, for the verdicts."""

    async def judge(self, unit: Unit, floor: float) -> list[Verdict]:
        """A verdict for each of the unit's values; abstained below `floor`.

        Raises:
            StopStreamError: The budget is spent; the message says so.
        """
        response, values = unit
        if not response.response.strip():
            failure = Failure(status="failed", kind="empty", reason="the response is empty: there is nothing to judge")
            return [failed_verdict(response, value.id, failure, self.evaluator) for value in values]
        vector = await self._text_vector(response)
        if self.chat is None:
            return [await self._by_text(response, value, vector, floor) for value in values]
        extractor = LLMExtractor(self.chat)
        if self.settings.joint:
            guidelines = {v.id: self.guideline(v) for v in values}
            found = await extractor.extract_joint(response, values, guidelines)
        else:
            (value,) = values
            examples = self._examples(response, value, vector)
            found = {value.id: await extractor.extract(response, value, guideline=self.guideline(value), examples=examples)}
        return [await self._verdict(response, value, found[value.id], vector, floor) for value in values]

    async def _text_vector(self, response: Response) -> Vectors | None:
        if self.learnt is None:
            return None
        by_text = "text" in self.learnt.recognizer.features
        if not by_text and (self.settings.examples == 0 or self.settings.joint):
            return None
        return await self.encoder.encode(encoded_text(response))

    def _examples(self, response: Response, value: Value, vector: Vectors | None) -> list[Case]:
        if self.learnt is None or vector is None:
            return []
        return self.learnt.cases.nearest(value.id, vector, self.settings.examples)

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
        assert self.learnt is not None
        assert vector is not None
        return calibrated_verdict(
            response,
            value.id,
            await self._predict(self.learnt, Observation(value.id, response, vector)),
            min_confidence=floor,
            novelty=novelty_of([self.learnt.cases.similarity(value.id, vector)]),
            cases=self.learnt.cases.nearest(value.id, vector, _SHOWN_CASES)[::-1],
            evaluator=self.evaluator,
        )

    async def _verdict(self, response: Response, value: Value, found: Extracted | Failure, vector: Vectors | None, floor: float) -> Verdict:
        if isinstance(found, Failure):
            if found.kind == "budget":
                raise StopStreamError(found.reason)
            return failed_verdict(response, value.id, found, self.evaluator)
        extraction = found.extraction
        if self.learnt is None or self.learnt.pool is None:
            return zero_shot_verdict(response, value.id, extraction, self.evaluator, found.usage, found.cached, min_confidence=floor)
        pool = self.learnt.pool
        concepts = extraction.concepts
        vectors = await self.encoder.encode_all(concepts) if concepts else np.zeros((0, pool.vectors.shape[1]), np.float32)
        mapped = tuple(pool.map(value.id, text, v) for text, v in zip(concepts, vectors, strict=True))
        observation = Observation(value.id, response, vector, extraction, vectors, mapped)
        return calibrated_verdict(
            response,
            value.id,
            await self._predict(self.learnt, observation),
            min_confidence=floor,
            novelty=novelty_of([m.similarity for m in mapped]),
            evaluator=self.evaluator,
            found=extraction,
            mapped=mapped,
            usage=found.usage,
            cached=found.cached,
        )
