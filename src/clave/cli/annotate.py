"""`clave annotate`, the labelling page, and `clave agreement`, its figures without the page.

clave annotate --system mft --responses responses.jsonl
clave agreement labels.jsonl
"""

from __future__ import annotations

import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clave.cli import options as opt
from clave.errors import InputError, require

if TYPE_CHECKING:
    from clave.annotate.agreement import AgreementReport, Estimate

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def annotate(
    system: Annotated[str, typer.Option(help="A built-in value system or a YAML file.")],
    responses: Annotated[str, typer.Option(help="Responses to label: JSONL, CSV, Parquet, or hf://org/name:split.")],
    mapping: opt.Map = None,
    store: Annotated[str, typer.Option(help="Where labels are kept: an SQLite file or a SQLAlchemy URL.")] = "labels.db",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on; anything but loopback needs a token.")] = "127.0.0.1",
    token: Annotated[str | None, typer.Option(envvar="CLAVE_ANNOTATE_TOKEN", help="One token for everybody; made up when needed.")] = None,
    annotator: Annotated[list[str] | None, typer.Option(help="A name that gets a token of its own; may be repeated.")] = None,
    public_host: Annotated[list[str] | None, typer.Option(help="Host name under which others open the page; may be repeated.")] = None,
    target: Annotated[int, typer.Option(min=1, help="Labelled items wanted per value.")] = 100,
    overlap: Annotated[float, typer.Option(min=0, max=1, help="Share of items that two annotators label.")] = 0.2,
    gold: Annotated[Path | None, typer.Option(help="Labels known for sure, shown now and then to everybody.")] = None,
    model: Annotated[str | None, typer.Option(help="Large model for the calibrate button, provider/model.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server for --model.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the evaluator that the calibrate button makes.")] = Path(
        "evaluator"
    ),
) -> None:
    """Label responses in the browser, alone or as a team, until there are enough."""
    uvicorn = require("uvicorn", "annotate")
    require("fastapi", "annotate")
    require("sqlalchemy", "annotate")
    _refuse_taken(host, port)
    if model:
        from clave.saving import refuse_occupied

        refuse_occupied(output)
    from clave.annotate.access import Access
    from clave.annotate.app import build_app, session_secret
    from clave.annotate.assign import Rules
    from clave.annotate.background import Background
    from clave.annotate.calibrating import Calibrating
    from clave.annotate.store import Store
    from clave.io import read_labels, read_responses
    from clave.values import ValueSystem

    values = ValueSystem.load(system)
    place = Store(store, values)
    new = place.add_responses(read_responses(responses, mapping=opt.mapping(mapping)))
    if gold:
        place.add_gold(read_labels(gold, values=list(values.by_id)))
    rules = Rules(target=target, overlap=overlap)
    personal = {secrets.token_urlsafe(16): name for name in annotator or ()}
    needs_token = host not in LOOPBACK or bool(public_host)
    if needs_token and not personal and not token:
        token = secrets.token_urlsafe(16)
    hosts = tuple(dict.fromkeys([*LOOPBACK, host, *(public_host or ())]))
    access = Access(secret=session_secret(place), token=token, personal=personal, hosts=hosts)
    calibrating = Calibrating(model, output, base_url=base_url) if model else None
    app = build_app(place, access, rules, Background(place, rules), calibrating)
    shown = (public_host or [host])[0]
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
    typer.echo(f"{place.count()} responses ({new} new), {len(place.judgements())} labels in {_without_password(store)}")
    for key, name in personal.items():
        typer.echo(f"{name}: {address}?token={key}")
    if not personal:
        typer.echo(f"{address}?token={token}" if token else address)
    typer.echo("Ctrl-C ends the page; labels stay.")
    try:
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, server_header=False)
    finally:
        place.close()


def _refuse_taken(host: str, port: int) -> None:
    """Ask before the address is printed, which would be another program's."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise InputError(f"the page cannot be at {host}:{port}: {error.strerror}: name another --port or --host") from None


def agreement(
    labels: Annotated[Path, typer.Argument(help="Labels with an annotator column: JSONL, CSV, Parquet or Label Studio JSON.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
) -> None:
    """Agreement between annotators: percent, Cohen's kappa, Krippendorff's alpha, with 95 % bootstrap intervals over items."""
    require("krippendorff", "annotate")
    from clave.annotate.agreement import agreement as compute
    from clave.annotate.exchange import read_judgements

    judgements = read_judgements(labels)
    if not judgements:
        raise InputError(f"{labels}: there are no labels in it")
    report = compute(judgements, seed=seed)
    typer.echo(report.model_dump_json(indent=2)) if json else _tables(report)


def _tables(report: AgreementReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    whole = Table("value", "annotators", "items", "by two or more", "percent", "alpha", "cannot tell", title="Agreement")
    for v in report.values:
        whole.add_row(v.value, str(v.annotators), str(v.items), str(v.overlap), _figure(v.percent), _figure(v.alpha), str(v.cannot_tell))
    console.print(whole)
    if report.pairs:
        pairs = Table("value", "pair", "items", "percent", "kappa", "alpha", title="Pairs")
        for p in report.pairs:
            pairs.add_row(p.value, " / ".join(p.annotators), str(p.items), _figure(p.percent), _figure(p.kappa), _figure(p.alpha))
        console.print(pairs)
    console.print(f"{len(report.to_discuss)} items to discuss; [dim]brackets: 95 % bootstrap intervals over items; -: does not exist[/dim]")


def _figure(estimate: Estimate) -> str:
    if estimate.point is None:
        return "-"
    return f"{estimate.point:.2f}" + ("" if estimate.low is None else f" \\[{estimate.low:.2f}, {estimate.high:.2f}]")


def _without_password(store: str) -> str:
    from sqlalchemy.engine import make_url

    return make_url(store).render_as_string(hide_password=True) if "://" in store else store
