"""The one console: a text is shown as it is, never as markup, nothing in it drives the terminal, and no secret stands in it.

Everything that is printed goes through here: `Terminal` for people, `say` and `say_json` for programs, `Log` for what libraries say.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from clave.text.masking import masked
from clave.text.plain import clean, clean_json


class Terminal(Console):
    """Rich's console for foreign text.

    Args:
        stderr: Write to standard error.
        **more: As rich's.
    """

    def __init__(self, *, stderr: bool = False, **more: Any) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False, **more)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See rich: what is shown has passed here, a text whole before it is broken into lines."""
        if isinstance(renderable, Text) and (shown := masked(renderable.plain)) != renderable.plain:
            renderable = Text(shown, renderable.style, justify=renderable.justify, overflow=renderable.overflow, end=renderable.end)
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)


def say(text: str, *, err: bool = False) -> None:
    """Print a text as it is: nothing is wrapped or styled."""
    typer.echo(clean(masked(text)), err=err)


def say_json(data: Any, *, err: bool = False) -> None:
    """Print JSON for programs: what a terminal would obey stands in it as an escape, so that no data change."""
    typer.echo(clean_json(json.dumps(_masked_texts(data), ensure_ascii=False)), err=err)


def _masked_texts(data: Any) -> Any:
    """The same with its texts masked: the digits of a short key stand in figures by chance, and a figure that is cut is no JSON."""
    if isinstance(data, str):
        return masked(data)
    if isinstance(data, Mapping):
        return {masked(name) if isinstance(name, str) else name: _masked_texts(item) for name, item in data.items()}
    return [_masked_texts(item) for item in data] if isinstance(data, list | tuple) else data


class Log(logging.Handler):
    """Log records on standard error, tracebacks too: they may hold what a client or a server sent."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging."""
        try:
            say(self.format(record), err=True)
        except Exception:
            self.handleError(record)
