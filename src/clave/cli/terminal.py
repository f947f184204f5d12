"""The one console: a text is shown as it is, never as markup, and nothing in it drives the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from clave.text.masking import masked
from clave.text.plain import clean


class Terminal(Console):
    """Rich's console for foreign text.

    Args:
        stderr: Write to standard error.
        **more: As rich's.
    """

    def __init__(self, *, stderr: bool = False, **more: Any) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False, **more)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See rich: what is shown has passed here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)


def say(text: str, *, err: bool = False) -> None:
    """Print a line as it is, for programs, too: nothing is wrapped or styled."""
    typer.echo(clean(masked(text)), err=err)
