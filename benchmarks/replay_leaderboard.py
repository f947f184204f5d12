"""A leaderboard of judges, and the analyses, on real labels with a large model's recorded answers.

    python benchmarks/replay_leaderboard.py -o RUN [--replay FOLDER] [--only leaderboard,perturbation,diversity,probes,curve,ablate,…]

Only what the recordings can answer honestly is asked. They hold an answer per item for four prompts: without labels, with all labels,
with a guideline, with a guideline and the nearest cases. A judge whose prompt is another (reasons, votes, few-shot without a guideline,
all values at once) would be given one of these under another name, and is not run. Edited texts (`dev_perturbed`: one edit a row, eleven
kinds, three strengths) were answered without labels and with guideline and nearest cases: the part `perturbation` is a run of its own, of
the judges that ask so or read the text themselves, beside the unedited rows. Probes run on judges that read the text themselves. The
recorded guidelines were written from all 60 labels, so judges with a guideline are in no learning curve. For calibration rows, answers
with a guideline and cases were not recorded: Clave learns there from those with the cross-fitted guideline alone.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from rich.console import Console

import replay
from clave.benchmark.plan import Plan
from clave.benchmark.probing import EDITS, probe
from clave.benchmark.running import Outcome
from clave.benchmark.session import Session
from clave.benchmark.studies import ablation, diversity, learning_curve

LARGE = (
    "zero-shot",
    "many-shot",
    "clave",
    "clave-no-examples",
    "clave-plain",
    "clave-concepts-only",
)
EDITED = ("zero-shot", "clave", "clave-plain", "clave-concepts-only")
"""Judges with a large model whose prompts were answered for edited texts, too."""
SMALL = (
    "clave-text-only",
    "fulcra",
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--only", default="leaderboard", help="which parts, by comma")
    parser.add_argument("--judges", default=",".join((*LARGE, *SMALL)))
    arguments = parser.parse_args()
    if not (arguments.replay / "items.jsonl").is_file():
        sys.exit(f"the recordings are not at {arguments.replay}: name their folder with --replay")
    console = Console(stderr=True)
    with replay.server(arguments.replay) as url:
        for part in arguments.only.split(","):
            began = time.perf_counter()
            judges = tuple(arguments.judges.split(","))
            if part == "perturbation":
                judges = tuple(judge for judge in judges if judge in (*EDITED, *SMALL))
                session = opened(arguments.output / part, arguments.replay, url, judges, ("dev", "dev_perturbed"))
            else:
                session = opened(arguments.output, arguments.replay, url, judges)
            PARTS[part](session)
            console.print(f"{part}: {time.perf_counter() - began:.0f} s; {session.spent()}")


def opened(output: Path, folder: Path, url: str, judges: tuple[str, ...], splits: tuple[str, ...] = ("dev", "dev_ood")) -> Session:
    """The run on the recordings' rows; the answers are kept beside it."""
    definitions = output / "systems"
    definitions.mkdir(parents=True, exist_ok=True)
    for name, system in replay.systems(folder).items():
        (definitions / f"{name}.yaml").write_text(system.to_yaml(), encoding="utf-8")
    plan = Plan(
        labels=str(folder / "items.jsonl"),
        systems=tuple(str(definitions / f"{name}.yaml") for name in replay.SYSTEMS),
        fold_column="fold",
        splits=splits,
        judges=judges,
        model="replay/recorded",
    )
    return Session.create(output, plan, base_url=url, cache=output / "answers.sqlite", concurrency=16)


def leaderboard(session: Session) -> None:
    """Every judge over both splits."""
    tell(asyncio.run(session.run(tick=tick)))


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
    "perturbation": leaderboard,
    "diversity": choose,
    "probes": probed,
    "curve": curve,
    "ablate": ablate,
    "curve-large": curve_large,
}


if __name__ == "__main__":
    main()
