"""A report as data: a page of sections with tables, figures and cards.

    page = Page(title="Values of our chat models", facts=(Fact("Verdicts", "1,200"),), sections=(Section("profile", "Value profile"),))

Every text of a page may be hostile: it was written by a model or by whoever wrote the data.
"""

from __future__ import annotations

from dataclasses import dataclass

from clave.records import LABELS
from clave.scoring.statistics import Difference, Estimate
from clave.text.plain import clean

Cell = str | int | float | Estimate | Difference | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table; cells are texts, numbers or estimates."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """A figure with its interval, and what stands beside it."""

    name: str
    """Empty where the group has only this one."""
    colour: str
    """Its class in the style sheet."""
    interval: tuple[float, float, float] | None
    """Low end, value and high end; None where nothing is claimed."""
    ring: float | None
    """A second figure on the same axis."""
    said: str
    """The figure as people read it, or why there is none."""
    ends: str = ""
    """The interval as people read it."""
    aside: str = ""
    """A number at the right."""
    parts: tuple[tuple[str, int], ...] = ()
    """Verdicts by label, then by status; only what there is."""

    @property
    def total(self) -> int:
        return sum(n for _, n in self.parts)


@dataclass(frozen=True, slots=True)
class DotGroup:
    """Dots under one heading."""

    name: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class DotChart:
    """Figures with intervals on one axis, in groups, which the page draws in its own letters."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    groups: tuple[DotGroup, ...]
    heads: tuple[str, str]
    """Of the figures and of what stands at the right."""
    keys: tuple[str, str]
    """What a dot is, and what a ring is; empty where there is none."""

    def at(self, figure: float) -> float:
        """Where a figure stands, in percent of the axis."""
        return round(100 * (min(max(figure, self.low), self.high) - self.low) / (self.high - self.low), 2)

    @property
    def named(self) -> bool:
        """Whether dots have names of their own."""
        return any(dot.name for group in self.groups for dot in group.dots)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Labels of verdicts that stand beside the dots, and "no verdict" where some have none."""
        names = {name for group in self.groups for dot in group.dots for name, _ in dot.parts}
        return (*(label for label in LABELS if names), *(["no verdict"] if names - {*LABELS} else []))


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing, with the table that says the same."""

    id: str
    caption: str
    svg: str
    table: Table
    wide: bool = False
    folded: bool = False
    """It says what another figure says: folded away until it is opened."""
    chart: DotChart | None = None
    """In place of a drawing: what the page draws itself."""
    opened: bool = False
    """Its table stands open beneath it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A number at the head of the page."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text, marked where it is evidence."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A human-labelled text, or a concept of one, that explains a verdict."""

    text: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One text with its verdict and what explains it."""

    title: str
    label: str
    """The verdict, or its status where there is none."""
    note: str = ""
    said: str = ""
    """The verdict in a sentence, where the text itself is the headline."""
    link: str = ""
    """Where the list of verdicts has it: the part of an address after `#`."""
    scenario: str = ""
    body: tuple[Piece, ...] = ()
    cut: int = 0
    """Characters of the body that are not shown."""
    concepts: tuple[Neighbour, ...] = ()
    cases: tuple[Neighbour, ...] = ()
    verdicts: tuple[tuple[str, str], ...] = ()
    """Judge and label, where several judges are compared."""


@dataclass(frozen=True, slots=True)
class CardGroup:
    """Cards under one heading, folded away until they are opened."""

    title: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Verdicts to be searched and sorted in the page; texts are cleaned."""

    models: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
    """Id and name."""
    texts: tuple[tuple[str, int, str, str, int], ...]
    """Id, place of the model, scenario, response, and how many characters of it are not shown."""
    rows: tuple[tuple[int, int, str, float | None, tuple[str, ...], tuple[str, ...], str], ...]
    """Places of the text and of the value, label or status, the label's probability, quotes, concepts, reason."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    id: str
    title: str
    text: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    more: tuple[Table, ...] = ()
    """Tables that say it in full, folded away until they are opened."""
    groups: tuple[CardGroup, ...] = ()
    dense: bool = False
    """Small figures, many side by side."""
    defines: bool = False
    """The text explains what is shown, and is folded away until it is opened."""
    listing: Listing | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report."""

    title: str
    lead: str = ""
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = ()


def cell_text(cell: Cell) -> str:
    """A cell as people read it; a number that is not known is a dash."""
    match cell:
        case None:
            return "–"
        case Estimate(value=None) | Difference(value=None):
            return "–"
        case Estimate():
            return f"{cell.value:.3f}" + ("" if cell.low is None else f" [{cell.low:.3f}, {cell.high:.3f}]")
        case Difference():
            return f"{cell.value:+.3f}" + ("" if cell.low is None else f" [{cell.low:+.3f}, {cell.high:+.3f}]")
        case bool() | str():
            return clean(str(cell))
        case int():
            return f"{cell:,}"
    return f"{cell:,.4f}" if 0 < abs(cell) < 0.1 else f"{cell:,.2f}" if cell else "0"


def signed(net: float) -> str:
    """Net adherence as people read it: +0.42, −1.00."""
    return f"{net:+.2f}".replace("-", "−")
