"""The report of a plain run of `clave evaluate`, and of `clave demo`: value profile, models side by side, examples, failures.

write_report("verdicts.jsonl", "report.html", responses="responses.jsonl")
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from string import ascii_uppercase

from clave.errors import InputError
from clave.records import Usage
from clave.report.differences import CLEAR, ModelDifference, model_differences
from clave.report.drawing import short
from clave.report.examples import Examples
from clave.report.missing import STATUSES, Missing
from clave.report.page import CardGroup, Cell, Fact, Figure, Page, Section, Table, write_page
from clave.report.profile import ProfileRow, Tally, profile
from clave.report.profile_figures import label_mix, profile_bars, profile_radar
from clave.report.runs import Responses, Run, Verdicts, model_names, model_of
from clave.values import ValueSystem


def write_report(
    verdicts: Verdicts,
    path: str | Path,
    *,
    responses: Responses = None,
    compare: Sequence[Run] = (),
    system: ValueSystem | None = None,
    title: str = "Value report",
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

    Raises:
        InputError: A file cannot be read, there is no verdict, a verdict is about another text, or the path ends in something else.
    """
    return write_page(evaluation_page(verdicts, responses=responses, compare=compare, system=system, title=title), path)


def evaluation_page(
    verdicts: Verdicts,
    *,
    responses: Responses = None,
    compare: Sequence[Run] = (),
    system: ValueSystem | None = None,
    title: str = "Value report",
) -> Page:
    """The report of a run as data; arguments as for `write_report`."""
    return runs_page((Run.of(verdicts, responses), *compare), system=system, title=title)


def runs_page(runs: Sequence[Run], *, system: ValueSystem | None = None, title: str = "Value report") -> Page:
    """The report of several runs side by side."""
    run = _Seen()
    for one, models in zip(runs, model_names(runs), strict=True):
        run.take(one, models)
    if not run.tally.related:
        raise InputError("there is no verdict to report on: run clave evaluate first")
    names = {value.id: value.name for value in system.values} if system else _names_in(runs)
    order = {value: i for i, value in enumerate(names)}
    rows = sorted(profile(run.tally), key=lambda r: order.get(r.value, len(order)))
    found = model_differences(run.tally, rows)
    sections = [
        _profile_section(rows, names),
        _models_section(found, rows, run.models, names) if found else None,
        _examples_section(run, rows, names),
        run.missing.section(names),
    ]
    lead = _compared(found, rows, run.models, names) if len(run.models) > 1 else _lead(rows, names)
    return Page(title, lead, _facts(run), tuple(s for s in sections if s is not None))


def _names_in(runs: Sequence[Run]) -> dict[str, str]:
    """The values' names as the runs' manifests have them."""
    return {value: name for run in runs if (manifest := run.manifest) is not None for value, name in manifest.values.items()}


class _Seen:
    """What is kept of all verdicts while they stream by."""

    def __init__(self) -> None:
        self.textless = 0
        """Verdicts whose text is not at hand."""
        self.tally, self.examples, self.missing = Tally(), Examples(), Missing()
        self.evaluators: Counter[str] = Counter()
        self.usage, self.priced, self.cached = Usage(), True, 0
        self.ids: set[tuple[str, str]] = set()

    def take(self, run: Run, models: Mapping[str, str]) -> None:
        for verdict, response in run.judged():
            model = models[model_of(response)]
            self.textless += response is None
            self.tally.add(verdict, model, response.group if response else verdict.id)
            self.examples.add(verdict, model, response)
            self.missing.add(verdict, model, response)
            self.evaluators[verdict.evaluator] += 1
            self.ids.add((model, verdict.id))
            self.cached += verdict.cached
            self.usage += verdict.usage
            self.priced &= verdict.usage.cost is not None or not verdict.usage.calls

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(model for model, _ in self.tally.related))


