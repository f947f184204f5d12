"""The tables behind the annotation page, and how a database is opened: SQLite by default, PostgreSQL for a team.

engine = open_engine("labels.db")                      # or postgresql+psycopg://user@host/db
with writing(engine) as session: ...

Every write transaction takes the one write lock of the database at its begin. Labelling is a few writes a second even with
a large team, and with one writer at a time no item can be handed out or labelled twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Dialect,
    Engine,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from clave.errors import InputError, MissingExtraError


class ExactText(TypeDecorator[str]):
    """Text kept byte for byte: PostgreSQL's own text refuses NUL, and both refuse half a surrogate pair."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.encode("utf-8", "surrogatepass")

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode("utf-8", "surrogatepass")


class Table(DeclarativeBase):
    """Base of the tables."""


class ResponseRow(Table):
    __tablename__ = "responses"
    pk: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    """Hash of id and value: ids may be of any length."""
    digest: Mapped[str] = mapped_column(String(16))
    """Hash of the texts, to notice another file under the same ids."""
    id: Mapped[str] = mapped_column(ExactText)
    value: Mapped[str] = mapped_column(String(64), default="")
    """The only value to label it for; empty = all."""
    scenario: Mapped[str] = mapped_column(ExactText)
    response: Mapped[str] = mapped_column(ExactText)
    metadata_json: Mapped[str] = mapped_column(Text)
    group: Mapped[str] = mapped_column("group_key", String(16))
    shuffle: Mapped[int] = mapped_column(index=True)
    """A hash of the key: a random order that is the same after a restart."""


class AnnotatorRow(Table):
    __tablename__ = "annotators"
    pk: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)


class PickRow(Table):
    """A response chosen to be labelled for a value, in the order in which it is to be shown."""

    __tablename__ = "picks"
    __table_args__ = (UniqueConstraint("response", "value"), Index("picks_by_value", "value", "rank"))
    pk: Mapped[int] = mapped_column(primary_key=True)
    response: Mapped[int] = mapped_column(ForeignKey("responses.pk"))
    value: Mapped[str] = mapped_column(String(64))
    rank: Mapped[int]
    wanted: Mapped[int]
    """How many annotators are to label it."""
    reason: Mapped[str] = mapped_column(String(16))


class AssignmentRow(Table):
    """A pick that an annotator has on the screen; gone when it is labelled, and no longer kept from others after a while."""

    __tablename__ = "assignments"
    __table_args__ = (UniqueConstraint("pick", "annotator"),)
    pk: Mapped[int] = mapped_column(primary_key=True)
    pick: Mapped[int] = mapped_column(ForeignKey("picks.pk"))
    annotator: Mapped[int] = mapped_column(ForeignKey("annotators.pk"))
    at: Mapped[float] = mapped_column(Float)


class _Said:
    annotator: Mapped[int] = mapped_column(ForeignKey("annotators.pk"))
    response: Mapped[int] = mapped_column(ForeignKey("responses.pk"))
    value: Mapped[str] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(ExactText)
    evidence_json: Mapped[str] = mapped_column(Text)
    seconds: Mapped[float | None] = mapped_column(Float)
    at: Mapped[float] = mapped_column(Float)
    """The wall clock's word, kept to be exported: order is the order of `pk`."""
    imported_by: Mapped[int | None] = mapped_column(ForeignKey("annotators.pk"), default=None)
    """Who brought it in from a file; None = the annotator said it on the page."""


class LabelRow(_Said, Table):
    """What an annotator now says of a response and a value: one row each, in the order in which they were said."""

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("annotator", "response", "value"), Index("labels_by_item", "response", "value"))
    pk: Mapped[int] = mapped_column(primary_key=True)


class HistoryRow(_Said, Table):
    """Everything that was ever said, in order; an empty label = taken back."""

    __tablename__ = "history"
    pk: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    """The sender's key of the message: the same message sent twice is one."""


class AdjudicationRow(Table):
    """The settled label of a disputed item, or the known label of a gold question (`by` = gold)."""

    __tablename__ = "adjudications"
    __table_args__ = (UniqueConstraint("response", "value"),)
    pk: Mapped[int] = mapped_column(primary_key=True)
    response: Mapped[int] = mapped_column(ForeignKey("responses.pk"))
    value: Mapped[str] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(ExactText)
    at: Mapped[float] = mapped_column(Float)


class SettingRow(Table):
    """Small things by name: the session secret, guidelines under edit, learning curves."""

    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    text: Mapped[str] = mapped_column(ExactText)


def open_engine(store: str) -> Engine:
    """Open a store and make its tables; a new file can be read and written by its owner alone.

    Args:
        store: A path of a SQLite file, or any SQLAlchemy URL.

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
            Table.metadata.create_all(session.connection())
            _add_missing_columns(session)
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


def _add_missing_columns(session: Session) -> None:
    """Bring a store of an earlier version up to date: its labels have no importer."""
    connection = session.connection()
    for table in ("labels", "history"):
        if "imported_by" not in {column["name"] for column in inspect(connection).get_columns(table)}:
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN imported_by INTEGER REFERENCES annotators (pk)"))


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
