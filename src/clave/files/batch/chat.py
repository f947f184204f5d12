"""A chat model that answers from the cache and passes on what that lacks, to be asked in a batch.

chat = BatchChat(kept, lambda key, request: WAITING, ask_first=False)
judging.with_chat(chat).verdicts(units)      # of what waits there is no verdict
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from clave.llm.batch_api import ENDPOINT
from clave.llm.cached import CachedChat
from clave.llm.chat import ChatRequest, Completion
from clave.llm.dialect import Sent
from clave.records import Failure

WAITING = Failure(status="failed", kind="waiting", reason="the request is in a batch and not answered yet")


class BatchChat:
    """See the module.

    Args:
        kept: With the cache.
        put: Called with a request that has no answer, and its key; what its answer comes to as yet.
        ask_first: Make the first of them as a call, so that the others are put in the form that the server was found to understand.
    """

    def __init__(self, kept: CachedChat, put: Callable[[bytes, ChatRequest], Failure], *, ask_first: bool) -> None:
        self.model, self.endpoint = kept.model, kept.endpoint
        self.cached = 0
        """Answers that the cache held."""
        self._kept, self._put = kept, put
        self._ask, self._asking = ask_first, asyncio.Lock()

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return self._kept.width

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        kept = self._kept.kept(request)
        if kept is not None:
            self.cached += 1
            return kept
        async with self._asking:  # what the first call learns of the server holds for all that are written
            if self._ask:
                answer = await self._kept.complete(request)
                self._ask = False
                return answer
        return self._put(request.key(self.model, self.endpoint), request)

    async def close(self) -> None:
        """Nothing to close."""


def request_row(key: bytes, sent: Sent) -> dict[str, Any]:
    """A request as a line of a batch file."""
    return {"custom_id": key.hex(), "method": "POST", "url": ENDPOINT, "body": sent.body}
