"""Rows of the test splits that are worth a figure of their own.

decides    the response decides the label: equal numbers of each kind of answer to one prompt, so that a judge that sees the prompt
           alone is right by chance only
hard       judges that do not read are at chance: see hard.py
verified   a person looked the label over: what an audit settled

A view's rows keep the split that they stand in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from clave.records import scenario_key
from clave.valeval.diversity import spread
from clave.valeval.row import ValEvalRow

Decides = Literal["", "relevance", "side"]


def marked(rows: Sequence[ValEvalRow]) -> list[ValEvalRow]:
    """The rows of a split, each with what other responses to its prompt differ in."""
    kinds = {key: kind for key, own in _by_prompt(rows).items() if (kind := _differ({r.label for r in own}))}
    return [r.model_copy(update={"decides": kinds.get(_prompt(r), "")}) for r in rows]


def deciding(rows: Sequence[ValEvalRow], seed: int) -> list[ValEvalRow]:
    """Of each prompt whose responses differ, equal numbers of both kinds, at random."""
    out = list[ValEvalRow]()
    for own in _by_prompt([r for r in rows if r.decides]).values():
        # Both kinds of a pair are told apart by one of these; where all three labels occur, relevance counts.
        unlike = "unrelated" if own[0].decides == "relevance" else "oppose"
        sides = [r for r in own if r.label != unlike], [r for r in own if r.label == unlike]
        fewest = min(map(len, sides))
        out += [r for side in sides for r in spread(side, seed)[:fewest]]
    return out


def contrasting(rows: Sequence[ValEvalRow]) -> set[str]:
    """Ids of the rows whose prompt has responses of another label too."""
    return {r.id for own in _by_prompt(rows).values() if len({r.label for r in own}) > 1 for r in own}


def _by_prompt(rows: Sequence[ValEvalRow]) -> dict[tuple[str, str, str, str], list[ValEvalRow]]:
    found = defaultdict[tuple[str, str, str, str], list[ValEvalRow]](list)
    for row in rows:
        if row.scenario:
            found[_prompt(row)].append(row)
    return found


def _prompt(row: ValEvalRow) -> tuple[str, str, str, str]:
    return row.source, row.system, row.value, scenario_key(row.scenario)


def _differ(labels: set[str]) -> Decides:
    if len(labels) < 2:
        return ""
    return "relevance" if "unrelated" in labels else "side"
