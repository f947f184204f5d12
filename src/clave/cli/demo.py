"""`clave demo`: from labels to verdicts and a page, with a large model whose answers were recorded, or with one of the user's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clave.cli import options as opt
from clave.cli.terminal import Terminal, say_json

if TYPE_CHECKING:
    from clave.evaluator import Clave
    from clave.records import Response, Verdict
    from clave.report.page import Page
    from clave.scoring.statistics import Estimate

_RECORDED = (
    "The large model's answers were recorded beforehand, each given by a language model that read its prompt alone; clave/demo/DATA.md "
    "says how."
)
_STYLE = {"adhere": "green", "oppose": "red", "unrelated": "dim"}
_WRONG_SHOWN = 4


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the evaluator, the verdicts and the page.")] = Path(
        "clave-demo"
    ),
    live: Annotated[bool, typer.Option("--live", help="Ask --model instead of using the recorded answers.")] = False,
    model: Annotated[str | None, typer.Option("--model", help="With --live: provider/model, e.g. openai/gpt-4o-mini.")] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="With --live: address of an OpenAI-compatible server.")] = None,
    as_json: opt.Json = False,
) -> None:
    """Show value profiles of three assistants, and verdicts with reasons: offline, without a key, in seconds."""
    from clave.cli.calibrate import money
    from clave.cli.progress import stages
    from clave.demo.recorded import demo_labels, demo_responses, demo_system
    from clave.evaluator import Clave
    from clave.io import write_jsonl
    from clave.report.writing import write_page

    clave = _evaluator(live, model, base_url)
    labels, responses = demo_labels(), demo_responses()
    with stages(clave.ledger, transient=True) as tick:
        clave.fit(labels, progress=tick)
        verdicts = sorted(clave.evaluate(responses), key=lambda v: (v.id, v.value))
        from_text = sorted(Clave(demo_system()).fit(labels).evaluate(responses), key=lambda v: (v.id, v.value))

    console = Terminal(quiet=as_json)
    names = [clave.system[value].name.lower() for value in clave.values]
    source = f"{model} was asked" if live else "The large model's answers were recorded, so nothing is asked over the network"
    console.print(
        Text(
            f"{len(responses)} responses of three imaginary assistants, evaluated for {', '.join(names[:-1])} and {names[-1]} after "
            f"calibration on {len(labels)} labelled examples. {source}.\n"
        )
    )
    console.print(_profiles(clave, verdicts, responses))
    for response, verdict in _telling(verdicts, responses):
        console.print(Text(f"\n{response.metadata['model']}, asked: {response.scenario}", style="bold"))
        console.print(Padding(_marked(response, verdict), (0, 0, 0, 2)))
        console.print(Padding(Text(clave.explain(verdict)), (0, 0, 0, 2)))
    score = _score(verdicts, from_text, responses)
    wrong = _wrong(clave, verdicts, responses)
    console.print(Text(f"\n{score}"))
    for who, name, said, wanted, text in wrong[:_WRONG_SHOWN]:
        console.print(Text(f"  wrong: {who}, {name}: {said}, the authors say {wanted}: “{text}”"), overflow="ellipsis", no_wrap=True)
    if len(wrong) > _WRONG_SHOWN:
        console.print(Text(f"  and {len(wrong) - _WRONG_SHOWN} more, on the page"))
    console.print(Text(f"\n{money(clave.ledger) if live else _RECORDED}"))

    output.mkdir(parents=True, exist_ok=True)
    clave.save(output / "evaluator")
    write_jsonl(output / "verdicts.jsonl", verdicts)
    write_jsonl(output / "responses.jsonl", responses)
    how = f"{score} " + (f"The large model was {model}." if live else _RECORDED)
    page = write_page(_page(clave, verdicts, responses, how, wrong), output / "verdicts.html")
    console.print(Text(f"The page with all verdicts: {page}", style="bold"), soft_wrap=True)
    if live:
        following = f"Your own text: clave evaluate responses.jsonl --evaluator {output / 'evaluator'} -o verdicts.jsonl"
    else:
        following = "The same with a model of yours: clave demo --live --model openai/gpt-4o-mini (or ollama/qwen3, or any with --base-url)"
    console.print(Text(following), soft_wrap=True)
    if as_json:
        counts = {
            who: {value: dict(Counter(v.label or v.status for v in own if v.value == value)) for value in clave.values}
            for who, own in _by_assistant(verdicts, responses).items()
        }
        files = {"evaluator": str(output / "evaluator"), "verdicts": str(output / "verdicts.jsonl"), "page": str(page)}
        say_json({"responses": len(responses), "labels": len(labels), "counts": counts, **score.figures(), "wrong": len(wrong)} | files)


def _evaluator(live: bool, model: str | None, base_url: str | None) -> Clave:
    """The demo's evaluator, not yet fitted.

    Raises:
        InputError: It is not clear which model to ask.
    """
    from clave.demo.recorded import RecordedChat, demo_settings, demo_system
    from clave.errors import InputError
    from clave.evaluator import Clave

    if live and not model:
        raise InputError("--live asks a model of yours: name it, e.g. --live --model openai/gpt-4o-mini")
    if live and model:
        return Clave(demo_system(), settings=demo_settings(model), base_url=base_url)
    if model or base_url:
        raise InputError("the demo answers from recorded answers: say --live to ask a model of yours")
    return Clave(demo_system(), chat=RecordedChat(), settings=demo_settings())


def _profiles(clave: Clave, verdicts: Sequence[Verdict], responses: Sequence[Response]) -> Table:
    """For each assistant and value, how many responses adhere and oppose."""
    assistant = {r.id: r.metadata["model"] for r in responses}
    counts = Counter((assistant[v.id], v.value, v.label) for v in verdicts)
    sizes = Counter(assistant.values())
    table = Table(**opt.NARROW)
    table.add_column("assistant")
    for value in clave.values:
        table.add_column(clave.system[value].name, no_wrap=True)
    for who, size in sizes.items():
        cells = [Text(f"{who}\n{size} responses")]
        for value in clave.values:
            adhere, oppose = counts[who, value, "adhere"], counts[who, value, "oppose"]
            ends = [round(n / size * 18) for n in (adhere, adhere + oppose, size)]
            cell = Text("█" * ends[0], style=_STYLE["adhere"])
            cell.append("▒" * (ends[1] - ends[0]), style=_STYLE["oppose"])
            cell.append("·" * (ends[2] - ends[1]), style=_STYLE["unrelated"])
            cells.append(cell.append(f"\n{adhere} adhere, {oppose} oppose", style="default"))
        table.add_row(*cells)
    return table


def _telling(verdicts: Sequence[Verdict], responses: Sequence[Response]) -> list[tuple[Response, Verdict]]:
    """Of each assistant a verdict on the value that it speaks to most: the surest, whose concepts are most like labelled ones."""
    chosen = []
    for who in dict.fromkeys(r.metadata["model"] for r in responses):
        texts = {r.id: r for r in responses if r.metadata["model"] == who}
        own = [v for v in verdicts if v.id in texts and v.label in ("adhere", "oppose") and v.probabilities and v.evidence]
        if own:
            most = Counter(v.value for v in own).most_common(1)[0][0]
            best = max((v for v in own if v.value == most), key=lambda v: (max((v.probabilities or {}).values()), -(v.novelty or 0.0)))
            chosen.append((texts[best.id], best))
    return chosen


def _marked(response: Response, verdict: Verdict) -> Text:
    """The response, its evidence marked."""
    text = Text(f"“{response.response}”")
    for quote in verdict.evidence:
        text.stylize(f"{_STYLE.get(verdict.label or '', '')} bold", quote.start + 1, quote.end + 1)
    return text


def _by_assistant(verdicts: Sequence[Verdict], responses: Sequence[Response]) -> dict[str, list[Verdict]]:
    """Assistant -> the verdicts on its responses."""
    assistant = {r.id: r.metadata["model"] for r in responses}
    return {who: [v for v in verdicts if assistant[v.id] == who] for who in dict.fromkeys(assistant.values())}


@dataclass(frozen=True)
class _Score:
    """How often the verdicts are the authors' label."""

    found: Estimate
    text: Estimate
    """Of the verdicts from the text alone."""
    commonest: str
    often: float
    """How often the commonest label is right."""

    def __str__(self) -> str:
        return (
            f"Right on the authors' labels: {self.found}. Without a large model, from the text alone: {self.text}; always saying "
            f"{self.commonest}: {self.often:.3f}. These cases are clearer than real ones: they show how it works, not how well it will do "
            "on yours."
        )

    def figures(self) -> dict[str, Any]:
        """For programs."""
        return {"accuracy": self.found.model_dump(), "accuracy_from_text": self.text.model_dump(), "accuracy_of_commonest": self.often}


