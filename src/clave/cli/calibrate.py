"""`clave calibrate`, `clave refit` and `clave pool`: make an evaluator from labels, take edits up, look at its concepts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from clave.cli import options as opt
from clave.cli.bundles import Labels, bundled, call_options, labels_of
from clave.cli.terminal import Terminal, say_json
from clave.cli.trusting import asking
from clave.errors import InputError

if TYPE_CHECKING:
    from clave.fitting.fitted import Fitted
    from clave.llm.ledger import Ledger
    from clave.llm.opening import ChatOptions
    from clave.scoring.statistics import Estimate
    from clave.settings import Feature

pool_app = typer.Typer(no_args_is_help=True, help="The concept pool of an evaluator.")


@bundled(read=labels_of, chat=call_options)
def calibrate(
    labels: Annotated[str, typer.Argument(help="Labelled responses: .jsonl, .csv, .parquet or hf://org/name:split; long or wide.")],
    system: Annotated[str, typer.Option("--system", help="Value system: schwartz, mft, social_risk or a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the evaluator.")],
    model: opt.Model = "none",
    guideline: opt.Guideline = True,
    examples: opt.Examples = 4,
    calls: opt.Calls = "auto",
    features: Annotated[str, typer.Option("--features", help="What the recognizer may use: stance,concepts,text.")] = "stance,concepts",
    recognizer: opt.Recognizer = "head",
    base: opt.Base = "",
    method: opt.Method = None,
    epochs: opt.Epochs = None,
    shows: opt.Shows = None,
    encoder: Annotated[str | None, typer.Option("--encoder", help="A sentence-transformers model, by name or folder.")] = None,
    folds: opt.Folds = 3,
    seed: Annotated[int, typer.Option("--seed", help="Seed of folds and fitting.")] = 0,
    *,
    read: Labels,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Calibrate an evaluator on labelled responses (6 to 100 per value) and save it."""
    from clave.cli.progress import stages
    from clave.evaluator import Clave
    from clave.saving import refuse_occupied
    from clave.settings import DEFAULT_ENCODER, Settings
    from clave.values import ValueSystem

    refuse_occupied(output)
    settings = Settings(
        model=model,
        guideline=guideline,
        examples=examples,
        ask=opt.ask(calls),
        recognizer=recognizer,
        training=opt.training(recognizer, base, method, epochs, shows),
        features=feature_names(features),
        encoder=encoder or DEFAULT_ENCODER,
        folds=folds,
        seed=seed,
    )
    loaded = ValueSystem.load(system)
    rows, skipped = read.read(labels, loaded)
    if shows == "guideline" and not (guideline and (settings.calls or any(v.guideline for v in loaded.values))):
        raise InputError("--shows guideline: there is none; name a --model that writes one, or a system that has one")
    clave = Clave(loaded, settings=settings, **chat)
    with stages(clave.ledger) as tick:
        clave.fit(rows, given_folds=read.fold_column is not None, progress=tick)
    clave.save(output)
    fitted = clave.fitted
    assert fitted is not None
    show(fitted, clave.ledger, output, skipped, as_json, chat["base_url"])


def feature_names(text: str) -> tuple[Feature, ...]:
    """`"stance,concepts"` as a tuple."""
    from clave.settings import FEATURES

    return tuple(opt.one_of("--features", name, *FEATURES) for name in opt.names(text) or ("",))