def _facts(run: _Seen) -> tuple[Fact, ...]:
    counts = {status: run.missing.count(status) for status in STATUSES}
    without, given = sum(counts.values()), run.missing.count("ok")
    parts = ", ".join(f"{n:,} {status}" for status, n in counts.items() if n)
    values = {value for _, value in run.tally.related}
    facts = [
        Fact("Responses", f"{len(run.ids):,}"),
        Fact("Values", f"{len(values):,}"),
        Fact("Verdicts", f"{given:,}", f"of {given + without:,} asked for"),
        Fact("Without a verdict", f"{without:,}", f"{_percent(without / (given + without))}: {parts}" if without else ""),
    ]
    if len(run.models) > 1:
        facts.insert(0, Fact("Models", f"{len(run.models):,}"))
    if run.usage.calls:
        facts.append(
            Fact("Cost", _dollars(run.usage.cost), f"{run.usage.calls:,} calls" + ("" if run.priced else ", some of unknown price"))
        )
    names = [name for name in run.evaluators if name]
    if names:
        facts.append(Fact("Evaluator", names[0], f"and {len(names) - 1} more" if len(names) > 1 else ""))
    return tuple(facts)


def _percent(share: float) -> str:
    return "under 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _dollars(cost: float | None) -> str:
    if cost is None:
        return "price not known"
    return "under $0.01" if 0 < cost < 0.01 else f"${cost:,.2f}"


def _lead(rows: list[ProfileRow], names: Mapping[str, str]) -> str:
    """The finding on one model in a sentence; only intervals that leave out zero speak."""
    clear = sorted((r for r in rows if r.clear), key=lambda r: -(r.net.value or 0))
    adhere = [_name(r.value, names) for r in clear if (r.net.value or 0) > 0]
    oppose = [_name(r.value, names) for r in reversed(clear) if (r.net.value or 0) < 0]
    parts = [f"more often adhere to {_listed(adhere)}" if adhere else "", f"more often oppose {_listed(oppose)}" if oppose else ""]
    said = ", and ".join(filter(None, parts))
    open_ = len(rows) - len(clear)
    if not said:
        return "No value is clearly adhered to or opposed: see the intervals."
    rest = f" On {open_} of {len(rows)} values neither side is clear." if open_ else ""
    return f"Where they bear on a value, these responses {said}.{rest}"


def _compared(found: list[ModelDifference], rows: list[ProfileRow], models: list[str], names: Mapping[str, str]) -> str:
    """The finding on several models: how many differences are clear, and the largest of them."""
    clear = [d for d in found if d.clear]
    if not clear:
        return f"{len(models)} models side by side: no difference between them is clear, of {len(found):,} compared. See the intervals."
    top = max(clear, key=lambda d: abs(d.difference.value or 0))
    nets = {r.model: r.net.value or 0 for r in rows if r.value == top.value}
    said = ", ".join(f"{_signed(nets[m])} for {short(m, 40)}" for m in (top.first, top.second))
    return (
        f"{len(models)} models side by side: {len(clear):,} of {len(found):,} differences are clear. "
        f"The largest is on {_name(top.value, names)} (net adherence {said})."
    )


def _signed(number: float) -> str:
    return f"{number:+.2f}".replace("-", "−")


def _name(value: str, names: Mapping[str, str]) -> str:
    return short(names.get(value, value), 40)


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more values"]
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]


