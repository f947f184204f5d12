"""A leaderboard of judges, and the analyses, on real labels with a large model's recorded answers.

    python benchmarks/replay_leaderboard.py -o RUN [--replay FOLDER] [--only leaderboard,curve,ablate,diversity,balance,probes]

Only what the recordings can answer honestly is asked. They hold an answer per item for four prompts: without labels, with all labels,
with a guideline, with a guideline and the nearest cases. A judge whose prompt is another (reasons, votes, few-shot without a guideline,
all values at once) would be given one of these under another name, and is not run. No edited text was recorded: probes run on the
judges that read the text themselves. The recorded guidelines were written from all 60 labels, so judges with a guideline are in no
learning curve. For calibration rows, answers with a guideline and cases were not recorded: Clave learns there from those with the
cross-fitted guideline alone.
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
from clave.benchmark.session import Session

LARGE = ("zero-shot", "many-shot", "clave", "clave-no-examples", "clave-plain", "clave-concepts-only", "clave-stance-only", "clave-with-text")
SMALL = ("clave-text-only", "majority", "lexicon", "tfidf", "nearest-1", "nearest-5", "nearest-15", "encoder-head", "setfit-40")


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
            session = opened(arguments.output, arguments.replay, url, tuple(arguments.judges.split(",")))
            PARTS[part](session)
            console.print(f"{part}: {time.perf_counter() - began:.0f} s; {session.spent()}")


def opened(output: Path, folder: Path, url: str, judges: tuple[str, ...]) -> Session:
    """The run on the recordings' rows; the answers are kept beside it."""
    definitions = output / "systems"
    definitions.mkdir(parents=True, exist_ok=True)
    for name, system in replay.systems(folder).items():
        (definitions / f"{name}.yaml").write_text(system.to_yaml(), encoding="utf-8")
    plan = Plan(
        labels=str(folder / "items.jsonl"),
        systems=tuple(str(definitions / f"{name}.yaml") for name in replay.SYSTEMS),
        fold_column="fold",
        splits=("dev", "dev_ood"),
        judges=judges,
        model="replay/recorded",
    )
    return Session.create(output, plan, base_url=url, cache=output / "answers.sqlite", concurrency=16)


def leaderboard(session: Session) -> None:
    """Every judge over both splits."""

    def tick(judge: str, done: int, total: int) -> None:
        if done in (0, total):
            Console(stderr=True).print(f"{judge}: {done}/{total} after {session.spent()['seconds']} s")

    outcome = asyncio.run(session.run(tick=tick))
    for name, why in outcome.skipped.items():
        Console(stderr=True).print(f"skipped {name}: {why}")


PARTS = {"leaderboard": leaderboard}


if __name__ == "__main__":
    main()
