"""`clave evaluate` against servers that behave as real ones do on a bad day, by the collection of cases beside the checkout."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

CASES = Path(os.environ.get("CLAVE_SHARED") or Path(__file__).resolve().parents[2].parent / "shared") / "cases"
ENTRY = [sys.executable, "-c", "from clave.cli.main import main; main()"]
pytestmark = pytest.mark.skipif(not (CASES / "server.py").is_file(), reason=f"the collection of cases is not here: {CASES}")


@pytest.fixture(scope="module")
def url():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, str(CASES / "server.py"), str(port)], stderr=subprocess.DEVNULL) as process:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
        process.terminate()


def evaluate(url, name, folder, *options):
    """Exit code, verdicts by id and what was printed."""
    output = folder / "verdicts.jsonl"
    command = ["evaluate", str(CASES / "r3.jsonl"), "--system", str(CASES / "honesty.yaml"), "--model", f"fake/{name}", "--base-url", url]
    done = subprocess.run([*ENTRY, *command, "--cache=", "-o", str(output), *options], capture_output=True, text=True, check=False)
    lines = output.read_text().splitlines() if output.is_file() else []
    assert "Traceback" not in done.stderr
    return done.returncode, {v["id"]: v for v in map(json.loads, lines)}, done.stdout + done.stderr


READ = {
    **dict.fromkeys(["ok", "parts", "think", "no-model", "o3", "html503", "429-date", "gemma-system", "context", "groq-json", "reset"]),
    **dict.fromkeys(["json-word", "grammar500"], "json_object"),
    "llama-grammar": "text",
    "keepalive": None,
}


@pytest.mark.parametrize("name", READ)
def test_every_row_gets_a_verdict(url, name, tmp_path):
    code, verdicts, _ = evaluate(url, name, tmp_path)
    assert code == 0
    assert [v["status"] for v in verdicts.values()] == ["ok"] * 3
    for verdict in verdicts.values():
        assert ({"json_object", "text"} & set(verdict["flags"])) == ({READ[name]} if READ[name] else set())


@pytest.mark.parametrize(("name", "words"), [("or-moderation", "flagged: violence"), ("ds-risk", "Content Exists Risk")])
def test_a_flagged_row_is_refused_and_the_others_are_judged(url, name, words, tmp_path):
    code, verdicts, _ = evaluate(url, name, tmp_path)
    assert (code, {i: v["status"] for i, v in verdicts.items()}) == (0, {"a": "ok", "b": "refused", "c": "ok"})
    assert words in verdicts["b"]["reason"]


def test_a_filter_that_bites_every_row_is_no_error(url, tmp_path):
    code, verdicts, printed = evaluate(url, "filter-null", tmp_path)
    assert (code, {v["status"] for v in verdicts.values()}) == (0, {"refused"})
    assert "Not one response got a verdict" in printed


@pytest.mark.parametrize(
    ("name", "words"), [("402", "Insufficient Balance"), ("insufficient", "check plan and billing"), ("429-day", "17.5 hours")]
)
def test_what_nobody_here_can_mend_ends_the_run_at_once(url, name, words, tmp_path):
    code, verdicts, printed = evaluate(url, name, tmp_path)
    assert (code, verdicts) == (2, {})
    assert words in printed


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("200-error", ["--max-retries", "1"], "the upstream provider is overloaded"),
        ("length-null", [], "still thinking: allow it more with `max_tokens`"),
        ("drip", ["--timeout", "1", "--max-retries", "0"], "no answer within 1 s"),
        ("hang", ["--timeout", "1", "--max-retries", "0"], "no answer within 1 s"),
        ("sse", [], "a stream came back"),
    ],
)
def test_what_stays_without_an_answer_fails_with_the_reason(url, name, options, words, tmp_path):
    code, verdicts, _ = evaluate(url, name, tmp_path, *options)
    assert (code, [v["status"] for v in verdicts.values()]) == (1, ["failed"] * 3)
    assert all(words in v["reason"] for v in verdicts.values())


def test_an_address_without_its_path_is_told(url, tmp_path):
    code, _, printed = evaluate(url.removesuffix("/v1"), "ok", tmp_path)
    assert code == 2
    assert "the address of most servers ends in /v1" in printed
