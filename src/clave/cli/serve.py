"""`clave serve`: saved evaluators over HTTP.

clave serve evaluator --token-file tokens.txt
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clave.cli import options as opt
from clave.cli.annotate import LOOPBACK, refuse_taken
from clave.cli.bundles import bundled, call_options
from clave.cli.terminal import say
from clave.cli.trusting import open_evaluator
from clave.errors import InputError, require

if TYPE_CHECKING:
    from clave.evaluator import Clave
    from clave.llm.opening import ChatOptions
    from clave.server.access import Tokens


@bundled(chat=call_options)
def serve(
    evaluators: Annotated[list[str], typer.Argument(metavar="EVALUATOR…", help="Folders of evaluators, or org/name on the Hub.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8100,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            help="File of bearer tokens, one per line; dollars=5 or calls=10000 after a token gives it a budget. See also CLAVE_TOKENS.",
        ),
    ] = None,
    open_to_all: Annotated[bool, typer.Option("--open", help="Serve without tokens, on this machine's own address only.")] = False,
    queue: Annotated[int, typer.Option("--queue", min=1, help="Responses under way at once, at most; further requests get 429.")] = 2000,
    trust: opt.Trust = False,
    jobs: Annotated[
        str | None,
        typer.Option("--jobs", help="Database of jobs: an SQLite file or a SQLAlchemy URL.", show_default="jobs.sqlite beside the cache"),
    ] = None,
    job_queue: Annotated[
        int, typer.Option("--job-queue", min=1, help="Maximum number of responses in unfinished jobs; further jobs get 429.")
    ] = 100_000,
    *,
    chat: ChatOptions,
) -> None:
    """Serve evaluators over HTTP: verdicts, jobs, moderations, metrics."""
    for module in ("fastapi", "uvicorn", "prometheus_client", "sqlalchemy"):
        require(module, "serve")
    from clave.llm.cache import default_cache
    from clave.server.access import Tokens, read_tokens
    from clave.server.app import build_app
    from clave.server.job_store import JobStore
    from clave.server.running import run

    tokens = read_tokens(token_file)
    if not tokens and not open_to_all:
        raise InputError("there is no token: name some in CLAVE_TOKENS or --token-file, or say --open to serve this machine without")
    if open_to_all and (tokens or host not in LOOPBACK):
        raise InputError(
            "--open serves without tokens, on this machine's own address alone: leave out --open, or leave out the tokens and --host"
        )
    named = _named(evaluators)
    guard = Tokens(tokens) if tokens else None
    refuse_taken(host, port)
    loaded = {name: open_evaluator(place, trust=trust, **chat) for name, place in named.items()}
    if guard is not None:
        _check_prices(loaded, guard)
    store = JobStore(jobs or str(Path(chat["cache"] or default_cache()).with_name("jobs.sqlite")))
    app = build_app(loaded, guard, hosts=LOOPBACK if open_to_all else None, queue=queue, jobs=store, job_queue=job_queue)
    for name, clave in loaded.items():
        say(f"{name}: {clave.name}, {', '.join(clave.values)}")
    say(f"at http://{f'[{host}]' if ':' in host else host}:{port}/v1/verdicts; Ctrl-C ends it.")
    run(app, host, port)


def _check_prices(evaluators: Mapping[str, Clave], tokens: Tokens) -> None:
    """A budget in dollars cannot hold where a price is not known.

    Raises:
        InputError: Some token has one, and some price is not.
    """
    if all(account.dollars is None for account in tokens.accounts.values()):
        return
    for name, clave in evaluators.items():
        if clave.settings.calls and clave.ledger.price(1000, 1000) is None:
            raise InputError(
                f"the price of {clave.settings.model} ({name}) is not known, so a budget in dollars cannot hold: give --prices"
            )


def _named(places: list[str]) -> dict[str, str]:
    """Evaluators under the last part of their path: how requests name them.

    Raises:
        InputError: Two would have one name.
    """
    named: dict[str, str] = {}
    for place in places:
        name = Path(place).resolve().name if Path(place).exists() else place.rpartition("/")[2]
        if name in named:
            raise InputError(f"two evaluators would be called {name!r}, {named[name]} and {place}: rename a folder")
        named[name] = place
    return named
