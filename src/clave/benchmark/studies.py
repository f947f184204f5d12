"""Studies that refit judges on other choices of labels, or with a part left out: learning curve, ablation, diversity.

    outcome = await learning_curve(session, ["tfidf", "clave"], points=(5, 8), seeds=1)     # writes curve.parquet into the run

Each appends to a file of predictions of its own, goes on where it stopped, and is shown by the report of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clave.benchmark.analyses import BETWEEN
from clave.benchmark.crossing import AT, split_name
from clave.benchmark.data import limited, unlabelled
from clave.benchmark.predictions import PredictionTable, PredictionWriter
from clave.benchmark.running import Outcome, run_judges
from clave.benchmark.session import Session, no_tick
from clave.benchmark.subsets import CHOICES, fewest, nested, per_value
from clave.errors import InputError
from clave.judges.classical import default_encode
from clave.judges.clave_judge import VARIANTS, ClaveJudge
from clave.judges.protocol import Judge
from clave.recognizers.unmapped import UNMAPPED
from clave.records import LabelledResponse
from clave.settings import Settings

POINTS = (5, 10, 20, 40, 60, 100)


@dataclass(frozen=True)
class _Fit:
    """Judges on one choice of calibration rows."""

    judges: list[Judge]
    calibration: list[LabelledResponse]
    labels: int | None
    seed: int | None
    what: str = ""


async def learning_curve(
    session: Session,
    judges: Sequence[str],
    *,
    points: Sequence[int] = POINTS,
    seeds: int = 3,
    limit: int | None = None,
    tick: Any = no_tick,
) -> Outcome:
    """Every judge on 5, 10, 20 … labels per value, each drawn with several seeds; the draws of a seed are nested.

    Points that not every value has the labels for are left out, and told as skipped. Rows of the original split are judged, at most
    `limit` of each value.
    """
    most = fewest(session.data.calibration)

    def fits() -> Iterator[_Fit]:
        for n in sorted(set(points)):
            # all labels are one choice, whatever the seed; draws that hold them all would only count the same rows several times
            for seed in range(seeds if n < most else 1):
                rows = per_value(session.data.calibration, lambda own, n=n, seed=seed: nested(own, n, seed))  # type: ignore[misc]
                if n <= most:
                    yield _Fit(session.judges(judges), rows, n, seed, f"{n} labels")

    outcome = await _run(session, "curve", fits(), tick, _originals(session, limit))
    for n in points:
        if n > most:
            outcome.skipped[f"{n} labels"] = f"some value has {most} labels only"
    session.note("curve", curve={"points": [n for n in points if n <= most], "seeds": seeds, "limit": limit, "skipped": outcome.skipped})
    return outcome


async def diversity(
    session: Session, judges: Sequence[str], *, labels: int = 20, seeds: int = 3, limit: int | None = None, tick: Any = no_tick
) -> Outcome:
    """Every judge on as many labels per value, chosen by K-Means, at random, and from one corner of the data.

    Rows of the original split are judged, at most `limit` of each value.

    Raises:
        InputError: A value has no more labels than are to be chosen.
    """
    most = fewest(session.data.calibration)
    if labels >= most:
        raise InputError(f"there is nothing to choose: some value has {most} labels, and {labels} are to be chosen; take fewer `labels`")

    def fits() -> Iterator[_Fit]:
        for choice, choose in CHOICES.items():
            for seed in range(seeds):
                rows = per_value(
                    session.data.calibration,
                    lambda own, choose=choose, seed=seed: choose(own, labels, seed, default_encode),  # type: ignore[misc]
                )
                named = session.judges(judges)
                for judge in named:
                    judge.name += f"{BETWEEN}{choice}"
                yield _Fit(named, rows, labels, seed, choice)

    outcome = await _run(session, "diversity", fits(), tick, _originals(session, limit))
    session.note("diversity", diversity={"labels": labels, "seeds": seeds, "limit": limit, "skipped": outcome.skipped})
    return outcome


LEFT_OUT: Mapping[str, Mapping[str, Any]] = {
    "concepts": {"settings": {"features": ("stance",)}},
    "pool mapping": {"settings": {"recognizer": UNMAPPED}},
    "stance": {"settings": {"features": ("concepts",)}},
    "guideline": {"settings": {"guideline": False}},
    "examples": {"settings": {"examples": 0}},
    "recognizer": {"by_stance": True},
    "cross-fitting": {"cross_fitted": False},
}
"""What an ablation leaves out, and how. Pool mapping: a recognizer that sees the concepts' vectors and not what people said of their
neighbours. Recognizer: the large model's stance is the verdict. Cross-fitting: that of the guideline; examples never show a row itself."""


