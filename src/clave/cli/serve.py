"""`clave serve`: saved evaluators over HTTP.

clave serve evaluator --token-file tokens.txt
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clave.cli.annotate import LOOPBACK, refuse_taken
from clave.cli.bundles import bundled, call_options
from clave.cli.terminal import say
from clave.errors import InputError, require

if TYPE_CHECKING:
    from clave.llm.opening import ChatOptions


@bundled(chat=call_options)
def serve(
    evaluators: Annotated[list[str], typer.Argument(metavar="EVALUATOR…", help="Folders of evaluators, or org/name on the Hub.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8100,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="A bearer token a line; CLAVE_TOKENS names some, too, separated by commas.")
    ] = None,
    open_to_all: Annotated[bool, typer.Option("--open", help="No token is needed; on this machine's own address alone.")] = False,
    queue: Annotated[int, typer.Option("--queue", min=1, help="Responses under way at once; more are answered with 429.")] = 2000,
    *,
    chat: ChatOptions,
) -> None:
    """Serve evaluators over HTTP: verdicts, moderations, metrics."""
    for module in ("fastapi", "uvicorn", "prometheus_client"):
        require(module, "serve")
    from clave.evaluator import Clave
    from clave.server.access import Tokens, read_tokens
    from clave.server.app import build_app
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
    loaded = {name: Clave.from_pretrained(place, **chat) for name, place in named.items()}
    app = build_app(loaded, guard, hosts=LOOPBACK if open_to_all else None, queue=queue)
    for name, clave in loaded.items():
        say(f"{name}: {clave.name}, {', '.join(clave.values)}")
    say(f"at http://{f'[{host}]' if ':' in host else host}:{port}/v1/verdicts; Ctrl-C ends it.")
    run(app, host, port)


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
