"""`clave demo`: calibrate and evaluate on examples that come with the package, offline and without a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.columns import Columns
from rich.padding import Padding
from rich.text import Text

from clave.cli.terminal import Terminal

_STYLE = {"adhere": "green", "oppose": "red", "unrelated": "dim"}


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the evaluator, the verdicts and the page.")] = Path(
        "clave-demo"
    ),
) -> None:
    """See verdicts with reasons in a minute: offline, no key, on examples written for this package."""
    from importlib import resources

    from clave.cli.progress import stages
    from clave.evaluator import Clave
    from clave.io import read_labels, read_responses, write_jsonl
    from clave.report import write_report

    console = Terminal()
    data = resources.files("clave.demo")
    with resources.as_file(data / "examples.jsonl") as labels, resources.as_file(data / "responses.jsonl") as unseen:
        examples, responses = list(read_labels(labels)), list(read_responses(unseen))
    console.print(
        Text(
            f"Calibrating on {len(examples)} labelled examples of five moral foundations, without a large model: a sentence encoder and "
            "a small head on the text alone. The examples were written for this demo; they show how it works, not how well."
        )
    )
    clave = Clave("mft")
    with stages(clave.ledger) as tick:
        clave.fit(examples, progress=tick)
    verdicts = sorted(clave.evaluate(responses), key=lambda v: (v.id, v.value))
    output.mkdir(parents=True, exist_ok=True)
    clave.save(output / "evaluator")
    write_jsonl(output / "verdicts.jsonl", verdicts)
    page = write_report(verdicts, output / "verdicts.html", responses=responses, system=clave.system, title="Moral foundations, demo")

    key = [json.loads(line) for line in (data / "responses_key.jsonl").read_text(encoding="utf-8").splitlines()]
    right = sum(v.label == k["label"] for v in verdicts for k in key if (v.id, v.value) == (k["id"], k["value"]))
    usual = sum(k["label"] == "unrelated" for k in key)
    assert clave.fitted is not None
    accuracy = clave.fitted.provenance.scores["all"].accuracy
    console.print(Text("Verdicts on unseen responses, with their probabilities:", style="bold"))
    found = {(v.id, v.value): v for v in verdicts}
    for response in responses:
        console.print(Text(f"\n{response.scenario} → {response.response}"))
        cells = []
        for value in clave.values:
            verdict = found[response.id, value]
            label = verdict.label or verdict.status
            sure = max(verdict.probabilities.values()) if verdict.probabilities else 0.0
            cells.append(Text(f"{clave.system[value].name}: {label} ({sure:.2f})", style=_STYLE.get(label, "")))
        console.print(Padding(Columns(cells, padding=(0, 3)), (0, 0, 0, 2)))
    surest = max(
        (v for v in verdicts if v.label in ("adhere", "oppose") and v.probabilities), key=lambda v: max((v.probabilities or {}).values())
    )
    console.print(Text("\nWhy? For example:", style="bold"))
    response = next(r for r in responses if r.id == surest.id)
    console.print(Text(f"“{response.response}”"))
    console.print(Text(clave.explain(surest)))
    console.print(
        Text(
            f"\nCross-validated accuracy on the examples: {accuracy.value:.2f} [{accuracy.low:.2f}, {accuracy.high:.2f}] "
            f"(n = {accuracy.n}; chance is 1/3). {right} of the {len(key)} verdicts above are the authors' own labels; always saying "
            f"unrelated would be right {usual} times. With a large model it is better: see the README.\n"
            f"The page with all verdicts and reasons: {page}"
        )
    )
    console.print(
        Text(f"Your own text: clave evaluate responses.jsonl --evaluator {output / 'evaluator'} -o verdicts.jsonl"), soft_wrap=True
    )
