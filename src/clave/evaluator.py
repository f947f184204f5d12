"""`Clave`, the evaluator: what people import. It joins fitting, evaluating, saving and the large model, and does none of that itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from clave.encoder import BatchingEncoder, load_encoder
from clave.errors import EvaluatorError, InputError, require
from clave.evaluating.checking import check
from clave.evaluating.judging import Judging
from clave.evaluating.stream import Stream, SyncStream
from clave.evaluating.verdicts import explained, verdict_row
from clave.fitting.asked import Check
from clave.fitting.fit import fit, refit
from clave.fitting.fitted import Fitted
from clave.io import read_labels, read_responses
from clave.llm.cached import CachedChat, cached
from clave.llm.chat import ChatModel
from clave.llm.ledger import Ledger
from clave.llm.opening import ChatOptions, open_chat
from clave.llm.pricing import free
from clave.recognizers.registry import check_usable
from clave.records import Label, LabelledResponse, Progress, Response, Verdict
from clave.saving import fetch, load, push, save
from clave.settings import NO_MODEL, Settings
from clave.text.notebook import described, in_notebook, watched
from clave.trust import names_in, refuse_foreign, remember
from clave.values import ValueSystem


class Clave:
    """An evaluator of human values, fitted on a few labels per value.

        clave = Clave("mft", model="openai/gpt-4o-mini").fit("labels.jsonl")
        for verdict in clave.evaluate("responses.jsonl"):
            print(clave.explain(verdict))
        clave.save("evaluator")

    Without labels, `evaluate` gives the large model's own stance, flagged `uncalibrated`. Without a model, `fit` learns from the text
    alone and makes no calls. One evaluator serves any number of evaluations at once, from several event loops and threads. Async code ends
    the connections of its loop by `async with Clave.load(…) as clave`, or `aclose`.

    Args:
        system: A value system, or the name or file of one.
        model: The large model, `provider/model`; None or `none` makes no calls.
        settings: All choices at once; they may leave the model out where `model` or `chat` names it.
        chat: A chat model of your own, in place of `model` and the options.
        **options: How calls are made: base_url, concurrency, max_retries, timeout, budget, prices, cache.

    Raises:
        InputError: There is no such value system or recognizer, or two models are named.
        MissingExtraError: The recognizer needs a package that is not installed.
        ModelError: The model string cannot be resolved.
    """

    def __init__(
        self,
        system: ValueSystem | str | Path,
        *,
        model: str | None = None,
        settings: Settings | None = None,
        chat: ChatModel | None = None,
        **options: Unpack[ChatOptions],
    ) -> None:
        settings = _with_model(settings or Settings(), model, chat)
        self._named_here = True
        check_usable(settings.recognizer)
        self._judging = Judging(
            system if isinstance(system, ValueSystem) else ValueSystem.load(system),
            settings,
            None,
            _opened(settings, chat, options),
            BatchingEncoder(partial(load_encoder, settings.encoder)),
        )

    _named_here = False
    """Whether the user named its models in this process, and not a folder."""

    @classmethod
    def of(cls, fitted: Fitted, *, chat: ChatModel | None = None, **options: Unpack[ChatOptions]) -> Clave:
        """An evaluator from what was fitted or loaded.

        Args:
            fitted: What `Clave.fitted` gives.
            chat: A chat model of your own, in place of the one that the settings name.
            **options: How calls are made.

        Raises:
            EvaluatorError: It was fitted with another prompt than this version has.
            ModelError: The model string cannot be resolved.
        """
        fitted.check_prompts()
        clave = cls.__new__(cls)
        clave._judging = Judging(fitted.system, fitted.settings, fitted, _opened(fitted.settings, chat, options), fitted.open_encoder())
        return clave

    @property
    def judging(self) -> Judging:
        """What evaluates, as one frozen record: for those who build on it. A later `fit` changes nothing in it."""
        return self._judging

    @property
    def fitted(self) -> Fitted | None:
        """What was learnt; None before `fit`."""
        return self._judging.fitted

    @property
    def name(self) -> str:
        """Every verdict carries it; it changes with whatever changes a verdict."""
        return self._judging.name

    @property
    def system(self) -> ValueSystem:
        """The value system."""
        return self._judging.system

    @property
    def settings(self) -> Settings:
        """How it is made."""
        return self._judging.settings

    @property
    def values(self) -> tuple[str, ...]:
        """The values it evaluates when none is named: those it was fitted on, else those of the system."""
        return self._judging.values

    @property
    def ledger(self) -> Ledger:
        """What was spent so far."""
        chat = self._judging.chat
        return chat.ledger if chat is not None else Ledger(free)

    def with_chat(self, chat: ChatModel) -> Clave:
        """The same evaluator on another chat model."""
        other = type(self).__new__(type(self))
        other._judging, other._named_here = self._judging.with_chat(chat), self._named_here
        return other

    def fit(self, labelled: Any, *, given_folds: bool = False, progress: Progress | None = None) -> Self:
        """Fit on labelled responses, fewer than a hundred per value. A fit that fails leaves the evaluator as it was.

        Args:
            labelled: `LabelledResponse`s, or what `read_labels` takes: a path, mappings, a data frame. Several annotators of one
                (id, value) are joined by majority.
            given_folds: Keep the folds that the rows carry.
            progress: Called with stage, done and total; None: a notebook shows bars.

        Raises:
            InputError: A value is unknown, or has too few labels or only one.
            ModelError: The large model cannot be used. What it answered is kept.
        """

        progress = progress or watched()  # in the cell that calls

        async def alone() -> Self:
            try:
                return await self.afit(labelled, given_folds=given_folds, progress=progress)
            finally:
                await self._judging.leave()

        return self._judging.run(alone())

    async def afit(self, labelled: Any, *, given_folds: bool = False, progress: Progress | None = None) -> Self:
        """`fit`, async."""
        judging = self._judging
        rows = _records(labelled, LabelledResponse, partial(read_labels, values=judging.system.by_id))
        self._take(await fit(judging.system, judging.settings, judging.chat, rows, given_folds=given_folds, progress=progress or watched()))
        return self

    def refit(self) -> Self:
        """Fit the pool's labels, the recognizer and the calibration again from the kept extractions and the concepts as they now are.

        Makes no call.

        Raises:
            EvaluatorError: There is nothing to refit.
        """
        if self.fitted is None:
            raise EvaluatorError("there is nothing to refit: fit the evaluator first")
        self._take(refit(self.fitted))
        return self

    def _take(self, fitted: Fitted) -> None:
        self._judging = replace(self._judging, fitted=fitted, encoder=fitted.open_encoder())

    def evaluate(self, responses: Any, *, min_confidence: float = 0.0, coverage: float = 1.0, abstain_novel: bool = False) -> Verdicts:
        """Evaluate responses; works in a notebook too.

        Args:
            responses: `Response`s, or what `read_responses` takes: a path, texts, mappings, a data frame. Any number; read as workers
                become free. One with a `value` is evaluated for that, else for all values.
            min_confidence: Below this probability a verdict is `abstained`.
            coverage: Abstain below the confidence that this share of the calibration samples reached, out of fold. With a large model that
                is less than the finished evaluator is sure of, so it abstains on fewer responses: docs/design/statistics.md.
            abstain_novel: Abstain on responses unlike the labelled samples, such as those in another language; else their verdicts have
                the flag `unlike_labels`, and no more.

        Returns:
            An iterator of a verdict per response and value, in the order in which they are ready. Its `stopped` says why it ended before
            the responses did, e.g. that the budget is used up; it is empty where it did not.

        Raises:
            InputError: A value is unknown, or the evaluator is neither fitted nor has a large model.
            ModelError: The large model cannot be used at all.
        """
        verdicts = self.aevaluate(responses, min_confidence=min_confidence, coverage=coverage, abstain_novel=abstain_novel)
        return Verdicts(verdicts, self._judging.leave, _expected(responses, len(self.values)))

    def aevaluate(
        self, responses: Any, *, min_confidence: float = 0.0, coverage: float = 1.0, abstain_novel: bool = False
    ) -> Stream[Verdict]:
        """`evaluate`, async: iterate what it returns with `async for`."""
        judging = self._judging
        units = ((response, judging.values_of(response)) for response in _records(responses, Response, read_responses))
        return judging.verdicts(units, min_confidence=min_confidence, coverage=coverage, abstain_novel=abstain_novel)

    async def ajudge_one(self, response: str, scenario: str = "", *, values: Sequence[str] | None = None) -> dict[str, Verdict]:
        """`judge_one`, async."""
        judging = self._judging
        one = Response(id="1", scenario=scenario, response=response)
        asked = tuple(judging.system[v] for v in (values if values is not None else judging.values))
        found = {verdict.value: verdict async for verdict in judging.verdicts([(one, asked)])}
        return {value.id: found[value.id] for value in asked if value.id in found}

    def judge_one(self, response: str, scenario: str = "", *, values: Sequence[str] | None = None) -> dict[str, Verdict]:
        """Evaluate one response.

        Args:
            response: Its text.
            scenario: What it answers.
            values: Those it is evaluated for; None: all.

        Returns:
            Value -> verdict, in the system's order.
        """

        async def alone() -> dict[str, Verdict]:
            async with self:
                return await self.ajudge_one(response, scenario, values=values)

        return self._judging.run(alone())

    def predict(self, texts: Sequence[str], *, value: str) -> list[Label | None]:
        """The labels of texts for one value, in their order; None where there is no verdict."""
        rows = [Response(id=str(i), response=text, value=value) for i, text in enumerate(texts)]
        found = {verdict.id: verdict.label for verdict in self.evaluate(rows)}
        return [found.get(row.id) for row in rows]

    def check(self, *, progress: Progress = lambda stage, done, total: None) -> Check:
        """Ask a part of what the large model was asked at the fit again, past the cache: is it still the same model?

        Takes up to 120 calls. What is found also stands in `fitted.checks`, and is saved with the evaluator.

        Args:
            progress: Called with what is under way, done and total.

        Raises:
            EvaluatorError: It has no large model, or was saved without what it was asked.
            ModelError: The large model cannot be used, or too few answers came.
        """

        async def alone() -> Check:
            async with self:
                return await self.acheck(progress=progress)

        return self._judging.run(alone())

    async def acheck(self, *, progress: Progress = lambda stage, done, total: None) -> Check:
        """`check`, async."""
        judging = self._judging
        found = await check(judging, progress=progress)
        if self._judging is judging and judging.fitted is not None:
            self._judging = replace(judging, fitted=replace(judging.fitted, checks=(*judging.fitted.checks, found)))
        return found

    def _repr_html_(self) -> str:
        """What a notebook shows: the evaluator's name and how well it agrees with the labels it was fitted on."""
        rows = [("system", self.system.name), ("values", ", ".join(self.values)), ("large model", self.settings.model)]
        known = "not fitted" if self.fitted is None else str(self.fitted.provenance.scores["all"].accuracy)
        return described(self.name, [*rows, ("cross-validated accuracy", known)])

    def explain(self, verdict: Verdict) -> str:
        """A verdict in words: what was concluded, how surely, and why."""
        return explained(verdict, self.system[verdict.value])

    async def aclose(self) -> None:
        """Let go of the connections that the running event loop has opened, and of the files; they are opened again when needed.

        For async code, at its end. `fit` and `evaluate` run in event loops of their own and close what those opened.
        """
        await self._judging.leave()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def save(self, folder: str | Path) -> Path:
        """Save as a folder of JSON, YAML and safetensors; see `clave.saving`. The models that you named are known from then on: see `load`.

        Raises:
            EvaluatorError: It is not fitted.
            InputError: The folder holds something else, or cannot be written.
        """
        place = save(self._must_be_fitted(), Path(folder))
        if self._named_here:
            remember(names_in(self.settings))
        return place

    @classmethod
    def load(cls, folder: str | Path, *, chat: ChatModel | None = None, trust: bool = False, **options: Unpack[ChatOptions]) -> Clave:
        """Load what `save` wrote.

        A saved evaluator is foreign: it may name a large model that costs your money and reads your texts, or an encoder from the Hub.

        Args:
            folder: The folder.
            chat: A chat model of your own, in place of the one that it names.
            trust: Use what it names even where you have not named it: in a fit that you saved on this machine, or, of the large model, by
                a `base_url` or a `chat` of your own.
            **options: How calls are made.

        Raises:
            EvaluatorError: The folder is of another version, damaged, was edited and not refitted, or was made with other prompts.
            UntrustedError: It names what you have not.
        """
        fitted = load(Path(folder), trust=trust)
        if chat is None and not trust:
            refuse_foreign(str(folder), names_in(fitted.settings), calls=True, base_url=options.get("base_url"))
        return cls.of(fitted, chat=chat, **options)

    def push_to_hub(self, repo: str, *, private: bool = True) -> str:
        """Upload to the Hugging Face Hub; returns the address. The folder holds the labelled samples: private unless you say otherwise."""
        return push(self._must_be_fitted(), repo, private=private)

    @classmethod
    def from_pretrained(cls, name: str | Path, *, trust: bool = False, **options: Unpack[ChatOptions]) -> Clave:
        """Load from a folder or, by `org/name`, from the Hub; otherwise as `load`."""
        return cls.load(fetch(str(name)), trust=trust, **options)

    def _must_be_fitted(self) -> Fitted:
        if self.fitted is None:
            raise EvaluatorError("only a fitted evaluator can be saved: fit it first")
        return self.fitted


