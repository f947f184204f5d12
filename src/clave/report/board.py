"""A page of results that many have sent in: one table for each split that was judged alike.

from clave.benchmark.results import read_board
from clave.report.writing import write_page

write_page(board_page(read_board("results")), "board.html")
"""

from __future__ import annotations

from collections import defaultdict

from clave.benchmark.results import Board, Result, Scores
from clave.benchmark.tables import ALL
from clave.report.page import Cell, Fact, Page, Section, Table

_COLUMNS = ("Judge", "Model", "Accuracy", "n", "Failed", "Macro-F1", "κ", "ECE", "Tokens / 1,000", "$ / 1,000", "Version", "By", "Link",
            "Note", "Predictions", "File")  # fmt: skip
_TEXT = (
    "Only results on the same rows, learnt from the same labels, stand in one table. Intervals are those of each result by itself, over "
    "scenarios; that two of them overlap does not say that the judges are alike: for that run both in one run, which compares them row by "
    "row. Figures are as their files give them; a file's hash says that it is whole, and not that it is true. The first letters of the "
    "predictions' hash tell whether two runs gave the same answers."
)


def board_page(board: Board, title: str = "Results of value evaluators") -> Page:
    """The page, as data."""
    parts = defaultdict[tuple[str, str, str], list[tuple[str, Result]]](list)
    for name, result in board.results.items():
        for split in dict.fromkeys(s.split for s in result.scores):
            parts[result.comparable(split)].append((name, result))
    sections = [
        _section(i, key[0], found) for i, (key, found) in enumerate(sorted(parts.items(), key=lambda part: (-len(part[1]), part[0])))
    ]
    if board.left_out:
        table = Table("Files that were left out", ("File", "Why"), tuple(board.left_out.items()))
        sections.append(Section("left-out", "Left out", "Nothing on this page comes from these.", tables=(table,)))
    facts = (
        Fact("Results", f"{len(board.results):,}", f"{len(board.left_out):,} files left out" if board.left_out else ""),
        Fact("Tables", f"{len(parts):,}"),
    )
    return Page(title, _lead(parts), facts, tuple(sections))


def _lead(parts: dict[tuple[str, str, str], list[tuple[str, Result]]]) -> str:
    if not parts:
        return "There is no result yet."
    split, found = max(((key[0], found) for key, found in parts.items()), key=lambda part: len(part[1]))
    name, result = max(found, key=lambda one: _accuracy(one[1], split))
    best = _together(result, split).accuracy
    who = f"{result.judge} on {result.model}" if result.model else result.judge
    return f"On {result.data.name} {result.data.version}, split “{split}”, the best of {len(found)} is {who} ({name}): {best}."


def _section(number: int, split: str, found: list[tuple[str, Result]]) -> Section:
    ranked = sorted(found, key=lambda one: (-_accuracy(one[1], split), one[0]))
    data = ranked[0][1].data
    what = f"{data.name} {data.version}".strip() + f", split “{split}”"
    rows = tuple(_row(name, result, _together(result, split)) for name, result in ranked)
    systems = list(dict.fromkeys(s.system for _, result in ranked for s in result.scores if s.split == split and s.system != ALL))
    more = tuple(_of_system(what, split, system, ranked) for system in systems) if len(systems) > 1 else ()
    return Section(f"board-{number}", what, _TEXT if not number else "", tables=(Table(what, _COLUMNS, rows),), more=more)


def _row(name: str, result: Result, scores: Scores) -> tuple[Cell, ...]:
    return (
        result.judge, result.model or "–", scores.accuracy, scores.accuracy.n, scores.accuracy.failed, scores.macro_f1, scores.kappa,
        scores.calibration_error, round(result.tokens_per_1000), result.cost_per_1000, result.version, result.by or "–", result.link or "–",
        result.note or "–", result.predictions_sha256[:12], name,
    )  # fmt: skip


def _of_system(what: str, split: str, system: str, ranked: list[tuple[str, Result]]) -> Table:
    rows = tuple(
        (result.judge, result.model or "–", s.accuracy, s.macro_f1, s.accuracy.n, name)
        for name, result in ranked
        for s in result.scores
        if (s.split, s.system) == (split, system)
    )
    return Table(f"{what}, {system}", ("Judge", "Model", "Accuracy", "Macro-F1", "n", "File"), rows)


def _together(result: Result, split: str) -> Scores:
    """All systems together; the one system where there is but one."""
    own = [s for s in result.scores if s.split == split]
    return next((s for s in own if s.system == ALL), own[0])


def _accuracy(result: Result, split: str) -> float:
    return _together(result, split).accuracy.value or 0.0
