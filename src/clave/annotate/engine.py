"""How a database is opened: SQLite by default, PostgreSQL for a team.

    engine = open_engine("labels.db", lambda session: None)    # or postgresql+psycopg://user@host/db
    with writing(engine) as session: ...

Every write transaction takes the one write lock of the database at its begin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session

from clave.errors import InputError, MissingExtraError


def open_engine(store: str, prepare: Callable[[Session], None]) -> Engine:
    """Open a database and prepare it; a new file can be read and written by its owner alone.

    Args:
        store: A path of a SQLite file, or any SQLAlchemy URL.
        prepare: Makes the tables.

    Raises:
        InputError: The URL or the file cannot be opened.
        MissingExtraError: The database's driver is not installed.
    """
    shown = without_password(store)
    try:
        parsed = make_url(store if "://" in store else f"sqlite:///{store}")
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed)
        if engine.dialect.name == "sqlite":
            _private(parsed.database)
            event.listen(engine, "connect", _sqlite_connect)
            event.listen(engine, "begin", _sqlite_begin)
        with writing(engine) as session:
            prepare(session)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{error.name} is needed for this store and is not installed: pip install 'clave[postgres]'") from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(f"store {shown!r} is neither a file nor a database address that SQLAlchemy knows") from None
    except OSError as error:
        raise InputError(f"the store {shown} cannot be opened: {error.strerror}") from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        password = parsed.password
        raise InputError(f"the store {shown} cannot be opened: {reason.replace(str(password), '***') if password else reason}") from None
    return engine


def without_password(store: str) -> str:
    """A store's address as it may be printed: what could be a password is three stars, also in an address that cannot be read."""
    if "://" not in store:
        return store
    scheme, _, rest = store.partition("://")
    before, at, place = rest.rpartition("@")
    user, colon, _ = before.partition(":")
    place, question, query = place.partition("?")
    options = "&".join(
        f"{name}{'=***' if 'pass' in name.lower() else equals + text}" for name, equals, text in map(_pair, query.split("&"))
    )
    return f"{scheme}://{user}{':***' if colon else ''}{at}{place}{question}{options}"


def _pair(option: str) -> tuple[str, str, str]:
    return option.partition("=")


def _private(file: str | None) -> None:
    """Make the file before SQLite does, which would take the umask's mode: it holds the secret that signs sessions.

    The journal beside it takes the file's own mode. A file of an earlier version is tightened.
    """
    if not file or file == ":memory:" or file.startswith("file:"):
        return
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    if os.stat(file).st_mode & 0o077:
        os.chmod(file, 0o600)


def _sqlite_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=20000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("clave_write") else "BEGIN")


_WRITE_LOCK = 0x0C1A7E
"""Any number: PostgreSQL's advisory lock that all writers of a store take."""


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A transaction that may write, alone; committed at the end, rolled back on an error."""
    with engine.connect().execution_options(clave_write=True) as connection, connection.begin(), Session(connection) as session:
        if engine.dialect.name == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITE_LOCK})
        yield session
        session.flush()


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A transaction that only reads; never waits for a writer on either database."""
    with Session(engine) as session:
        yield session
