"""What a notebook shows: foreign text that stays text, and how far long work has come.

described("Care: oppose", [("why", "…")])     # HTML
tick = watched()
tick("extracting", 3, 60)                     # a bar in a notebook, nothing elsewhere
"""

from __future__ import annotations

import html
import importlib
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from clave.text.plain import clean

_PAUSE = 0.2
"""Seconds between two looks of a bar."""


def described(head: str, rows: Iterable[tuple[str, str]]) -> str:
    """A heading, and what there is to say under it. Mathematics in the texts is not typeset either."""
    cells = "".join(
        f'<tr><th style="text-align:left">{escaped(name)}</th><td style="text-align:left">{escaped(text)}</td></tr>' for name, text in rows
    )
    return f'<div class="tex2jax_ignore mathjax_ignore"><b>{escaped(head)}</b><table>{cells}</table></div>'


def escaped(text: str) -> str:
    """A text as HTML that shows it."""
    return html.escape(clean(text))


def in_notebook() -> bool:
    """Whether a notebook's kernel runs the program."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def watched() -> Callable[[str, int, int], None]:
    """Something to be told of progress: it shows bars in a notebook, and nothing elsewhere."""
    return _Bars() if in_notebook() else _nowhere


class _Bars:
    """A bar for each stage, in the cell that was running when this was made."""

    def __init__(self) -> None:
        display: Any = importlib.import_module("IPython.display")
        self._html = display.HTML
        self._stages: dict[str, tuple[int, int]] = {}
        self._shown = 0.0
        self._place = display.display(display.HTML(""), display_id=True)

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._stages[stage] = done, total
        now = time.monotonic()
        if done >= total or now - self._shown >= _PAUSE:
            self._shown = now
            self._place.update(self._html("".join(_bar(stage, *counts) for stage, counts in self._stages.items())))


def _bar(stage: str, done: int, total: int) -> str:
    extent = f' value="{done}" max="{total}"' if total else ""
    return f"<div><progress{extent}></progress> {escaped(stage)}: {done:,}{f' of {total:,}' if total else ''}</div>"


def _nowhere(stage: str, done: int, total: int) -> None:
    """Nobody looks."""