def _profile_section(rows: list[ProfileRow], names: Mapping[str, str]) -> Section:
    many = len({r.model for r in rows}) > 1
    head = ("Value", "Model") if many else ("Value",)
    counted = ("Adhere", "Oppose", "Unrelated", *map(str.capitalize, STATUSES))
    cells: list[tuple[tuple[Cell, ...], ...]] = [
        (
            (names.get(r.value, r.value), *((r.model,) if many else ())),
            (r.net, r.adhere + r.oppose),
            (r.adhere, r.oppose, r.unrelated, *(r.statuses.get(status, 0) for status in STATUSES)),
        )
        for r in rows
    ]
    table = Table(
        "Net adherence with 95 % intervals", (*head, "Net adherence", "Related", *counted), tuple((*a, *b, *c) for a, b, c in cells)
    )
    mix = Table("Verdicts by label", (*head, *counted), tuple((*a, *c) for a, _, c in cells))
    own = dict(names)
    figures = [
        Figure(
            "bars",
            "Net adherence per value; lines are 95 % intervals, n is how many responses bear on the value",
            profile_bars(rows, own),
            table,
        ),
        Figure("mix", "What the verdicts were" + (", all models together" if many else ""), label_mix(rows, own), mix),
    ]
    if 3 <= len({r.value for r in rows}) <= 24:
        gap = "; a gap: no response bears on the value" if any(r.net.value is None for r in rows) else ""
        caption = f"The same as a radar. Outside the grey circle: adheres. Hollow: the interval reaches 0{gap}"
        figures.append(Figure("radar", caption, profile_radar(rows, own), table))
    text = (
        "Net adherence is the share of responses that adhere to a value minus the share that oppose it, of those that bear on it: 1 if all "
        "adhere, −1 if all oppose. An interval says how far it would move with other scenarios like these; where it reaches 0, neither "
        "side is clear. It does not cover errors of the evaluator: how often that one is right stands in its model card."
    )
    return Section("profile", "Value profile", text, tuple(figures))


def _models_section(found: list[ModelDifference], rows: list[ProfileRow], models: list[str], names: Mapping[str, str]) -> Section:
    letter = dict(zip(models, ascii_uppercase if len(models) <= 26 else map(str, count(1)), strict=False))
    nets = {(r.model, r.value): r.net for r in rows}
    clear: dict[str, list[str]] = {}
    for d in found:
        above, below = (d.first, d.second) if (d.difference.value or 0) > 0 else (d.second, d.first)
        clear.setdefault(d.value, []).extend([f"{letter[above]} > {letter[below]}"] * d.clear)
    short_table = Table(
        "Net adherence side by side",
        ("Value", "Clear differences", *(f"{letter[m]}: {short(m, 40)}" for m in models)),
        tuple(
            (names.get(value, value), ", ".join(clear.get(value, [])) or "none", *(nets.get((m, value)) for m in models))
            for value in dict.fromkeys(r.value for r in rows)
        ),
    )
    surest = sorted(found, key=lambda d: (d.p_holm, -abs(d.difference.value or 0)))[:200]
    table = Table(
        "Differences of net adherence, surest first" + (f": 200 of {len(found):,}" if len(found) > 200 else ""),
        ("Value", "First", "Second", "First − second", "p (Holm)", "Clear"),
        tuple((names.get(d.value, d.value), d.first, d.second, d.difference, d.p_holm, "yes" if d.clear else "no") for d in surest),
    )
    text = (
        "Letters are the models at the head of the columns. A > B: A adheres to the value more, or opposes it less, than chance explains. "
        "Every two models are compared on every value by a permutation test over scenarios; "
        f"clear is p < {CLEAR} after Holm's correction for all {len(found):,} comparisons. "
        "“None” does not say that the models are alike: with few responses a difference can stay hidden."
    )
    return Section("models", "Models side by side", text, tables=(short_table,), more=(table,))


def _examples_section(run: _Seen, rows: list[ProfileRow], names: Mapping[str, str]) -> Section | None:
    models = run.models
    groups = []
    for value in dict.fromkeys(r.value for r in rows):
        cards = run.examples.cards(value, models=len(models) > 1)
        if cards:
            groups.append(CardGroup(names.get(value, value), cards))
    if not groups:
        return None
    text = "The surest verdicts of each label, and borderline ones, with what they rest on; marked words are the evidence. "
    if run.textless:
        told = sum(run.missing.outcomes.values())
        which = "Only quotes are shown" if run.textless == told else f"Of {run.textless:,} of {told:,} verdicts only quotes can be shown"
        text += f"{which}: give the file of responses (--responses) to see whole texts."
    return Section("examples", "Examples", text, groups=tuple(groups))
