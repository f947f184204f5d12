"""What is with a provider now, noted in the answer cache before it goes there: so that after a kill nothing is sent twice.

from clave.files.batch.chat import WAITING

sent = SentBatches(cache)
sent.add(key, "9f2c", clave.name)          # this request goes into the file of that name
sent.note("9f2c", asked=True)              # before the batch is made
sent.note("9f2c", id="batch_abc")          # the provider's own name for it
sent.end("9f2c", WAITING, again=True)      # what its results left without an answer
"""

from __future__ import annotations

from typing import NamedTuple

from clave.llm.cache import AnswerCache
from clave.records import Failure

MOST_TRIES = 2
"""Batches that a request may go into in one run."""
_TABLES = (
    "CREATE TABLE IF NOT EXISTS batches (name TEXT PRIMARY KEY, evaluator TEXT NOT NULL, file TEXT NOT NULL DEFAULT '', "
    "asked INTEGER NOT NULL DEFAULT 0, id TEXT NOT NULL DEFAULT '', ended INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS sent (key BLOB PRIMARY KEY, batch TEXT NOT NULL, tries INTEGER NOT NULL, again INTEGER NOT NULL DEFAULT 0, "
    "failure TEXT) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS sent_by_batch ON sent (batch)",
)


class SentBatch(NamedTuple):
    """A batch that is being made, is with the provider, or has ended."""

    name: str
    """Of its request file, and in its metadata."""
    evaluator: str
    file: str
    """The provider's id of the request file; "" before it was uploaded."""
    asked: bool
    """Whether the provider may have been asked to make it."""
    id: str
    """The provider's; "" where it is not known."""


class SentRequest(NamedTuple):
    """A request that a batch held or holds."""

    batch: str
    again: bool
    """Whether it came back without an answer and may go into another batch."""
    failure: Failure | None
    """Why it came back without an answer; None while it is waited for."""


class SentBatches:
    """See the module.

    Args:
        cache: Its file holds the notes, too.
    """

    def __init__(self, cache: AnswerCache) -> None:
        self._cache = cache
        for table in _TABLES:
            cache.rows(table)

    def request(self, key: bytes) -> SentRequest | None:
        """What is known of a request; None where it is in no batch."""
        for batch, again, failure in self._cache.rows("SELECT batch, again, failure FROM sent WHERE key = ?", key):
            return SentRequest(batch, bool(again), None if failure is None else Failure.model_validate_json(failure))
        return None

    def add(self, key: bytes, name: str, evaluator: str) -> None:
        """Note that a request goes into a batch."""
        self._cache.rows("INSERT OR IGNORE INTO batches (name, evaluator) VALUES (?, ?)", name, evaluator)
        self._cache.rows(
            "INSERT INTO sent (key, batch, tries) VALUES (?, ?, 1) ON CONFLICT (key) DO UPDATE "
            "SET batch = excluded.batch, tries = tries + 1, again = 0, failure = NULL",
            *(key, name),
        )

    def batch(self, name: str) -> SentBatch | None:
        """A batch by its name; None where its results were read, by this process or another."""
        found = self._cache.rows("SELECT evaluator, file, asked, id FROM batches WHERE name = ? AND NOT ended", name)
        for evaluator, file, asked, identity in found:
            return SentBatch(name, evaluator, file, bool(asked), identity)
        return None

    def unsent(self, evaluator: str) -> list[str]:
        """Names of the batches of an evaluator that were never uploaded."""
        found = self._cache.rows("SELECT name FROM batches WHERE evaluator = ? AND file = '' AND NOT ended", evaluator)
        return [name for (name,) in found]

    def size(self, name: str) -> int:
        """Requests in a batch that wait for their answers."""
        return int(self._cache.rows("SELECT count(*) FROM sent WHERE batch = ? AND failure IS NULL", name)[0][0])

    def note(self, name: str, *, file: str | None = None, asked: bool | None = None, id: str | None = None) -> None:
        """Note how far a batch has come."""
        for column, value in (("file", file), ("asked", asked), ("id", id)):
            if value is not None:
                self._cache.rows(f"UPDATE batches SET {column} = ? WHERE name = ?", value, name)

    def missed(self, key: bytes, failure: Failure, *, again: bool) -> None:
        """Note why a request came back without an answer, and whether it is worth another try."""
        self._cache.rows(
            "UPDATE sent SET failure = ?, again = ? AND tries < ? WHERE key = ? AND failure IS NULL",
            *(failure.model_dump_json(), again, MOST_TRIES, key),
        )

    def end(self, name: str, rest: Failure, *, again: bool) -> None:
        """Its results were read: what has neither an answer nor a failure has this one."""
        with self._cache.transaction():
            self._cache.rows("DELETE FROM sent WHERE batch = ? AND failure IS NULL AND key IN (SELECT key FROM bodies)", name)
            self._cache.rows(
                "UPDATE sent SET failure = ?, again = ? AND tries < ? WHERE batch = ? AND failure IS NULL",
                *(rest.model_dump_json(), again, MOST_TRIES, name),
            )
            self._cache.rows("UPDATE batches SET ended = 1 WHERE name = ?", name)

    def drop(self, name: str) -> None:
        """Nothing in it was asked: its requests are free for another."""
        with self._cache.transaction():
            self._cache.rows("DELETE FROM sent WHERE batch = ?", name)
            self._cache.rows("DELETE FROM batches WHERE name = ?", name)

    def forget_failures(self, evaluator: str) -> None:
        """A later run asks again for what came back without an answer."""
        with self._cache.transaction():
            of = "batch IN (SELECT name FROM batches WHERE evaluator = ? AND ended)"
            self._cache.rows(f"DELETE FROM sent WHERE failure IS NOT NULL AND {of}", evaluator)
            self._cache.rows("DELETE FROM batches WHERE evaluator = ? AND ended", evaluator)
