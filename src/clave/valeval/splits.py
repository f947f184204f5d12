"""Cut the pool into calibration, original and generalization, by groups of near twins and never by row.

splits = cut(pool, roles, vectors_of, seed=0)
splits["calibration"]

Groups of the calibration sources are dealt to two sides so that every value and label has its share on both (iterative stratification,
Sechidis et al. 2011). From one side come at most 100 rows a value, stratified by label; from the other the original split. Rows of
the generalization sources whose group the calibration sources know are dropped. Both test splits are capped per source, value and
label, spread over groups: balanced where the sources allow, never padded.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from clave.records import LABELS
from clave.valeval.diversity import Vectors, pick_diverse, pick_random, spread
from clave.valeval.row import Row
from clave.valeval.sources.spec import Role

PER_VALUE = 100
"""Most calibration rows a value."""
CAP = 150
"""Most rows of a source, value and label in a test split."""
LEAN = 3
"""Most rows of a label for each row of the richest other label of its source and value."""
FLOOR = 20
"""Rows of a source, value and label that may stay even where the other labels have fewer."""
CANDIDATES = 120
"""Most rows of a value and label among which calibration rows are picked: what has to be embedded."""
CALIBRATION_SHARE = 0.45
"""Share of each value and label whose groups go to the calibration side."""

Cell = tuple[str, str, str]
"""System, value, label."""


def cell(row: Row) -> Cell:
    return (row.system, row.value, row.label)


def cut(pool: Sequence[Row], roles: Mapping[str, Role], vectors_of: Callable[[list[str]], Vectors], seed: int) -> dict[str, list[Row]]:
    """The splits that hold unedited rows; a dropped row is in none.

    Args:
        pool: All rows, with groups.
        roles: The role of each source.
        vectors_of: Embeds texts; called once, with the candidates for calibration.
        seed: Another seed gives other splits.
    """
    known = [r for r in pool if roles[r.source] == "calibration"]
    side = deal({r.group for r in known}, known, seed)
    candidates = [r for r in known if r.group in side]
    taken = {r.group for r in known}
    others = [r for r in pool if roles[r.source] == "generalization" and r.group not in taken]
    pools = {k: spread(v, seed)[:CANDIDATES] for k, v in _by_cell(candidates).items()}
    vectors = vectors_of(sorted({r.response for rows in pools.values() for r in rows}))
    quotas = label_quotas({k: len(v) for k, v in pools.items()})
    splits = {
        "calibration": [r for k, rows in pools.items() for r in pick_diverse(rows, quotas[k], vectors, seed)],
        "calibration_random": [r for k, rows in _by_cell(candidates).items() for r in pick_random(rows, quotas[k], seed)],
        "original": capped([r for r in known if r.group not in side], seed),
        "generalization": capped(others, seed),
    }
    return {name: [r.model_copy(update={"split": name}) for r in rows] for name, rows in splits.items()}


def _by_cell(rows: Sequence[Row]) -> dict[Cell, list[Row]]:
    cells = defaultdict[Cell, list[Row]](list)
    for row in sorted(rows, key=lambda r: r.id):
        cells[cell(row)].append(row)
    return dict(sorted(cells.items()))


def deal(groups: set[str], rows: Sequence[Row], seed: int) -> set[str]:
    """The groups of the calibration side.

    Cells are served from the rarest on: each of its groups that is still free goes to the side that lacks most of this cell.
    """
    content = defaultdict[str, Counter[Cell]](Counter)
    for row in rows:
        content[row.group][cell(row)] += 1
    total = sum(content.values(), Counter[Cell]())
    got: tuple[Counter[Cell], Counter[Cell]] = (Counter(), Counter())
    free, calibration = set(groups), set[str]()

    def order(group: str) -> bytes:
        return hashlib.blake2b(f"{seed}\0{group}".encode(), digest_size=16).digest()

    for rarest in sorted(total, key=lambda c: (total[c], c)):
        wanted = CALIBRATION_SHARE * total[rarest], (1 - CALIBRATION_SHARE) * total[rarest]
        for group in sorted((g for g in free if rarest in content[g]), key=order):
            lack = [(wanted[s] - got[s][rarest]) / wanted[s] for s in (0, 1)]
            to = 0 if lack[0] >= lack[1] else 1
            got[to].update(content[group])
            if to == 0:
                calibration.add(group)
            free.discard(group)
    return calibration


def label_quotas(available: Mapping[Cell, int]) -> dict[Cell, int]:
    """How many rows of each value and label to take: 100 a value in equal parts; what a thin label lacks goes to the others,
    as long as no label has more than half of the value's rows, unless only one other is there."""
    quotas: dict[Cell, int] = {}
    for system, value in dict.fromkeys((s, v) for s, v, _ in available):
        cells = [(system, value, label) for label in LABELS if available.get((system, value, label))]
        room, open_cells = PER_VALUE, sorted(cells, key=lambda c: available[c])
        while open_cells:
            thin = open_cells.pop(0)
            quotas[thin] = min(available[thin], room // (len(open_cells) + 1), PER_VALUE // 2)
            room -= quotas[thin]
    return quotas


def capped(rows: Sequence[Row], seed: int) -> list[Row]:
    """At most CAP rows of each source, value and label, spread over groups; none so many that it drowns the others.

    Most sources could give any number of unrelated rows: no more are taken than of the richest other label. Adhere and oppose are held
    to LEAN times the richest other label. FLOOR rows may always stay.
    """
    cells = defaultdict[tuple[str, Cell], list[Row]](list)
    for row in rows:
        cells[row.source, cell(row)].append(row)
    out = list[Row]()
    for (source, (system, value, label)), members in sorted(cells.items()):
        rivals = max(len(cells.get((source, (system, value, other)), ())) for other in LABELS if other != label)
        most = min(CAP, max(FLOOR, rivals if label == "unrelated" else LEAN * rivals))
        out += spread(members, seed)[:most]
    return out
