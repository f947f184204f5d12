"""Recording the demonstration's answers again, after a prompt, an example or a response was changed.

    python -m clave.demo.recording prompts FOLDER     # the prompts that have no answer yet: prompts-1.md, prompts-2.md, …
    python -m clave.demo.recording take FILE…         # answers taken in: a line {"id": …, "answer": {…}} for each prompt

The guidelines come first; when they are answered, `prompts` writes the prompts that they stand in. Whoever answers sees the prompts
alone: neither the key of the responses nor what others answered. Each file of guidelines goes to another reader, who would else know
labels that a guideline must not have seen.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib import resources
from itertools import zip_longest
from pathlib import Path

import numpy as np

from clave.concepts.extractor import Extractor
from clave.demo.recorded import RecordedChat, demo_labels, demo_responses, demo_settings, demo_system, prompt_id
from clave.errors import ModelError
from clave.fitting.cross_fitting import cross_fit, write_guidelines
from clave.fitting.samples import dealt_samples
from clave.llm.chat import ChatRequest, Completion
from clave.records import Failure

_PER_FILE = 36


class Unanswered(RecordedChat):
    """Answers what is recorded, and notes what is not."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, ChatRequest] = {}
        self.missing: dict[str, ChatRequest] = {}

    async def complete(self, request: ChatRequest) -> Completion | Failure:
        """See `ChatModel.complete`."""
        name = prompt_id(request)
        self.asked[name] = request
        if self.kept(request) is not None:
            return await super().complete(request)
        self.missing[name] = request
        return Failure(status="failed", kind="budget", reason="not recorded")  # what is short of money is not asked for in other ways


async def unanswered() -> Unanswered:
    """Go through all that the demonstration asks: the guidelines, and when they are there the extractions."""
    chat, system, settings = Unanswered(), demo_system(), demo_settings()
    samples, _ = dealt_samples(demo_labels(), settings.folds, settings.seed, given=False)
    try:
        guidelines, _ = await write_guidelines(chat, system, samples, lambda stage, done, total: None)
    except ModelError:
        return chat
    try:
        no_neighbours = np.zeros((len(samples), 1), np.float32)  # joint prompts show no labelled samples
        await cross_fit(chat, system, samples, no_neighbours, settings, lambda stage, done, total: None)
    except ModelError:
        pass
    values = [system[v] for v in system.ids()]
    for response in demo_responses():
        await Extractor(chat).extract_joint(response, values, dict(guidelines))
    return chat


def write_prompts(folder: Path) -> list[Path]:
    """Write the prompts that have no answer: guidelines of one value into different files, extractions under one system text together."""
    missing = asyncio.run(unanswered()).missing
    by_system: defaultdict[str, list[str]] = defaultdict(list)
    for name, request in missing.items():
        by_system[request.system].append(name)
    if any(read_fields(request) == ["guideline"] for request in missing.values()):
        files = [[name for name in group if name] for group in zip_longest(*by_system.values())]
    else:
        files = [sorted(names)[i : i + _PER_FILE] for names in by_system.values() for i in range(0, len(names), _PER_FILE)]
    paths = list[Path]()
    for names in files:
        paths.append(folder / f"prompts-{len(paths) + 1}.md")
        text, system = list[str](), ""
        for name in names:
            if missing[name].system != system:
                system = missing[name].system
                text.append(f"=== system text of the prompts that follow ===\n{system}\n")
            text.append(f"=== prompt {name} ===\n{missing[name].user}\n")
        paths[-1].write_text("\n".join(text), encoding="utf-8")
    return paths


def read_fields(request: ChatRequest) -> list[str]:
    """The fields of the answer that a request asks for."""
    return list((request.schema or {}).get("properties", {}))


def take(files: Sequence[Path]) -> tuple[int, int]:
    """Add answers to answers.jsonl and drop those whose prompt is gone.

    Returns:
        How many were taken, and how many prompts are still without an answer.

    Raises:
        ValueError: An answer is not what its prompt asks for.
    """
    chat = asyncio.run(unanswered())
    given = {row["id"]: row["answer"] for file in files for row in map(json.loads, file.read_text(encoding="utf-8").splitlines())}
    taken = {name: given[name] for name in chat.missing if name in given}
    for name, answer in taken.items():
        try:
            chat.missing[name].check(json.dumps(answer))
        except ValueError as error:
            raise ValueError(f"the answer to {name} cannot be used: {error}") from None
    kept = {name: json.loads(text) for name in chat.asked if (text := chat.kept(chat.asked[name])) is not None}
    with resources.as_file(resources.files("clave.demo") / "answers.jsonl") as path:
        lines = [json.dumps({"prompt": name, "answer": answer}, ensure_ascii=False) for name, answer in (kept | taken).items()]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(taken), len(asyncio.run(unanswered()).missing)


def main(arguments: Sequence[str]) -> str:
    """What the command says."""
    if len(arguments) == 2 and arguments[0] == "prompts":
        paths = write_prompts(Path(arguments[1]))
        return f"prompts without an answer are in {', '.join(map(str, paths))}" if paths else "every prompt has its answer"
    if len(arguments) > 1 and arguments[0] == "take":
        taken, left = take([Path(a) for a in arguments[1:]])
        return f"{taken} answers taken in; {left} prompts are without one"
    return (__doc__ or "").strip()


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
