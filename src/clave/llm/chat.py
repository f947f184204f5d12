"""The protocol of a chat model: a request in, a completion or a failure out. Never an exception for what one call meets.

answer = await chat.complete(ChatRequest(system="Answer in one word.", user="Is it kind?", schema=None, check=str))
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from clave.errors import ModelError
from clave.llm.completions import MessageField
from clave.llm.likelihoods import Weighed
from clave.records import Failure, Usage

Mode = Literal["json_schema", "json_object", "text"]
"""How the form of the answer was asked for: what the server could do."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to a chat model.

    The system text is what many requests share and stands first, so that servers can cache it; `check` reads the answer and raises
    ValueError where it is not what was asked for, which is worth another try.
    """

    system: str
    user: str
    schema: dict[str, Any] | None
    """JSON Schema of the answer, an object; None asks for plain text."""
    check: Callable[[str], object] = field(default=json.loads, compare=False)
    max_tokens: int = 1024
    exact: bool = field(default=False, kw_only=True)
    """Whether `max_tokens` is a wish and not a guard: an answer that is cut off there is an answer, and is not asked for again."""
    temperature: float | None = 0.0
    seed: int | None = None
    """Set it to get several samples of one request: it is part of the cache key."""
    weighed: Weighed | None = field(default=None, kw_only=True)
    """A field of the answer of which it is asked how likely each word is; see `Completion.likelihoods`."""
    token: str = field(default="", compare=False, kw_only=True)
    """What stands around foreign texts in `user`; see `key_of_version_1`."""

    def key(self, model: str, endpoint: str) -> bytes:
        """Content address of the answer: what was asked of which model on which server."""
        weighed = [] if self.weighed is None else [self.weighed.field, *self.weighed.words]
        return self._digest([endpoint, model, self.temperature, self.seed, self.max_tokens, self.schema, *weighed], self.user)

    @property
    def digest(self) -> str:
        """What is asked, whoever is asked: 32 hex digits."""
        return self.key("", "").hex()[:32]

    def key_of_version_1(self, model: str) -> bytes:
        """The address that clave 0.1 gave the answer: it left the server out, and its tokens were half as long."""
        user = self.user.replace(self.token, self.token[:16]) if self.token else self.user
        return self._digest([model, self.temperature, self.seed, self.max_tokens, self.schema], user)

    def _digest(self, settings: list[Any], user: str) -> bytes:
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for part in (self.system, user):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big"))
            digest.update(data)
        return digest.digest()


@dataclass(frozen=True, slots=True)
class Completion:
    """What a chat model answered."""

    text: str
    model: str
    """The model's id as the server returned it."""
    mode: Mode
    usage: Usage
    cached: bool = False
    source: MessageField = "content"
    """The field of the message that the text stood in."""
    cut_off: bool = False
    """Whether it ends at the most tokens that were asked for, and not by itself."""
    likelihoods: Mapping[str, float] | None = None
    """Word -> its probability in the field that was weighed; None where the server does not tell, or nothing was asked."""


class ChatModel(Protocol):
    """Anything that answers chat requests."""

    model: str
    """`provider/model`: part of every cache key."""

    @property
    def endpoint(self) -> str:
        """What tells its server from others that know a model by the same name, such as a normalised address: part of every cache key."""
        ...

    @property
    def width(self) -> int:
        """How many requests can be under way at once; asking for more only makes a queue."""
        ...

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """Answer one request; what goes wrong with it comes back as a Failure.

        Raises:
            ModelError: No request can succeed: the key is missing or refused, the model unknown, the server not there.
        """
        ...

    async def close(self) -> None:
        """Let go of the connections that the running event loop has opened, and of files; they are opened again when needed."""
        ...


class OfflineChat:
    """A chat model that must not be asked: for work on a saved evaluator that makes no call and needs no key."""

    endpoint = ""

    def __init__(self, model: str) -> None:
        self.model = model

    @property
    def width(self) -> int:
        """See `ChatModel.width`."""
        return 1

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """Refuse."""
        raise ModelError(f"this evaluator was loaded offline: load it again to call {self.model}")

    async def close(self) -> None:
        """Nothing to close."""
