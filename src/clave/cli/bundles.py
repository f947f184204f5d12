"""Options that belong together: a command asks for what they mean and gets them all.

@bundled(chat=call_options)
def evaluate(responses: str, *, chat: ChatOptions) -> None: ...        # has --base-url, --concurrency, --budget and so on
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clave.cli import options as opt
from clave.errors import InputError

if TYPE_CHECKING:
    from clave.files.batch import Sending
    from clave.files.source import ResponseSource
    from clave.io.rows import OnError
    from clave.llm.opening import ChatOptions
    from clave.records import LabelledResponse
    from clave.values import ValueSystem


def bundled(*, without: tuple[str, ...] = (), **bundles: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options in the signatures of its bundles.

    Args:
        without: Options of the bundles that this command does not have; they keep their defaults.
        **bundles: Parameter of the command -> the function that makes its value of the options. An option that two bundles
            share goes to both.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = {name: _options(bundle, without) for name, bundle in bundles.items()}
        parameters: dict[str, inspect.Parameter] = {}
        for parameter in _parameters(command, bundles):
            for shown in own[parameter.name] if parameter.name in bundles else (parameter,):
                parameters.setdefault(shown.name, shown)

        @functools.wraps(command)
        def wrapper(*args: Any, **given: Any) -> None:
            made = {name: bundle(**{o.name: given[o.name] for o in own[name] if o.name in given}) for name, bundle in bundles.items()}
            bundled_names = {o.name for taken in own.values() for o in taken}
            command(*args, **{name: value for name, value in given.items() if name not in bundled_names}, **made)

        options = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters.values()]
        wrapper.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in options}
        return wrapper

    return decorate


def _options(bundle: Callable[..., Any], without: tuple[str, ...]) -> list[inspect.Parameter]:
    return [p for p in _parameters(bundle) if p.name not in without]


def _parameters(command: Callable[..., Any], unread: typing.Container[str] = ()) -> Iterator[inspect.Parameter]:
    """Parameters with their annotations as objects, but for those that typer is not shown."""
    names = vars(inspect.getmodule(command))
    for name, parameter in inspect.signature(command).parameters.items():
        read = isinstance(parameter.annotation, str) and name not in unread
        yield parameter.replace(annotation=eval(parameter.annotation, names)) if read else parameter  # noqa: S307 - our own source


def call_options(
    base_url: opt.BaseUrl = None,
    concurrency: opt.Concurrency = 32,
    max_retries: opt.MaxRetries = 6,
    timeout: opt.Timeout = 120.0,
    max_tokens: opt.MaxTokens = 4096,
    budget: opt.Budget = None,
    prices: opt.Prices = None,
    cache: opt.Cache = None,
) -> ChatOptions:
    """How calls are made."""
    return {
        "base_url": base_url,
        "concurrency": concurrency,
        "max_retries": max_retries,
        "timeout": timeout,
        "max_tokens": max_tokens,
        "budget": budget,
        "prices": None if prices is None else str(prices),
        "cache": cache,
    }


def server_options(base_url: opt.BaseUrl = None, prices: opt.Prices = None, cache: opt.Cache = None) -> ChatOptions:
    """Whose answers and prices are meant, where no call is made."""
    return {"base_url": base_url, "prices": None if prices is None else str(prices), "cache": cache}


def source_of(
    mapping: opt.Map = None,
    turns: opt.Turns = "last",
    limit: opt.Limit = None,
    shard: opt.Shard = None,
    on_error: opt.OnError = "stop",
) -> Callable[[str], ResponseSource]:
    """How responses are read: the source that a path names."""
    from clave.files.source import ResponseSource

    columns, part = opt.mapping(mapping), opt.shard(shard)
    judged = opt.one_of("--turns", turns, "last", "all")
    policy = opt.one_of("--on-error", on_error, "stop", "skip")
    return lambda path: ResponseSource(path, columns, judged, policy, limit, part)


def sending_of(
    batch: opt.Batch = False,
    ask_first: opt.AskFirst = False,
    batch_rows: opt.BatchRows = 50_000,
    batch_megabytes: opt.BatchMegabytes = 200.0,
    max_tokens: opt.MaxTokens = 4096,
) -> Sending | None:
    """How requests go into batches; None: they are calls.

    Raises:
        InputError: There are options of batches, and no batch.
    """
    from clave.files.batch import Sending

    sending = Sending(ask_first, batch_rows, int(batch_megabytes * 1e6), max_tokens)
    if not batch and sending != Sending(max_tokens=max_tokens):
        raise InputError("--ask-first, --batch-rows and --batch-megabytes say how batches are sent: add --batch")
    return sending if batch else None


WHOLE = ("limit", "shard", "on_error")
"""Options of `source_of` that a command has no use for which looks up the texts of verdicts."""


def labels_of(
    values: opt.Values = None,
    fold_column: opt.FoldColumn = None,
    mapping: opt.Map = None,
    label_names: opt.LabelNames = None,
    control: opt.Control = None,
    on_error: opt.OnError = "stop",
) -> Labels:
    """How labels are read."""
    chosen = None if values is None else tuple(opt.names(values))
    policy = opt.one_of("--on-error", on_error, "stop", "skip")
    return Labels(chosen, fold_column, opt.mapping(mapping), opt.label_names(label_names), control, policy)


@dataclass(frozen=True)
class Labels:
    """How a file of labels is read; see `clave.io.read_labels`."""

    values: tuple[str, ...] | None
    fold_column: str | None
    mapping: dict[str, str]
    label_names: dict[str, str]
    control: str | None
    on_error: OnError

    def read(self, path: str, system: ValueSystem) -> tuple[list[LabelledResponse], int]:
        """The labels of the chosen values, and how many bad rows were skipped.

        Raises:
            InputError: There is no label, a row is bad, or a value is not of the system.
        """
        from clave.io import Skipped, read_labels

        subset = system.subset(list(system.by_id if self.values is None else self.values))
        skipped = Skipped()
        rows = read_labels(
            path,
            values=system.by_id,
            mapping=self.mapping,
            label_names=self.label_names,
            control=self.control,
            fold_column=self.fold_column,
            on_error=self.on_error,
            skipped=skipped,
        )
        kept = [row for row in rows if row.value in subset]
        if not kept:
            raise InputError(f"{path}: there are no labels in it" + (f" for {', '.join(self.values)}" if self.values else ""))
        return kept, skipped.count
