"""The tables behind the annotation page, and how a database is opened: SQLite by default, PostgreSQL for a team.

engine = open_engine("labels.db")                      # or postgresql+psycopg://user@host/db
with writing(engine) as session: ...

Every write transaction takes the one write lock of the database at its begin. Labelling is a few writes a second even with
a large team, and with one writer at a time no item can be handed out or labelled twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Dialect, Engine, Float, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, create_engine, event, text
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
    """A pick that an annotator has on the screen; gone when it is labelled, void after a while."""

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


class LabelRow(_Said, Table):
    """What an annotator now says of a response and a value: one row each."""

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
    """Open a store and make its tables.

    Args:
        store: A path of a SQLite file, or any SQLAlchemy URL.

    Raises:
        InputError: The URL or the file cannot be opened.
        MissingExtraError: The database's driver is not installed.
    """
    url = store if "://" in store else f"sqlite:///{store}"
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _sqlite_connect)
            event.listen(engine, "begin", _sqlite_begin)
        with writing(engine) as session:
            Table.metadata.create_all(session.connection())
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{error.name} is needed for this store and is not installed: pip install 'clave[postgres]'") from None
    except (ArgumentError, NoSuchModuleError) as error:
        raise InputError(f"store {store!r} is neither a file nor a database address that SQLAlchemy knows: {error}") from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise InputError(f"the store {make_url(url).render_as_string()} cannot be opened: {reason}") from None
    return engine


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
