"""The large model: chat.py is the protocol, openai_chat.py the client, cached.py what makes every answer paid for once."""

from clave.llm.answers import read_object
from clave.llm.cache import AnswerCache, default_cache
from clave.llm.cached import CachedChat
from clave.llm.chat import ChatModel, ChatRequest, Completion
from clave.llm.ledger import Ledger
from clave.llm.openai_chat import OpenAIChat
from clave.llm.opening import ChatOptions, open_chat

__all__ = [
    "AnswerCache",
    "CachedChat",
    "ChatModel",
    "ChatOptions",
    "ChatRequest",
    "Completion",
    "Ledger",
    "OpenAIChat",
    "default_cache",
    "open_chat",
    "read_object",
]