def show(fitted: Fitted, ledger: Ledger | None, folder: Path, skipped: int, as_json: bool, base_url: str | None = None) -> None:
    """Cross-validated scores, and what to do next; an evaluator does not keep the address of a server, so it is to be given again."""
    came = fitted.provenance
    if as_json:
        say_json({"evaluator": fitted.name, "folder": str(folder), "skipped_rows": skipped, **came.model_dump(mode="json")})
        return
    title = f"{fitted.name}, cross-validated, with 95 % intervals"
    table = Table(title=title, title_justify="left", **opt.NARROW)
    for column in ("value", "labels", "accuracy", "majority", "macro-F1"):
        table.add_column(column, justify="left" if column == "value" else "right", no_wrap=True)
    for value, scores in came.scores.items():
        majority = "" if scores.majority is None else f"{scores.majority.value:.2f}"
        cells = [Text(_interval(scores.accuracy)), Text(majority), Text(_interval(scores.macro_f1))]
        table.add_row(value, str(scores.accuracy.n), *cells, end_section=value == "all")
    console = Terminal()
    console.print(table)
    notes = []
    doubtful = [value for value, scores in came.scores.items() if not scores.better]
    if doubtful:
        notes.append(
            f"WARNING: {', '.join(doubtful)}: not shown to be right more often than saying the most frequent label every time (column "
            "majority). Its verdicts there say little: label more samples, of every label, or name a --model."
        )
    if came.disputed:
        notes.append(f"{came.disputed} samples left out: their annotators disagree without a majority")
    if skipped:
        notes.append(f"{skipped} bad rows skipped")
    if came.failed:
        kinds = ", ".join(f"{n} {kind}" for kind, n in came.failed.items())
        notes.append(f"{sum(came.failed.values())} samples left out: the large model failed ({kinds})")
    notes += [f"{value}: no sample is labelled {' or '.join(labels)}" for value, labels in came.unseen_labels.items()]
    if ledger is not None and fitted.settings.calls:
        notes.append(money(ledger))
    for note in notes:
        console.print(Text(note))
    server = f" --base-url {shlex.quote(base_url)}" if base_url and fitted.settings.calls else ""
    following = f"clave evaluate responses.jsonl --evaluator {shlex.quote(str(folder))}{server} -o verdicts.jsonl"
    console.print(Text(f"Saved to {folder}. Next: {following}"), soft_wrap=True)


def _interval(score: Estimate | None) -> str:
    """A score and its interval; samples of one scenario have none, and folders of an earlier version lack some scores."""
    if score is None or score.value is None:
        return ""
    return f"{score.value:.2f}" + ("" if score.low is None else f" [{score.low:.2f}, {score.high:.2f}]")


def money(ledger: Any) -> str:
    """Calls, cache hits, tokens, money in one line."""
    trouble = "".join(f", {n} x {kind}" for kind, n in sorted(ledger.trouble.items()))
    asked = f"{ledger.calls:,} calls, {ledger.cache_hits:,} from the cache{trouble}"
    if not ledger.calls:
        return asked
    cost = f"${ledger.cost:.4f}" if not ledger.unpriced else "price not known"
    return f"{asked}, {(ledger.prompt_tokens + ledger.completion_tokens):,} tokens, {cost}"


def refit(
    folder: Annotated[Path, typer.Argument(help="Folder of the evaluator.")], trust: opt.Trust = False, as_json: opt.Json = False
) -> None:
    """Fit again after you have edited guidelines or concepts.jsonl. Makes no calls."""
    from clave.saving import refit_folder

    show(asking(lambda trusted: refit_folder(folder, trust=trusted), trust), None, folder, 0, as_json)


@pool_app.command("show")
def pool_show(
    folder: Annotated[Path, typer.Argument(help="Folder of the evaluator.")],
    value: Annotated[str | None, typer.Option("--value", help="Only this value.")] = None,
    trust: opt.Trust = False,
    as_json: opt.Json = False,
) -> None:
    """Print the pool: each concept with what people said of the samples behind it."""
    from clave.records import LABELS
    from clave.saving import load

    fitted = asking(lambda trusted: load(folder, trust=trusted), trust)
    if value is not None:
        fitted.system[value]
    pool = fitted.learnt.pool
    if pool is None:
        raise InputError(f"{folder} was made without a large model and has no concepts")
    concepts = sorted((c for c in pool.concepts if value in (None, c.value)), key=lambda c: (c.value, -sum(c.labels.values()), c.text))
    if as_json:
        say_json([c.model_dump() for c in concepts])
        return
    table = Table(
        title=f"{len(concepts)} concepts; a response's concept maps to the nearest above similarity {pool.threshold:g}",
        title_justify="left",
        **opt.NARROW,
    )
    table.add_column("value")
    table.add_column("concept", overflow="fold")
    for label in LABELS:
        table.add_column(label, justify="right")
    for concept in concepts:
        table.add_row(concept.value, Text(concept.text), *(str(concept.labels.get(label, "")) for label in LABELS))
    Terminal().print(table)
