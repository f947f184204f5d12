"""`clave evaluate` and `clave estimate`: responses in, verdicts out, and what it will cost."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from clave.cli import options as opt
from clave.cli.bundles import Labels, bundled, call_options, labels_of, sending_of, server_options, source_of
from clave.cli.terminal import Terminal, say, say_json
from clave.cli.trusting import open_evaluator, read_evaluator
from clave.cli.wording import in_options

if TYPE_CHECKING:
    from clave.evaluator import Clave
    from clave.files.batch import Sending
    from clave.files.evaluating import Summary
    from clave.files.source import ResponseSource
    from clave.fitting.prevalence import Prevalence
    from clave.llm.opening import ChatOptions
    from clave.records import Progress

Responses = Annotated[str, typer.Argument(help="Responses: .jsonl, .csv, .parquet, hf://org/name:split, or - for JSONL on stdin.")]
Evaluator = Annotated[str | None, typer.Option("--evaluator", "-e", help="Folder of a calibrated evaluator, or org/name on the Hub.")]
System = Annotated[str | None, typer.Option("--system", help="Without --evaluator: value system for zero-shot verdicts.")]
NO_VERDICT = 1
"""Exit code of a run after which nothing in the file has a verdict."""


@bundled(source=source_of, chat=call_options, sending=sending_of)
def evaluate(
    responses: Responses,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File of verdicts: .jsonl (appended, resumable), .parquet or .csv; - prints them.")
    ],
    evaluator: Evaluator = None,
    system: System = None,
    model: opt.Model = "none",
    calls: opt.Calls = "auto",
    min_confidence: Annotated[float, typer.Option("--min-confidence", help="Abstain below this probability.")] = 0.0,
    coverage: Annotated[
        float,
        typer.Option("--coverage", help="Share of each value's verdicts to keep; abstain on the rest, the least certain ones."),
    ] = 1.0,
    abstain_novel: Annotated[
        bool, typer.Option("--abstain-novel", help="Abstain on responses unlike the labelled samples, such as those in another language.")
    ] = False,
    cascade: Annotated[
        str | None,
        typer.Option("--cascade", help="Folder of an evaluator without a large model, which answers where it is certain enough."),
    ] = None,
    risk: Annotated[
        float, typer.Option("--risk", help="With --cascade: largest share of wrong verdicts of the small model, per value.")
    ] = 0.1,
    prevalence: Annotated[
        str | None,
        typer.Option(
            "--prevalence",
            help="Expected shares of adhere/oppose/unrelated, e.g. 0.1/0.05/0.85, or by value; auto: estimated from the run.",
        ),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Evaluate again the responses that failed before.")] = False,
    trust: opt.Trust = False,
    cluster: opt.Cluster = None,
    workers: opt.Workers = None,
    *,
    source: Callable[[str], ResponseSource],
    chat: ChatOptions,
    sending: Sending | None,
    as_json: opt.Json = False,
) -> None:
    """Evaluate responses: one verdict for each response and value. Run the same command again to resume."""
    from clave.cascade import Cascade, prevalence_in
    from clave.cli.progress import stages
    from clave.errors import InputError
    from clave.files.evaluating import EvaluateOptions, evaluate_file

    if cascade is not None and sending is not None:
        raise InputError("--batch asks the large model for everything: leave --cascade out, or evaluate without --batch")
    if cluster is not None and (evaluator is None or cascade is not None or sending is not None or prevalence or coverage < 1):
        raise InputError("--ray is for an --evaluator, without --cascade, --batch, --coverage or --prevalence")
    clave = opened(evaluator, system, model, calls, chat, trust=trust)
    asked = source(responses)
    shift = _prevalence(prevalence, clave)
    small = open_evaluator(cascade, trust=trust) if cascade else None
    balance = None if isinstance(shift, str) else shift
    if small is not None and isinstance(shift, str):  # where the small one may answer must be known beforehand; it takes no calls
        if asked.once:
            raise InputError("--prevalence auto reads the responses twice with --cascade: name a file in place of -, or give the shares")
        balance = prevalence_in(small, asked.responses())
    both = Cascade(small, clave, risk=risk, prevalence=balance) if small is not None else None

    def on_cluster(tick: Progress) -> Summary:
        from clave.integrations.ray_data import evaluate_in_parts

        return evaluate_in_parts(
            asked,
            str(evaluator),
            output,
            workers=workers,
            address=cluster,
            min_confidence=min_confidence,
            abstain_novel=abstain_novel,
            retry_failed=retry_failed,
            trust=True,  # a person was asked when it was opened
            tick=partial(tick, "parts"),
            ledger=clave.ledger,
            **chat,
        )

    async def run(tick: Progress) -> Summary:
        options: EvaluateOptions = {
            "min_confidence": min_confidence,
            "coverage": coverage,
            "abstain_novel": abstain_novel,
            "prevalence": shift,
            "retry_failed": retry_failed,
            "tick": lambda done, total: tick("verdicts", done, total),
        }
        async with clave:
            if sending is None:
                return await evaluate_file(both or clave.judging, asked, output, **options)
            from clave.files.batch import evaluate_in_batches

            counted = partial(tick, "in batches")
            return await evaluate_in_batches(clave.judging, asked, output, sending=sending, batch_tick=counted, tell=_tell, **options)

    with stages(clave.ledger) as tick:
        try:
            summary = asyncio.run(run(tick)) if cluster is None else on_cluster(tick)
        except KeyboardInterrupt:
            if sending is not None:
                _tell("What is with the provider goes on there. The same command waits for it again; nothing is sent twice.")
            raise
    if summary.plain is not None:
        _show_finish(summary, as_json)
    printed = str(output) == "-"
    show(clave, summary, output, as_json)
    if not as_json and not printed:
        columns = [part for column, field in asked.mapping.items() for part in ("--map", f"{column}={field}")]
        read = [*columns, *(("--turns", asked.turns) if asked.turns != "last" else ())]
        texts = [] if responses == "-" else ["--responses", responses, *read]
        corrects = ["--evaluator", evaluator] if evaluator is not None and both is None and summary.plain is None else []
        command = shlex.join(["clave", "report", str(output), *texts, *corrects])
        Terminal().print(Text(f"A page of them with their reasons: {command}"), soft_wrap=True)
    if both is not None:
        Terminal(stderr=as_json or printed).print(Text(both.summary()))
    if summary.stopped:
        raise typer.Exit(opt.exit_code(summary.stopped))
    outcomes = {outcome for _, outcome in summary.counts}
    if outcomes <= {"refused", "failed"}:
        Terminal(stderr=True).print(Text(f"Not one response got a verdict: see the reasons in {output}"), soft_wrap=True)
        if "failed" in outcomes:  # a refusal is an answer
            raise typer.Exit(NO_VERDICT)


def _tell(sentence: str) -> None:
    Terminal(stderr=True).print(Text(sentence), soft_wrap=True)


def _prevalence(text: str | None, clave: Clave) -> Prevalence | None:
    from clave.errors import InputError
    from clave.fitting.prevalence import prevalence_of

    if text is None:
        return None
    if clave.fitted is None:
        raise InputError("--prevalence is for probabilities of a calibrated evaluator: calibrate on labels first")
    return prevalence_of(text, clave.values)


def _show_finish(summary: Summary, as_json: bool) -> None:
    """The share of each value's verdicts that was kept, the balance of labels, and the file of the verdicts as they were before."""
    table = Table(title="Verdicts after --coverage and --prevalence", title_justify="left", **opt.NARROW)
    table.add_column("value")
    table.add_column("kept", justify="right")
    if summary.shifts:
        for column in ("labels: adhere / oppose / unrelated", "these responses"):
            table.add_column(column)
    for value in sorted({value for value, _ in summary.counts}):
        own = {outcome: n for (v, outcome), n in summary.counts.items() if v == value and outcome not in ("failed", "refused")}
        kept = f"{1 - own.get('abstained', 0) / sum(own.values()):.0%}" if own else "–"
        shift = summary.shifts.get(value)
        shares = (shift.calibration, shift.prevalence) if shift is not None else ()
        table.add_row(value, kept, *(" / ".join(f"{s:.2f}" for s in one) for one in shares))
    console = Terminal(stderr=as_json)
    console.print(table)
    console.print(
        Text(f"Verdicts before --coverage and --prevalence are in {summary.plain}: use those to audit or correct profiles."), soft_wrap=True
    )


