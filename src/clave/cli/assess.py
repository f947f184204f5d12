"""`clave generate` and `clave assess`: have models answer scenarios, and say which values their answers show.

clave generate scenarios.jsonl --model openai/gpt-4o-mini -o responses.jsonl
clave assess --model openai/gpt-4o-mini --model ollama/qwen3 --scenarios scenarios.jsonl --evaluator evaluator -o assessment
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from clave.cli import options as opt
from clave.cli.bundles import bundled, call_options
from clave.cli.terminal import Terminal, say_json
from clave.cli.trusting import open_evaluator
from clave.cli.wording import in_options
from clave.evaluating.stream import INTERRUPTED

if TYPE_CHECKING:
    from clave.assess import Generated, Scenario
    from clave.files.evaluating import Summary
    from clave.llm.cached import CachedChat
    from clave.llm.opening import ChatOptions

Samples = Annotated[int, typer.Option("--samples", "-n", min=1, help="Number of answers to each scenario.")]
SystemPrompt = Annotated[str, typer.Option("--system-prompt", help="Sent before each scenario; @FILE reads it from a file.")]
Temperature = Annotated[float | None, typer.Option("--temperature", min=0, help="Sampling temperature.", show_default="the server's")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the first answer; the k-th has seed + k.")]
MaxTokens = Annotated[int, typer.Option("--max-tokens", min=1, help="Token limit of an answer; a longer one is cut off.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Read at most this many scenarios.")]
ValEval = Annotated[str, typer.Option("--valeval", help="Folder of ValEval, for scenarios like valeval:original.")]


@bundled(chat=call_options, without=("max_tokens",))
def generate(
    scenarios: Annotated[str, typer.Argument(help="Rows with `scenario` or `prompt`: .jsonl, .csv, .parquet, or valeval:SPLIT.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Responses: .jsonl (appended, resumable), .parquet, .csv.")],
    model: Annotated[str, typer.Option("--model", help="The model that answers, provider/model.")],
    samples: Samples = 1,
    system_prompt: SystemPrompt = "",
    temperature: Temperature = None,
    seed: Seed = 0,
    max_tokens: MaxTokens = 1024,
    mapping: opt.Map = None,
    limit: Limit = None,
    valeval: ValEval = "valeval",
    *,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Have a model answer scenarios, and write a file for `clave evaluate`."""
    from clave.assess import read_scenarios, write_responses
    from clave.errors import InputError
    from clave.io.tables import TABLES
    from clave.llm.opening import open_chat

    if output.suffix not in (".jsonl", *TABLES):
        raise InputError(f"{output}: responses are written to a file that ends in .jsonl, {' or '.join(TABLES)}")
    asked = list(read_scenarios(scenarios, valeval=valeval, limit=limit, mapping=opt.mapping(mapping)))
    asked_model = open_chat(model, **chat)
    lines = output.with_suffix(".jsonl")
    made = _generated(asked, asked_model, lines, samples, system_prompt, temperature, seed, max_tokens)
    if output != lines:
        write_responses(lines, output)
    if as_json:
        say_json(_figures(made, asked_model))
    else:
        _tell(made, asked_model)
    if made.stopped:
        raise typer.Exit(opt.exit_code(made.stopped))


