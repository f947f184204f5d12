"""`clave bench submit` and `clave bench board`: what judges reached, as small files that others can add to, and one page of them all.

clave bench submit run -o results --by "A. Author"
clave bench board results -o board.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clave.cli import options as opt
from clave.cli.terminal import say, say_json


def submit(
    folder: Annotated[Path, typer.Argument(help="Folder of a benchmark run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files, one per judge.")],
    judge: Annotated[list[str] | None, typer.Option("--judge", help="Only this judge; repeatable.")] = None,
    version: Annotated[str, typer.Option("--version", help="Version of a judge that is not part of this package.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who made the run.")] = "",
    link: Annotated[str, typer.Option("--link", help="Address of a page that describes the run, https.")] = "",
    note: Annotated[str, typer.Option("--note", help="A note for readers, up to 500 characters.")] = "",
    as_json: opt.Json = False,
) -> None:
    """Write the results of a run as files for a board: figures and hashes, no text of the data."""
    from clave.benchmark.session import Session
    from clave.benchmark.submitting import submit as written

    paths = [str(p) for p in written(Session.open(folder, cache=""), output, judge or (), version=version, by=by, link=link, note=note)]
    if as_json:
        say_json({"files": paths})
        return
    for path in paths:
        say(path)


def board(
    folder: Annotated[Path, typer.Argument(help="Folder of result files (.json).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page: .html, .md, .csv, .json or .tex.")] = Path("board.html"),
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 1 if a file was left out.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Make one page of the results in a folder. Files that are damaged or not results are named and left out."""
    from clave.benchmark.results import read_board
    from clave.report.board import board_page
    from clave.report.writing import write_page

    found = read_board(folder)
    for name, why in found.left_out.items():
        say(f"left out {name}: {why}", err=True)
    page = write_page(board_page(found), output)
    if as_json:
        say_json({"results": len(found.results), "left_out": dict(found.left_out), "page": str(page)})
    else:
        say(f"{len(found.results):,} results: {page}")
    if strict and found.left_out:
        raise typer.Exit(1)
