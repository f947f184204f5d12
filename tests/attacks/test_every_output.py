"""Hostile texts wherever somebody else's words come out: each text in every name and field, and each kind of output looked at in its way.

A page, a drawing or an XML file with a hostile text has the elements and attributes that it has with harmless words, and no others.
"""

import contextlib
import csv
import functools
import io
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from unittest import mock

import pytest
import yaml
from attacks.drawing import drawn
from attacks.shell import write
from attacks.test_outputs import drives
from attacks.texts import TEXTS

from clave import Clave, LabelledResponse, Response
from clave.cli.main import main
from clave.io.manifest import RunManifest, write_manifest
from clave.records import Evidence, MappedConcept, Verdict

pytest.importorskip("fastapi")
pytest.importorskip("krippendorff")
pytest.importorskip("matplotlib")
pytest.importorskip("prometheus_client")
pytest.importorskip("pyarrow")
HARMLESS = "harmless words"
VALUES = ("care", "fairness")
WORDS = (("helped", "adhere"), ("lied", "oppose"), ("walked", "unrelated"))


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory):
    rows = [
        LabelledResponse(id=f"{v}{k}", scenario=f"{v} {k}", response=f"They {WORDS[k % 3][0]} there {k}.", value=v, label=WORDS[k % 3][1])
        for v in VALUES
        for k in range(9)
    ]
    folder = tmp_path_factory.mktemp("evaluator") / "e"
    Clave("mft").fit(rows).save(folder)
    return folder


