"""A report in a notebook: the last line of a cell shows it.

show_report(verdicts, responses=responses)
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from clave.report.evaluation import evaluation_page
from clave.report.forms.html import to_html
from clave.report.page import Page
from clave.report.runs import Responses, Verdicts

_HEIGHT = 640
"""Pixels; the page scrolls within."""


@dataclass(frozen=True)
class ShownReport:
    """A page that a notebook shows in a frame, apart from the notebook: whatever stands in it can reach nothing outside."""

    page: Page

    def _repr_html_(self) -> str:
        frame = f'sandbox="allow-scripts" style="width:100%;height:{_HEIGHT}px;border:0"'
        return f'<iframe srcdoc="{html.escape(to_html(self.page))}" {frame}></iframe>'


def show_report(verdicts: Verdicts, responses: Responses = None, **more: Any) -> ShownReport:
    """The report of a run.

    Args:
        verdicts: Verdicts, or a file of them.
        responses: The responses behind them, or their file.
        **more: As for `write_report`.

    Raises:
        InputError: As for `write_report`.
    """
    return ShownReport(evaluation_page(verdicts, responses=responses, **more))
