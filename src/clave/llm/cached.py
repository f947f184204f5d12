"""A chat model whose answers are kept: nothing is paid for twice, now or in a later run.

from clave.llm.openai_chat import OpenAIChat

chat = CachedChat(OpenAIChat("openai/gpt-4o-mini"), AnswerCache(Path("answers.sqlite")))
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from concurrent.futures import Future
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from clave.errors import InputError
from clave.llm.cache import CLAIM_SECONDS, AnswerCache
from clave.llm.chat import ChatModel, ChatRequest, Completion
from clave.llm.ledger import Ledger
from clave.llm.pricing import unknown
from clave.records import Failure, Usage

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
"""Seconds between looks at what another process was asked for."""


class CachedChat:
    """Looks an answer up before it asks; two equal requests at one time are one call, also from two processes with one cache.

    Good answers and refusals are kept; other failures are not, so that the next run tries again.

    Args:
        chat: Answers what is not in the cache.
        cache: Where answers are kept; None keeps none.
        ledger: Counts cache hits, beside what the model's own calls cost.
    """

    def __init__(self, chat: ChatModel, cache: AnswerCache | None, ledger: Ledger | None = None) -> None:
        self.model, self.endpoint = chat.model, chat.endpoint
        self.chat, self.cache = chat, cache
        self.ledger = ledger or Ledger(unknown)
        self.tells_first_usage = False
        """Kept answers carry what they took when they were asked for: for a benchmark, whose prices must not hang on the cache."""
        self._under_way: dict[bytes, Future[Completion | Failure]] = {}
        """Futures that event loops in several threads can wait for."""
        self._holding: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        """Loops that renew claims."""
        self._not_kept: InputError | None = None
        """Why an answer could not be kept: it is given all the same, and nothing more is asked."""

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return self.chat.width

    def kept(self, request: ChatRequest, key: bytes | None = None) -> Completion | Failure | None:
        """The answer that is kept, if there is one; nothing is asked. The key is the request's own unless another is given."""
        return self._look_up(key or request.key(self.model, self.endpoint), request)

    def take(self, key: bytes, request: ChatRequest, answer: Completion | Failure) -> bool:
        """Keep an answer that came by another way than a call, if it is one to be kept.

        Args:
            key: Of what was asked.
            request: How the answer is read.
            answer: What came.

        Returns:
            Whether it is new: one that is there stays.

        Raises:
            InputError: There is no cache, or it cannot be used.
        """
        if self.cache is None:
            raise InputError("answers that nobody waits for can only be kept in a cache: name one")
        if self.kept(request, key) is not None:
            return False
        self._keep(self.cache, key, answer)
        if self._not_kept is not None:
            raise self._not_kept
        return True

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`.

        Raises:
            InputError: The cache cannot be used, so that what is asked would be lost.
        """
        key = request.key(self.model, self.endpoint)
        kept = self._look_up(key, request)
        if kept is not None:
            self.ledger.cache_hits += 1
            return kept
        future: Future[Completion | Failure] = Future()
        while (other := self._under_way.setdefault(key, future)) is not future:
            waited = asyncio.wrap_future(other)
            waited.add_done_callback(_seen)
            await asyncio.wait([waited])  # does not cancel it where this one is cancelled
            if waited.cancelled():
                continue  # who asked was cancelled: ask in its place
            answer = waited.result()
            if isinstance(answer, Failure) and answer.kind == "budget":
                continue  # that may be the budget of who asked alone
            if isinstance(answer, Failure):
                return answer
            self.ledger.cache_hits += 1
            return replace(answer, usage=Usage(), cached=True)
        try:
            answer = await (self._asked(request) if self.cache is None else self._asked_once(self.cache, key, request))
            future.set_result(answer)
            return answer
        except BaseException as error:
            future.set_exception(error) if isinstance(error, Exception) else future.cancel()
            raise
        finally:
            del self._under_way[key]

    async def _asked(self, request: ChatRequest) -> Completion | Failure:
        if self.ledger.stopped:  # chat models of others keep no ledger
            return Failure(status="failed", kind="budget", reason=self.ledger.closed)
        return await self.chat.complete(request)

    async def _asked_once(self, cache: AnswerCache, key: bytes, request: ChatRequest) -> Completion | Failure:
        """Ask, or wait while another process asks the same. Where that ends without an answer, this one asks."""
        pause = _FIRST_PAUSE
        while True:
            if self._not_kept is not None:
                raise self._not_kept
            new = cache.claim(key, new=True)
            claimed = new or cache.claim(key)
            try:
                kept = None if new else self._look_up(key, request)  # it may have come since
                if kept is not None:
                    self.ledger.cache_hits += 1
                    return kept
                if claimed or self.ledger.stopped:
                    self._hold(cache)
                    answer = await self._asked(request)
                    self._keep(cache, key, answer)
                    return answer
            finally:
                if claimed:
                    with contextlib.suppress(InputError):  # it ends by itself
                        cache.release(key)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _hold(self, cache: AnswerCache) -> None:
        """Renew what this process has claimed for as long as answers are under way, with one timer in each event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._holding:
            self._holding.add(loop)
            loop.call_later(CLAIM_SECONDS / 3, self._renew, loop, cache)

    def _renew(self, loop: asyncio.AbstractEventLoop, cache: AnswerCache) -> None:
        self._holding.discard(loop)
        if cache.claims:
            with contextlib.suppress(InputError):
                cache.renew()
            self._hold(cache)

    async def close(self) -> None:
        """Close the model's connections and the cache."""
        await self.chat.close()
        if self.cache is not None:
            self.cache.close()

    def _look_up(self, key: bytes, request: ChatRequest) -> Completion | Failure | None:
        if self.cache is None:
            return None
        body = self.cache.get(key)
        if self.cache.damaged:
            self.ledger.trouble["answer damaged in the cache"] = len(self.cache.damaged)
        if body is not None:
            return self._read(body, request)
        body = self.cache.get_of_version_1(request.key_of_version_1(self.model)) if self.cache.of_version_1 else None
        found = self._read(body, request) if body is not None else None
        if found is not None:
            self.ledger.trouble["answer kept by clave 0.1, which did not note its server"] += 1
        return found

    def _read(self, body: str, request: ChatRequest) -> Completion | Failure | None:
        try:
            data = json.loads(body)
            if "refusal" in data:
                return Failure(status="refused", kind="refused", reason=data["refusal"])
            request.check(str(data["text"]))
            cut_off = data.get("cut_off") is True
            if cut_off and not request.exact:
                return None
            usage, source = self._first_usage(data), data.get("source", "content")
            told = data.get("likelihoods")
            return Completion(
                data["text"], data["model"], data["mode"], usage, cached=True, source=source, cut_off=cut_off, likelihoods=told
            )
        except (ValueError, KeyError, TypeError):
            return None  # kept by a more lenient reader

    def _first_usage(self, data: dict[str, Any]) -> Usage:
        if not self.tells_first_usage:
            return _NOTHING
        prompt, completion = data["tokens"]
        return Usage(calls=1, prompt_tokens=prompt, completion_tokens=completion, cost=self.ledger.price(prompt, completion))

    def _keep(self, cache: AnswerCache, key: bytes, answer: Completion | Failure) -> None:
        if isinstance(answer, Completion):
            used = [answer.usage.prompt_tokens, answer.usage.completion_tokens]
            told: dict[str, Any] = {"text": answer.text, "model": answer.model, "mode": answer.mode, "tokens": used}
            told |= {"source": answer.source} if answer.source != "content" else {}
            told |= {"cut_off": True} if answer.cut_off else {}
            told |= {"likelihoods": dict(answer.likelihoods)} if answer.likelihoods is not None else {}
            body = json.dumps(told)
        elif answer.kind == "refused":
            body = json.dumps({"refusal": answer.reason})
        else:
            return
        try:
            cache.put(key, body)
        except InputError as error:
            self._not_kept = error


_NOTHING = Usage()


def _seen(answer: asyncio.Future[Completion | Failure]) -> None:
    """Read an error, which whoever asked raises: asyncio would print it again where nobody waits for it any more."""
    if not answer.cancelled():
        answer.exception()


def cached(chat: ChatModel) -> CachedChat:
    """A chat model as the pipeline takes it; one without a cache keeps nothing."""
    return chat if isinstance(chat, CachedChat) else CachedChat(chat, None)