def _score(verdicts: Sequence[Verdict], from_text: Sequence[Verdict], responses: Sequence[Response]) -> _Score:
    """How often the verdicts, those from the text alone and the commonest label are the authors' label."""
    from clave.demo.recorded import demo_key
    from clave.scoring.metrics import accuracy

    key, group = demo_key(), {r.id: r.group for r in responses}
    gold, groups = [key[v.id, v.value] for v in verdicts], [group[v.id] for v in verdicts]
    found = accuracy(gold, [v.label for v in verdicts], groups)
    text = accuracy(gold, [v.label for v in from_text], groups)
    label, often = Counter(gold).most_common(1)[0]
    return _Score(found, text, label, often / len(gold))


def _wrong(clave: Clave, verdicts: Sequence[Verdict], responses: Sequence[Response]) -> list[tuple[str, str, str, str, str]]:
    """Assistant, value, verdict, the authors' label and response, where the two differ."""
    from clave.demo.recorded import demo_key

    key, texts = demo_key(), {r.id: r for r in responses}
    return [
        (texts[v.id].metadata["model"], clave.system[v.value].name, v.label or v.status, key[v.id, v.value], texts[v.id].response)
        for v in verdicts
        if v.label != key[v.id, v.value]
    ]


def _page(
    clave: Clave, verdicts: Sequence[Verdict], responses: Sequence[Response], how: str, wrong: Sequence[tuple[str, str, str, str, str]]
) -> Page:
    """The report of the verdicts, and where they are wrong."""
    from clave.report.evaluation import evaluation_page
    from clave.report.page import Section, Table

    page = evaluation_page(
        verdicts, responses=responses, system=clave.system, title="Three imaginary assistants (demo)", evaluator=clave.fitted
    )
    columns = ("Model", "Value", "Verdict", "Authors' label", "Response")
    tables = (Table("Verdicts that are not the authors' label", columns, tuple(wrong)),) if wrong else ()
    known = Section("authors", "How often it is right here", how, tables=tables)
    return replace(page, sections=(*page.sections[:1], known, *page.sections[1:]))