class Verdicts(SyncStream[Verdict]):
    """Verdicts as they come; see `Clave.evaluate`.

    Args:
        results: Where they come from.
        at_end: Awaited at the end.
        expected: How many there will be; 0 where that is not known. A notebook shows it.
    """

    def __init__(self, results: Stream[Verdict], at_end: Callable[[], Awaitable[None]], expected: int = 0) -> None:
        super().__init__(results, at_end)
        if in_notebook():
            self._items = _counted(self._items, expected)

    def to_pandas(self) -> Any:
        """The verdicts that are left as a pandas data frame, a row each, in the order of ids and values.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        pandas = require("pandas", "pandas")
        return pandas.DataFrame([verdict_row(verdict) for verdict in sorted(self, key=lambda v: (v.id, v.value))])


def _counted(verdicts: Iterator[Verdict], expected: int) -> Iterator[Verdict]:
    tick = watched()
    for done, verdict in enumerate(verdicts, 1):
        tick("verdicts", done, expected)
        yield verdict


def _expected(responses: Any, values: int) -> int:
    """How many verdicts there will be, where that can be told without reading."""
    if not isinstance(responses, list | tuple):
        return 0
    own = [r.value if isinstance(r, Response) else r.get("value") if isinstance(r, Mapping) else None for r in responses]
    return sum(1 if value else values for value in own)


R = TypeVar("R", bound=Response)


def _records(data: Any, kind: type[R], read: Callable[[Any], Iterator[R]]) -> Iterator[R]:
    """Records as they are; anything else is read as a source."""
    if isinstance(data, str | Path) or hasattr(data, "columns") or hasattr(data, "schema"):
        yield from read(data)
        return
    rows = iter(data)
    for first in rows:
        if isinstance(first, kind):
            yield from chain([first], rows)
        else:
            yield from read(chain([first], rows))


def _with_model(settings: Settings, model: str | None, chat: ChatModel | None) -> Settings:
    """The settings with the one model that is named; two are one too many.

    Raises:
        InputError: Two are named.
    """
    named = dict.fromkeys(m for m in (model, chat.model if chat is not None else None, settings.model) if m not in (None, NO_MODEL))
    if len(named) > 1:
        raise InputError(f"two large models are named, {' and '.join(map(repr, named))}: name one")
    return settings.model_copy(update={"model": next(iter(named), NO_MODEL)})


def _opened(settings: Settings, chat: ChatModel | None, options: ChatOptions) -> CachedChat | None:
    if chat is not None:
        return cached(chat)
    return open_chat(settings.model, **options) if settings.calls else None
