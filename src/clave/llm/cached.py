"""A chat model whose answers are kept: nothing is paid for twice, now or in a later run.

chat = CachedChat(OpenAIChat("openai/gpt-4o-mini"), AnswerCache(path))
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from clave.llm.cache import AnswerCache
from clave.llm.chat import ChatModel, ChatRequest, Completion
from clave.llm.ledger import Ledger
from clave.records import Failure, Usage


class CachedChat:
    """Looks an answer up before it asks; two equal requests at one time are one call.

    Good answers and refusals are kept; other failures are not, so that the next run tries again.

    Args:
        chat: Answers what is not in the cache.
        cache: Where answers are kept; None keeps none.
        ledger: Counts cache hits, beside what the model's own calls cost.
    """

    def __init__(self, chat: ChatModel, cache: AnswerCache | None, ledger: Ledger | None = None) -> None:
        self.model = chat.model
        self.chat, self._cache = chat, cache
        self.ledger = ledger or Ledger(lambda prompt, completion: None)
        self.tells_first_usage = False
        """Kept answers carry what they took when they were asked for: for a benchmark, whose prices must not hang on the cache."""
        self._under_way: dict[bytes, Future[Completion | Failure]] = {}
        """Futures that event loops in several threads can wait for."""

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return self.chat.width

    def kept(self, request: ChatRequest) -> Completion | Failure | None:
        """The answer that is kept, if there is one; nothing is asked."""
        return self._look_up(request.key(self.model), request)

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        key = request.key(self.model)
        kept = self._look_up(key, request)
        if kept is not None:
            self.ledger.cache_hits += 1
            return kept
        future: Future[Completion | Failure] = Future()
        while (other := self._under_way.setdefault(key, future)) is not future:
            waited = asyncio.wrap_future(other)
            await asyncio.wait([waited])  # does not cancel it where this one is cancelled
            if waited.cancelled():
                continue  # who asked was cancelled: ask in its place
            answer = waited.result()
            if isinstance(answer, Failure):
                return answer
            self.ledger.cache_hits += 1
            return replace(answer, usage=Usage(), cached=True)
        try:
            answer = await self.chat.complete(request)
            self._keep(key, answer)
            future.set_result(answer)
            return answer
        except BaseException as error:
            future.set_exception(error) if isinstance(error, Exception) else future.cancel()
            raise
        finally:
            del self._under_way[key]

    async def close(self) -> None:
        """Close the model's connections and the cache."""
        await self.chat.close()
        if self._cache is not None:
            self._cache.close()

    def _look_up(self, key: bytes, request: ChatRequest) -> Completion | Failure | None:
        body = self._cache.get(key) if self._cache is not None else None
        if body is None:
            return None
        try:
            data = json.loads(body)
            if "refusal" in data:
                return Failure(status="refused", kind="refused", reason=data["refusal"])
            request.check(str(data["text"]))
            cut_off = data.get("cut_off") is True
            if cut_off and not request.exact:
                return None
            return Completion(data["text"], data["model"], data["mode"], self._first_usage(data), cached=True, cut_off=cut_off)
        except (ValueError, KeyError, TypeError):
            return None  # kept by a more lenient reader, or damaged

    def _first_usage(self, data: dict[str, Any]) -> Usage:
        if not self.tells_first_usage:
            return _NOTHING
        prompt, completion = data["tokens"]
        return Usage(calls=1, prompt_tokens=prompt, completion_tokens=completion, cost=self.ledger.price(prompt, completion))

    def _keep(self, key: bytes, answer: Completion | Failure) -> None:
        if self._cache is None:
            return
        if isinstance(answer, Completion):
            used = [answer.usage.prompt_tokens, answer.usage.completion_tokens]
            body = {"text": answer.text, "model": answer.model, "mode": answer.mode, "tokens": used}
            self._cache.put(key, json.dumps(body | ({"cut_off": True} if answer.cut_off else {})))
        elif answer.kind == "refused":
            self._cache.put(key, json.dumps({"refusal": answer.reason}))


_NOTHING = Usage()


def cached(chat: ChatModel) -> CachedChat:
    """A chat model as the pipeline takes it; one without a cache keeps nothing."""
    return chat if isinstance(chat, CachedChat) else CachedChat(chat, None)
