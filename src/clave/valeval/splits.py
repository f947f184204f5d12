"""Cut the pool into calibration, original, generalization and related, by groups of near twins and never by row.

    splits, dropped = cut(pool, roles, vectors_of, seed=0)
    splits["calibration"], dropped      # its rows; and why each row that is in no split is not

Groups of the calibration sources are dealt to two sides so that every value and label has its share on both (iterative stratification,
Sechidis et al. 2011). From one side come at most 100 rows a value, stratified by label; from the other the original split. Rows of
other sources whose group the calibration sources know are dropped, and test rows that a calibration row gives away (leaks.py). Test splits
are capped per source, value and label, prompts with unlike answers first: balanced where the sources allow, never padded. A value that
calibration rows of one label alone would teach is not calibrated, and what a source says of a value with one label alone is not tested.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from clave.records import LABELS
from clave.valeval.diversity import Vectors, pick_diverse, pick_random, spread
from clave.valeval.leaks import apart
from clave.valeval.row import ValEvalRow
from clave.valeval.sources.spec import Role
from clave.valeval.views import contrasting

PER_VALUE = 100
"""Most calibration rows a value."""
CAP = 150
"""Most rows of a source, value and label in a test split."""
LEAN = 2
"""Most rows of a label for each row of the richest other label of its source and value."""
FLOOR = 20
"""Rows of a source, value and label that may stay even where the other labels have fewer."""
CANDIDATES = 120
"""Most rows of a value and label among which calibration rows are picked: what has to be embedded."""
CALIBRATION_SHARE = 0.45
"""Share of each value and label whose groups go to the calibration side."""
RESERVE = "reserve"
TAUGHT = 5
"""A value is calibrated where at least two labels have so many calibration rows."""

_BALANCE = "beyond the balance of its split"

Stratum = tuple[str, str, str]
"""System, value, label."""


def cell(row: ValEvalRow) -> Stratum:
    return (row.system, row.value, row.label)


def cut(
    pool: Sequence[ValEvalRow], roles: Mapping[str, Role], vectors_of: Callable[[list[str]], Vectors], seed: int
) -> tuple[dict[str, list[ValEvalRow]], dict[str, str]]:
    """The splits that hold unedited rows, and why each other row of the pool is in none. `RESERVE` is no split: more rows that might be in
    original, from which the hard view is chosen.

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
    pools = taught({k: spread(v, seed)[:CANDIDATES] for k, v in _by_cell(candidates).items()})
    values = {k[:2] for k in pools}
    vectors = vectors_of(sorted({r.response for rows in pools.values() for r in rows}))
    quotas = label_quotas({k: len(v) for k, v in pools.items()})
    splits = {
        "calibration": [r for k, rows in pools.items() for r in pick_diverse(rows, quotas[k], vectors, seed)],
        "calibration_random": [r for k, rows in _by_cell(candidates).items() if k in quotas for r in pick_random(rows, quotas[k], seed)],
    }
    learnt = splits["calibration"] + splits["calibration_random"]
    calibrated = [r for r in known if (r.system, r.value) in values]
    tested = {"original": [r for r in calibrated if r.group not in side]}
    for name in ("generalization", "related"):
        tested[name] = [r for r in pool if roles[r.source] == name and r.group not in taken]
    why = dict.fromkeys((r.id for r in pool), "scenario also in a calibration source")
    _note(why, known, "too few labels to calibrate the value on")
    _note(why, calibrated, _BALANCE)
    for name, rows in tested.items():
        balanced = capped(rows, seed)
        clean = apart(balanced, learnt, vectors_of)
        splits[name] = two_sided(clean)
        _note(why, rows, _BALANCE)
        _note(why, balanced, "given away by a calibration row")
        _note(why, clean, "only label that the source gives the value")
    for row in (r for rows in splits.values() for r in rows):
        why.pop(row.id, None)
    splits[RESERVE] = apart(capped(tested["original"], seed, cap=2 * CAP, balanced=False), learnt, vectors_of)
    return {name: [r.model_copy(update={"split": name}) for r in rows] for name, rows in splits.items()}, why


