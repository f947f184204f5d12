"""Clave, the evaluator: fitted on a few human labels per value, it says of any response whether it adheres to a value or opposes it.

    clave = Clave("schwartz", model="openai/gpt-4o-mini").fit(read_labels("labels.jsonl"))
    for verdict in clave.evaluate(read_responses("responses.jsonl")):
        print(clave.explain(verdict))
    clave.save("evaluator")
    Clave.load("evaluator")

Without labels, `Clave(system, model=…).evaluate(…)` gives the large model's own stance, flagged `uncalibrated`; without a model,
`Clave(system).fit(…)` learns from the text alone and makes no call.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from clave.concepts.cases import encoded_text
from clave.concepts.pool import Concept
from clave.encoder import BatchingEncoder, load_encoder
from clave.encoder.encoder import Vectors
from clave.encoder.precision import Precision
from clave.errors import EvaluatorError, InputError
from clave.evaluating.judging import Judging, Unit
from clave.evaluating.naming import fitted_name, zero_shot_name
from clave.evaluating.stream import StopStreamError, iter_sync, run_sync, stream
from clave.evaluating.verdicts import explained
from clave.fitting.gather import Gathered, Progress, gather
from clave.fitting.learn import Learnt, learn
from clave.fitting.precision import in_int8
from clave.fitting.samples import Sample, dealt_samples, unseen_labels
from clave.llm.cached import CachedChat
from clave.llm.chat import ChatModel
from clave.llm.ledger import Ledger
from clave.llm.opening import ChatOptions, open_chat
from clave.recognizers.training import Context, checkpoints
from clave.records import LabelledResponse, Response, Verdict
from clave.settings import Settings
from clave.values import Value, ValueSystem

_ENCODING = 32
"""Responses under way beyond the calls, so that the encoder has the next ones ready."""


class Clave:
    """See the module.

    Args:
        system: A value system, or the name or file of one.
        model: The large model, `provider/model`; `none` makes no calls.
        settings: All choices at once; `model` is taken from it.
        chat: A chat model of your own, in place of `model` and the options.
        **options: How calls are made: base_url, concurrency, max_retries, timeout, budget, prices, cache.

    Raises:
        InputError: There is no such value system.
        ModelError: The model string cannot be resolved.
    """

    def __init__(
        self,
        system: ValueSystem | str | Path,
        *,
        model: str = "none",
        settings: Settings | None = None,
        chat: ChatModel | None = None,
        **options: Unpack[ChatOptions],
    ) -> None:
        self.system = system if isinstance(system, ValueSystem) else ValueSystem.load(system)
        self.settings = settings or Settings(model=chat.model if chat is not None else model)
        self._chat: CachedChat | None = None
        if chat is not None:
            self._chat = chat if isinstance(chat, CachedChat) else CachedChat(chat, None)
        elif self.settings.calls:
            self._chat = open_chat(self.settings.model, **options)
        self.precision_ = Precision()
        self._encode_in(self.precision_)
        self.guidelines_: dict[str, str] = {}
        self.samples_: tuple[Sample, ...] = ()
        self.text_vectors_: Vectors = np.zeros((0, 0), np.float32)
        self.learnt_: Learnt | None = None
        self.manifest_: dict[str, Any] = {}
        self.name = zero_shot_name(self.system, self.settings)
        self.stopped = ""
        """Why the last evaluation ended before its responses did; empty where it did not."""

    @property
    def ledger(self) -> Ledger:
        """What was spent so far."""
        return self._chat.ledger if self._chat is not None else Ledger(lambda prompt, completion: 0.0)

    @property
    def values(self) -> list[str]:
        """The values it evaluates when none is named: those it was fitted on, else those of the system."""
        fitted = {s.labelled.value for s in self.samples_}
        return [v for v in self.system.by_id if v in fitted] if fitted else list(self.system.ids())

    def fit(
        self, labelled: Iterable[LabelledResponse], *, given_folds: bool = False, progress: Progress = lambda stage, done, total: None
    ) -> Clave:
        """Fit on labelled responses, fewer than a hundred per value.

        Args:
            labelled: Several annotators of one (id, value) are joined by majority.
            given_folds: Keep the folds that the rows carry.
            progress: Called with stage, done and total.

        Raises:
            InputError: A value is unknown, or has too few labels or only one.
            ModelError: The large model cannot be used. What it answered is kept.
        """
        run_sync(self.afit(labelled, given_folds=given_folds, progress=progress))
        return self

    async def afit(
        self, labelled: Iterable[LabelledResponse], *, given_folds: bool = False, progress: Progress = lambda stage, done, total: None
    ) -> Clave:
        """`fit`, async."""
        rows = list(labelled)
        for value in dict.fromkeys(row.value for row in rows):
            self.system[value]
        samples, disputed = dealt_samples(rows, self.settings.folds, self.settings.seed, given=given_folds)
        self._forget()
        progress("embeddings", 0, 1)
        vectors = await asyncio.to_thread(self._encoder.encode_now, [encoded_text(s.labelled) for s in samples])
        progress("embeddings", 1, 1)
        found = Gathered(samples, vectors)
        if self._chat is not None:
            try:
                found = await gather(self._chat, self.system, samples, vectors, self.settings, progress)
            finally:
                await self._chat.close()
        self.guidelines_ = found.guidelines
        self.manifest_ = {
            "labels": len(samples),
            "disputed": disputed,
            "failed": found.failed,
            "unseen_labels": unseen_labels([s.labelled for s in samples]),
            "served_by": found.served,
        }
        progress("recognizer", 0, 1)
        await asyncio.to_thread(self._learn, found.samples, found.text_vectors, progress)
        progress("recognizer", 1, 1)
        return self

    def _forget(self) -> None:
        """What was learnt before has no part in a fit."""
        self.learnt_, self.samples_, self.guidelines_, self.manifest_ = None, (), {}, {}
        self.name = zero_shot_name(self.system, self.settings)
        if self.precision_.kind != "fp32":
            self._encode_in(Precision())
        self.precision_ = Precision()

    def _encode_in(self, precision: Precision) -> None:
        """Take the encoder in this form."""
        self.precision_ = precision
        self._encoder = BatchingEncoder(partial(load_encoder, self.settings.encoder, int8=precision.kind == "int8"))

    def refit(self) -> Clave:
        """Fit the pool's labels, the recognizer and the calibration again from the kept extractions and the concepts as they now are.

        Makes no call.
        """
        if not self.samples_ or self.learnt_ is None:
            raise EvaluatorError("there is nothing to refit: fit the evaluator first")
        if "distilled" in self.manifest_:
            raise EvaluatorError("a distilled evaluator cannot be refitted: it would forget what the large model taught it; distil again")
        self._learn(self.samples_, self.text_vectors_, concepts=self.learnt_.pool.concepts if self.learnt_.pool else None)
        return self

    def _values(self) -> dict[str, Value]:
        """Values with the guideline in force."""
        return {v.id: v.model_copy(update={"guideline": self._guideline(v)}) for v in self.system.values}

    def _learn(
        self,
        samples: Sequence[Sample],
        vectors: Vectors,
        progress: Progress = lambda stage, done, total: None,
        *,
        concepts: Sequence[Concept] | None = None,
    ) -> None:
        encoder, context = self._encoder.ready(), Context(self._values(), self.settings.training, progress, checkpoints=checkpoints())
        self.learnt_ = learn(samples, vectors, self.settings, encoder, concepts=concepts, context=context)
        if self.precision_.kind == "fp32" and (found := in_int8(samples, self.learnt_, self.settings, encoder)):
            if found[0].kind == "int8":
                self._encode_in(found[0])
                _, self.learnt_, vectors = found
            self.precision_ = found[0]
        self.take(self.learnt_, samples, vectors)

    def take(self, learnt: Learnt, samples: Sequence[Sample], vectors: Vectors) -> None:
        """Become the evaluator that was learnt from these samples."""
        self.learnt_, self.samples_, self.text_vectors_ = learnt, tuple(samples), vectors
        self.manifest_["scores"] = learnt.scores
        known = (*self.samples_, *(learnt.pool.concepts if learnt.pool else ()))
        self.name = fitted_name(self.system, self.settings, self.precision_, self.guidelines_, known)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of texts, shape (n, dim), in the calling thread."""
        return self._encoder.encode_now(texts)

    def evaluate(self, responses: Iterable[Response], *, min_confidence: float = 0.0, coverage: float = 1.0) -> Iterator[Verdict]:
        """Evaluate responses; works in a notebook too.

        Args:
            responses: Any number; read as workers become free. One with a `value` is evaluated for that, else for all values.
            min_confidence: Below this probability a verdict is `abstained`.
            coverage: Abstain on about 1 - coverage of responses like the calibration samples: the least certain.

        Yields:
            A verdict per response and value, in the order in which they are ready.

        Raises:
            InputError: A value is unknown, or the evaluator is neither fitted nor has a large model.
            ModelError: The large model cannot be used at all.
        """
        return iter_sync(partial(self.aevaluate, responses, min_confidence=min_confidence, coverage=coverage))

    async def aevaluate(
        self, responses: Iterable[Response], *, min_confidence: float = 0.0, coverage: float = 1.0
    ) -> AsyncGenerator[Verdict, None]:
        """`evaluate`, async."""
        units = ((response, self.values_of(response)) for response in responses)
        async with aclosing(self.aevaluate_units(units, min_confidence=min_confidence, coverage=coverage)) as verdicts:
            async for verdict in verdicts:
                yield verdict

    def on(self, chat: ChatModel) -> Clave:
        """The same evaluator on another chat model."""
        other = copy.copy(self)
        other._chat = chat if isinstance(chat, CachedChat) else CachedChat(chat, None)
        return other

    def values_of(self, response: Response) -> tuple[Value, ...]:
        """The values that a response is to be evaluated for.

        Raises:
            InputError: It names a value that the evaluator does not know.
        """
        if response.value is None:
            return tuple(self.system[v] for v in self.values)
        if self.learnt_ is not None and response.value in self.system and response.value not in self.values:
            raise InputError(
                f"response {response.id!r}: the evaluator was not fitted on value {response.value!r}, only on {', '.join(self.values)}"
            )
        try:
            return (self.system[response.value],)
        except InputError as error:
            raise InputError(f"response {response.id!r}: {error}") from None

    async def aevaluate_units(
        self, units: Iterable[Unit], *, min_confidence: float = 0.0, coverage: float = 1.0
    ) -> AsyncGenerator[Verdict, None]:
        """Evaluate (response, values) pairs: what `aevaluate` and a resumed run have in common."""
        if self.learnt_ is None and self._chat is None:
            raise InputError("without labels there must be a large model: name one with --model, or calibrate first")
        self.stopped = ""
        floor = self.floor(min_confidence, coverage)
        workers = _ENCODING + (self._chat.width if self._chat is not None else 0)
        try:
            async with aclosing(stream(self.split(units), partial(self.judge, floor=floor), workers)) as verdicts:
                async for verdict in verdicts:
                    yield verdict
        finally:
            if self._chat is not None:
                await self._chat.close()

    def floor(self, min_confidence: float, coverage: float) -> float:
        """The probability below which a verdict is abstained.

        Raises:
            InputError: One of the two is out of range.
        """
        if not 0 < coverage <= 1 or not 0 <= min_confidence < 1:
            raise InputError("coverage must be above 0 and at most 1, and min-confidence from 0 to below 1")
        if coverage < 1 and self.learnt_ is None:
            raise InputError("coverage is a share of what a calibrated evaluator is sure of: calibrate on labels first, or leave it out")
        return max(min_confidence, self.learnt_.calibration.min_confidence(coverage) if self.learnt_ else 0.0)

    async def close(self) -> None:
        """Let go of connections and files."""
        if self._chat is not None:
            await self._chat.close()

    def split(self, units: Iterable[Unit]) -> Iterator[Unit]:
        """One unit per call: all values of a response together in joint mode, else one by one."""
        for response, values in units:
            if self.settings.joint:
                yield response, values
            else:
                yield from ((response, (value,)) for value in values)

    async def judge(self, unit: Unit, floor: float) -> list[Verdict]:
        """The verdicts of one of `split`'s units; abstained below `floor`."""
        judging = Judging(self._chat, self._encoder, self.settings, self.learnt_, self._guideline, self.name)
        try:
            return await judging.judge(unit, floor)
        except StopStreamError as stop:
            self.stopped = str(stop)
            raise

    def _guideline(self, value: Value) -> str | None:
        if not self.settings.guideline:
            return None
        return self.guidelines_.get(value.id) or value.guideline

    def explain(self, verdict: Verdict) -> str:
        """A verdict in words: what was concluded, how surely, and why."""
        return explained(verdict, self.system[verdict.value])

    def save(self, folder: str | Path) -> Path:
        """Save as a folder of JSON, YAML and safetensors; see `clave.saving`."""
        from clave.saving import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path, *, chat: ChatModel | None = None, **options: Unpack[ChatOptions]) -> Clave:
        """Load what `save` wrote.

        Raises:
            EvaluatorError: The folder is of another version, damaged, or was edited and not refitted.
        """
        from clave.saving import load

        return load(Path(folder), chat=chat, **options)

    def push_to_hub(self, repo: str, *, private: bool = True) -> str:
        """Upload to the Hugging Face Hub; returns the address. The folder holds the labelled samples: private unless you say otherwise."""
        from clave.saving import push

        return push(self, repo, private=private)

    @classmethod
    def from_pretrained(cls, name: str | Path, **options: Unpack[ChatOptions]) -> Clave:
        """Load from a folder or, by `org/name`, from the Hub."""
        from clave.saving import fetch

        return cls.load(fetch(str(name)), **options)
