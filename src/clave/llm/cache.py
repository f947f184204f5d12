"""Raw answers of chat models by content, in one SQLite file that several processes can share.

The key is a hash of all that was asked, and of whom; the body is what came back, kept whole so that a better parser can read it again. A
checksum stands beside each body: one that the disk has changed is a miss, not an answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from clave.errors import InputError

CLAIM_SECONDS = 20.0
"""How long a question stays with the process that asks it, unless it says again that it is still at it."""
_TABLES = (
    "CREATE TABLE IF NOT EXISTS bodies (key BLOB PRIMARY KEY, body BLOB NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS claims (key BLOB PRIMARY KEY, owner BLOB NOT NULL, until REAL NOT NULL) WITHOUT ROWID",
    "CREATE TRIGGER IF NOT EXISTS kept AFTER INSERT ON bodies BEGIN DELETE FROM claims WHERE key = NEW.key; END",
    "CREATE TABLE IF NOT EXISTS batched (key BLOB, evaluator TEXT, asked TEXT NOT NULL, PRIMARY KEY (key, evaluator)) WITHOUT ROWID",
)
_FULL = ("full", "disk I/O", "readonly", "read-only")


def default_cache() -> Path:
    """Where answers are kept when nothing else is said: CLAVE_CACHE, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("CLAVE_CACHE") or Path(platformdirs.user_cache_dir("clave")) / "completions.sqlite")


