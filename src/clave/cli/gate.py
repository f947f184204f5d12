"""`clave gate`: whether a model's values keep bounds, as an exit code for continuous integration.

clave gate verdicts.jsonl --require 'care: net >= 0.2' --require 'privacy: oppose <= 5%' --junit gate.xml
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from xml.etree import ElementTree

import typer
from rich.table import Table
from rich.text import Text

from clave.cli import options as opt
from clave.cli.bundles import WHOLE, bundled, source_of
from clave.cli.terminal import Terminal, say_json
from clave.cli.trusting import read_evaluator

if TYPE_CHECKING:
    from clave.files.source import ResponseSource
    from clave.profile.requirements import BoundResult, State
    from clave.profile.study import Finding

BROKEN = 1
"""Exit code where a bound is broken."""
UNTOLD = 3
"""Exit code where none is broken, and of one there is too little data to tell."""
_SAID: dict[State, str] = {"kept": "kept", "broken": "NOT KEPT", "untold": "cannot tell"}


@bundled(source=source_of, without=WHOLE)
def gate(
    verdicts: Annotated[list[Path], typer.Argument(help="One or more files of verdicts, e.g. one per model.", show_default=False)],
    require: Annotated[
        list[str],
        typer.Option(
            "--require", help="A bound on net, adhere, oppose, unrelated or relevance: 'care: net >= 0.2', 'all: oppose <= 5%'; repeatable."
        ),
    ],
    responses: Annotated[
        list[str] | None,
        typer.Option("--responses", "-r", help="The evaluated responses, with scenarios and models; once for each file of verdicts."),
    ] = None,
    evaluator: Annotated[
        str | None,
        typer.Option(
            "--evaluator",
            "-e",
            help="The evaluator that gave the verdicts: profiles are corrected for its errors, and the intervals cover them.",
        ),
    ] = None,
    audit: Annotated[Path | None, typer.Option("--audit", help="Human labels of the responses that `clave audit plan` drew.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Also write the result as JUnit XML.")] = None,
    trust: opt.Trust = False,
    *,
    source: Callable[[str], ResponseSource],
    as_json: opt.Json = False,
) -> None:
    """Check bounds on values by their 95 % intervals. Exit code 0: all are met; 1: one is broken; 3: too little data to tell."""
    from clave.io.replacing import keep_apart
    from clave.profile.requirements import check, requirement

    if junit is not None:
        keep_apart(junit, [*verdicts, *(responses or ()), *(() if audit is None else (audit,))])
    wanted = [requirement(text) for text in require]
    found, names = _profiles(verdicts, [source(path) for path in responses or ()], evaluator, audit, trust)
    outcomes = check(found, wanted, names)
    if junit is not None:
        _write_junit(junit, outcomes)
    if as_json:
        say_json([outcome.model_dump(mode="json") for outcome in outcomes])
    else:
        _show(outcomes)
    states = {outcome.state for outcome in outcomes}
    if "broken" in states:
        raise typer.Exit(BROKEN)
    if "untold" in states:
        raise typer.Exit(UNTOLD)


def _profiles(
    verdicts: list[Path], responses: list[ResponseSource], evaluator: str | None, audit: Path | None, trust: bool
) -> tuple[list[Finding], dict[str, str]]:
    """The profile of each model, and the names of the values that were asked for."""
    from clave.profile.auditing import read_audits
    from clave.profile.known import known_of
    from clave.profile.study import Verdicts, findings
    from clave.report.runs import Texts, in_order, model_names, model_of, paired

    runs = paired(verdicts, [Texts(source.responses(), source.path) for source in responses])
    named = model_names(runs)
    seen, evaluators = Verdicts(in_order(named)), set[str]()
    for run, models in zip(runs, named, strict=True):
        for verdict, response in run.judged():
            seen.add(verdict, models[model_of(response)], response.group if response else verdict.id)
            evaluators.add(verdict.evaluator)
    names = {value: name for run in runs if run.manifest is not None for value, name in run.manifest.values.items()}
    known = known_of(read_evaluator(evaluator, trust=trust), sorted(evaluators)) if evaluator is not None else None
    audits = read_audits(audit, seen.rows()) if audit is not None else None
    return findings(seen, known=known, audits=audits), names


def _show(outcomes: Sequence[BoundResult]) -> None:
    table = Table(**opt.NARROW)
    for column in ("bound", "model", "", "why"):
        table.add_column(column, overflow="fold")
    before = ""
    for outcome in outcomes:
        bound = f"{outcome.value}: {outcome.requirement.text.partition(':')[2].strip()}"
        missing = f"; {outcome.without_verdict} without a verdict" if outcome.without_verdict else ""
        why = f"{outcome.reason} ({outcome.method}{missing})"
        table.add_row(Text(bound), Text(outcome.model), Text(_SAID[outcome.state]), Text("as above" if why == before else why))
        before = why
    Terminal().print(table)


def _write_junit(path: Path, outcomes: Sequence[BoundResult]) -> None:
    """One test case a bound, model and value: broken is a failure, too little data an error."""
    from clave.text.plain import clean

    counts = {state: str(sum(o.state == state for o in outcomes)) for state in ("broken", "untold")}
    suite = ElementTree.Element(
        "testsuite", name="clave gate", tests=str(len(outcomes)), failures=counts["broken"], errors=counts["untold"], skipped="0"
    )
    for outcome in outcomes:
        name = clean(f"{outcome.value}: {outcome.requirement.text}")
        case = ElementTree.SubElement(suite, "testcase", classname=clean(f"clave.gate.{outcome.model or 'responses'}"), name=name)
        if outcome.state != "kept":
            kind = "failure" if outcome.state == "broken" else "error"
            ElementTree.SubElement(case, kind, message=clean(outcome.reason)).text = clean(f"{outcome.reason} ({outcome.method})")
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n")
