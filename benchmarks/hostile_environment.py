"""Does any value of an environment variable or an option end in a traceback? Commands with values drawn from a list of bad ones, by a seed.

    python benchmarks/hostile_environment.py [--times 2000] [--seed 0]

Each run is a whole command in this process, against a server on loopback. It must end with 0, or with a sentence and an exit code of its
own; a key or a password must not stand in what it prints. Prints what did not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
import traceback
import unittest.mock
from collections import Counter
from pathlib import Path

import kills
from counting_server import counting

SECRET = "sk-Never9Shown"
FAULT = 70
"""The exit code that stands for a fault of clave itself."""
TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "1e309",
    "nan",
    "inf",
    "½",
    "٣",
    "a,b",
    "=",
    "a=b=c",
    "x" * 5000,
    "\udcff",
    "naïve \U0001f600",
    "\x1b[31m",
    "%s %(a)s {0}",
    "~",
    "/",
    "/dev/null",
    "/dev/full",
    "/proc/self/mem",
    "nowhere/at/all",
    "../..",
    "file:///etc/passwd",
    "hf://",
    "hf://a/b:c",
    "true",
    "None",
    "[]",
    "{}",
    "99999999999999999999",
    "1/0",
    "0/5",
    "3/2",
)
ADDRESSES = (
    "http://127.0.0.1:1/v1",
    "http://127.0.0.1:0/v1",
    "http://127.0.0.1:99999/v1",
    "https://127.0.0.1:1",
    "http://[::1",
    "http://[::1]:1/v1",
    "ftp://localhost/v1",
    "localhost:8000",
    "http://",
    "http:///v1",
    f"http://ana:{SECRET}@127.0.0.1:1/v1",
    f"http://ana:{SECRET}@[::1",
    "http://exa mple/v1",
    "http://\u2603.invalid/v1",
    "http://127.0.0.1:1/v1?x=1#y",
    "socks5://127.0.0.1:1",
    f"socks5://ana:{SECRET}@127.0.0.1:1",
    "socks4://127.0.0.1:1",
    "socks9://127.0.0.1:1",
    "quic://127.0.0.1:1",
    "//127.0.0.1:1",
)
KEYS = (
    SECRET,
    f"{SECRET}\n",
    f"{SECRET}\nX-Other: 1",
    f"{SECRET} two",
    f"{SECRET}é",
    f"{SECRET}\x01",
    "",
    "\udcff",
)
VARIABLES = {
    "OPENAI_API_KEY": KEYS,
    "OPENAI_ORG_ID": KEYS,
    "OPENAI_PROJECT_ID": KEYS,
    "OPENAI_BASE_URL": (*TEXTS, *ADDRESSES),
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), (*TEXTS, *ADDRESSES)),
    **dict.fromkeys(("NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CLAVE_CACHE", "XDG_CACHE_HOME", "HOME"), TEXTS),
    **dict.fromkeys(("COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "LANG", "TZ", "CLAVE_TOKENS", "CLAVE_ANNOTATE_TOKEN"), TEXTS),
}
CALLS = ("--base-url", "--concurrency", "--max-retries", "--timeout", "--max-tokens", "--budget", "--prices", "--cache")
INPUT = ("--map", "--turns", "--limit", "--shard", "--on-error")
COMMANDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("evaluate", "responses.jsonl", "--system", "system.yaml", "-o", "verdicts.jsonl"): (*CALLS, *INPUT, "--calls", "--min-confidence"),
    ("evaluate", "responses.jsonl", "--evaluator", "evaluator", "-o", "verdicts.jsonl"): (*CALLS, *INPUT, "--prevalence", "--coverage"),
    ("estimate", "responses.jsonl", "--system", "system.yaml"): (*CALLS, *INPUT, "--calls"),
    ("generate", "scenarios.jsonl", "-o", "answers.jsonl"): (*CALLS, "--samples", "--temperature", "--seed", "--system-prompt", "--limit"),
    ("calibrate", "labels.jsonl", "--system", "system.yaml", "-o", "made"): (
        *CALLS,
        *("--values", "--folds", "--examples", "--features", "--recognizer", "--fold-column", "--label-names", "--control"),
    ),
    ("agreement", "labels.jsonl"): ("--map", "--label-names", "--control"),
    ("report", "verdicts.jsonl"): ("--responses", "--title", "--evaluator"),
    ("gate", "verdicts.jsonl"): ("--require", "--min-labelled"),
}


def strike(times: int, seed: int, place: Path) -> tuple[Counter[str], list[str]]:
    """Run so many commands.

    Returns:
        Exit code -> runs, and what ended in a traceback or told a secret.
    """
    kills.prepare(place, rows=3)
    wrong: list[str] = []
    codes: Counter[str] = Counter()
    with counting(0.0) as server, contextlib.chdir(place):
        base = ["--base-url", server.url]
        run(["calibrate", "labels.jsonl", "--system", "system.yaml", "-o", "evaluator"], {})
        for k in range(times):
            draw = random.Random(f"{seed}.{k}")
            command = draw.choice(list(COMMANDS))
            arguments = list(command)
            model = command[0] in ("evaluate", "estimate", "generate", "calibrate") and "--evaluator" not in command
            calls = ["--model", "local/x", "--max-retries", "0", "--timeout", "2", "--cache", "c.sqlite", *base] if model else []
            environment = {name: draw.choice(VARIABLES[name]) for name in draw.sample(list(VARIABLES), draw.choice((0, 1, 2)))}
            if draw.random() < 0.4:
                calls = ["--model", "openai/x", "--max-retries", "0", "--timeout", "2"] if model else []
                environment.setdefault("OPENAI_BASE_URL", server.url)
            options = COMMANDS[command]
            for name in draw.sample(options, min(len(options), draw.choice((0, 1, 1, 2)))):
                arguments += [name, draw.choice(ADDRESSES if name == "--base-url" else TEXTS)]
            if "--model" in calls:
                calls = [part for i, part in enumerate(calls) if not {calls[i - i % 2]} & set(arguments)]
            code, said = run([*arguments, *calls], environment)
            codes[str(code)] += 1
            if code == FAULT or "Traceback" in said or SECRET in said:
                wrong.append(f"{seed}.{k}: {environment} {arguments + calls} ended with {code}: {said[-1500:]}")
            for path in ("made", "verdicts.jsonl", "answers.jsonl"):
                shutil.rmtree(path, ignore_errors=True)
                Path(path).unlink(missing_ok=True) if not Path(path).is_dir() else None
    return codes, wrong


def run(arguments: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """One command: its exit code, and all that it printed."""
    from clave.cli.main import main

    out = io.StringIO()
    with (
        unittest.mock.patch.dict(os.environ, environment),
        unittest.mock.patch.object(sys, "argv", ["clave", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException:
            out.write(traceback.format_exc())
            code = FAULT
    return code, out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        codes, wrong = strike(arguments.times, arguments.seed, Path(name))
    for text in wrong:
        print(text)
    print(f"{codes.total()} commands, by exit code {dict(sorted(codes.items()))}: {len(wrong)} ended in a traceback or told a secret")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
