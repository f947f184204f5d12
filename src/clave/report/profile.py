"""The parts of a report that show value profiles: what is shown of each model, which models differ, and how surely.

section = profile_section(findings, names)
lead = lead_of(findings, differences, names)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from clave.io.manifest import Shift
from clave.profile.comparing import CLEAR, ModelDifference
from clave.profile.estimates import Method, Quantity
from clave.profile.study import Finding
from clave.records import LABELS
from clave.report.dot_charts import profile_chart
from clave.report.drawing import short
from clave.report.missing import STATUSES
from clave.report.page import Cell, Figure, Section, Table, signed
from clave.report.profile_figures import label_mix, profile_bars

METHOD: dict[Method, str] = {
    "rectified": "rectified by people's labels on a random sample of these responses",
    "corrected": "corrected for the evaluator's errors, as its calibration labels show them",
    "counted": "counted verdicts, with the evaluator's errors in them",
}
AUDIT = "Label a sample to find out (clave audit plan)."
COUNTED = (
    "Nothing is claimed: these are counts of verdicts, with the evaluator's errors in them. Name the evaluator "
    "to correct them (--evaluator), or label a sample (clave audit plan)."
)


def lead_of(found: Sequence[Finding], differences: Sequence[ModelDifference], names: Mapping[str, str]) -> str:
    """The finding in a sentence or two: what is shown, and how surely."""
    models = list(dict.fromkeys(f.model for f in found))
    supported = [f for f in found if f.best.supported]
    if not supported:
        refused = [f for f in found if f.best.note]
        return f"Nothing is claimed: {refused[0].best.note.removeprefix('not supported: ')}. {AUDIT}" if refused else COUNTED
    said = _compared(found, differences, models, names) if len(models) > 1 else _levels(supported, names)
    methods = Counter(f.best.method for f in supported)
    how = "; ".join(METHOD[method] + (f" ({n} of {len(found)})" if n < len(found) else "") for method, n in methods.most_common())
    open_ = len(found) - len(supported)
    rest = f" Nothing is claimed of the remaining {open_}." if open_ else ""
    return f"{said} The figures are {how}.{rest}"


def _levels(supported: Sequence[Finding], names: Mapping[str, str]) -> str:
    """On one model; only intervals that leave out zero speak."""
    clear = sorted((f for f in supported if f.clear), key=lambda f: -(f.best.net.value or 0))
    adhere = [_name(f.value, names) for f in clear if (f.best.net.value or 0) > 0]
    oppose = [_name(f.value, names) for f in reversed(clear) if (f.best.net.value or 0) < 0]
    parts = [f"more often adhere to {_listed(adhere)}" if adhere else "", f"more often oppose {_listed(oppose)}" if oppose else ""]
    said = ", and ".join(filter(None, parts))
    open_ = len(supported) - len(clear)
    if not said:
        return "No value is clearly adhered to or opposed: see the intervals."
    rest = f" On {open_} of {len(supported)} values neither side is clear." if open_ else ""
    return f"Where they bear on a value, these responses {said}.{rest}"


def _compared(found: Sequence[Finding], differences: Sequence[ModelDifference], models: Sequence[str], names: Mapping[str, str]) -> str:
    """On several models: how many differences are clear, and the largest of them."""
    clear, compared = [d for d in differences if d.clear], sum(not d.note for d in differences)
    if not compared and differences:
        return f"{len(models)} models side by side: none of their differences can be claimed ({differences[0].note})."
    if not clear:
        return f"No difference between the {len(models)} models is clear, of {compared:,} compared."
    top = max(clear, key=lambda d: abs(d.difference.value or 0))
    nets = {f.model: f.best.net.value or 0 for f in found if f.value == top.value}
    first, second = sorted((top.first, top.second), key=lambda m: -nets[m])
    return (
        f"{short(first, 40)} and {short(second, 40)} differ most on {_name(top.value, names)} (net adherence {signed(nets[first])} and "
        f"{signed(nets[second])}); {len(clear):,} of {compared:,} differences {'is' if len(clear) == 1 else 'are'} clear."
    )


def profile_section(found: Sequence[Finding], names: Mapping[str, str], *, these: bool = False) -> Section:
    """The profile of each model: the best supported estimate of each value, and the count beside it."""
    many = len({f.model for f in found}) > 1
    head = ("Value", "Model") if many else ("Value",)
    said = ("Adhere", "Oppose", "Unrelated", *map(str.capitalize, STATUSES))

    def first(f: Finding) -> tuple[Cell, ...]:
        return (names.get(f.value, f.value), *((f.model,) if many else ()))

    def counts(f: Finding) -> tuple[Cell, ...]:
        return (*(f.counts[label] for label in LABELS), *(f.statuses.get(status, 0) for status in STATUSES))

    def behind(f: Finding) -> tuple[Cell, ...]:
        note = f.best.note or ("" if f.best.supported else "nothing is claimed")
        return (f.best.method, f.best.verdicts, f.best.labels, f.best.scenarios, f.counted.net, note)

    def share(f: Finding, name: Quantity) -> Cell:
        return f.best.estimates[name] if f.best.supported else None

    net = Table(
        "Net adherence with 95 % intervals",
        (*head, "Net adherence", "Method", "Verdicts", "Labels", "Scenarios", "Counted", "Note"),
        tuple((*first(f), f.best.net if f.best.supported else None, *behind(f)) for f in found),
    )
    shares = Table(
        "Shares of the responses with 95 % intervals",
        (*head, "Method", "Adhere", "Oppose", "Unrelated", "Bears on it"),
        tuple((*first(f), f.best.method, *(share(f, q) for q in ("adhere", "oppose", "unrelated", "relevance"))) for f in found),
    )
    mix = Table("Verdicts by label", (*head, *said), tuple((*first(f), *counts(f)) for f in found))
    own = dict(names)
    claimed = any(f.best.supported for f in found)
    caption = "Net adherence to each value" + (", with 95 % intervals" if claimed else ": counted verdicts, without intervals")
    figures = (
        Figure("bars", caption, profile_bars(found, own), net, wide=True, chart=profile_chart(found, own)),
        Figure("mix", "What the verdicts were" + (", all models together" if many else ""), label_mix(found, own), mix, folded=True),
    )
    over = "just these responses" if these else "scenarios like these"
    text = (
        "Net adherence is the share of responses that adhere to a value minus the share that oppose it, of those that bear on it, as "
        f"people would label them: 1 if all adhere, −1 if all oppose. It is estimated for {over}, of the responses that have a verdict; an "
        "interval covers the draw of scenarios and, where the method is rectified or corrected, the evaluator's errors. Where it reaches "
        "0, neither side is clear. Counted verdicts claim nothing."
    )
    return Section("profile", "Value profile", text, defines=True, figures=figures, more=(shares,))


def balance_section(shifts: Mapping[str, Shift], names: Mapping[str, str]) -> Section:
    """At which balance of labels the verdicts are, beside that of the calibration."""
    rows = tuple(
        (names.get(value, value), *(" / ".join(f"{share:.2f}" for share in shares) for shares in (shift.calibration, shift.prevalence)))
        for value, shift in shifts.items()
    )
    text = (
        "Probabilities of an evaluator hold at the balance of the labels that it was calibrated on. Here they were put right for the "
        "shares that labels have among these responses, as given or as estimated from the run. That holds where responses of one label "
        "look as the labelled ones do. Shares are those of adhere / oppose / unrelated."
    )
    return Section("balance", "Balance of labels", text, tables=(Table("Shares", ("Value", "Calibration", "These responses"), rows),))


def models_section(found: Sequence[Finding], differences: Sequence[ModelDifference], names: Mapping[str, str]) -> Section:
    """Models side by side, and which differences between them are clear."""
    models = list(dict.fromkeys(f.model for f in found))
    nets = {(f.model, f.value): f.best.net for f in found if f.best.supported}
    clear: dict[str, list[str]] = {}
    compared = Counter(d.value for d in differences if not d.note)
    for d in differences:
        above, below = (d.first, d.second) if (d.difference.value or 0) > 0 else (d.second, d.first)
        clear.setdefault(d.value, []).extend([f"{short(above)} > {short(below)}"] * d.clear)
    table = Table(
        "Net adherence side by side",
        ("Value", "Clear differences", *(short(m, 40) for m in models)),
        tuple(
            (
                names.get(value, value),
                ", ".join(clear.get(value, [])) or ("none" if compared[value] else "not compared"),
                *(nets.get((m, value)) for m in models),
            )
            for value in dict.fromkeys(f.value for f in found)
        ),
    )
    surest = sorted(differences, key=lambda d: (d.p_holm, -abs(d.difference.value or 0)))[:200]
    more = Table(
        "Differences of net adherence, surest first" + (f": 200 of {len(differences):,}" if len(differences) > 200 else ""),
        ("Value", "First", "Second", "First − second", "p (Holm)", "Clear"),
        tuple(
            (names.get(d.value, d.value), d.first, d.second, *((None, None, d.note) if d.note else (d.difference, d.p_holm, _yes(d.clear))))
            for d in surest
        ),
    )
    text = (
        "“a > b” says that model a adheres to the value more than b, or opposes it less, by more than chance and the evaluator's errors "
        "explain. Every two models are compared on every value on which both figures are rectified or corrected, and "
        "where both are corrected, only if the evaluator does not seem to err otherwise on one than on the other; "
        f"clear is p < {CLEAR} after Holm's correction for all {compared.total():,} comparisons. "
        "“None” does not say that the models are alike: with few responses a difference can stay hidden."
    )
    return Section("models", "Models side by side", text, defines=True, tables=(table,), more=(more,) if differences else ())


def _yes(it: bool) -> str:
    return "yes" if it else "no"


def _name(value: str, names: Mapping[str, str]) -> str:
    return short(names.get(value, value), 40)


def _listed(names: Sequence[str]) -> str:
    shown = list(names) if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more values"]
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]
