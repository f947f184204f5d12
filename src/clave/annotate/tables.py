"""The tables behind the annotation page.

    from clave.annotate.engine import writing

    engine = open_store("labels.db")                      # or postgresql+psycopg://user@host/db
    with writing(engine) as session: ...

Labelling is a few writes a second even with a large team, and with one writer at a time no item can be handed out or labelled twice.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect, Engine, Float, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, inspect, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from clave.annotate.engine import open_engine


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


def open_store(store: str) -> Engine:
    """Open a store of labels and make its tables; see `open_engine`."""

    def prepare(session: Session) -> None:
        Table.metadata.create_all(session.connection())
        _add_missing_columns(session)

    return open_engine(store, prepare)


def _add_missing_columns(session: Session) -> None:
    """Bring a store of an earlier version up to date: its labels have no importer."""
    connection = session.connection()
    for table in ("labels", "history"):
        if "imported_by" not in {column["name"] for column in inspect(connection).get_columns(table)}:
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN imported_by INTEGER REFERENCES annotators (pk)"))
