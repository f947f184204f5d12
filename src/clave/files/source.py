"""Responses to evaluate: where they stand, how they are read, and which part of them.

source = ResponseSource("answers.jsonl", mapping={"answer": "response"}, shard=(1, 16))
for response in source.responses(): ...
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from clave.errors import InputError
from clave.io import Skipped, read_responses
from clave.io.rows import OnError
from clave.io.samples import Turns
from clave.records import Response
from clave.values import Value


@dataclass(frozen=True)
class ResponseSource:
    """See the module.

    Args:
        path: As `read_responses` takes it.
        mapping: Column -> field.
        turns: Which turns of a conversation are judged.
        on_error: What a bad row does.
        limit: Only so many responses, from the beginning.
        shard: (i, n): of n parts, which are dealt by a hash of the ids, only the i-th, counted from 1. A response stays in its part
            whatever else the file holds.
    """

    path: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    turns: Turns = "last"
    on_error: OnError = "stop"
    limit: int | None = None
    shard: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise InputError(f"shard {self.shard[0]}/{self.shard[1]}: of n parts name the i-th as i/n, with i from 1 to n")

    @property
    def once(self) -> bool:
        """Whether it can only be read once: standard input."""
        return self.path == "-"

    @property
    def whole(self) -> ResponseSource:
        """Without its limit: all that the same source may ask for."""
        return replace(self, limit=None)

    def responses(self, skipped: Skipped | None = None) -> Iterator[Response]:
        """The responses.

        Raises:
            InputError: A bad row, with its file and line.
        """
        rows = read_responses(self.path, mapping=self.mapping, turns=self.turns, on_error=self.on_error, skipped=skipped)
        return islice((response for response in rows if self._is_in_shard(response.id)), self.limit)

    def units(
        self, values_of: Callable[[Response], tuple[Value, ...]], skipped: Skipped | None = None
    ) -> Iterator[tuple[Response, tuple[Value, ...]]]:
        """Each response with the values it is to be evaluated for."""
        for response in self.responses(skipped):
            yield response, values_of(response)

    def _is_in_shard(self, identity: str) -> bool:
        if self.shard is None:
            return True
        part, parts = self.shard
        digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % parts == part - 1