def opened(evaluator: str | None, system: str | None, model: str, calls: str, options: ChatOptions, *, trust: bool = False) -> Clave:
    """The evaluator that the options name."""
    from clave.errors import InputError
    from clave.evaluator import Clave
    from clave.settings import NO_MODEL, Settings

    if evaluator is not None:
        if system is not None or model != NO_MODEL:
            raise InputError("an evaluator brings its value system and model along: leave --system and --model out")
        return open_evaluator(evaluator, trust=trust, **options)
    if system is None or model == NO_MODEL:
        raise InputError("name a calibrated evaluator with --evaluator, or --system and --model for zero-shot verdicts")
    return Clave(system, settings=Settings(model=model, ask=opt.ask(calls)), **options)


def show(clave: Clave, summary: Summary, output: Path, as_json: bool) -> None:
    """The summary at the end of a run."""
    from clave.cli.calibrate import money

    outcomes = ("adhere", "oppose", "unrelated", "abstained", "refused", "failed")
    values = list(dict.fromkeys(value for value, _ in summary.counts))
    per_value = {v: {o: summary.counts.get((v, o), 0) for o in outcomes} for v in sorted(values)}
    ledger = clave.ledger
    if as_json:
        spent = {
            "calls": ledger.calls,
            "cache_hits": ledger.cache_hits,
            "prompt_tokens": ledger.prompt_tokens,
            "completion_tokens": ledger.completion_tokens,
            "dollars": None if ledger.unpriced else round(ledger.cost, 6),
            "trouble": dict(ledger.trouble),
        }
        data = {
            "evaluator": clave.name,
            "output": str(output),
            "new": summary.new,
            "values": per_value,
            "skipped_rows": summary.skipped.count,
            "stopped": summary.stopped,
            "notes": summary.notes,
            **spent,
        }
        say_json(data, err=str(output) == "-")
        return
    table = Table(title=f"Verdicts of {clave.name}", title_justify="left", **opt.NARROW)
    table.add_column("value", no_wrap=True)
    for column in ("n", *outcomes):
        table.add_column(column, justify="right")
    for value, counts in per_value.items():
        table.add_row(value, str(sum(counts.values())), *(str(counts[o] or "·") for o in outcomes))
    console = Terminal(stderr=str(output) == "-")
    console.print(table)
    if clave.settings.calls:
        console.print(Text(money(ledger)))
    if clave.fitted is None:
        console.print(
            Text("These verdicts are zero-shot and uncalibrated: calibrate on labels with `clave calibrate` to know how far to trust them.")
        )
    failed = sum(counts["failed"] for counts in per_value.values())
    if failed:
        console.print(Text(f"{failed} verdicts failed; their reasons stand in the file. Run again with --retry-failed."))
    for note in summary.notes:
        console.print(Text(in_options(note)))
    if summary.skipped.count:
        console.print(Text(f"{summary.skipped.count} bad rows skipped, e.g. {in_options(summary.skipped.reasons[0])}"))
    if summary.stopped:
        console.print(Text(opt.stopped_early(summary.stopped)))
    console.print(Text(f"{summary.new} new verdicts in {output}"))


