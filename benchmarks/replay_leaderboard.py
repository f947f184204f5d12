"""A leaderboard of judges, and the analyses, on real labels with a large model's recorded answers.

    python benchmarks/replay_leaderboard.py -o RUN --valeval VALEVAL        # then: valeval_tables.py RUN/leaderboard --splits …
    python benchmarks/replay_leaderboard.py -o RUN --only curve,ablate,diversity,probes,order

Only what the recordings can answer honestly is asked. They hold an answer per item for four prompts of one value (without labels, with all
labels, with a guideline, with a guideline and the nearest cases), for a reason before the label, and for all values of a system at once.
A judge whose prompt is another (votes, scores, few-shot without a guideline) would be given one of these under another name, and is not
run. Edited texts (`dev_perturbed`: one edit a row, eleven kinds, three strengths) were answered without labels and with guideline and
nearest cases: other prompts are not asked there. The recordings have no rows of moral foundations from other sources: with `--valeval`
the foundations' rows of its split `generalization` are judged too (`dev_ood_mft`), by the judges that call no large model. The recorded
guidelines were written from all 60 labels, so judges with a guideline are in no learning curve. For calibration rows, answers with a
guideline and cases were not recorded: Clave learns there from those with the cross-fitted guideline alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

import replay
from clave.benchmark.plan import Plan
from clave.benchmark.predictions import PredictionTable
from clave.benchmark.probing import EDITS, ORDER, probe
from clave.benchmark.running import Outcome, run_judges
from clave.benchmark.session import Session
from clave.benchmark.studies import ablation, diversity, learning_curve
from clave.valeval.row import read_split

UNEDITED, EDITED, FOUNDATIONS = ("dev", "dev_ood"), "dev_perturbed", "dev_ood_mft"
"""Splits. `FOUNDATIONS` are rows of a ValEval, which no recorded answer is about."""
EVERYWHERE = ("zero-shot", "clave", "clave-plain", "clave-concepts-only", "clave-stance-only", "clave-with-text")
"""Judges with a large model whose prompts were answered for edited texts, too."""
NOT_EDITED = ("many-shot", "zero-shot-reasons", "clave-no-examples", "clave-auto", "clave-joint")
"""And those whose prompts were not."""
SMALL = (
    "clave-text-only",
    "majority",
    "surface",
    "scenario-only",
    "response-only",
    "lexicon",
    "tfidf",
    "tfidf-chars",
    "naive-bayes",
    "prototypes",
    "nearest-1",
    "nearest-5",
    "nearest-15",
    "encoder-head",
)
CURVE = ("tfidf", "nearest-5", "encoder-head")
DIVERSITY = ("tfidf", "nearest-5", "encoder-head")
PROBED = ("lexicon", "tfidf", "nearest-1", "nearest-5", "encoder-head")
JOINT, ALONE = ("clave-auto", "clave-joint"), ("clave-no-examples",)
"""Judges with a guideline that name all values in one call, and the one that names each alone."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--valeval", type=Path, help="a built ValEval, for rows of the moral foundations from other sources")
    parser.add_argument("--only", default="leaderboard", help="which parts, by comma")
    arguments = parser.parse_args()
    if not (arguments.replay / "items.jsonl").is_file():
        sys.exit(f"the recordings are not at {arguments.replay}: name their folder with --replay")
    console = Console(stderr=True)
    with replay.server(arguments.replay) as url:
        for part in arguments.only.split(","):
            began = time.perf_counter()
            if part == "leaderboard":
                session = opened(arguments.output / part, arguments.replay, url, (*UNEDITED, EDITED), arguments.valeval)
            else:
                session = opened(arguments.output / "studies", arguments.replay, url, UNEDITED)
            PARTS[part](session)
            console.print(f"{part}: {time.perf_counter() - began:.0f} s; {session.spent()}")


def opened(output: Path, folder: Path, url: str, splits: tuple[str, ...], valeval: Path | None = None) -> Session:
    """A run on the recordings' rows, and on the foundations' rows of a ValEval; the answers are kept beside it."""
    definitions = output / "systems"
    definitions.mkdir(parents=True, exist_ok=True)
    systems = replay.systems(folder)
    for name, system in systems.items():
        (definitions / f"{name}.yaml").write_text(system.to_yaml(), encoding="utf-8")
    labels = folder / "items.jsonl"
    if valeval is not None:
        more = [r for r in read_split(valeval / "generalization.jsonl") if r.system == "mft" and r.value in systems["mft"].by_id]
        lines = [json.dumps(r.model_dump() | {"split": FOUNDATIONS}) for r in more]
        labels = output / "rows.jsonl"
        labels.write_text("\n".join([(folder / "items.jsonl").read_text(encoding="utf-8").strip(), *lines]) + "\n", encoding="utf-8")
        splits = (*splits, FOUNDATIONS)
    plan = Plan(
        labels=str(labels),
        systems=tuple(str(definitions / f"{name}.yaml") for name in replay.SYSTEMS),
        fold_column="fold",
        splits=splits,
        judges=(*EVERYWHERE, *NOT_EDITED, *SMALL),
        model="replay/recorded",
    )
    return Session.create(output, plan, base_url=url, cache=output / "answers.sqlite", concurrency=16)


