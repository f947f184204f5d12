"""`clave audit plan`: which responses people should label so that a value profile can be trusted, and how many.

clave audit plan verdicts.jsonl --responses responses.jsonl --half-width 0.1 -o audit.jsonl
clave annotate --system mft --responses audit.jsonl --overlap 0
clave report verdicts.jsonl --responses responses.jsonl --audit labels.jsonl
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from clave.cli import options as opt
from clave.cli.bundles import WHOLE, bundled, source_of
from clave.cli.terminal import Terminal, say_json

if TYPE_CHECKING:
    from clave.files.source import ResponseSource
    from clave.profile.planning import AuditPlan
    from clave.records import Response

audit_app = typer.Typer(no_args_is_help=True)
OUT_OF_REACH = 1
"""Exit code where a wish cannot be had of these verdicts, for a profile or a pair of models."""


@audit_app.callback()
def audit() -> None:
    """Audit a profile: plan which responses to label."""


@audit_app.command()
@bundled(source=source_of, without=WHOLE)
def plan(
    verdicts: Annotated[list[Path], typer.Argument(help="One or more files of verdicts (.jsonl, .parquet).", show_default=False)],
    responses: Annotated[list[str], typer.Option("--responses", "-r", help="The evaluated responses; once for each file of verdicts.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Responses to label, .jsonl, for clave annotate --responses.")] = Path(
        "audit.jsonl"
    ),
    half_width: Annotated[
        float | None, typer.Option("--half-width", min=0.001, max=1, help="Goal: net adherence of each model and value to within ± this.")
    ] = None,
    labels: Annotated[int | None, typer.Option("--labels", min=1, help="Goal: the best precision that this many labels can reach.")] = None,
    difference: Annotated[
        float | None,
        typer.Option("--difference", min=0.001, max=2, help="Goal: detect a difference of this size in net adherence between models."),
    ] = None,
    power: Annotated[float, typer.Option("--power", min=0.05, max=0.99, help="With --difference: share of studies that detect it.")] = 0.8,
    audit: Annotated[Path | None, typer.Option("--audit", help="Labels of earlier rounds: draw what is still missing.")] = None,
    values: opt.Values = None,
    seed: Annotated[int, typer.Option(help="Seed for drawing responses.")] = 0,
    *,
    source: Callable[[str], ResponseSource],
    as_json: opt.Json = False,
) -> None:
    """Show how many labels a study needs and how precise it will be, and draw the responses to label. Makes no calls."""
    from clave.errors import InputError
    from clave.io import write_jsonl
    from clave.io.replacing import keep_apart
    from clave.profile.auditing import read_audits
    from clave.profile.planning import planned
    from clave.profile.study import Verdicts
    from clave.report.runs import Texts, in_order, model_names, model_of, paired

    if sum(wish is not None for wish in (half_width, labels, difference)) != 1:
        raise InputError("say what is wanted with one of --half-width, --labels and --difference")
    if output.suffix != ".jsonl":
        raise InputError(f"{output}: responses to label are written to a .jsonl file")
    keep_apart(output, [*verdicts, *responses, *(() if audit is None else (audit,))])
    texts = [Texts(source(path).responses(), path) for path in responses]
    runs = paired(verdicts, texts)
    named = model_names(runs)
    seen = Verdicts(in_order(named))
    by_model: dict[str, dict[str, Response]] = {}
    for run, models in zip(runs, named, strict=True):
        for verdict, response in run.judged():
            model = models[model_of(response)]
            seen.add(verdict, model, response.group if response else verdict.id)
            if response is not None:
                by_model.setdefault(model, {})[verdict.id] = response
    wanted = None if values is None else {v.strip() for v in values.split(",")}
    cells = [rows for rows in seen.rows() if wanted is None or rows.value in wanted]
    if not cells:
        raise InputError("no verdict gives a label: there is nothing to audit")
    found = planned(
        cells,
        half_width=half_width,
        labels=labels,
        difference=difference,
        power=power,
        audits=read_audits(audit, cells) if audit else None,
    )
    drawn = found.draw(by_model, seed=seed)
    if drawn:
        write_jsonl(output, drawn)
    _show(found, output, len(drawn), as_json)


def _show(found: AuditPlan, output: Path, drawn: int, as_json: bool) -> None:
    if as_json:
        say_json({"output": str(output) if drawn else None, "drawn": drawn, **found.figures()})
    else:
        _show_table(found, output, drawn)
    if not found.reached:
        raise typer.Exit(OUT_OF_REACH)


def _show_table(found: AuditPlan, output: Path, drawn: int) -> None:
    console = Terminal()
    many = len({cell.model for cell in found.cells}) > 1
    table = Table(title="Labels that the study needs", title_justify="left", **opt.NARROW)
    for column in (*(("model",) if many else ()), "value"):
        table.add_column(column)
    for column in ("verdicts", "labels", "new", "net ±", "± if all labelled"):
        table.add_column(column, justify="right")
    for cell in found.cells:
        names = (cell.model, cell.value) if many else (cell.value,)
        widths = ("–" if cell.half_width is None else f"{cell.half_width:.2f}", f"{cell.least:.2f}")
        table.add_row(*names, f"{cell.verdicts:,}", f"{cell.labels:,}", f"{cell.new:,}", *widths)
    console.print(table)
    for sentence in found.sentences():
        console.print(Text(sentence), soft_wrap=True)
    if not drawn:
        if found.reached:
            console.print(Text("The labels of earlier rounds are enough: there is nothing more to draw."))
        return
    most = max(sum(c.new for c in found.cells if c.value == value) for value in {c.value for c in found.cells})
    command = shlex.join(["clave", "annotate", "--responses", str(output), "--overlap", "0", "--target", str(most), "--system", "…"])
    console.print(Text(f"{drawn:,} responses to label in {output}. Label all of them: {command}"), soft_wrap=True)
