"""One value a call, all values in one call, or all and then a closer look: accuracy, calls and tokens on real labels.

    python benchmarks/calls.py [--replay FOLDER]

Fitted on split `calibration` (60 labels per value), scored on `dev` (the same sources) and `dev_ood` (other sources), with a large model's
recorded answers. Differences are paired with `single`, with 95 % intervals over scenarios. Calls and tokens are those of a response that is
evaluated for all values of its system: the joint call, and a call for each value that its answer is unsure of; tokens are characters / 4.
The threshold is chosen on the calibration rows alone.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

import replay
from clave import Clave, LabelledResponse, Response, Settings
from clave.concepts.extractor import extraction_request, joint_request
from clave.llm.estimating import CHARACTERS_PER_TOKEN
from clave.scoring.metrics import accuracy, accuracy_difference
from clave.settings import ASKS, Ask

MODEL = "replay/recorded"
SPLITS = ("dev", "dev_ood")


@dataclass
class Found:
    """Of one way of asking on one split, over all systems."""

    gold: list[LabelledResponse] = field(default_factory=list)
    said: list[str | None] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    """Of each response, evaluated for all values."""
    tokens: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    folder: Path = parser.parse_args().replay
    if not (folder / "items.jsonl").is_file():
        sys.exit(f"the recordings are not at {folder}: name their folder with --replay")
    found = {(ask, split): Found() for ask in ASKS for split in SPLITS}
    with replay.server(folder) as url, tempfile.TemporaryDirectory() as place:
        for name, system in replay.systems(folder).items():
            for ask in ASKS:
                options = {"base_url": url, "cache": Path(place) / "cache.sqlite", "concurrency": 16}
                clave = Clave(system, settings=Settings(model=MODEL, ask=ask), **options).fit(  # type: ignore[arg-type]
                    replay.items(folder, "calibration", name), given_folds=True
                )
                look = clave.fitted.closer_look if clave.fitted else None
                if look is not None:
                    print(f"{name}: below {look.below:g}, {look.share:.0%} of the calibration answers, loss there {look.loss.value:+.3f}")
                for split in SPLITS:
                    judge(clave, replay.items(folder, split, name), found[ask, split], ask, 0.0 if look is None else look.below)
    show(found)


def judge(clave: Clave, rows: Sequence[LabelledResponse], found: Found, ask: Ask, below: float) -> None:
    """Add the verdicts on the rows' own values, and what a response takes for all values."""
    asked = [Response(id=r.id, scenario=r.scenario, response=r.response, value=r.value) for r in rows]
    verdicts = {(v.id, v.value): v.label for v in clave.evaluate(asked)}
    found.gold += rows
    found.said += [verdicts[r.id, r.value] for r in rows]
    values = [clave.system[v] for v in clave.values]
    guidelines = {v.id: clave.judging.guideline(v) for v in values}
    unsure = asyncio.run(unsure_values(clave, asked, below)) if below else {}
    together = ask == "joint" or bool(below)
    for response in asked:
        vector = clave.judging.encoder.encode_now([f"{response.scenario} {response.response}"])[0]
        alone = values if not together else [v for v in values if v.id in unsure.get(response.id, ())]
        requests = [joint_request(response, values, guidelines)] if together else []
        for value in alone:
            examples = clave.fitted.learnt.cases.nearest(value.id, vector, clave.settings.examples) if clave.fitted else []
            requests.append(extraction_request(response, value, guidelines[value.id], examples))
        found.calls.append(len(requests))
        found.tokens.append(sum(len(r.system) + len(r.user) for r in requests) / CHARACTERS_PER_TOKEN)


async def unsure_values(clave: Clave, responses: Sequence[Response], below: float) -> dict[str, set[str]]:
    """Response -> the values that its joint answer is unsure of."""
    from clave.concepts.extractor import Extracted, Extractor

    chat = clave.judging.chat
    assert chat is not None
    values = [clave.system[v] for v in clave.values]
    guidelines = {v.id: clave.judging.guideline(v) for v in values}
    async with clave:
        found = await asyncio.gather(*(Extractor(chat).extract_joint(r, values, guidelines) for r in responses))
    return {
        r.id: {v for v, one in answer.items() if not isinstance(one, Extracted) or one.extraction.confidence < below}
        for r, answer in zip(responses, found, strict=True)
    }


def show(found: dict[tuple[Ask, str], Found]) -> None:
    """Print a table for each split."""
    for split in SPLITS:
        table = Table("calls", "n", "accuracy", "less than single", "calls a response", "tokens a response", title=f"split {split}")
        single = found["single", split]
        groups = [r.group for r in single.gold]
        labels = [r.label for r in single.gold]
        for ask in ASKS:
            one = found[ask, split]
            loss = accuracy_difference(labels, single.said, one.said, groups)  # type: ignore[arg-type]
            difference = "" if ask == "single" else f"{loss.value:+.3f} [{loss.low:+.3f}, {loss.high:+.3f}]"
            n = len(one.calls)
            table.add_row(
                ask,
                str(n),
                str(accuracy(labels, one.said, groups)),  # type: ignore[arg-type]
                difference,
                f"{sum(one.calls) / n:.2f}",
                f"{sum(one.tokens) / n:,.0f}",
            )
        Console(width=130).print(table)


if __name__ == "__main__":
    main()
