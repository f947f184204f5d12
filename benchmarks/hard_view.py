"""What the choice of ValEval's hard view is worth against controls that learn from rows kept aside before it.

    clave valeval build -o valeval --source moral_stories,mfrc
    python benchmarks/hard_view.py valeval [--seeds 3]

A quarter of the scenarios of the test splits is kept aside; the view is chosen from the rest, as a build does. Then each control learns
from the rows kept aside alone, and together with the calibration rows, and is asked about the view: chance is a third. Rows that a build
chooses from beyond its test splits are not in its files, so the views here are smaller.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from clave.valeval.build import embed
from clave.valeval.diversity import Vectors
from clave.valeval.hard import floor, hard_rows
from clave.valeval.row import TESTED, ValEvalRow, read_split

ASIDE = 0.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("valeval", type=Path, help="folder of a built data set")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    learnt = list(read_split(given.valeval / "calibration.jsonl"))
    tested = [r for name in TESTED for r in read_split(given.valeval / f"{name}.jsonl")]
    known: Vectors = {}

    def vectors_of(texts: list[str]) -> Vectors:
        known.update(embed(sorted(set(texts) - set(known))))
        return {text: known[text] for text in texts}

    found: dict[tuple[str, str], list[float]] = {}
    sizes = []
    for seed in range(given.seeds):
        aside = [r for r in tested if kept_aside(r, seed)]
        view = hard_rows([r for r in tested if not kept_aside(r, seed)], learnt, vectors_of, seed)
        sizes.append(len(view))
        for name, rows in (("calibration", learnt), ("aside", aside), ("calibration and aside", [*learnt, *aside])):
            for control, scores in floor(view, rows, vectors_of).items():
                found.setdefault((control, name), []).append(scores["calibration"])
    table = Table("control", "learnt from", "accuracy", "by seed")
    for (control, name), scores in found.items():
        table.add_row(control, name, f"{np.mean(scores):.3f}", ", ".join(f"{score:.3f}" for score in scores))
    Console().print(table)
    Console().print(f"rows of the view, by seed: {', '.join(map(str, sizes))}")


def kept_aside(row: ValEvalRow, seed: int) -> bool:
    """Whether the scenario of a row is kept aside; near twins go together."""
    digest = hashlib.blake2b(f"{seed}\0aside\0{row.group}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") < ASIDE * 2**32


if __name__ == "__main__":
    main()