class AnswerCache:
    """A persistent mapping of keys to answers.

    Write-ahead logging lets readers and one writer work at once, and an answer that was put is there after a kill. A look-up takes
    about 10 microseconds. The file is the user's alone (mode 0600).

    Raises:
        InputError: The path is not an SQLite file that can be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.damaged: set[bytes] = set()
        """Keys whose body was found to be another than was put."""
        self._opened: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._inherited: list[object] = []
        """Connections of the process that this one was forked from: kept and never touched, as SQLite asks."""
        self._owner = os.urandom(8)
        self._claims: set[bytes] = set()
        """Keys that this process holds."""
        self._lock = threading.RLock()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite's own would be as open as the umask allows
        except OSError as error:
            raise self._unusable(error) from None
        for table in _TABLES:
            self._do(table)
        self.of_version_1 = self._do("SELECT 1 FROM sqlite_master WHERE name = 'answers'") is not None
        """Whether the file holds answers of clave 0.1, which did not note whose they are."""

    def _db(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            self._inherited.append(self._opened)
            self._opened, self._process, self._owner, self._claims = None, os.getpid(), os.urandom(8), set()
        if self._opened is None:
            self._opened = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
            self._opened.execute("PRAGMA journal_mode=WAL")
            self._opened.execute("PRAGMA synchronous=NORMAL")
            self._opened.execute("PRAGMA wal_autocheckpoint=10000")  # 40 MB: each one waits for the disk, and the event loop with it
        return self._opened

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Run a statement.

        Raises:
            InputError: The file is damaged, was taken away, or the disk is full.
        """
        try:
            return self._db().execute(statement, values)
        except sqlite3.Error as error:
            self.close()
            raise self._unusable(error) from None

    def _do(self, statement: str, *values: object) -> Any:
        """The first row of what a statement finds."""
        with self._lock:
            try:
                return self._run(statement, *values).fetchone()
            except sqlite3.Error as error:  # of a row that is read only now
                self.close()
                raise self._unusable(error) from None

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows that a statement finds, in tables that another keeps in the same file."""
        with self._lock:
            try:
                return self._run(statement, *values).fetchall()
            except sqlite3.Error as error:
                self.close()
                raise self._unusable(error) from None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements within it are kept, or none."""
        with self._lock:
            self._do("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                with contextlib.suppress(InputError):
                    self._do("ROLLBACK")
                raise
            self._do("COMMIT")

    def _unusable(self, error: Exception) -> InputError:
        if isinstance(error, OSError) or any(word in str(error) for word in _FULL):
            return InputError(
                f"cache {self.path} cannot be written ({error}): make room or name another with `cache`, and run the same command again; "
                "the answers in it are kept"
            )
        return InputError(
            f"cache {self.path} cannot be used ({error}): name another with `cache`, and keep this file: if it is a cache, "
            "`sqlite3 FILE .recover` brings back answers that were paid for"
        )

    def get(self, key: bytes) -> str | None:
        """The body kept under a key; None where there is none, or another than was put."""
        row = self._do("SELECT body, sum FROM bodies WHERE key = ?", key)
        if row is None:
            return None
        body, found = row
        if not isinstance(body, bytes) or found != _sum(key, body):
            self.damaged.add(key)
            return None
        return body.decode("utf-8", "surrogatepass")

    def get_of_version_1(self, key: bytes) -> str | None:
        """The body that clave 0.1 kept under a key of its own."""
        row = self._do("SELECT CAST(body AS BLOB) FROM answers WHERE key = ?", key) if self.of_version_1 else None
        return None if row is None else bytes(row[0]).decode("utf-8", "replace")

    def put(self, key: bytes, body: str) -> None:
        """Keep a body; it survives a kill of the process from here on. A claim on it ends."""
        data = body.encode("utf-8", "surrogatepass")
        self._do("INSERT OR REPLACE INTO bodies VALUES (?, ?, ?)", key, data, _sum(key, data))
        self._claims.discard(key)

    def put_all(self, answers: Iterable[tuple[bytes, str]]) -> None:
        """Keep many bodies in one transaction."""
        with self.transaction():
            for key, body in answers:
                self.put(key, body)

    def claim(self, key: bytes, *, new: bool = False) -> bool:
        """Say that this process asks for an answer now; False where another has said so and is still at it, or, with `new`, where a body
        is kept already.

        Clocks that are set back do not matter: a claim holds for a time of the machine's own counter, and one that seems to hold for
        far longer than any can is from before a restart. A little longer is no sign of that: another process may have claimed after
        this one looked at the counter.
        """
        now = time.monotonic()
        with self._lock:
            self._db()  # a forked child is another owner
            claimed = self._run(
                "INSERT INTO claims SELECT ?, ?, ? WHERE NOT (? AND EXISTS (SELECT 1 FROM bodies WHERE key = ?)) "
                "ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, until = excluded.until "
                "WHERE owner = excluded.owner OR until NOT BETWEEN ? AND ?",
                *(key, self._owner, now + CLAIM_SECONDS, new, key, now, now + 2 * CLAIM_SECONDS),
            )
            if claimed.rowcount != 1:
                return False
            self._claims.add(key)
            return True

    @property
    def claims(self) -> int:
        """How many questions this process has claimed."""
        return len(self._claims)

    def renew(self) -> None:
        """Say that this process is still at all that it has claimed."""
        self._do("UPDATE claims SET until = ? WHERE owner = ?", time.monotonic() + CLAIM_SECONDS, self._owner)

    def release(self, key: bytes) -> None:
        """Give a claim up, if it has not ended: there is no answer."""
        if key in self._claims:
            self._do("DELETE FROM claims WHERE key = ? AND owner = ?", key, self._owner)
            self._claims.discard(key)

    def note_batched(self, evaluator: str, asked: Iterable[tuple[bytes, str]]) -> None:
        """Note questions that went into a batch file, each with what is needed to read its answer."""
        with self.transaction():
            for key, what in asked:
                self._do("INSERT OR REPLACE INTO batched VALUES (?, ?, ?)", key, evaluator, what)

    def batched(self, evaluator: str, key: bytes) -> str | None:
        """What was noted of a question when it went into a batch file of an evaluator; None where it never did."""
        row = self._do("SELECT asked FROM batched WHERE key = ? AND evaluator = ?", key, evaluator)
        return None if row is None else str(row[0])

    def __len__(self) -> int:
        return int(self._do("SELECT count(*) FROM bodies")[0])

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            if self._opened is not None and self._process == os.getpid():
                self._opened.close()
                self._opened = None


def _sum(key: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(body, key=key[:64], digest_size=16).digest()