def called(*arguments):
    """What a command prints, on both streams; a fault of its own fails the test."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with (
        mock.patch.object(sys, "argv", ["clave", *map(str, arguments)]),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    printed.flush()
    said = printed.buffer.getvalue().decode("utf-8")
    assert ended.value.code in (None, 0, 1, 2, 3), said
    assert "Traceback" not in said, said
    return said


def verdict(text, k, value="care"):
    shares = {"adhere": 0.8, "oppose": 0.1, "unrelated": 0.1}
    concepts = (MappedConcept(text=text, pool=text, similarity=0.9, labels={"adhere": 3}),)
    evidence = (Evidence(text=text, start=0, end=1),)
    more = {"reason": text, "concepts": concepts, "evidence": evidence, "evaluator": text, "flags": (text,)}
    if k == 3:
        return Verdict(id=f"{text} {k}", value=value, status="failed", **more)
    return Verdict(id=f"{text} {k}", value=value, status="ok", label="adhere", probabilities=shares, **more)


def world(folder, text):
    """A run and its responses, every name and field of which is the text."""
    rows = [
        {"id": f"{text} {k}", "scenario": text, "response": f"{text} {k % 4}", "model": f"{text} {k % 2}", text: text} for k in range(8)
    ]
    write(folder / "r.jsonl", rows)
    (folder / "v.jsonl").write_text("".join(verdict(text, k).model_dump_json() + "\n" for k in range(8)), encoding="utf-8")
    write_manifest(folder / "v.jsonl", RunManifest(evaluator=text, system=text, values={"care": text}))
    names = {"name": text, "citation": text, "description": text, "version": "1"}
    values = [{"id": "care", "name": text, "definition": text or "d", "parent": "g", "guideline": text}]
    system = {"id": "s", **names, "groups": [{"id": "g", "name": text}], "values": values}
    (folder / "s.yaml").write_text(yaml.safe_dump(system, allow_unicode=False), encoding="utf-8")


def report(folder, text, ending, *options):
    world(folder, text)
    path = folder / f"p{ending}"
    said = called(
        *("report", folder / "v.jsonl", "--responses", folder / "r.jsonl", "--system", folder / "s.yaml", "--title", text, "-o", path),
        *options,
    )
    assert path.is_file(), said
    assert not drives(said)
    return path.read_text(encoding="utf-8")


def figures(folder, text):
    report(folder, text, ".html", "--figures", folder / "f")
    return "".join(path.read_text(encoding="utf-8") for path in sorted((folder / "f").glob("*.svg")))


def junit(folder, text):
    world(folder, text)
    run = ("gate", folder / "v.jsonl", "--responses", folder / "r.jsonl", "--require", "care: net >= 0.1", "--junit", folder / "g.xml")
    called(*run)
    return (folder / "g.xml").read_text(encoding="utf-8")


def bench_page(folder, text):
    from clave.benchmark.predictions import Prediction, write_parquet
    from clave.report.benchmarking import run_page
    from clave.report.forms.html import to_html

    common = {"value": "care", "system": text, "source": text, "gold": "adhere", "reason": text, "concepts": (text,), "evidence": (text,)}
    made = [
        Prediction(
            judge=f"{text} {j}",
            id=f"{text} {k}",
            split=text,
            group=f"g{k}",
            label=("adhere", "oppose")[(j + k) % 2] if k else None,
            status="ok" if k else "failed",
            **common,
        )
        for j in range(2)
        for k in range(9)
    ]
    write_parquet(folder / "predictions.parquet", made)
    (folder / "manifest.json").write_text(json.dumps({"skipped": {text: text}, "original_split": text, "plan": {text: text}}))
    texts = {f"{text} {k}": Response(id=f"{text} {k}", response=text, scenario=text) for k in range(9)}
    return to_html(run_page(folder, texts=texts, title=text))


def store(folder, text):
    from clave.annotate.store import Store
    from clave.values import ValueSystem

    world(folder, text)
    made = Store(str(folder / "l.db"), ValueSystem.load(folder / "s.yaml"))
    made.add_responses([Response(id=text or "a", scenario=text, response=f"{text} 1", metadata={"c": text})])
    made.save(annotator="ana", response=1, value="care", label="adhere", key="1", note=text)
    made.save(annotator="bo", response=1, value="care", label="oppose", key="2", note=text)
    return made


def annotation_pages(folder, text):
    from fastapi.testclient import TestClient

    from clave.annotate.access import Access
    from clave.annotate.app import build_app, session_secret
    from clave.annotate.assign import Rules

    made, origin = store(folder, text), "http://127.0.0.1:8000"
    pages = []
    with TestClient(build_app(made, Access(secret=session_secret(made)), Rules()), base_url=origin, headers={"origin": origin}) as client:
        client.post("/enter", data={"name": "ana"})
        for path in ("/", "/label", "/progress", "/agreement", "/settle", "/guidelines", "/exchange"):
            answer = client.get(path)
            assert answer.status_code < 500
            pages.append(answer.text if "html" in answer.headers["content-type"] else "")
        assert client.get("/api/next").status_code in (200, 204)
    made.close()
    return "".join(pages)


def labels(folder, text, form):
    from clave.annotate.exchange import as_bytes, judgement_rows

    made = store(folder, text)
    rows = judgement_rows(made.judgements())
    made.close()
    return as_bytes(rows, form).decode()


def agreed(folder, text, *options):
    name = "".join(c for c in text if c.isprintable())[:60].strip() or "x"
    rows = [
        {"id": f"{text} {k}", "value": name, "response": text, "label": WORDS[(k + a) % 3][1], "annotator": f"{a} {name}"}
        for k in range(6)
        for a in range(2)
    ]
    write(folder / "a.jsonl", rows)
    return called("agreement", folder / "a.jsonl", *options)


def card(folder, text, evaluator):
    from clave.saving import load
    from clave.saving.writing import _card

    fitted = load(evaluator)
    system = fitted.system.model_copy(update={"name": text, "citation": text, "version": text})
    came = fitted.provenance.model_copy(update={"served_by": (text,)})
    return _card(replace(fitted, system=system, provenance=came, settings=fitted.settings.model_copy(update={"model": text})))


@functools.cache
def loaded(evaluator):
    """Once: FastAPI keeps the functions of every app that a process has made, and they their evaluators."""
    return Clave.load(evaluator)


def served(folder, text, evaluator, path="/v1/verdicts"):
    from fastapi.testclient import TestClient

    from clave.server.app import build_app

    sent = {"responses": [{"id": text[:200] or "a", "scenario": text, "response": f"{text} helped"}], "values": ["care"]}
    with TestClient(build_app({f"{text} e": loaded(evaluator)}), base_url="http://127.0.0.1:8100") as client:
        found = client.post("/v1/verdicts", json=sent)
        assert found.status_code == 200, found.text
        refused = client.post("/v1/verdicts", json={**sent, "values": [text[:200] or "a"], text: text})
        assert 400 <= refused.status_code < 500
        assert refused.json()["error"]["message"]
        return client.get("/metrics").text if path == "/metrics" else found.text


def evaluated(folder, text, evaluator, output):
    world(folder, text)
    said = called("evaluate", folder / "r.jsonl", "-e", evaluator, "-o", output if output == "-" else folder / output)
    return said if output == "-" else (folder / output).read_text(encoding="utf-8")


def refusals(folder, text, evaluator):
    """What commands say of files whose columns, labels, values and ids are the text, and of options that hold it."""
    world(folder, text)
    said = []
    rows = [{text: "x"}, {"id": "a", "response": "x", "value": text, "label": "adhere"}]
    for row in (*rows, {"id": "a", "response": "x", "value": "care", "label": text}):
        write(folder / "l.jsonl", [row])
        said.append(called("calibrate", folder / "l.jsonl", "--system", "mft", "--features", "text", "-o", folder / "x"))
    write(folder / "twice.jsonl", [{"id": text, "response": "x"}] * 2)
    said.append(called("evaluate", folder / "twice.jsonl", "-e", evaluator, "-o", folder / "t.jsonl"))
    bare = text.replace("\0", "") or "x"
    calibrate = ("calibrate", folder / "l.jsonl", "--system", "mft", "-o", folder / "x")
    said += [called(*calibrate, option, bare) for option in ("--system", "--map", "--values", "--label-names", "--features", "--calls")]
    said.append(called("gate", folder / "v.jsonl", "--require", bare))
    said.append(called("gate", folder / "v.jsonl", "--require", "care: net >= 0", "--responses", folder / bare.replace("/", "_")[:80]))
    bench = ("bench", "run", "--labels", folder / "l.jsonl", "--judges", bare, "-o", folder / "b")
    return "".join([*said, called("values", "check", bare), called(*bench), called(bare), called("evaluate", f"--{bare}")])


TERMINAL, JSON, CSV, MD, MARKUP, TEX, METRICS, LINES = "terminal json csv markdown markup tex metrics lines".split()
OUTPUTS = {
    "report as a page": (MARKUP, lambda f, t, e: report(f, t, ".html")),
    "report as Markdown": (MD, lambda f, t, e: report(f, t, ".md")),
    "report as JSON": (JSON, lambda f, t, e: report(f, t, ".json")),
    "report as CSV": (CSV, lambda f, t, e: report(f, t, ".csv")),
    "report as LaTeX": (TEX, lambda f, t, e: report(f, t, ".tex")),
    "report's figures": (MARKUP, lambda f, t, e: figures(f, t)),
    "report on a terminal": (TERMINAL, lambda f, t, e: world(f, t) or called("report", f / "v.jsonl", "--markdown", "--title", t)),
    "report as JSON on a terminal": (TERMINAL, lambda f, t, e: world(f, t) or called("report", f / "v.jsonl", "--json", "--title", t)),
    "values show": (TERMINAL, lambda f, t, e: world(f, t) or called("values", "show", f / "s.yaml")),
    "values show --json": (TERMINAL, lambda f, t, e: world(f, t) or called("values", "show", f / "s.yaml", "--json")),
    "values check": (TERMINAL, lambda f, t, e: world(f, t) or called("values", "check", f / "s.yaml")),
    "gate": (
        TERMINAL,
        lambda f, t, e: world(f, t) or called("gate", f / "v.jsonl", "--responses", f / "r.jsonl", "--require", "care: net >= 0.1"),
    ),
    "gate's JUnit file": (MARKUP, lambda f, t, e: junit(f, t)),
    "audit plan": (
        TERMINAL,
        lambda f, t, e: world(f, t) or called("audit", "plan", f / "v.jsonl", "-r", f / "r.jsonl", "--labels", 4, "-o", f / "a.jsonl"),
    ),
    "agreement": (TERMINAL, lambda f, t, e: agreed(f, t)),
    "agreement --json": (JSON, lambda f, t, e: agreed(f, t, "--json")),
    "evaluate": (LINES, lambda f, t, e: evaluated(f, t, e, "-")),
    "verdicts as CSV": (CSV, lambda f, t, e: evaluated(f, t, e, "w.csv")),
    "labels as CSV": (CSV, lambda f, t, e: labels(f, t, "csv")),
    "labels as JSON": (JSON, lambda f, t, e: labels(f, t, "label-studio")),
    "labelling pages": (MARKUP, lambda f, t, e: annotation_pages(f, t)),
    "bench page": (MARKUP, lambda f, t, e: bench_page(f, t)),
    "model card": (MD, lambda f, t, e: card(f, t, e)),
    "serve's verdicts": (JSON, lambda f, t, e: served(f, t, e)),
    "serve's metrics": (METRICS, lambda f, t, e: served(f, t, e, "/metrics")),
    "what is refused": (TERMINAL, refusals),
}


class _Shape(HTMLParser):
    """The elements of a page with the names of their attributes, and addresses that run something."""

    def __init__(self):
        super().__init__()
        self.elements, self.scripts = set(), 0

    def handle_starttag(self, tag, attrs):
        self.elements.add((tag, frozenset(name for name, _ in attrs)))
        self.scripts += tag == "script"
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            assert name not in ("href", "src", "action") or not str(value).strip().lower().startswith(
                ("javascript:", "data:text", "http://evil")
            )


def shape(text):
    parser = _Shape()
    parser.feed(text)
    return parser


@functools.cache
def harmless(name, folder, evaluator):
    folder.mkdir()
    return OUTPUTS[name][1](folder, HARMLESS, evaluator)


DRAWN = {"br", "mark", "text", "tspan", "g", "use", "path", "title"}
"""Elements that more or fewer letters may need, and the names of their attributes."""
DRAWN_BY = {"transform", "xlink:href", "title"}


def markup(text, plain):
    found, wanted = shape(text), shape(plain)
    assert found.scripts == wanted.scripts
    assert {tag for tag, _ in found.elements} <= {tag for tag, _ in wanted.elements} | DRAWN
    assert {n for _, names in found.elements for n in names} <= {n for _, names in wanted.elements for n in names} | DRAWN_BY


def terminal(text, plain):
    assert not drives(text)


def as_json(text, plain):
    json.loads(text)


def lines(text, plain):
    assert not drives(text)
    assert [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def as_csv(text, plain):
    cells = [cell.strip() for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    formulas = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "＝"))]
    assert not [cell for cell in formulas if not re.fullmatch(r"[-+]?[0-9.e+-]+", cell)]


def markdown(text, plain):
    assert not drives(text)
    assert not re.search(r"<(?!br>)[A-Za-z/!?]", text), text
    assert "://evil" not in text
    assert "@everyone" not in text


ESCAPES = "backslash asciitilde asciicircum asciigrave less greater bar quotesingle quotedbl".split()


def tex(text, plain):
    known = {*re.findall(r"\\[a-zA-Z]+", plain), r"\par", *(rf"\text{name}" for name in ESCAPES)}
    text = "\n".join(line for line in text.splitlines() if not line.startswith("%"))  # a comment, of which nothing is set
    assert set(re.findall(r"\\[a-zA-Z]+", text)) <= known
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")


def metrics(text, plain):
    from prometheus_client.parser import text_string_to_metric_families as families

    assert {family.name for family in families(text)} == {family.name for family in families(plain)}


KINDS = {TERMINAL: terminal, JSON: as_json, CSV: as_csv, MD: markdown, MARKUP: markup, TEX: tex, METRICS: metrics, LINES: lines}


@pytest.mark.parametrize("case", drawn({f"{o}, {k}": (o, t) for (k, t), o in product(enumerate(TEXTS), OUTPUTS)}, 40))
def test_a_hostile_text_comes_out_harmless(case, evaluator, tmp_path):
    name, text = case
    kind, made = OUTPUTS[name]
    plain = harmless(name, evaluator.parent / f"harmless {name}", evaluator)
    KINDS[kind](made(tmp_path, text, evaluator), plain)
