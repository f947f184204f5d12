"""Jobs in a database: what was asked, what is there of it, and who works on it. SQLite by default, PostgreSQL for several processes.

    store = JobStore("jobs.sqlite")
    job = store.add("9f2c", "evaluator", "mft-1a2b3c", asked='{"responses": "I helped."}', responses=40, total=200, most=100_000)
    taken = store.take()
    store.keep(taken, [(0, verdict.model_dump_json())])      # True: or False, where it was cancelled or another has it now

A job is there once `add` returns, a verdict once `keep` does, whatever happens to the process then. Who works on a job says so again and
again; after `LEASE` seconds of silence another may take it. Each process measures the silence itself, by a clock that nobody can set. How
long a job is kept goes by the service's own clock, which is in the database: it goes on while a process runs, and no faster for several.
What the time of day is, here or on another machine, decides nothing.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Float, ForeignKey, Integer, String, delete, func, insert, inspect, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from clave.annotate.engine import open_engine, reading, without_password, writing
from clave.annotate.tables import ExactText
from clave.errors import InputError, argument

LEASE = 15.0
"""Seconds that a job stays with a process that says nothing more of it."""
KEPT = 30 * 86_400.0
"""Seconds of the service's clock that a job is kept after its end."""
_NOTED_EVERY = 600.0
"""Seconds by which the clock in the database may be behind."""
OPEN = ("queued", "running")
_LISTED = 100


class _Base(DeclarativeBase):
    """Base of the tables."""


class _JobRow(_Base):
    __tablename__ = "jobs"
    pk: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    sender: Mapped[str] = mapped_column(String(16), index=True)
    evaluator: Mapped[str] = mapped_column(ExactText)
    name: Mapped[str] = mapped_column(ExactText)
    status: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(ExactText, default="")
    asked: Mapped[str] = mapped_column(ExactText)
    responses: Mapped[int] = mapped_column(Integer)
    total: Mapped[int] = mapped_column(Integer)
    done: Mapped[int] = mapped_column(Integer, default=0)
    created: Mapped[float] = mapped_column(Float)
    ended: Mapped[float | None] = mapped_column(Float, default=None)
    ended_at: Mapped[float | None] = mapped_column(Float, default=None)
    """By the service's clock; all other times are for people."""
    owner: Mapped[str] = mapped_column(String(32), default="")
    beats: Mapped[int] = mapped_column(Integer, default=0)


