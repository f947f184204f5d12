"""`clave annotate`, the labelling page, and `clave agreement`, its figures without the page.

clave annotate --system mft --responses responses.jsonl
clave agreement labels.jsonl
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from clave.cli import options as opt
from clave.cli.bundles import bundled, source_of
from clave.cli.terminal import say, say_json
from clave.errors import InputError, require

if TYPE_CHECKING:
    from clave.annotate.access import Access, OnceKey
    from clave.annotate.agreement import AgreementReport, Coefficient
    from clave.files.source import ResponseSource

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@bundled(source=source_of, without=("shard",))
def annotate(
    system: Annotated[str, typer.Option(help="A built-in value system or a YAML file.")],
    responses: Annotated[str, typer.Option(help="Responses to label: JSONL, CSV, Parquet, or hf://org/name:split.")],
    store: Annotated[str, typer.Option(help="Where labels are stored: an SQLite file or a SQLAlchemy URL.")] = "labels.db",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on. Unless it is this machine only, annotators need a token.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(envvar="CLAVE_ANNOTATE_TOKEN", help="One token for all annotators; generated when needed.")
    ] = None,
    annotator: Annotated[list[str] | None, typer.Option(help="Name of an annotator, who gets a personal token; repeatable.")] = None,
    public_host: Annotated[list[str] | None, typer.Option(help="Host name under which others open the page; repeatable.")] = None,
    target: Annotated[int, typer.Option(min=1, help="Number of labelled items to collect per value.")] = 100,
    overlap: Annotated[float, typer.Option(min=0, max=1, help="Share of each value's items that two annotators label; 1 = all.")] = 0.2,
    gold: Annotated[Path | None, typer.Option(help="File of known labels, which everybody is shown now and then.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Verdicts of `clave evaluate` on these responses, shown as a check after each label.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Large model for the calibrate button, provider/model.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server for --model.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the evaluator that the calibrate button creates.")] = Path(
        "evaluator"
    ),
    browser: Annotated[bool, typer.Option(help="Open the page in the browser, if it is served to this machine only.")] = True,
    *,
    source: Callable[[str], ResponseSource],
) -> None:
    """Label responses in the browser, alone or as a team, until there are enough."""
    for module in ("uvicorn", "fastapi", "sqlalchemy"):
        require(module, "annotate")
    refuse_taken(host, port)
    if model:
        from clave.saving import refuse_occupied

        refuse_occupied(output)
    from clave.annotate.access import Access, OnceKey
    from clave.annotate.app import build_app, session_secret
    from clave.annotate.assign import Rules, apply_overlap
    from clave.annotate.background import Background
    from clave.annotate.calibrating import Calibrating
    from clave.annotate.checks import read_checks
    from clave.annotate.engine import without_password
    from clave.annotate.gold import add_gold
    from clave.annotate.serving import serve
    from clave.annotate.store import Store
    from clave.io import read_labels
    from clave.values import ValueSystem

    values = ValueSystem.load(system)
    checks = read_checks(check, values) if check else {}
    place = Store(store, values)
    try:
        new = place.add_responses(source(responses).responses())
        if gold:
            add_gold(place, read_labels(gold, values=list(values.by_id)))
        rules = Rules(target=target, overlap=overlap)
        apply_overlap(place, rules)
        personal = {secrets.token_urlsafe(16): name for name in annotator or ()}
        alone = host in LOOPBACK and not public_host and not personal and not token
        access = Access(
            secret=session_secret(place),
            token=token or (None if alone or personal else secrets.token_urlsafe(16)),
            personal=personal,
            owner=None if alone else secrets.token_urlsafe(16),
            once=alone,
            hosts=tuple(dict.fromkeys([*LOOPBACK, host, *(public_host or ())])),
        )
        shown = (public_host or [host])[0]
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
        once = OnceKey(lambda key: say(f"for another browser: {address}?token={key}")) if alone else None
        calibrating = Calibrating(model, output, base_url=base_url) if model else None
        app = build_app(place, access, rules, Background(place, rules), calibrating, once, checks)
        say(f"{place.count()} responses ({new} new), {len(place.judgements())} labels in {without_password(store)}")
        for name, link in _links(address, access, once):
            say(f"{name}: {link}")
        say("Ctrl-C ends the page; labels stay.")
        opening = f"{address}?token={once.now}" if once and browser else None
        serve(app, host, port, opening)
    finally:
        place.close()


def _links(address: str, access: Access, once: OnceKey | None) -> list[tuple[str, str]]:
    """Who opens the page with what."""
    if once is not None:
        return [("open once", f"{address}?token={once.now}")]
    links = [(name, f"{address}?token={key}") for key, name in access.personal.items()]
    if access.token:
        links.append(("annotators", f"{address}?token={access.token}"))
    return [*links, ("owner", f"{address}?token={access.owner}")]


def refuse_taken(host: str, port: int) -> None:
    """Ask before the address is printed, which would be another program's."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except (OSError, ValueError) as error:  # a name that none can be is a ValueError
        why = getattr(error, "strerror", None) or "that is no host name"
        raise InputError(f"nothing can be served at {host}:{port}: {why}: name another --port or --host") from None


