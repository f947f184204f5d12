"""A chat model from its name and a few options: client, cache and ledger put together."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

from clave.llm.cache import AnswerCache, default_cache
from clave.llm.cached import CachedChat
from clave.llm.ledger import Budget
from clave.llm.openai_chat import OpenAIChat


class ChatOptions(TypedDict, total=False):
    """How calls are made; none of it bears on verdicts. See `OpenAIChat`."""

    base_url: str | None
    concurrency: int
    max_retries: int
    timeout: float
    max_tokens: int
    budget: float | Budget | None
    """Dollars, or a budget that several models share."""
    prices: str | None
    cache: str | Path | None
    """An SQLite file; "" keeps no answer; None or left out means the default place."""


def open_chat(model: str, **options: Unpack[ChatOptions]) -> CachedChat:
    """Open a model by its string `provider/model`.

    Raises:
        ModelError: The model string cannot be resolved.
    """
    place = options.pop("cache", None)
    chat = OpenAIChat(model, **options)  # type: ignore[misc]
    return CachedChat(chat, None if place == "" else AnswerCache(place or default_cache()), chat.ledger)
