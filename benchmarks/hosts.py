"""The same responses in every tool that clave works inside: do they get the same labels?

    python benchmarks/hosts.py [--replay FOLDER] [--python deepeval=PYTHON] [--promptfoo PROGRAM] [-n 60]

Fitted on split `calibration` of the moral foundations, asked about rows of `dev`, as many of each value, each for its own value alone and
without a cache, with a large model's recorded answers. Each tool runs in a process of its own; one that wants other packages can have its
own Python. Prints a table in Markdown: how many labels are those of the command line, how many responses have none, and the calls that the
server counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import clave
import replay
from clave import Clave, Settings

MODEL, SYSTEM = "replay/recorded", "mft"
Row = dict[str, str]
"""`id`, `scenario`, `response` and `value`."""
Labels = dict[str, str | None]
"""Of each row, by id; None where there is no verdict."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", type=Path, default=replay.FOLDER)
    parser.add_argument("--python", action="append", default=[], metavar="TOOL=PYTHON", help="the Python that has a tool")
    parser.add_argument("--promptfoo", default=os.environ.get("PROMPTFOO", "promptfoo"))
    parser.add_argument("-n", type=int, default=60, help="rows in all")
    parser.add_argument("--one", nargs=3, metavar=("TOOL", "ROWS", "URL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        tool, rows, url = arguments.one
        found = TOOLS[tool](json.loads(Path(rows).read_text(encoding="utf-8")), {"base_url": url, "cache": ""})
        Path("labels.json").write_text(json.dumps(found), encoding="utf-8")
        return
    if not (arguments.replay / "items.jsonl").is_file():
        sys.exit(f"the recordings are not at {arguments.replay}: name their folder with --replay")
    os.environ["PROMPTFOO"] = arguments.promptfoo
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    with tempfile.TemporaryDirectory() as place, replay.server(arguments.replay) as url:
        compare(arguments.replay, Path(place), url, pythons, arguments.n)


def compare(folder: Path, place: Path, url: str, pythons: Mapping[str, str], n: int) -> None:
    """Run every tool, and print the table."""
    evaluator = Clave(replay.systems(folder)[SYSTEM], settings=Settings(model=MODEL, ask="single"), base_url=url, cache="")
    evaluator.fit(replay.items(folder, "calibration", SYSTEM), given_folds=True).save(place / "evaluator")
    rows = chosen(folder, evaluator.values, n // len(evaluator.values))
    (place / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    found: dict[str, tuple[Labels, int] | str] = {}
    for tool in TOOLS:
        before = calls(url)
        labels = in_own_process(tool, place, url, pythons.get(tool, sys.executable))
        found[tool] = labels if isinstance(labels, str) else (labels, calls(url) - before)
        print(f"{tool}: {'done' if not isinstance(labels, str) else labels}", file=sys.stderr)
    first = found["command line"]
    assert not isinstance(first, str), first
    print("| tool | labels as on the command line | without a verdict | calls |\n|---|---|---|---|")
    for tool, entry in found.items():
        if isinstance(entry, str):
            print(f"| {tool} | not run: {entry} | | |")
            continue
        labels, counted = entry
        same = sum(labels.get(identity) == label for identity, label in first[0].items())
        print(f"| {tool} | {same} of {len(first[0])} | {sum(label is None for label in labels.values())} | {counted} |")


def chosen(folder: Path, values: Sequence[str], each: int) -> list[Row]:
    """The first rows of each value."""
    items = replay.items(folder, "dev", SYSTEM)
    own = [i for value in values for i in [i for i in items if i.value == value][:each]]
    return [{"id": i.id, "scenario": i.scenario, "response": i.response, "value": i.value} for i in own]


def in_own_process(tool: str, place: Path, url: str, python: str) -> Labels | str:
    """What a tool found, or why it could not run."""
    work = place / tool.replace(" ", "-")
    work.mkdir()
    (work / "evaluator").symlink_to(place / "evaluator")
    quiet = dict.fromkeys(("MLFLOW_ALLOW_FILE_STORE", "MLFLOW_DISABLE_TELEMETRY", "DEEPEVAL_TELEMETRY_OPT_OUT", "HF_HUB_OFFLINE"), "1")
    quiet |= dict.fromkeys(("PROMPTFOO_DISABLE_TELEMETRY", "PROMPTFOO_DISABLE_UPDATE", "PROMPTFOO_DISABLE_REMOTE_GENERATION"), "1")
    places = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(clave.__file__).parents[1])])}
    places |= {"PROMPTFOO_PYTHON": python, "PROMPTFOO_CONFIG_DIR": str(work), "MLFLOW_TRACKING_URI": (work / "mlruns").as_uri()}
    command = [python, __file__, "--one", tool, str(place / "rows.json"), url]
    ran = subprocess.run(command, cwd=work, env=os.environ | quiet | places, capture_output=True, text=True)
    if ran.returncode != 0:
        return (ran.stderr.strip().splitlines() or ["it says nothing"])[-1]
    labels: Labels = json.loads((work / "labels.json").read_text(encoding="utf-8"))
    return labels