@bundled(read=labels_of, source=source_of, chat=server_options, without=("shard", "on_error"))
def estimate(
    responses: Annotated[str | None, typer.Argument(help="Responses to evaluate, as for clave evaluate.")] = None,
    labels: Annotated[str | None, typer.Option("--labels", help="Labels to calibrate on, as for clave calibrate.")] = None,
    evaluator: Evaluator = None,
    system: System = None,
    model: opt.Model = "none",
    guideline: opt.Guideline = True,
    examples: opt.Examples = 4,
    calls: opt.Calls = "auto",
    folds: opt.Folds = 3,
    batch: opt.Batch = False,
    trust: opt.Trust = False,
    *,
    read: Labels,
    source: Callable[[str], ResponseSource],
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Show how many calls, tokens and dollars a calibration or an evaluation would take. Makes no calls."""
    from clave.errors import InputError
    from clave.evaluator import Clave
    from clave.files.estimating import CostEstimate, estimate_calibration, estimate_evaluation
    from clave.llm.chat import OfflineChat
    from clave.llm.opening import open_chat
    from clave.settings import Settings

    if (responses is None) == (labels is None):
        raise InputError("name responses to estimate an evaluation, or --labels to estimate a calibration")
    if labels is not None:
        from clave.values import ValueSystem

        if batch:
            raise InputError("--batch is for evaluations: a calibration needs each answer before it asks the next question")
        if system is None:
            raise InputError("name the value system with --system")
        loaded = ValueSystem.load(system)
        rows, _ = read.read(labels, loaded)
        settings = Settings(model=model, guideline=guideline, examples=examples, ask=opt.ask(calls), folds=folds)
        given = read.fold_column is not None
        result: CostEstimate = asyncio.run(estimate_calibration(loaded, rows, settings, given, open_chat(model, **chat)))
    else:
        if evaluator is not None:
            fitted = read_evaluator(evaluator, trust=trust)
            model = fitted.settings.model
            clave = Clave.of(fitted, chat=OfflineChat(model) if fitted.settings.calls else None)
        else:
            clave = opened(None, system, model, calls, chat)
        counted = open_chat(model, **chat) if clave.settings.calls else None
        result = asyncio.run(estimate_evaluation(clave, source(str(responses)), counted, batch=batch))
    if as_json:
        say(result.model_dump_json())
        return
    cost = "price not known: give it with --prices" if result.cost is None else f"${result.cost:,.4f}"
    table = Table("", "", show_header=False)
    for name, cell in (
        ("calls to make", f"{result.calls:,}"),
        ("answers in the cache", f"{result.cached:,}"),
        ("prompt tokens", f"{result.prompt_tokens:,}"),
        ("completion tokens", f"{result.completion_tokens:,}"),
        ("cost, at half price in batches" if batch else "cost", cost),
        *([("at most, if every answer is cut off once", f"${result.most:,.4f}")] if result.most else []),
        ("estimated from", f"{result.looked_at:,} of {result.total:,}"),
    ):
        table.add_row(name, cell)
    Terminal().print(table)
