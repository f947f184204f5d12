"""`clave check`: is the large model behind an evaluator still the one it was calibrated with?"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from clave.cli import options as opt
from clave.cli.bundles import bundled, call_options
from clave.cli.terminal import Terminal, say, say_json
from clave.cli.trusting import open_evaluator, read_evaluator
from clave.errors import InputError

if TYPE_CHECKING:
    from clave.files.estimating import CostEstimate
    from clave.llm.opening import ChatOptions

MOVED = 1
"""Exit code where another model answers than at the calibration."""


@bundled(chat=call_options, without=("cache",))
def check(
    evaluator: Annotated[str, typer.Argument(help="Folder of a calibrated evaluator, or org/name on the Hub.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation before making calls.")] = False,
    trust: opt.Trust = False,
    *,
    chat: ChatOptions,
    as_json: opt.Json = False,
) -> None:
    """Check whether an evaluator's model has changed since the calibration, by asking its questions again. Exit code 1 if it has."""
    from clave.cli.progress import stages
    from clave.files.estimating import estimate_check
    from clave.saving import add_check

    fitted = read_evaluator(evaluator, trust=trust)
    if not fitted.settings.calls:
        why = f"{fitted.name} has no large model: there is nothing that could move"
        _tell({"evaluator": fitted.name, "moved": False, "why": why}, as_json)
        return
    past_the_cache: ChatOptions = {**chat, "cache": ""}
    clave = open_evaluator(evaluator, trust=trust, **past_the_cache)
    price = _price(asyncio.run(estimate_check(clave)))
    if not yes:
        _ask(price)
    elif not as_json:
        Terminal(stderr=True).print(Text(price), soft_wrap=True)
    with stages(clave.ledger, transient=True) as tick:
        found = clave.check(progress=tick)
    if Path(evaluator).is_dir():
        add_check(Path(evaluator), found)
    _tell({"evaluator": fitted.name, **found.model_dump(mode="json")}, as_json)
    if found.moved:
        raise typer.Exit(MOVED)


def _price(estimate: CostEstimate) -> str:
    cost = "at a price that is not known (give it with --prices)" if estimate.cost is None else f"about ${estimate.cost:,.4f}"
    tokens = estimate.prompt_tokens + estimate.completion_tokens
    return f"Up to {estimate.calls:,} calls, about {tokens:,} tokens, {cost}; half of it where nothing has changed."


def _ask(price: str) -> None:
    """Have a person agree to the price.

    Raises:
        InputError: Nobody is there to agree.
        Exit: They do not.
    """
    if not sys.stdin.isatty():
        raise InputError(f"{price} Nothing was asked: say --yes to go on")
    if not typer.confirm(f"{price} Go on?", err=True):
        raise typer.Exit(2)


def _tell(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(found)
    else:
        say(f"{found['why'][:1].upper()}{found['why'][1:]}.")
