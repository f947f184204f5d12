"""Commands as a shell runs them, with limits on the process, against a server on loopback that answers everything well."""

import json
import os
import subprocess
import sys

RUN = """
import json, os, resource, sys
limits = json.loads(sys.argv.pop(1))
os.umask(limits.pop("umask", 0o022))
for name, most in limits.items():
    resource.setrlimit(getattr(resource, name), (most, most))
from clave.cli.main import main
main()
"""
ANSWER = {"concepts": ["Helping"], "evidence": "", "stance": "adhere", "confidence": 0.9, "guideline": "Helping adheres."}


def answers(server):
    """Have a `ChatServer` answer in every form that is asked for."""
    values = dict.fromkeys(("care", "fairness", "loyalty", "authority", "purity", "sanctity", "liberty"), ANSWER)
    server.script = lambda body: server.says(json.dumps(ANSWER | values))


def run(arguments, *, limits=None, timeout=120, **environment):
    """(exit code, all that was printed) of a command; 0 where it had to be ended, as what serves must be."""
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "CLAVE_")) and "PROXY" not in k.upper()}
    command = [sys.executable, "-c", RUN, json.dumps(limits or {}), *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=bare | environment
    ) as process:
        try:
            said, _ = process.communicate(timeout=timeout)
            return process.returncode, said.decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            process.terminate()
            said, _ = process.communicate()
            return 0, said.decode("utf-8", "replace")


def place(folder):
    """Labels, responses, scenarios and an evaluator that makes no calls."""
    folder.mkdir(exist_ok=True)
    said = (("helped", "adhere"), ("lied", "oppose"), ("walked", "unrelated"))
    rows = [
        {
            "id": f"{v}{k}",
            "scenario": f"scene {v} {k}",
            "response": f"They {said[k % 3][0]} there {k}.",
            "value": v,
            "label": said[k % 3][1],
        }
        for v in ("care", "fairness")
        for k in range(9)
    ]
    write(folder / "labels.jsonl", rows)
    write(folder / "test.jsonl", [{**r, "id": f"t{r['id']}", "scenario": f"other {r['scenario']}"} for r in rows])
    write(folder / "r.jsonl", [{"id": f"q{k}", "scenario": f"s{k}", "response": f"They helped {k}."} for k in range(12)])
    write(folder / "s.jsonl", [{"id": f"s{k}", "scenario": f"Tell me {k}"} for k in range(5)])
    from clave import Clave
    from clave.io import read_labels, read_responses, write_jsonl
    from clave.settings import Settings
    from clave.testing import FakeChat

    fitted = Clave("mft", settings=Settings(features=("text",))).fit(list(read_labels(folder / "labels.jsonl")))
    fitted.save(folder / "e")
    write_jsonl(folder / "v.jsonl", fitted.evaluate(list(read_responses(folder / "r.jsonl"))))
    asked = FakeChat({"helped": "adhere", "lied": "oppose"}, model="fake/m")
    Clave("mft", chat=asked).fit(list(read_labels(folder / "labels.jsonl"))).save(folder / "m")
    (folder / "raw").mkdir(exist_ok=True)
    (folder / "raw" / "xstest_prompts.csv").write_text("id,prompt\n")
    return folder


def write(path, rows):
    """Rows as JSONL."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def commands(place, url, out, cache):
    """The main commands by name; `out` is where they write, `cache` where answers are kept."""
    model = ["--model", "fake/m", "--base-url", url, "--cache", cache]
    return {
        "calibrate": ["calibrate", place / "labels.jsonl", "--system", "mft", "--values", "care", "-o", out / "e", *model],
        "calibrate without a model": ["calibrate", place / "labels.jsonl", "--system", "mft", "--features", "text", "-o", out / "t"],
        "evaluate": ["evaluate", place / "r.jsonl", "--system", "mft", "-o", out / "v.jsonl", "--concurrency", 300, *model],
        "evaluate without a model": ["evaluate", place / "r.jsonl", "-e", place / "e", "-o", out / "w.jsonl"],
        "evaluate to a table": ["evaluate", place / "r.jsonl", "-e", place / "e", "-o", out / "w.csv"],
        "generate": ["generate", place / "s.jsonl", "-o", out / "g.jsonl", "--samples", 20, "--concurrency", 300, *model],
        "assess": ["assess", "-e", place / "e", "--scenarios", place / "s.jsonl", "-o", out / "a", *model],
        "report": ["report", place / "v.jsonl", "--responses", place / "r.jsonl", "-o", out / "r.html"],
        "gate": ["gate", place / "v.jsonl", "--require", "care: net >= 0.1", "--junit", out / "g.xml"],
        "bench": [
            *("bench", "run", "--calibration", place / "labels.jsonl", "--labels", place / "test.jsonl", "--system", "mft"),
            *("--judges", "majority,tfidf", "-o", out / "b"),
        ],
        "agreement": ["agreement", place / "labels.jsonl"],
        "audit": ["audit", "plan", place / "v.jsonl", "-r", place / "r.jsonl", "--labels", 6, "-o", out / "audit.jsonl"],
        "batch": ["batch", "write", place / "r.jsonl", "--system", "mft", "-o", out / "requests.jsonl", *model],
        "distill": ["distill", "--responses", place / "r.jsonl", "-e", place / "m", "--calls", 3, "-o", out / "d", *model[2:]],
        "valeval": ["valeval", "build", "-o", out / "valeval", "--raw-dir", place / "raw", "--source", "xstest"],
        "values": ["values", "new", out / "own.yaml"],
    }


def serving(place, out, port):
    """Those that go on until they are ended."""
    return {
        "annotate": [
            *("annotate", "--system", "mft", "--responses", place / "r.jsonl", "--store", out / "l.db", "--port", port, "--no-browser"),
        ],
        "serve": ["serve", place / "e", "--open", "--port", port],
    }