def agreement(
    labels: Annotated[Path, typer.Argument(help="Labels of several annotators, or an export: JSONL, CSV, Parquet, Label Studio, Argilla.")],
    mapping: opt.Map = None,
    label_names: opt.LabelNames = None,
    control: opt.Control = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure agreement between annotators: percent, Cohen's kappa, Krippendorff's alpha, with 95 % intervals."""
    require("krippendorff", "annotate")
    from clave.annotate.agreement import agreement as compute
    from clave.annotate.exchange import read_judgements

    judgements = read_judgements(labels, control=control, mapping=opt.mapping(mapping), label_names=opt.label_names(label_names))
    if not judgements:
        raise InputError(f"{labels}: there are no labels in it")
    report = compute(judgements)
    say_json(report.model_dump(mode="json")) if json else _tables(report)


def _table(title: str, heads: Sequence[str]) -> Table:
    """One whose figures stay on their line."""
    table = Table(title=title, title_justify="left", **opt.NARROW)
    for head in heads:
        table.add_column(head, no_wrap=head in ("percent", "kappa", "alpha"))
    return table


def _tables(report: AgreementReport) -> None:
    from rich.text import Text

    from clave.cli.terminal import Terminal

    console = Terminal()
    heads = ("value", "people", "items", "by two or more", "percent", "alpha", "cannot tell")
    whole = _table("Agreement, with 95 % intervals over items", heads)
    for v in report.values:
        whole.add_row(
            Text(v.value), str(v.annotators), str(v.items), str(v.overlap), _figure(v.percent), _figure(v.alpha), str(v.cannot_tell)
        )
    console.print(whole)
    if report.pairs:
        pairs = _table("Pairs", ("value", "pair", "items", "percent", "kappa", "alpha"))
        for p in report.pairs:
            pairs.add_row(
                Text(p.value), Text(" / ".join(p.annotators)), str(p.items), _figure(p.percent), _figure(p.kappa), _figure(p.alpha)
            )
        console.print(pairs)
    if report.pairs_left_out:
        console.print(f"{report.pairs_left_out:,} further pairs with fewer items in common are left out")
    if report.items_left_out:
        console.print(f"{report.items_left_out:,} items have too many annotators for pairs, and are left out of them")
    console.print(f"{len(report.to_discuss)} items to discuss; a dash stands for what cannot be computed")


def _figure(estimate: Coefficient) -> str:
    if estimate.point is None:
        return "-"
    return f"{estimate.point:.2f}" + ("" if estimate.low is None else f" [{estimate.low:.2f}, {estimate.high:.2f}]")