@bundled(chat=call_options, without=("max_tokens",))
def assess(
    model: Annotated[list[str], typer.Option("--model", help="A model to assess, provider/model; repeatable.")],
    evaluator: Annotated[str, typer.Option("--evaluator", "-e", help="Folder of a calibrated evaluator, or org/name on the Hub.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for responses, verdicts and the report.")],
    scenarios: Annotated[str, typer.Option("--scenarios", help="A file, or a split of ValEval.")] = "valeval:original",
    samples: Samples = 1,
    system_prompt: SystemPrompt = "",
    temperature: Temperature = None,
    seed: Seed = 0,
    max_tokens: MaxTokens = 1024,
    mapping: opt.Map = None,
    limit: Limit = None,
    tables: Annotated[str | None, typer.Option("--tables", help="Also write responses and verdicts as tables: parquet | csv.")] = None,
    audit: Annotated[Path | None, typer.Option("--audit", help="Human labels of the responses that `clave audit plan` drew.")] = None,
    valeval: ValEval = "valeval",
    evaluator_base_url: Annotated[
        str | None, typer.Option("--evaluator-base-url", help="The server of the evaluator's own model.", rich_help_panel="Calls")
    ] = None,
    trust: opt.Trust = False,
    *,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Find out which values models show in their answers: generate, evaluate and report, with models compared side by side."""
    from clave.assess import assessment_page, read_scenarios, write_responses
    from clave.cli.progress import stages
    from clave.errors import InputError
    from clave.evaluator import Clave
    from clave.files.evaluating import evaluate_file
    from clave.files.source import ResponseSource
    from clave.io import read_responses, read_verdicts
    from clave.llm.ledger import Budget
    from clave.llm.opening import open_chat
    from clave.report.writing import write_page

    suffix = ".jsonl" if tables is None else "." + opt.one_of("--tables", tables, "parquet", "csv")
    models = list(dict.fromkeys(model))
    if len({_file_name(m) for m in models}) < len(models):
        raise InputError("two of the models would share a file name: assess them into two folders")
    asked = list(read_scenarios(scenarios, valeval=valeval, limit=limit, mapping=opt.mapping(mapping)))
    shared: ChatOptions = {**chat, "budget": Budget.of(chat["budget"])}
    its_own: ChatOptions = {**shared, "base_url": evaluator_base_url}
    with _its_own_model():  # told before answers are paid for
        fitted = open_evaluator(evaluator, trust=trust, **its_own).fitted
    assert fitted is not None

    made: list[Generated] = []
    spent: list[dict[str, Any]] = []
    for name in models:
        assessed = open_chat(name, **shared)
        path = output / f"responses-{_file_name(name)}.jsonl"
        made.append(_generated(asked, assessed, path, samples, system_prompt, temperature, seed, max_tokens))
        spent.append(_figures(made[-1], assessed))
        if not as_json:
            _tell(made[-1], assessed)
        if made[-1].stopped == INTERRUPTED:
            raise KeyboardInterrupt
    clave = Clave.of(fitted, **its_own)

    async def evaluate_all(tick: Callable[[str, int, int], None]) -> list[Summary]:
        found: list[Summary] = []
        async with clave:
            for answered in (m for m in made if m.responses):
                seen = partial(tick, "verdicts" if len(made) == 1 else f"verdicts {len(found) + 1}")
                source, verdicts = ResponseSource(str(answered.path)), _verdicts(answered).with_suffix(suffix)
                found.append(await evaluate_file(clave.judging, source, verdicts, tick=seen))
                if suffix != answered.path.suffix:
                    write_responses(answered.path, answered.path.with_suffix(suffix))
                if found[-1].stopped == INTERRUPTED:
                    raise KeyboardInterrupt
        return found

    with _its_own_model(), stages(clave.ledger) as tick:
        summaries = asyncio.run(evaluate_all(tick))
    stopped = next(filter(None, (*(m.stopped for m in made), *(s.stopped for s in summaries))), "")
    files = [m for m in made if m.responses and _verdicts(m).is_file()]
    if not files:
        raise InputError("no model answered a scenario: see the reasons in the files *.unanswered.jsonl")
    page = assessment_page(
        made,
        chain.from_iterable(read_verdicts(_verdicts(m)) for m in files),
        chain.from_iterable(read_responses(m.path) for m in files),
        system=clave.system,
        title="Values of " + (models[0] if len(models) == 1 else f"{len(models)} models"),
        evaluator=clave.fitted,
        audit=audit,
    )
    answered = [m for m in made if m.responses]
    notes = [f"{m.model}: {note}" for m, summary in zip(answered, summaries, strict=True) for note in summary.notes]
    written = write_page(page, output / "report.html")
    if as_json:
        say_json({"models": spent, "evaluator": clave.name, "report": str(written), "stopped": stopped, "notes": notes})
    console = Terminal(stderr=as_json)
    for line in (*notes, page.lead):
        console.print(Text(in_options(line)))
    console.print(Text(f"Report: {written}"), soft_wrap=True)
    if stopped:
        console.print(Text(opt.stopped_early(stopped)))
        raise typer.Exit(opt.exit_code(stopped))


@contextlib.contextmanager
def _its_own_model() -> Iterator[None]:
    """What is said of the evaluator's model names the option that is for its server."""
    from clave.errors import ModelError, argument

    try:
        yield
    except ModelError as error:
        said = str(error).replace(argument("base_url"), "--evaluator-base-url")
        raise ModelError(f"the evaluator's own model (its server: --evaluator-base-url): {said}") from None


def _verdicts(made: Generated) -> Path:
    return made.path.with_name(made.path.name.replace("responses-", "verdicts-", 1))


def _file_name(model: str) -> str:
    return re.sub(r"[^\w.-]+", "-", model)


def _generated(
    asked: list[Scenario],
    chat: CachedChat,
    path: Path,
    samples: int,
    system_prompt: str,
    temperature: float | None,
    seed: int,
    max_tokens: int,
) -> Generated:
    from clave.assess import generate as run
    from clave.cli.progress import stages

    async def whole(tick: Any) -> Generated:
        try:
            return await run(
                asked,
                chat,
                path,
                samples=samples,
                system=_system_prompt(system_prompt),
                temperature=temperature,
                seed=seed,
                max_tokens=max_tokens,
                tick=lambda done, total: tick("responses", done, total),
            )
        finally:
            await chat.close()

    with stages(chat.ledger) as tick:
        return asyncio.run(whole(tick))


def _system_prompt(text: str) -> str:
    from clave.errors import InputError

    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--system-prompt {text}: cannot be read: {error}") from None


def _figures(made: Generated, chat: CachedChat) -> dict[str, Any]:
    """What came of generating, for machines."""
    ledger = chat.ledger
    return {
        "model": made.model,
        "output": str(made.path),
        "new": made.new,
        "responses": made.responses,
        "refused": made.count("refused"),
        "failed": made.count("failed"),
        "stopped": made.stopped,
        "calls": ledger.calls,
        "cache_hits": ledger.cache_hits,
        "dollars": None if ledger.unpriced else round(ledger.cost, 6),
    }


def _tell(made: Generated, chat: CachedChat) -> None:
    from clave.assess import unanswered_path
    from clave.cli.calibrate import money

    console = Terminal()
    refused, failed = made.count("refused"), made.count("failed")
    parts = [f"{made.new} new responses of {made.model} in {made.path} ({made.responses} in all)"]
    parts += [f"{refused} refused"] * bool(refused) + [f"{failed} failed; run again to ask for them"] * bool(failed)
    console.print(Text(f"{'; '.join(parts)}; {money(chat.ledger)}"))
    if made.unanswered:
        console.print(Text(f"Why, for example (all in {unanswered_path(made.path)}): {made.unanswered[0].reason}"))
    if made.stopped:
        console.print(Text(opt.stopped_early(made.stopped)))