class _VerdictRow(_Base):
    __tablename__ = "job_verdicts"
    job: Mapped[int] = mapped_column(ForeignKey("jobs.pk"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    verdict: Mapped[str] = mapped_column(ExactText)


class _ClockRow(_Base):
    __tablename__ = "clock"
    pk: Mapped[int] = mapped_column(primary_key=True)
    seconds: Mapped[float] = mapped_column(Float)


class _SpendingRow(_Base):
    __tablename__ = "spending"
    sender: Mapped[str] = mapped_column(String(16), primary_key=True)
    dollars: Mapped[float] = mapped_column(Float)
    calls: Mapped[int] = mapped_column(Integer)


class Job(NamedTuple):
    """A job as its sender sees it."""

    id: str
    evaluator: str
    """As requests name it."""
    status: str
    """queued, running, done, stopped (a budget), failed, cancelled."""
    reason: str
    total: int
    """Verdicts that were asked for."""
    done: int
    """Verdicts that are there."""
    created: float
    ended: float | None


class Taken(NamedTuple):
    """A job as who works on it sees it."""

    pk: int
    owner: str
    """Tells who took it from who took it before."""
    sender: str
    evaluator: str
    name: str
    """Of the evaluator when the job was sent: its verdicts must not be mixed with another's."""
    asked: str
    places: frozenset[int]
    """Of the verdicts that are there."""


_SHOWN = (
    _JobRow.id,
    _JobRow.evaluator,
    _JobRow.status,
    _JobRow.reason,
    _JobRow.total,
    _JobRow.done,
    _JobRow.created,
    _JobRow.ended,
)


class JobStore:
    """See the module. Its methods block: call them from a thread.

    Args:
        place: A path of a SQLite file, or any SQLAlchemy URL.
        lease: See `LEASE`.
    """

    def __init__(self, place: str, *, lease: float = LEASE) -> None:
        self.lease = lease
        self._heard: dict[tuple[int, str, int], float] = {}
        """(job, owner, beats) of jobs that are worked on -> when this was first seen, by `time.monotonic`."""
        self._begun: float | None = None
        """When the service's clock stood at 0, by `time.monotonic`."""
        self._engine = open_engine(place, lambda session: _make_tables(session, without_password(place)))

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    def add(self, sender: str, evaluator: str, name: str, asked: str, *, responses: int, total: int, most: int) -> Job | None:
        """Take a job on; None where that would make more than `most` responses wait."""
        identity = uuid.uuid4().hex
        with writing(self._engine) as session:
            waiting = session.scalar(select(func.coalesce(func.sum(_JobRow.responses), 0)).where(_JobRow.status.in_(OPEN))) or 0
            if waiting + responses > most:
                return None
            old = _JobRow.ended_at < self._now(session) - KEPT
            session.execute(delete(_VerdictRow).where(_VerdictRow.job.in_(select(_JobRow.pk).where(old))))
            session.execute(delete(_JobRow).where(old))
            session.add(
                _JobRow(
                    id=identity,
                    sender=sender,
                    evaluator=evaluator,
                    name=name,
                    status="queued",
                    asked=asked,
                    responses=responses,
                    total=total,
                    created=time.time(),
                )
            )
        return self.get(sender, identity)

    def get(self, sender: str, identity: str) -> Job | None:
        """A job of a sender."""
        with reading(self._engine) as session:
            row = session.execute(select(*_SHOWN).where(_JobRow.id == identity, _JobRow.sender == sender)).first()
        return None if row is None else Job(*row)

    def latest(self, sender: str) -> list[Job]:
        """A sender's last jobs, the newest first."""
        query = select(*_SHOWN).where(_JobRow.sender == sender).order_by(_JobRow.pk.desc()).limit(_LISTED)
        with reading(self._engine) as session:
            return [Job(*row) for row in session.execute(query)]

    def cancel(self, sender: str, identity: str) -> Job | None:
        """Start nothing more of a job; one that has ended stays as it is."""
        mine = (_JobRow.id == identity, _JobRow.sender == sender, _JobRow.status.in_(OPEN))
        with writing(self._engine) as session:
            over = {"status": "cancelled", "ended": time.time(), "ended_at": self._now(session)}
            session.execute(update(_JobRow).where(*mine).values(over | {"owner": ""}))
        return self.get(sender, identity)

    def verdicts(self, identity: str, after: int, most: int) -> list[tuple[int, str]]:
        """(place, verdict) of a job from a place on, in the order in which they were asked for."""
        query = (
            select(_VerdictRow.place, _VerdictRow.verdict)
            .join(_JobRow, _VerdictRow.job == _JobRow.pk)
            .where(_JobRow.id == identity, _VerdictRow.place > after)
            .order_by(_VerdictRow.place)
            .limit(most)
        )
        with reading(self._engine) as session:
            return [(place, verdict) for place, verdict in session.execute(query)]

    # ---- for who works on them

    def take(self) -> Taken | None:
        """The oldest job that nobody works on."""
        with writing(self._engine) as session:
            self._now(session, behind=_NOTED_EVERY)
            running = select(_JobRow.pk, _JobRow.owner, _JobRow.beats).where(_JobRow.status == "running").order_by(_JobRow.pk)
            silent = self._silent((pk, owner, beats) for pk, owner, beats in session.execute(running))
            free = _JobRow.status == "queued" if silent is None else _JobRow.pk == silent
            row = session.scalars(select(_JobRow).where(free).order_by(_JobRow.pk).limit(1)).first()
            if row is None:
                return None
            row.status, row.owner = "running", uuid.uuid4().hex
            places = session.scalars(select(_VerdictRow.place).where(_VerdictRow.job == row.pk))
            return Taken(row.pk, row.owner, row.sender, row.evaluator, row.name, row.asked, frozenset(places))

    def _now(self, session: Session, behind: float = 0.0) -> float:
        """Seconds for which there was a process; noted in the database unless that is less than `behind` behind. Only where it writes."""
        row = session.get(_ClockRow, 1)
        if row is None:
            session.add(row := _ClockRow(pk=1, seconds=0.0))
        counted = time.monotonic()
        self._begun = counted - row.seconds if self._begun is None else min(self._begun, counted - row.seconds)
        now = counted - self._begun
        if now > row.seconds + behind:
            row.seconds = now
        return now

    def _silent(self, running: Iterable[tuple[int, str, int]]) -> int | None:
        """The first of the jobs whose owner has said nothing for longer than the lease. Only within a transaction that writes."""
        now = time.monotonic()
        self._heard = {beat: self._heard.get(beat, now) for beat in running}
        return next((pk for (pk, _, _), since in self._heard.items() if now - since > self.lease), None)

    def keep(self, job: Taken, verdicts: Sequence[tuple[int, str]]) -> bool:
        """Keep verdicts, and say that the work goes on; False where it should not."""
        going_on = update(_JobRow).where(*_held(job)).values(done=_JobRow.done + len(verdicts), beats=_JobRow.beats + 1)
        with writing(self._engine) as session:
            if not session.execute(going_on).rowcount:  # type: ignore[attr-defined]
                return False
            if verdicts:
                session.execute(insert(_VerdictRow), [{"job": job.pk, "place": place, "verdict": verdict} for place, verdict in verdicts])
        return True

    def end(self, job: Taken, status: str, reason: str = "") -> None:
        """Say how the work ended; `queued` gives the job back to whoever takes it next."""
        with writing(self._engine) as session:
            over = {} if status == "queued" else {"ended": time.time(), "ended_at": self._now(session)}
            session.execute(update(_JobRow).where(*_held(job)).values(over | {"status": status, "reason": reason, "owner": ""}))

    # ---- what senders have spent

    def spent(self, sender: str, dollars: float = 0.0, calls: int = 0) -> tuple[float, int]:
        """Add to what a sender has spent; dollars and calls in all."""
        with writing(self._engine) as session:
            row = session.get(_SpendingRow, sender)
            if row is None:
                session.add(row := _SpendingRow(sender=sender, dollars=0.0, calls=0))
            row.dollars, row.calls = row.dollars + dollars, row.calls + calls
            return row.dollars, row.calls


def _make_tables(session: Session, place: str) -> None:
    """Make what is missing of them.

    Raises:
        InputError: There are tables of these names that another version, or another program, has made.
    """
    connection = session.connection()
    _Base.metadata.create_all(connection)
    for name, table in _Base.metadata.tables.items():
        if {column["name"] for column in inspect(connection).get_columns(name)} != set(table.columns.keys()):
            raise InputError(f"the jobs in {place} are of another version of clave: name another file with {argument('jobs')}")


def _held(job: Taken) -> tuple[ColumnElement[bool], ...]:
    return _JobRow.pk == job.pk, _JobRow.owner == job.owner, _JobRow.status == "running"