async def ablation(session: Session, full: str = "clave", *, without: Sequence[str] = tuple(LEFT_OUT), tick: Any = no_tick) -> Outcome:
    """Clave, or a variant of it, against itself with each part left out.

    Raises:
        InputError: There is no such variant or part, or no large model.
    """
    variant, model = split_name(full, session.plan.models)
    if variant not in VARIANTS:
        raise InputError(f"there is no variant {variant!r} of Clave: there are {', '.join(VARIANTS)}")
    unknown = [part for part in without if part not in LEFT_OUT]
    if unknown:
        raise InputError(f"{unknown[0]!r} cannot be left out: what can is {', '.join(LEFT_OUT)}")
    asked = session.within_budget(session.chats[model]) if model else session.asked
    if asked is None:
        raise InputError("an ablation needs the large model: run the benchmark with a `model` first")
    base = Settings.model_validate(VARIANTS[variant])
    common: dict[str, Any] = {"systems": session.data.system_of, "given_folds": session.plan.fold_column is not None}
    judges = [ClaveJudge(full, asked, base, **common)]
    outcome_of: dict[str, str] = {}
    for part in without:
        changes = dict(LEFT_OUT[part])
        settings = base.model_copy(update=changes.pop("settings", {}))
        name = f"without {part}"
        if (settings == base and not changes) or (part == "cross-fitting" and not base.guideline):
            outcome_of[name] = f"{full} has none"
        else:
            judges.append(ClaveJudge(name, asked, settings, **common, **changes))
    _known(session, {judge.name: _row_of(judge, asked.model if session.plan.models else "") for judge in judges})
    outcome = await _run(session, "ablation", iter([_Fit([*judges], list(session.data.calibration), None, None)]), tick, session.data.rows)
    outcome.skipped |= outcome_of
    session.note("ablate", ablation_full=full, ablation={"without": list(without), "skipped": outcome.skipped})
    return outcome


def _row_of(judge: ClaveJudge, model: str) -> str | None:
    """The judge of a leaderboard that is made in the same way, and asks the same of several models."""
    variant = next((name for name, changes in VARIANTS.items() if judge.same_as(Settings.model_validate(changes))), None)
    return f"{variant}{AT}{model}" if variant and model else variant


def _known(session: Session, names: Mapping[str, str | None]) -> None:
    """Take over what the run already holds of these judges, so that none is fitted and asked twice."""
    source = session.predictions()
    if not source.is_file():
        return
    table = PredictionTable.read(source)
    with PredictionWriter(session.predictions("ablation")) as writer:
        for name, variant in names.items():
            for row in table.where(judge=variant).records() if variant else ():
                own = row.model_copy(update={"judge": name})
                if (row.id, row.value) in session.data.gold and not writer.has(own.key):
                    writer.write(own)


def _originals(session: Session, limit: int | None) -> list[LabelledResponse]:
    """Rows of the original split: what curve and diversity are about."""
    own = [row for row in session.data.rows if session.data.gold[row.id, row.value].split == session.original]
    return limited(own, limit, session.plan.seed)


async def _run(session: Session, name: str, fits: Iterator[_Fit], tick: Any, rows: Sequence[LabelledResponse]) -> Outcome:
    outcome = Outcome()
    path = session.predictions(name)
    gold = {(row.id, row.value): session.data.gold[row.id, row.value] for row in rows}
    responses = [unlabelled(row) for row in rows]

    async def all_fits() -> None:
        for fit in fits:
            task = replace(session.data.task, calibration=fit.calibration, responses=responses)
            found = await run_judges(fit.judges, task, gold, path, labels=fit.labels, seed=fit.seed, tick=tick)
            outcome.skipped |= {f"{judge}, {fit.what}" if fit.what else judge: why for judge, why in found.skipped.items()}
            if found.stopped:
                outcome.stopped = found.stopped
                return

    await session.closing(all_fits())
    session.finish(name)
    return outcome
