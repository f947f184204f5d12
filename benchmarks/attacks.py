"""How many attacks were tried, and how many succeeded: the table of docs/security.md.

    python benchmarks/attacks.py                          # all families; rewrites the table
    python benchmarks/attacks.py --only answers --jobs 2  # some families, and their rows of the table
    python benchmarks/attacks.py --most 200               # at most 200 of each list, drawn with a seed

A family is a part of the tests. The suite draws a few of its attacks with a seed; here all are tried. Kills take long and have a
program of their own, kills.py; `--kills` adds its counts.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "security.md"


@dataclass(frozen=True)
class Family:
    """A kind of attack, and the tests that try it."""

    title: str
    tests: tuple[str, ...]
    held: str
    """What must hold of each."""


FAMILIES = {
    "servers": Family(
        "faults of servers",
        ("tests/llm/test_faults.py", "tests/llm/test_transport.py"),
        "a failed row, a retry, or one sentence that ends the run",
    ),
    "machines": Family(
        "limits of files, memory and disk; addresses, folders and caches that cannot be used",
        ("tests/attacks/test_limits.py", "tests/cli/test_environment.py"),
        "one sentence, an exit code, nothing that was paid for is lost",
    ),
    "outputs": Family(
        "75 hostile texts in every name and field, at 26 outputs",
        ("tests/attacks/test_every_output.py",),
        "a terminal, page, spreadsheet, Markdown, TeX, XML and metrics show it as plain text",
    ),
    "answers": Family(
        "hostile answers of a model",
        ("tests/attacks/test_answers.py",),
        "a verdict or a failure, in time and memory bounded by the answer's length",
    ),
    "secrets": Family(
        "keys that a server sends back, in 24 spellings at 9 places",
        ("tests/attacks/test_secrets.py",),
        "no verdict, message or cache holds one, or a long part of one",
    ),
    "evaluators": Family(
        "tampered evaluators", ("tests/attacks/test_evaluators.py",), "refused with one sentence, or verdicts with valid probabilities"
    ),
    "bombs": Family("bombs in files", ("tests/attacks/test_bombs.py",), "refused with one sentence, in bounded memory"),
    "requests": Family(
        "requests to the labelling page and to clave serve", ("tests/attacks/test_requests.py",), "no 500, nobody let in, nothing changed"
    ),
    "patterns": Family("regular expressions of the package", ("tests/attacks/test_patterns.py",), "no text makes one slow"),
}


@dataclass(frozen=True)
class Count:
    """How a family went."""

    tried: int
    failed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=FAMILIES)
    parser.add_argument("--jobs", type=int, default=1, help="families to run at once")
    parser.add_argument("--most", type=int, help="most attacks from each list")
    parser.add_argument("--kills", type=int, help="also run kills.py, with this many kills")
    arguments = parser.parse_args()
    most = "all" if arguments.most is None else str(arguments.most)
    names = arguments.only or list(FAMILIES)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        found = dict(zip(names, pool.map(lambda name: tried(FAMILIES[name], most), names), strict=True))
    if arguments.kills:
        found["kills"] = killed(arguments.kills)
    for name, count in found.items():
        print(f"{name}: {count.tried} tried, {count.failed} succeeded")
    PAGE.write_text(with_rows(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    sys.exit(1 if any(count.failed for count in found.values()) else 0)


def tried(family: Family, most: str) -> Count:
    """Run the tests of a family; what they say where one fails goes to standard error."""
    with tempfile.TemporaryDirectory() as place:
        results = Path(place) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", f"--junitxml={results}", *family.tests]
        ran = subprocess.run(command, cwd=ROOT, env=os.environ | {"CLAVE_ATTACKS": most}, capture_output=True, text=True, check=False)
        if ran.returncode:
            print(ran.stdout[-20_000:], ran.stderr[-2_000:], file=sys.stderr)
        suites = ElementTree.parse(results).getroot().iter("testsuite")
        counts = [{k: int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped")} for suite in suites]
    return Count(
        sum(c["tests"] - c["skipped"] for c in counts),
        sum(c["failures"] + c["errors"] for c in counts),
    )


def killed(kills: int) -> Count:
    """What kills.py counts over all commands."""
    ran = subprocess.run(
        [sys.executable, "benchmarks/kills.py", "--kills", str(kills)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    total = re.search(r"^\| all \| (\d+) \| (\d+) \| (\d+) \|", ran.stdout, re.M)
    if total is None:
        sys.exit(f"kills.py gave no table: {ran.stdout[-500:]}{ran.stderr[-500:]}")
    return Count(int(total[1]), int(total[2]))


def with_rows(page: str, found: dict[str, Count]) -> str:
    """The page with the rows of these families in its table anew; the others stay."""
    titles = {name: (family.title, family.held) for name, family in FAMILIES.items()}
    titles["kills"] = ("kills at random moments", "nothing lost, repeated or paid for twice")
    lines = page.splitlines()
    for name, count in found.items():
        title, held = titles[name]
        row = f"| {title} | {count.tried:,} | {count.failed} | {held} |"
        place = next((k for k, line in enumerate(lines) if line.startswith(f"| {title} |")), None)
        if place is None:
            end = lines.index("", lines.index("| attack | tried | succeeded | what must hold |"))
            lines.insert(end, row)
        else:
            lines[place] = row
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
