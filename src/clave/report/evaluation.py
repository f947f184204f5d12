"""The report of a plain run of `clave evaluate`, and of `clave demo`: value profile, models side by side, examples, failures.

write_report("verdicts.jsonl", "report.html", responses="responses.jsonl")
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from clave.errors import InputError
from clave.fitting.fitted import Fitted
from clave.io.manifest import Shift
from clave.profile.auditing import Audits, read_audits
from clave.profile.comparing import differences
from clave.profile.known import known_of
from clave.profile.study import Finding, findings
from clave.profile.study import Verdicts as Collected
from clave.profile.support import unlike
from clave.records import Usage
from clave.report.examples import Examples
from clave.report.listing import Listed
from clave.report.missing import STATUSES, Missing
from clave.report.page import CardGroup, Fact, Page, Section
from clave.report.profile import balance_section, lead_of, models_section, profile_section
from clave.report.runs import Responses, Run, Verdicts, in_order, model_names, model_of
from clave.report.writing import write_page
from clave.values import ValueSystem


def write_report(
    verdicts: Verdicts,
    path: str | Path,
    *,
    responses: Responses = None,
    compare: Sequence[Run] = (),
    system: ValueSystem | None = None,
    title: str = "Value report",
    evaluator: Fitted | None = None,
    audit: str | Path | None = None,
    these: bool = False,
) -> Path:
    """Write the report of a run as `.html`, `.md` or `.json`, by the ending of the path.

    Args:
        verdicts: Verdicts, or a file of them.
        path: Where to write.
        responses: The responses behind them, or their file: for their text, their scenarios (intervals resample scenarios) and their
            metadata `model`, by which models are told apart. Without them the page shows the quotes that stand in the verdicts.
        compare: Further runs with their own responses, to stand beside the first.
        system: The value system, for the names of the values and their order; else they come from the manifest beside the verdicts.
        title: The heading.
        evaluator: Who gave the verdicts: its calibration labels say how it errs, and profiles are corrected for that.
        audit: Labels of a random sample of these responses, drawn by `clave audit plan`: profiles are rectified by them.
        these: Estimate for just these responses, in place of scenarios like these.

    Raises:
        InputError: A file cannot be read, there is no verdict, a verdict is about another text, the audit is no random sample of these
            responses, or the path ends in something else.
    """
    page = evaluation_page(
        verdicts, responses=responses, compare=compare, system=system, title=title, evaluator=evaluator, audit=audit, these=these
    )
    return write_page(page, path)


def evaluation_page(
    verdicts: Verdicts | Run,
    *,
    responses: Responses = None,
    compare: Sequence[Run] = (),
    system: ValueSystem | None = None,
    title: str = "Value report",
    evaluator: Fitted | None = None,
    audit: str | Path | None = None,
    these: bool = False,
) -> Page:
    """The report of a run as data; arguments as for `write_report`, but that a `Run` brings its responses along."""
    runs = (verdicts if isinstance(verdicts, Run) else Run.of(verdicts, responses), *compare)
    named = model_names(runs)
    run = _Seen(in_order(named))
    for one, models in zip(runs, named, strict=True):
        run.take(one, models)
    if not run.collected.cells:
        raise InputError("there is no verdict to report on: run clave evaluate first")
    own = _names_in(runs)
    names = {value.id: value.name for value in system.values} if system else own
    order = {value: i for i, value in enumerate(names)}
    known = known_of(evaluator, sorted(run.evaluators)) if evaluator is not None else None
    audits = read_audits(audit, run.collected.rows()) if audit is not None else Audits()
    found = findings(run.collected, known=known, audits=audits, these=these)
    found = sorted(found, key=lambda f: order.get(f.value, len(order)))
    several = len(run.models) > 1
    apart = differences([f.best for f in found], unlike(run.collected.rows(), known) if several and known is not None else None)
    sections = [
        profile_section(found, names, these=these),
        models_section(found, apart, names) if several else None,
        balance_section(shifts, names) if (shifts := _shifts_in(runs)) else None,
        _examples_section(run, found, names),
        run.listed.section(names),
        run.missing.section(names),
    ]
    return Page(title, lead_of(found, apart, names), _facts(run, audits, evaluator), tuple(s for s in sections if s is not None))


def _names_in(runs: Sequence[Run]) -> dict[str, str]:
    """The values' names as the runs' manifests have them.

    Raises:
        InputError: One id is two values.
    """
    names: dict[str, str] = {}
    for run in runs:
        for value, name in (manifest.values if (manifest := run.manifest) is not None else {}).items():
            if names.setdefault(value, name) != name:
                raise InputError(
                    f"{run.name or 'a run'} judges {value!r} as {name!r}, and another run as {names[value]!r}: verdicts on two values that "
                    "share an id cannot stand side by side. Compare runs with one value system"
                )
    return names


def _shifts_in(runs: Sequence[Run]) -> dict[str, Shift]:
    """Of the first run that is at another prevalence."""
    return next((manifest.shifts for run in runs if (manifest := run.manifest) is not None and manifest.shifts), {})


class _Seen:
    """What is kept of all verdicts while they stream by."""

    def __init__(self, models: Sequence[str]) -> None:
        self.textless = 0
        """Verdicts whose text is not at hand."""
        self.collected, self.examples, self.missing = Collected(models), Examples(), Missing()
        self.listed = Listed()
        self.evaluators: Counter[str] = Counter()
        self.usage, self.priced, self.cached = Usage(), True, 0
        self.ids: set[tuple[str, str]] = set()

    def take(self, run: Run, models: Mapping[str, str]) -> None:
        for verdict, response in run.judged():
            model = models[model_of(response)]
            self.textless += response is None
            self.collected.add(verdict, model, response.group if response else verdict.id)
            self.examples.add(verdict, model, response)
            self.missing.add(verdict, model, response)
            self.listed.add(verdict, model, response)
            self.evaluators[verdict.evaluator] += 1
            self.ids.add((model, verdict.id))
            self.cached += verdict.cached
            self.usage += verdict.usage
            self.priced &= verdict.usage.cost is not None or not verdict.usage.calls

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(model for model, _ in self.collected.cells))


_NAMED = 4
"""Evaluators that are named before the others are only counted."""


def _facts(run: _Seen, audits: Audits, evaluator: Fitted | None) -> tuple[Fact, ...]:
    counts = {status: run.missing.count(status) for status in STATUSES}
    without, given = sum(counts.values()), run.missing.count("ok")
    parts = ", ".join(f"{n:,} {status}" for status, n in counts.items() if n)
    values = {value for _, value in run.collected.cells}
    facts = [
        Fact("Responses", f"{len(run.ids):,}"),
        Fact("Values", f"{len(values):,}"),
        Fact("Verdicts", f"{given:,}", f"of {given + without:,} asked for"),
        Fact("Without a verdict", f"{without:,}" + (f" ({_percent(without / (given + without))})" if without else ""), parts),
    ]
    if len(run.models) > 1:
        facts.insert(0, Fact("Models", f"{len(run.models):,}"))
    if run.usage.calls:
        facts.append(
            Fact("Cost", _dollars(run.usage.cost), f"{run.usage.calls:,} calls" + ("" if run.priced else ", some of unknown price"))
        )
    if audits.samples or audits.open:
        left = [f"{sum(audits.open.values()):,} still to label: until then those profiles stand without"] * bool(audits.open)
        left += [f"{audits.untold:,} could not be told"] * bool(audits.untold)
        facts.append(Fact("Audited", f"{sum(a.n for a in audits.samples.values()):,}", "; ".join(left)))
    names = [name for name in run.evaluators if name]
    if names:
        notes = []
        if len(names) > 1:
            more = ", ".join(names[1:_NAMED]) if len(names) <= _NAMED else f"{len(names) - 1} more"
            notes = [f"and {more}: where runs differ, it may be their evaluators that do"]
        notes += [_checked(evaluator)] if evaluator is not None and evaluator.settings.calls else []
        facts.append(Fact("Evaluator", names[0], "; ".join(notes)))
    return tuple(facts)


def _checked(evaluator: Fitted) -> str:
    """When its large model was last found to be the one of the calibration."""
    if not evaluator.checks:
        return "never checked for drift"
    last = evaluator.checks[-1]
    found = "its large model had moved" if last.moved else "its large model was as it had been"
    return f"last checked for drift on {last.at:%Y-%m-%d}: {found}"


def _percent(share: float) -> str:
    return "under 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _dollars(cost: float | None) -> str:
    if cost is None:
        return "price not known"
    return "under $0.01" if 0 < cost < 0.01 else f"${cost:,.2f}"


def _examples_section(run: _Seen, found: Sequence[Finding], names: Mapping[str, str]) -> Section | None:
    models = run.models
    groups = []
    for value in dict.fromkeys(f.value for f in found):
        cards = run.examples.cards(value, names.get(value, value), models=len(models) > 1)
        if cards:
            groups.append(CardGroup(names.get(value, value), cards))
    if not groups:
        return None
    text = "The surest verdicts of each label, and borderline ones, with what they rest on; marked words are the evidence. "
    if run.textless:
        told = sum(run.missing.outcomes.values())
        which = "Only quotes are shown" if run.textless == told else f"Of {run.textless:,} of {told:,} verdicts only quotes can be shown"
        text += f"{which}: name the file of responses to see whole texts."
    return Section("examples", "Examples", text, groups=tuple(groups))
