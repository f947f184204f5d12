"""The root of the command line: `clave COMMAND …`. Every command stands in the file of its group.

What is wrong is printed as one sentence and exits with 2; a run that the budget ended exits with 3.
"""

from __future__ import annotations

import contextlib
import io
import logging
import signal
import sys
import warnings
from typing import Annotated

import typer
from rich.text import Text

from clave.cli import (
    annotate,
    assess,
    audit,
    batch,
    bench,
    calibrate,
    check,
    demo,
    distill,
    evaluate,
    gate,
    plugins,
    report,
    serve,
    valeval,
    values,
)
from clave.cli.ending import Commands, ended, told
from clave.cli.room import room
from clave.cli.terminal import Log, Terminal, say

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Find out which human values an LLM's responses adhere to or oppose. Begin with: clave demo",
)
app.command()(demo.demo)
app.command()(calibrate.calibrate)
app.command()(evaluate.evaluate)
app.command()(evaluate.estimate)
app.add_typer(batch.batch_app, name="batch")
app.command()(calibrate.refit)
app.command()(distill.distill)
app.command()(check.check)
app.command()(report.report)
app.command()(gate.gate)
app.command()(serve.serve)
app.command()(assess.generate)
app.command()(assess.assess)
app.command()(annotate.annotate)
app.command()(annotate.agreement)
app.add_typer(audit.audit_app, name="audit")
app.command()(plugins.plugins)
app.add_typer(calibrate.pool_app, name="pool")
app.add_typer(values.app, name="values", help="Value systems: list, show, check, new.")
app.add_typer(bench.app, name="bench")
app.add_typer(valeval.app, name="valeval", help="The benchmark data set: build, stats, check, audit, push.")


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        say(f"clave {installed('clave')}")
        raise typer.Exit


def main() -> None:
    """Run the command line. A system that ends it with SIGTERM is heard as Ctrl-C is: what is paid for is kept."""
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    warnings.showwarning = told
    logging.basicConfig(handlers=[Log()], format="%(name)s: %(message)s")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows fewer characters shows the others as question marks
    try:
        room()
        app()
    except KeyboardInterrupt:
        Terminal(stderr=True).print(Text("stopped; run the same command to go on"))
        sys.exit(130)
    except Exception as error:
        ended(error)
