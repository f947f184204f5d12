"""A chat model that only counts what it would be asked: the pipeline runs as it is, and nothing is spent.

counting = EstimatingChat(CachedChat(chat, None))
await counting.complete(request)          # or whatever is to be estimated
counting.calls, counting.prompt_tokens    # what the cache does not hold
"""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any

from clave.llm.cached import CachedChat
from clave.llm.chat import ChatRequest, Completion
from clave.llm.openai_chat import MAX_TOKENS
from clave.records import Failure, Usage

CHARACTERS_PER_TOKEN = 4
"""The usual figure for English; languages written without spaces take more tokens."""
_GUIDELINE = "word " * 180


class EstimatingChat:
    """Answers from the cache, and with a stand-in of the usual length where that holds nothing.

    Args:
        chat: Whose cache it is.
        before: Keys of requests that will have been made by then: where answers are kept, they cost nothing again.
    """

    def __init__(self, chat: CachedChat, before: Set[bytes] = frozenset()) -> None:
        self.model, self.endpoint = chat.model, chat.endpoint
        self.price = chat.ledger.price
        self._chat, self._before = chat, before
        self.keys: set[bytes] = set()
        """Of the requests that were counted."""
        self.calls = 0
        self.cached = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.most_completion_tokens = 0
        """If every answer were cut off, and asked for once more and as long as it may be."""

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return self._chat.width

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        kept = self._chat.kept(request)
        if kept is not None:
            self.cached += 1
            return kept
        key = request.key(self.model, self.endpoint)
        text = _GUIDELINE if request.schema is None else json.dumps(_stand_in("", request.schema))
        if self._chat.cache is not None and (key in self._before or key in self.keys):
            self.cached += 1
            return Completion(text, self.model, "json_schema", Usage(), cached=True)
        self.keys.add(key)
        self.calls += 1
        self.prompt_tokens += (len(request.system) + len(request.user)) // CHARACTERS_PER_TOKEN
        self.completion_tokens += len(text) // CHARACTERS_PER_TOKEN
        self.most_completion_tokens += request.max_tokens + (0 if request.exact else MAX_TOKENS)
        return Completion(text, self.model, "json_schema", Usage())

    async def close(self) -> None:
        """Nothing to close."""


def _stand_in(name: str, schema: dict[str, Any]) -> Any:
    match schema.get("type"):
        case "object":
            return {key: _stand_in(key, part) for key, part in schema["properties"].items()}
        case "array":
            return ["Doing something that bears on the value in a general way"] * 2
        case "number":
            return 0.5
        case "integer":
            return schema.get("minimum", 0)
        case _ if "enum" in schema:
            return schema["enum"][-1]
        case _:
            return _GUIDELINE if name == "guideline" else "a sentence of the response that shows it"
