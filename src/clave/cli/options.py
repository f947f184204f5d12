"""Options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box

from clave.errors import InputError
from clave.evaluating.stream import INTERRUPTED

if TYPE_CHECKING:
    from clave.settings import Ask, Training

STOPPED_EARLY = 3
"""Exit code of a run that the budget ended."""
NARROW: dict[str, Any] = {"box": box.SIMPLE_HEAD, "show_edge": False, "padding": (0, 1, 0, 0)}
"""Of tables whose figures must fit into 80 columns."""

Model = Annotated[
    str, typer.Option("--model", help="Large model as provider/model (openai/gpt-4o-mini, ollama/qwen3, …); none = no calls.")
]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="Address of an OpenAI-compatible server.", rich_help_panel="Calls")]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, help="Maximum number of concurrent calls.", rich_help_panel="Calls")]
MaxRetries = Annotated[int, typer.Option("--max-retries", min=0, help="Retries of a failed call, at most.", rich_help_panel="Calls")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, help="Timeout of each attempt, in seconds.", rich_help_panel="Calls")]
MaxTokens = Annotated[
    int,
    typer.Option(
        "--max-tokens",
        min=1,
        help="Token limit when an answer that was cut off is asked for again, reasoning included.",
        rich_help_panel="Calls",
    ),
]
Budget = Annotated[
    float | None,
    typer.Option("--budget", min=0, help="Limit in US dollars; no call is started beyond it.", rich_help_panel="Calls"),
]
Prices = Annotated[
    Path | None,
    typer.Option("--prices", help="YAML file: model -> {input, output} in dollars per million tokens.", rich_help_panel="Calls"),
]
Cache = Annotated[
    str | None,
    typer.Option(
        "--cache",
        help="SQLite file of cached answers; '' disables the cache.",
        show_default="in the user's cache folder",
        rich_help_panel="Calls",
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help="Rename a column: column=field, e.g. answer=response; repeatable.", rich_help_panel="Input"),
]
LabelNames = Annotated[
    str | None,
    typer.Option("--label-names", help="Names of the labels in the file, e.g. 1=adhere,0=unrelated,-1=oppose.", rich_help_panel="Input"),
]
Control = Annotated[
    str | None,
    typer.Option(
        "--control",
        help="Control (Label Studio) or question (Argilla) that holds the label, in exports of these tools.",
        rich_help_panel="Input",
    ),
]
Turns = Annotated[
    str, typer.Option("--turns", help="Which of the assistant's turns in a conversation to judge: last | all.", rich_help_panel="Input")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Read at most this many responses.", rich_help_panel="Input")]
Shard = Annotated[
    str | None, typer.Option("--shard", help="Only the i-th of n parts, as i/n; assigned by a hash of the ids.", rich_help_panel="Input")
]
OnError = Annotated[str, typer.Option("--on-error", help="What to do with a bad row: stop | skip.", rich_help_panel="Input")]
Recognizer = Annotated[
    str, typer.Option("--recognizer", help="The small model: head, encoder, lora or auto.", rich_help_panel="Small model")
]
Base = Annotated[
    str,
    typer.Option("--base", help="Model to fine-tune with encoder or lora: Hub name, folder or .gguf file.", rich_help_panel="Small model"),
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method",
        help="How to fine-tune the encoder: contrastive (as SetFit) | plain (cross-entropy).",
        show_default="contrastive",
        rich_help_panel="Small model",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        min=1,
        help="Passes over the labels when fine-tuning; lora may stop earlier.",
        show_default="3",
        rich_help_panel="Small model",
    ),
]
Shows = Annotated[
    str | None,
    typer.Option(
        "--shows",
        help="What a fine-tuned model reads about the value: name | definition | guideline.",
        show_default="encoder name, lora definition",
        rich_help_panel="Small model",
    ),
]
Values = Annotated[str | None, typer.Option("--values", help="Only these values, e.g. care,fairness.")]
Guideline = Annotated[bool, typer.Option("--guideline/--no-guideline", help="Have the large model write a guideline from the labels.")]
Examples = Annotated[int, typer.Option("--examples", min=0, help="Number of nearest labelled samples in the prompt.")]
Calls = Annotated[
    str,
    typer.Option(
        "--calls", help="auto: all values in one call, then unsure ones one by one | single: one value per call | joint: one call only."
    ),
]
Folds = Annotated[int, typer.Option("--folds", min=2, help="Number of folds for cross-fitting.")]
FoldColumn = Annotated[str | None, typer.Option("--fold-column", help="Column that assigns rows to folds.")]
Batch = Annotated[
    bool, typer.Option("--batch", help="Use the provider's batch API: answers within a day, at half the price.", rich_help_panel="Batches")
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Run on Ray: auto, the address of a cluster, or local to start one here. The output is a folder of parts.",
        rich_help_panel="Cluster",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="With --ray: number of workers.", show_default="the cluster's CPUs", rich_help_panel="Cluster"),
]
BatchRows = Annotated[int, typer.Option("--batch-rows", min=1, help="Maximum number of requests in one batch.", rich_help_panel="Batches")]
BatchMegabytes = Annotated[
    float, typer.Option("--batch-megabytes", min=0.001, help="Maximum size of one batch, in megabytes.", rich_help_panel="Batches")
]
AskFirst = Annotated[
    bool,
    typer.Option(
        "--ask-first",
        help="Send the first request as a call, and write the others in the form that worked.",
        rich_help_panel="Batches",
    ),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Use the models that the evaluator names, even if they are not trusted on this machine.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def training(recognizer: str, base: str, method: str | None = None, epochs: int | None = None, shows: str | None = None) -> Training:
    """How the recognizer is fine-tuned; what was not given keeps its default.

    Raises:
        InputError: An option is given that the recognizer has no use for.
    """
    from clave.recognizers.registry import fine_tuned, recognizer_class
    from clave.settings import Training

    recognizer_class(recognizer)
    given = {"--base": base, "--method": method, "--epochs": epochs, "--shows": shows}
    for name, value in given.items():
        if value and not recognizer_class(recognizer).trains:
            raise InputError(f"{name} is for recognizers that are fine-tuned ({', '.join(fine_tuned())}): {recognizer!r} is not")
    if method and recognizer == "lora":
        raise InputError("--method says how a sentence encoder is fine-tuned: leave it out with --recognizer lora")
    if method:
        one_of("--method", method, "contrastive", "plain")
    if shows:
        one_of("--shows", shows, "name", "definition", "guideline")
    return Training.model_validate({name[2:]: value for name, value in given.items() if value})


def stopped_early(why: str) -> str:
    """What to do about a run that ended before its rows did."""
    mend = "Run the same command to go on." if why == INTERRUPTED else "Run the same command with a larger --budget to go on."
    return f"Stopped early: {why}. {mend}"


def exit_code(why: str) -> int:
    """Of a run that ended early: by Ctrl-C as a shell expects it, else by its budget."""
    return 130 if why == INTERRUPTED else STOPPED_EARLY


def ask(calls: str) -> Ask:
    """`--calls` as the setting `ask`."""
    from clave.settings import ASKS

    found: Ask = one_of("--calls", calls, *ASKS)
    return found


def mapping(pairs: list[str] | None) -> dict[str, str]:
    """`["answer=response"]` -> `{"answer": "response"}`."""
    result: dict[str, str] = {}
    for pair in pairs or []:
        column, equals, target = pair.rpartition("=")
        if not equals or not column or not target:
            raise InputError(f"--map {pair!r} must be written column=field, e.g. answer=response")
        if result.get(column, target) != target:
            raise InputError(f"--map names column {column!r} twice, as {result[column]!r} and as {target!r}: give it one field")
        result[column] = target
    return result


def label_names(text: str | None) -> dict[str, str]:
    """`"1=adhere,-1=oppose"` -> `{"1": "adhere", "-1": "oppose"}`."""
    result: dict[str, str] = {}
    for pair in (text or "").split(",") if text else ():
        name, equals, label = pair.rpartition("=")
        if not equals or not name.strip() or not label.strip():
            raise InputError(f"--label-names {pair!r} must be written name=label, e.g. 1=adhere,0=unrelated,-1=oppose")
        if result.setdefault(name.strip(), label.strip()) != label.strip():
            raise InputError(f"--label-names gives {name.strip()!r} two labels, {result[name.strip()]} and {label.strip()}: give it one")
    return result


def shard(text: str | None) -> tuple[int, int] | None:
    """`"3/16"` -> `(3, 16)`."""
    part, slash, parts = (text or "").partition("/")
    if text is None:
        return None
    if not slash or not part.isdecimal() or not parts.isdecimal():
        raise InputError(f"--shard {text!r} must be written i/n, e.g. 3/16 for the third of sixteen parts")
    return int(part), int(parts)


def names(text: str) -> list[str]:
    """`"care, fairness"` -> `["care", "fairness"]`."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def one_of(name: str, value: str, *allowed: str) -> Any:
    """Check a choice."""
    if value not in allowed:
        raise InputError(f"{name} {value!r} is not one of {', '.join(allowed)}")
    return value
