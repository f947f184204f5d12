"""Options that belong together come together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
import typer.testing

from clave.cli.bundles import bundled, call_options
from clave.cli.main import app

CALLS = {"--concurrency", "--max-retries", "--timeout", "--max-tokens", "--budget", "--prices", "--cache", "--base-url"}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), {o for p in command.params for o in p.opts}


SPENDING = {name: options for name, options in commands(typer.main.get_command(app)) if "--budget" in options}


@pytest.mark.parametrize(("name", "options"), SPENDING.items(), ids=SPENDING)
def test_a_command_that_spends_has_every_option_of_its_calls(name: str, options: set[str]):
    past_the_cache = {"--cache"} if name == "check" else set()
    assert options >= CALLS - past_the_cache, name


def test_a_command_takes_what_its_bundle_makes():
    seen: list[Any] = []

    @bundled(chat=call_options, without=("cache",))
    def command(place: str, *, chat: dict[str, Any]) -> None:
        seen.append((place, chat))

    spender = typer.Typer()
    spender.command()(command)
    typer.testing.CliRunner().invoke(spender, ["here", "--timeout", "3", "--budget", "0.5"], catch_exceptions=False)
    ((place, chat),) = seen
    assert (place, chat["timeout"], chat["budget"], chat["cache"], chat["concurrency"]) == ("here", 3.0, 0.5, None, 32)


def test_every_command_that_prints_results_has_json():
    prints_none = {"annotate", "serve", "values new"}  # they show pages, serve until they are stopped, or write a template
    assert {name for name, options in commands(typer.main.get_command(app)) if "--json" not in options} == prints_none