def leaderboard(session: Session) -> None:
    """Every judge over the splits that it can be judged on."""
    parts = {NOT_EDITED: {*UNEDITED}, EVERYWHERE: {*UNEDITED, EDITED}, SMALL: set(session.data.splits)}
    asyncio.run(session.closing(judged(session, parts)))
    session.finish("predictions")
    splits = {s: sum(g.split == s for g in session.data.gold.values()) for s in session.data.splits}
    session.note("run", original_split=session.original, splits=splits, values=list(session.data.values))


async def judged(session: Session, parts: Mapping[tuple[str, ...], set[str]]) -> None:
    """Judges by name over rows of some splits."""
    for names, splits in parts.items():
        gold = {key: row for key, row in session.data.gold.items() if row.split in splits}
        task = session.data.task
        task = replace(task, responses=[r for r in task.responses if (r.id, r.value) in gold])
        tell(await run_judges(session.judges(names), task, gold, session.predictions(), tick=tick))


def curve(session: Session) -> None:
    """Judges in which no guideline stands."""
    tell(asyncio.run(learning_curve(session, CURVE, points=(5, 10, 20, 40, 60), seeds=3, tick=tick)))


def curve_large(session: Session) -> None:
    """The paper's scheme and concepts with stance: a fit each, so with one seed."""
    tell(asyncio.run(learning_curve(session, ("clave-concepts-only", "clave-plain"), points=(10, 20, 60), seeds=1, tick=tick)))


def ablate(session: Session) -> None:
    """Parts of Clave with a guideline and without examples, for which every answer was recorded."""
    without = ("recognizer", "concepts", "stance", "guideline", "pool mapping", "cross-fitting")
    tell(asyncio.run(ablation(session, "clave-no-examples", without=without, tick=tick)))


def choose(session: Session) -> None:
    """Choices of 20 of the 60 labels of each value."""
    tell(asyncio.run(diversity(session, DIVERSITY, labels=20, seeds=5, tick=tick)))


def probed(session: Session) -> None:
    """Judges that read the edited text themselves."""
    tell(asyncio.run(probe(session, PROBED, probes=tuple(EDITS), limit=20, tick=tick)))


def order(session: Session) -> None:
    """All values in one call, named from the last to the first. The recorded answer is the same: what moves is the package's own doing.

    What the place of a value does to the model's answer is told by the answer for it alone: recorded calls name values in one order.
    """
    tell(asyncio.run(probe(session, JOINT, probes=(ORDER,), limit=100, tick=tick)))
    tell(asyncio.run(run_judges(session.judges(ALONE), session.data.task, session.data.gold, session.predictions("probes"), tick=tick)))
    table = PredictionTable.read(session.predictions("probes"))
    said = {(j, i, v): label for j, i, v, label in zip(table["judge"], table["id"], table["value"], table["label"], strict=True)}
    place = {v: n for system in replay.SYSTEMS for n, v in enumerate(v for v, s in session.data.system_of.items() if s == system)}
    shown = Table(
        "place", "rows", "together right", "alone right", "the same label", title=f"{JOINT[1]} and {ALONE[0]}, {session.original}"
    )
    rows = [r for r in session.data.rows if session.data.gold[r.id, r.value].split == session.original]
    for n in range(4):
        own = [(said[JOINT[1], r.id, r.value], said[ALONE[0], r.id, r.value], r.label) for r in rows if place[r.value] == n]
        shares = (sum(a == c for a, _, c in own), sum(b == c for _, b, c in own), sum(a == b for a, b, _ in own))
        shown.add_row(str(n + 1), str(len(own)), *(f"{share / len(own):.3f}" for share in shares))
    Console().print(shown)


def tell(outcome: Outcome) -> None:
    """What was skipped."""
    for name, why in outcome.skipped.items():
        Console(stderr=True).print(f"skipped {name}: {why}")


def tick(judge: str, done: int, total: int) -> None:
    """The beginning and the end of each judge."""
    if done in (0, total):
        Console(stderr=True).print(f"{time.strftime('%H:%M:%S')} {judge}: {done}/{total}")


PARTS = {
    "leaderboard": leaderboard,
    "diversity": choose,
    "probes": probed,
    "order": order,
    "curve": curve,
    "ablate": ablate,
    "curve-large": curve_large,
}


if __name__ == "__main__":
    main()