def _note(why: dict[str, str], rows: Sequence[ValEvalRow], reason: str) -> None:
    why.update(dict.fromkeys((r.id for r in rows), reason))


def _by_cell(rows: Sequence[ValEvalRow]) -> dict[Stratum, list[ValEvalRow]]:
    cells = defaultdict[Stratum, list[ValEvalRow]](list)
    for row in sorted(rows, key=lambda r: r.id):
        cells[cell(row)].append(row)
    return dict(sorted(cells.items()))


def taught(pools: Mapping[Stratum, list[ValEvalRow]]) -> dict[Stratum, list[ValEvalRow]]:
    """The cells of the values that can be calibrated: two labels have `TAUGHT` rows."""
    enough = Counter((system, value) for (system, value, _), rows in pools.items() if len(rows) >= TAUGHT)
    return {k: rows for k, rows in pools.items() if enough[k[:2]] > 1}


def two_sided(rows: Sequence[ValEvalRow]) -> list[ValEvalRow]:
    """Rows whose source gives their value another label too: on the others a judge that says one thing always is right."""
    labels = defaultdict[tuple[str, str, str], set[str]](set)
    for row in rows:
        labels[row.source, row.system, row.value].add(row.label)
    return [r for r in rows if len(labels[r.source, r.system, r.value]) > 1]


def deal(groups: set[str], rows: Sequence[ValEvalRow], seed: int) -> set[str]:
    """The groups of the calibration side.

    Cells are served from the rarest on: each of its groups that is still free goes to the side that lacks most of this cell.
    """
    content = defaultdict[str, Counter[Stratum]](Counter)
    for row in rows:
        content[row.group][cell(row)] += 1
    total = sum(content.values(), Counter[Stratum]())
    got: tuple[Counter[Stratum], Counter[Stratum]] = (Counter(), Counter())
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


def label_quotas(available: Mapping[Stratum, int]) -> dict[Stratum, int]:
    """How many rows of each value and label to take: 100 a value in equal parts; what a thin label lacks goes to the others,
    as long as no label has more than half of the value's rows, unless only one other is there."""
    quotas: dict[Stratum, int] = {}
    for system, value in dict.fromkeys((s, v) for s, v, _ in available):
        cells = [(system, value, label) for label in LABELS if available.get((system, value, label))]
        room, open_cells = PER_VALUE, sorted(cells, key=lambda c: available[c])
        while open_cells:
            thin = open_cells.pop(0)
            quotas[thin] = min(available[thin], room // (len(open_cells) + 1), PER_VALUE // 2)
            room -= quotas[thin]
    return quotas


def capped(rows: Sequence[ValEvalRow], seed: int, *, cap: int = CAP, balanced: bool = True) -> list[ValEvalRow]:
    """At most `cap` rows of each source, value and label, none so many that it drowns the others.

    Prompts with unlike answers come first, and rows are spread over groups.
    Most sources could give any number of unrelated rows: no more are taken than of the richest other label. Adhere and oppose are held
    to LEAN times the richest other label. FLOOR rows may always stay. Unless `balanced`, the cap alone holds.
    """
    cells, unlike = defaultdict[tuple[str, Stratum], list[ValEvalRow]](list), contrasting(rows)
    for row in rows:
        cells[row.source, cell(row)].append(row)
    out = list[ValEvalRow]()
    for (source, (system, value, label)), members in sorted(cells.items()):
        rivals = max(len(cells.get((source, (system, value, other)), ())) for other in LABELS if other != label)
        most = cap if not balanced else min(cap, max(FLOOR, rivals if label == "unrelated" else LEAN * rivals))
        out += sorted(spread(members, seed), key=lambda r: r.id not in unlike)[:most]
    return out
