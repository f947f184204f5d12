"""The report of a plain run of `clave evaluate`, and of `clave demo`: value profile, models side by side, examples, failures.

write_report("verdicts.jsonl", "report.html", responses="responses.jsonl")
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from clave.errors import InputError
from clave.io.samples import read_responses
from clave.io.verdicts import read_verdicts
from clave.records import Response, Usage, Verdict
from clave.report.examples import Examples
from clave.report.page import Card, CardGroup, Fact, Figure, Page, Section, Table, write_page
from clave.report.profile import ProfileRow, Tally, model_differences, profile
from clave.report.profile_figures import label_mix, profile_bars, profile_radar
from clave.values import ValueSystem

Verdicts = str | Path | Iterable[Verdict]
Responses = str | Path | Iterable[Response] | None


def write_report(
    verdicts: Verdicts,
    path: str | Path,
    *,
    responses: Responses = None,
    compare: Mapping[str, Verdicts] | None = None,
    system: ValueSystem | None = None,
    title: str = "Value report",
) -> Path:
    """Write the report of a run as `.html`, `.md` or `.json`, by the ending of the path.

    Args:
        verdicts: Verdicts, or a file of them.
        path: Where to write.
        responses: The responses behind them, or their file: for their text, their scenarios (intervals resample scenarios) and their
            metadata `model`, by which models are told apart. Without them the page shows the quotes that stand in the verdicts.
        compare: Further runs by name, to stand beside the first; their responses are looked up by id in the same `responses`.
        system: The value system, for the names of the values.
        title: The heading.

    Raises:
        InputError: A file cannot be read, there is no verdict, or the path ends in something else.
    """
    return write_page(evaluation_page(verdicts, responses=responses, compare=compare, system=system, title=title), path)


def evaluation_page(
    verdicts: Verdicts,
    *,
    responses: Responses = None,
    compare: Mapping[str, Verdicts] | None = None,
    system: ValueSystem | None = None,
    title: str = "Value report",
) -> Page:
    """The report of a run as data; arguments as for `write_report`."""
    texts = {r.id: r for r in _responses(responses)}
    run = _Run(texts)
    run.take(verdicts, Path(verdicts).stem if isinstance(verdicts, str | Path) and compare else "")
    for name, others in (compare or {}).items():
        run.take(others, name)
    if not run.tally.related:
        raise InputError("there is no verdict to report on: run clave evaluate first")
    rows = profile(run.tally)
    names = {value.id: value.name for value in system.values} if system else {}
    sections = [
        _profile_section(rows, names),
        _models_section(run.tally, names),
        _examples_section(run, rows, names),
        _missing_section(run),
    ]
    return Page(title, _lead(rows, run, names), _facts(run), tuple(s for s in sections if s is not None))


def _responses(responses: Responses) -> Iterable[Response]:
    if responses is None:
        return ()
    return read_responses(responses) if isinstance(responses, str | Path) else responses


class _Run:
    """What is kept of all verdicts while they stream by."""

    def __init__(self, texts: Mapping[str, Response]) -> None:
        self.texts = texts
        self.tally, self.examples = Tally(), Examples()
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.missing: list[Verdict] = []
        self.flags: Counter[str] = Counter()
        self.evaluators: Counter[str] = Counter()
        self.usage, self.priced, self.cached = Usage(), True, 0
        self.ids: set[tuple[str, str]] = set()

    def take(self, verdicts: Verdicts, name: str) -> None:
        for verdict in read_verdicts(verdicts) if isinstance(verdicts, str | Path) else verdicts:
            response = self.texts.get(verdict.id)
            own = str(response.metadata["model"]) if response and response.metadata.get("model") else ""
            model = " · ".join(dict.fromkeys(filter(None, (name, own)))) or "all responses"
            self.tally.add(verdict, model, response.group if response else verdict.id)
            self.examples.add(verdict, model)
            self.statuses[verdict.status] += 1
            self.flags.update(verdict.flags)
            self.evaluators[verdict.evaluator] += 1
            self.ids.add((model, verdict.id))
            self.cached += verdict.cached
            self.usage += verdict.usage
            self.priced &= verdict.usage.cost is not None or not verdict.usage.calls
            if verdict.status != "ok":
                self.reasons[verdict.status, verdict.reason] += 1
                if len(self.missing) < 10:
                    self.missing.append(verdict)

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(model for model, _ in self.tally.related))


def _facts(run: _Run) -> tuple[Fact, ...]:
    total = run.statuses.total()
    without = total - run.statuses["ok"]
    parts = ", ".join(f"{n:,} {status}" for status, n in sorted(run.statuses.items()) if status != "ok")
    values = {value for _, value in run.tally.related}
    facts = [
        Fact("Responses", f"{len(run.ids):,}"),
        Fact("Values", f"{len(values):,}"),
        Fact("Verdicts", f"{run.statuses['ok']:,}", f"of {total:,} asked for"),
        Fact("Without a verdict", f"{without:,}", parts),
    ]
    if len(run.models) > 1:
        facts.insert(1, Fact("Models", f"{len(run.models):,}"))
    if run.usage.calls:
        cost = f"${run.usage.cost:,.2f}" if run.usage.cost is not None else "price not known"
        facts.append(Fact("Cost", cost, f"{run.usage.calls:,} calls" + ("" if run.priced else ", some of unknown price")))
    names = [name for name in run.evaluators if name]
    if names:
        facts.append(Fact("Evaluator", names[0], f"and {len(names) - 1} more" if len(names) > 1 else ""))
    return tuple(facts)


def _lead(rows: list[ProfileRow], run: _Run, names: Mapping[str, str]) -> str:
    """The finding in one sentence; only of intervals that leave out zero."""
    if len(run.models) > 1:
        return f"{len(run.models)} models side by side: which values their responses show, and which differences are more than chance."
    clear = [r for r in rows if r.share.low is not None and r.share.high is not None and (r.share.low > 0 or r.share.high < 0)]
    adhere = [names.get(r.value, r.value) for r in sorted(clear, key=lambda r: -(r.share.value or 0)) if (r.share.value or 0) > 0]
    oppose = [names.get(r.value, r.value) for r in sorted(clear, key=lambda r: r.share.value or 0) if (r.share.value or 0) < 0]
    parts = [f"more often adhere to {_listed(adhere)}" if adhere else "", f"more often oppose {_listed(oppose)}" if oppose else ""]
    said = " and ".join(filter(None, parts))
    return (
        f"Where they bear on a value, these responses {said}." if said else "No value is clearly adhered to or opposed: see the intervals."
    )


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more values"]
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]


def _profile_section(rows: list[ProfileRow], names: Mapping[str, str]) -> Section:
    many = len({r.model for r in rows}) > 1
    head = (("Value", "Model") if many else ("Value",), ("Share", "Related", "Adhere", "Oppose", "Unrelated", "No verdict"))
    table = Table(
        "Adhere minus oppose, of related verdicts, with 95 % intervals",
        (*head[0], *head[1]),
        tuple(
            (
                names.get(r.value, r.value),
                *((r.model,) if many else ()),
                r.share,
                r.adhere + r.oppose,
                r.adhere,
                r.oppose,
                r.unrelated,
                sum(r.statuses.values()),
            )
            for r in rows
        ),
    )
    own = dict(names)
    figures = [Figure("bars", "Adhere minus oppose per value; lines are 95 % intervals over scenarios", profile_bars(rows, own), table)]
    columns = ("Value", *(("Model",) if many else ()), "Adhere", "Oppose", "Unrelated", "No verdict")
    drop = len(head[0])
    mix = Table("Verdicts by label", columns, tuple((*row[:drop], *row[drop + 2 :]) for row in table.rows))
    figures.append(Figure("mix", "What the verdicts were" + (", all models together" if many else ""), label_mix(rows, own), mix))
    if 3 <= len({r.value for r in rows}) <= 24:
        figures.append(Figure("radar", "The same as a radar: outside the grey circle adheres", profile_radar(rows, own), table))
    text = (
        "A response adheres to a value, opposes it, or is unrelated to it. The share counts only responses that bear on the value: "
        "1 means all of them adhere, −1 all oppose, 0 as many of either. Short intervals are sure; an interval across 0 says that "
        "neither side is clear. Responses without a verdict are in no share."
    )
    return Section("profile", "Value profile", text, tuple(figures))


def _models_section(tally: Tally, names: Mapping[str, str]) -> Section | None:
    found = model_differences(tally)
    if not found:
        return None
    found.sort(key=lambda d: (1.0 if d.p_holm is None else d.p_holm, -abs(d.difference.value or 0)))
    table = Table(
        "Difference of shares, surest first",
        ("Value", "First", "Second", "First − second", "p (Holm)", "Clear"),
        tuple(
            (
                names.get(d.value, d.value),
                d.first,
                d.second,
                d.difference,
                d.p_holm,
                "yes" if d.p_holm is not None and d.p_holm < 0.05 else "no",
            )
            for d in found[:200]
        ),
    )
    text = (
        "Every two models on every value, scenarios resampled together, p-values corrected for their number by Holm's method. "
        "“Clear” means p below 0.05."
    ) + ("" if len(found) <= 200 else f" The 200 surest of {len(found):,} are shown.")
    return Section("models", "Models side by side", text, tables=(table,))


def _clear(p: float | None) -> str:
    return "yes" if p is not None and p < 0.05 else "no"


def _examples_section(run: _Run, rows: list[ProfileRow], names: Mapping[str, str]) -> Section | None:
    models = run.models
    texts = {(model, identity): run.texts[identity] for identity in run.examples.ids() if identity in run.texts for model in models}
    groups = []
    for value in dict.fromkeys(r.value for r in rows):
        cards = run.examples.cards(value, texts, models=len(models) > 1)
        if cards:
            groups.append(CardGroup(names.get(value, value), cards))
    if not groups:
        return None
    text = "The surest verdicts of each label, and borderline ones, with what they rest on; marked words are the evidence. "
    if not run.texts:
        text += "Only quotes are shown: give the file of responses (--responses) to see whole texts."
    return Section("examples", "Examples", text, groups=tuple(groups))


def _missing_section(run: _Run) -> Section | None:
    if not run.reasons and not run.flags:
        return None
    tables = []
    if run.reasons:
        common = run.reasons.most_common(15)
        tables.append(Table("Why there is no verdict", ("Status", "Reason", "Verdicts"), tuple((s, r or "–", n) for (s, r), n in common)))
    if run.flags:
        tables.append(Table("Flags on verdicts", ("Flag", "Verdicts"), tuple(run.flags.most_common(15))))
    cards = tuple(Card(title=f"{v.id} · {v.value}", label=v.status, note=v.reason) for v in run.missing if v.status != "abstained")
    groups = (CardGroup("The first failures and refusals", cards),) if cards else ()
    text = (
        "A failed or refused verdict is never counted as a label. "
        "Abstained means that the evaluator was not sure enough: a person should look."
    )
    return Section("missing", "Without a verdict", text, tables=tuple(tables), groups=groups)
