"""Corrected profiles on recorded rows: what an evaluator's calibration labels make of its verdicts on rows that people labelled.

    python benchmarks/profile_replay.py [--replay FOLDER]

The default evaluator is fitted on split `calibration` and judges `dev` (the same sources) and `dev_ood` (others); each split counts as the
responses of one model. Of each value: net adherence by people, counted, and corrected, and whether it says that its error rates
cannot be carried over.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import replay
from clave import Clave, Response, Settings
from clave.profile.estimates import quantities
from clave.profile.known import known_of
from clave.profile.study import Verdicts, findings
from clave.records import LABELS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    folder: Path = parser.parse_args().replay
    table = Table("split", "value", "n", "by people", "counted", "corrected", "inside", "note")
    with replay.server(folder) as url, tempfile.TemporaryDirectory() as cache:
        for name, system in replay.systems(folder).items():
            clave = Clave(system, settings=Settings(model="replay/recorded"), base_url=url, cache=Path(cache) / "cache.sqlite")
            clave.fit(replay.items(folder, "calibration", name), given_folds=True)
            assert clave.fitted is not None
            known, seen, gold = known_of(clave.fitted), Verdicts(), dict[tuple[str, str], list[int]]()
            for split in ("dev", "dev_ood"):
                rows = {(r.id, r.value): r for r in replay.items(folder, split, name)}
                asked = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rows.values()]
                for verdict in clave.evaluate(asked):
                    row = rows[verdict.id, verdict.value]
                    seen.add(verdict, split, row.group)
                    gold.setdefault((split, verdict.value), []).append(LABELS.index(row.label))
            for found in findings(seen, known=known):
                labels = gold[found.model, found.value]
                truth = float(quantities(np.bincount(labels, minlength=3) / len(labels))[4])
                net = found.best.net if found.best.supported else None
                inside = "" if net is None or net.low is None or net.high is None else "yes" if net.low <= truth <= net.high else "no"
                cells = (f"{truth:+.2f}", str(found.counted.net), "" if net is None else str(net), inside, found.best.note)
                table.add_row(found.model, found.value, str(len(labels)), *cells)
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
