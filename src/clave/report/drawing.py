"""Figures as SVG text for an HTML page: deterministic, light and dark, without an address in them.

    with canvas(4.6, 3.0) as axes:
        axes.bar(["care", "fairness"], [0.4, 0.2])
        svg = to_svg(axes.figure, "profile", "What it shows")

Ink is written as `currentColor`, so a drawing follows the page's colours; ids get the name of the figure as a prefix, so that
several drawings can stand in one page. Without matplotlib there are no drawings, and the page shows its tables.
"""

from __future__ import annotations

import bisect
import contextlib
import html
import importlib.util
import io
import itertools
import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from clave.errors import InputError, require
from clave.text.plain import clean

INK = "#010203"
GRID = "#010204"
SERIES = ("#3b82c4", "#d97f1f", "#4d9a62", "#b0559b", "#96723f", "#6f7a8c", "#c4504d", "#3a9ea5", "#8069c2", "#9a8f1e")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
"""One for each colour of `SERIES`, so that nobody has to tell series by colour alone."""
LABEL_COLOURS = {"adhere": "#1b7f72", "oppose": "#b8384b", "unrelated": "#9aa4b5"}
"""Those of the page's style sheet, by whose names a drawing in the page goes by: it follows the page into the dark."""

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # as text that can be searched, which journals ask for
    "svg.hashsalt": "clave",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "grid.alpha": 0.18,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "axes.axisbelow": True,
}

_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def saving() -> bool:
    """Whether figures are saved as files of their own."""
    return _FOLDER.get() is not None


@contextlib.contextmanager
def canvas(width: float, height: float) -> Iterator[Any]:
    """Axes of a new figure, sizes in inches; the figure is not known to pyplot, so nothing has to be closed."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure.add_subplot()


@contextlib.contextmanager
def saved_in(folder: Path) -> Iterator[None]:
    """While it lasts, every figure is also saved as a file of its own, NAME.svg and NAME.pdf: for papers and slides.

    Raises:
        MissingExtraError: Matplotlib is not installed.
        InputError: The folder cannot be made.
    """
    require("matplotlib", "report")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: figures cannot be written there: {error.strerror}") from None
    before = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(before)


def _save(figure: Any, path: Path) -> None:
    for ending, metadata in ((".svg", _NO_METADATA), (".pdf", {"CreationDate": None, "Creator": None, "Producer": None})):
        figure.savefig(path.with_name(path.name + ending), metadata=metadata, transparent=True, bbox_inches="tight", pad_inches=0.04)


def to_svg(figure: Any, name: str, alt: str) -> str:
    """The drawing as an `<svg>` element with a text for those who do not see it; called within `canvas`."""
    stream = io.StringIO()
    with warnings.catch_warnings():
        # Letters are drawn by the browser, with its own fonts: what matplotlib's font lacks is no fault of the page.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        if (folder := _FOLDER.get()) is not None:
            _save(figure, folder / name)
        figure.savefig(stream, format="svg", metadata=_NO_METADATA, transparent=True, bbox_inches="tight", pad_inches=0.04)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", lambda tag: _own(tag.group(), name), text)
    label = html.escape(alt, quote=True)
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1).strip()


def _own(tag: str, name: str) -> str:
    tag = tag.replace(INK, "currentColor").replace(GRID, "currentColor")
    for label, colour in LABEL_COLOURS.items():
        tag = tag.replace(colour, f"var(--{label})")
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", tag)


def short(text: str, most: int = 22) -> str:
    """A name that fits beside an axis: wide letters count twice, ligatures as their letters; what has no width is left out."""
    one_line = "".join(letter for letter in " ".join(clean(text).split()) if unicodedata.category(letter) != "Cf")
    ends = list(itertools.accumulate(map(_width, one_line)))
    return one_line if not ends or ends[-1] <= most else one_line[: bisect.bisect_right(ends, most - 1)] + "…"


def _width(letter: str) -> int:
    return max(1 + (unicodedata.east_asian_width(letter) in "WF"), len(unicodedata.normalize("NFKC", letter)))