def calls(url: str) -> int:
    return sum(replay.stats(url).values())


def by_value(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Value -> its rows: a tool is told the values of a run, and each row is asked about its own alone."""
    return {value: [r for r in rows if r["value"] == value] for value in dict.fromkeys(r["value"] for r in rows)}


def command_line(rows: Sequence[Row], options: Mapping[str, Any]) -> Labels:
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run = "from clave.cli.main import main; main()"
    how = ["--evaluator", "evaluator", "-o", "verdicts.jsonl", "--base-url", options["base_url"], "--cache", ""]
    subprocess.run([sys.executable, "-c", run, "evaluate", "rows.jsonl", *how], check=True, capture_output=True)
    verdicts = map(json.loads, Path("verdicts.jsonl").read_text(encoding="utf-8").splitlines())
    return {verdict["id"]: verdict["label"] for verdict in verdicts}


def in_python(rows: Sequence[Row], options: Mapping[str, Any]) -> Labels:
    return {verdict.id: verdict.label for verdict in Clave.load("evaluator", **options).evaluate(rows)}


def in_inspect(rows: Sequence[Row], options: Mapping[str, Any]) -> Labels:
    import inspect_ai
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput
    from inspect_ai.solver import solver

    from clave.integrations.inspect_scorer import values

    @solver  # type: ignore[untyped-decorator]
    def recorded() -> Any:
        async def solve(state: Any, generate: Any) -> Any:
            state.output = ModelOutput.from_content("recorded", state.metadata["response"])
            return state

        return solve

    found: Labels = {}
    for value, own in by_value(rows).items():
        samples = [Sample(id=r["id"], input=r["scenario"], metadata={"response": r["response"]}) for r in own]
        task = inspect_ai.Task(dataset=samples, solver=recorded(), scorer=values("evaluator", value, options))
        (log,) = inspect_ai.eval(task, model="mockllm/model", display="none", log_dir="logs")
        found |= {str(s.id): s.scores["values"].metadata[value]["label"] for s in log.samples or ()}
    return found


def in_pydantic_evals(rows: Sequence[Row], options: Mapping[str, Any]) -> Labels:
    from pydantic_evals import Case, Dataset

    from clave.integrations.pydantic_evaluator import ClaveValues

    found: Labels = {}
    for value, own in by_value(rows).items():
        cases = [Case(name=r["id"], inputs=r["scenario"], metadata=r["response"]) for r in own]
        answers = iter([r["response"] for r in own])

        async def task(asked: str, answers: Any = answers) -> str:
            return str(next(answers))

        data = Dataset(name=value, cases=cases, evaluators=[ClaveValues("evaluator", [value], dict(options))])
        report = data.evaluate_sync(task, max_concurrency=1, progress=False)
        found |= {case.name: case.labels[value].value if value in case.labels else None for case in report.cases}
    return found


def in_deepeval(rows: Sequence[Row], options: Mapping[str, Any]) -> Labels:
    from deepeval import evaluate
    from deepeval.evaluate import CacheConfig, DisplayConfig, ErrorConfig
    from deepeval.test_case import LLMTestCase

    from clave.integrations.deepeval_metric import ClaveMetric

    found: Labels = {}
    for value, own in by_value(rows).items():
        cases = [LLMTestCase(name=r["id"], input=r["scenario"], actual_output=r["response"]) for r in own]
        result = evaluate(
            cases,
            [ClaveMetric("evaluator", value, options=options)],
            display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
            cache_config=CacheConfig(write_cache=False),
            error_config=ErrorConfig(ignore_errors=True),
        )
        for test in result.test_results:
            (metric,) = test.metrics_data
            found[test.name] = metric.reason.partition(":")[0] if metric.error is None else None
    return found


def in_lm_eval(rows: Sequence[Row], options: Mapping[str, Any]) -> Labels:
    import lm_eval
    from lm_eval.api.model import LM

    from clave.integrations.lm_eval_task import ValuesTask

    class Recorded(LM):  # type: ignore[misc]
        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
            return [request.doc["response"] for request in requests]

        def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    found: Labels = {}
    for value, own in by_value(rows).items():
        Path(f"{value}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own), encoding="utf-8")
        task = ValuesTask(
            {
                "task": value,
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": str(Path(f"{value}.jsonl").absolute())}},
                "test_split": "test",
                "doc_to_text": "scenario",
                "metadata": {"evaluator": "evaluator", "values": [value], "options": dict(options)},
            }
        )
        result = lm_eval.evaluate(Recorded(), {value: task}, bootstrap_iters=0)
        found |= {s["doc"]["id"]: s["filtered_resps"][0][value]["label"] for s in result["samples"][value]}
    return found


def in_promptfoo(rows: Sequence[Row], options: Mapping[str, Any]) -> Labels:
    Path("values.py").write_text("from clave.integrations.promptfoo_script import get_assert\n", encoding="utf-8")
    said = "def call_api(prompt, options, context):\n    return {'output': context['vars']['response']}\n"
    Path("said.py").write_text(said, encoding="utf-8")
    named = {"evaluator": str(Path("evaluator").absolute()), "options": dict(options)}
    tests = [
        {
            "vars": {name: row[name] for name in ("id", "scenario", "response")},
            "assert": [{"type": "python", "value": "file://values.py", "config": named | {"values": [row["value"]]}}],
        }
        for row in rows
    ]
    config = {"prompts": ["{{scenario}}"], "providers": ["file://said.py"], "tests": tests}
    Path("promptfooconfig.json").write_text(json.dumps(config), encoding="utf-8")
    command = [os.environ["PROMPTFOO"], "eval", "-c", "promptfooconfig.json", "-o", "out.json", "--no-cache", "--no-table"]
    subprocess.run(command, capture_output=True, check=False)  # its exit code counts the assertions that did not pass
    results = json.loads(Path("out.json").read_text(encoding="utf-8"))["results"]["results"]
    value_of = {row["id"]: row["value"] for row in rows}
    found: Labels = {}
    for result in results:
        identity = result["vars"]["id"]
        (graded,) = result["gradingResult"]["componentResults"]
        found[identity] = graded["metadata"].get(value_of[identity], {}).get("label")
    return found


def in_mlflow(rows: Sequence[Row], options: Mapping[str, Any]) -> Labels:
    import mlflow

    from clave.integrations.mlflow_scorer import ClaveScorer

    found: Labels = {}
    for value, own in by_value(rows).items():
        data = [{"inputs": {"question": r["scenario"]}, "outputs": r["response"], "tags": {"row": r["id"]}} for r in own]
        result = mlflow.genai.evaluate(data=data, scorers=[ClaveScorer(evaluator="evaluator", values=[value], options=dict(options))])
        for _, row in result.result_df.iterrows():
            (given,) = row["assessments"]
            found[row["tags"]["row"]] = given["feedback"].get("value")
    return found


TOOLS: dict[str, Callable[[Sequence[Row], Mapping[str, Any]], Labels]] = {
    "command line": command_line,
    "Python": in_python,
    "Inspect": in_inspect,
    "pydantic-evals": in_pydantic_evals,
    "deepeval": in_deepeval,
    "lm-eval": in_lm_eval,
    "promptfoo": in_promptfoo,
    "MLflow": in_mlflow,
}


if __name__ == "__main__":
    main()
