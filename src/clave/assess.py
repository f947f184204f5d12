"""Assess a model: have it answer scenarios, and evaluate the answers.

    made = asyncio.run(generate(read_scenarios("scenarios.jsonl"), chat, "answered.jsonl", samples=3))
    page = assessment_page([made], verdicts, responses, title="Values of a model")

Answers are appended to a JSONL file that `clave evaluate` reads, with the model's name in the column `model`; a run that was cut short
goes on. What the model's server refuses or fails is no response: it is counted, and stands in a file of its own. An answer that declines in
words is a response as any other: declining is something that the model does, and the evaluator says what it makes of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from clave.errors import InputError, argument
from clave.evaluating.stream import StopStreamError, Stream, interruptible
from clave.fitting.fitted import Fitted
from clave.io import read_rows
from clave.io.appending import open_to_append, own_lines, write_whole
from clave.io.columns import Columns
from clave.io.rows import good_rows
from clave.io.tables import write_rows
from clave.llm.answers import spoken
from clave.llm.chat import ChatModel, ChatRequest
from clave.records import Failure, Record, Response, Verdict, scenario_key
from clave.report.drawing import short
from clave.report.evaluation import evaluation_page
from clave.report.page import Fact, Page, Section, Table
from clave.text.content import is_blank
from clave.values import ValueSystem

VALEVAL = "valeval:"
"""Begins the name of a split of ValEval in place of a file of scenarios."""


class Scenario(Record):
    """What a model is asked."""

    id: str
    text: str


class Unanswered(Record):
    """A scenario that the model gave no response to."""

    id: str
    scenario: str
    status: str
    reason: str


@dataclass
class Generated:
    """What came of generating with one model."""

    model: str
    path: Path
    responses: int = 0
    """In the file, from this run and earlier ones."""
    new: int = 0
    unanswered: list[Unanswered] = field(default_factory=list)
    stopped: str = ""
    """Why it ended early; empty where it did not."""

    def count(self, status: str) -> int:
        """Scenarios without a response, by status."""
        return sum(u.status == status for u in self.unanswered)


def read_scenarios(
    source: str, *, valeval: str | Path = "valeval", limit: int | None = None, mapping: Mapping[str, str] | None = None
) -> Iterator[Scenario]:
    """Scenarios of a file with a column `scenario` or `prompt` (and perhaps `id`), or of a split of ValEval (`valeval:original`).

    A scenario that stands twice is asked once.

    Args:
        source: The file, or `valeval:SPLIT`.
        valeval: Folder of a built ValEval.
        limit: Only so many scenarios.
        mapping: Column of the file -> field (`scenario`, `id`).

    Raises:
        InputError: The file cannot be read, or a row has no scenario.
    """
    path = Path(valeval) / f"{source.removeprefix(VALEVAL)}.jsonl" if source.startswith(VALEVAL) else Path(source)
    if source.startswith(VALEVAL) and not path.is_file():
        raise InputError(f"{path}: there is no such split: name the folder of a built ValEval with `valeval`")
    seen: set[str] = set()
    ids: set[str] = set()
    columns = Columns(mapping or {})
    for row in good_rows(read_rows(path), "stop", None):
        data = columns.renamed(row)
        text = data.get("scenario") or data.get("prompt")
        if not isinstance(text, str) or is_blank(text):
            if source.startswith(VALEVAL):
                continue  # rows of ValEval may have no scenario
            named = argument("mapping", {"column": "scenario"})
            raise InputError(f"{row.where}: the row has no scenario: it needs a column `scenario` or `prompt`; name it with {named}")
        key = scenario_key(text)
        if key in seen:
            continue
        identity = str(data.get("id") or key)
        if identity in ids:
            raise InputError(f"{row.where}: id {identity!r} stands twice: ids must be unique")
        seen.add(key)
        ids.add(identity)
        yield Scenario(id=identity, text=text)
        if limit is not None and len(seen) >= limit:
            return


async def generate(
    scenarios: Iterable[Scenario],
    chat: ChatModel,
    path: str | Path,
    *,
    samples: int = 1,
    system: str = "",
    temperature: float | None = None,
    seed: int = 0,
    max_tokens: int = 1024,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Generated:
    """Have a model answer scenarios, each as often as asked, and append the responses to a JSONL file.

    Args:
        scenarios: What to ask.
        chat: Who is asked.
        path: The file; responses that it holds are not asked for again.
        samples: Answers to each scenario; the k-th is asked for with seed + k.
        system: A system prompt; empty sends none.
        temperature: Of the sampling; None leaves it to the server.
        seed: Of the first sample.
        max_tokens: Where an answer is cut off; one that was has `cut_off` in its row.
        tick: Called with (done, total) after each answer.

    Raises:
        ModelError: The model cannot be used at all.
        InputError: The file holds another model's responses, or other scenarios under the same ids.
    """
    wanted = {f"{chat.model}/{s.id}#{k}": (s, k) for s in scenarios for k in range(samples)}
    path = Path(path)
    made = Generated(chat.model, path)

    async def ask(item: tuple[str, tuple[Scenario, int]]) -> list[Response | Unanswered]:
        identity, (scenario, k) = item
        request = ChatRequest(system, scenario.text, None, _not_empty, max_tokens, temperature, seed + k, exact=True)
        answer = await chat.complete(request)
        if isinstance(answer, Failure) and answer.kind == "budget":
            raise StopStreamError(answer.reason)
        if isinstance(answer, Failure):
            return [Unanswered(id=identity, scenario=scenario.text, status=answer.status, reason=answer.reason)]
        told = {"model": chat.model, "sample": k} | ({"cut_off": True} if answer.cut_off else {})
        return [Response(id=identity, scenario=scenario.text, response=spoken(answer.text), metadata=told)]

    _refuse_another(unanswered_path(path))
    file = open_to_append(path)
    try:
        done = _kept(path, chat.model, wanted)
        made.responses = len(done)
        todo = [(identity, what) for identity, what in wanted.items() if identity not in done]
        answers = Stream(todo, ask, chat.width)
        with interruptible(answers.stop):
            async for found in answers:
                if isinstance(found, Unanswered):
                    made.unanswered.append(found)
                else:
                    row = {**found.model_dump(include={"id", "scenario", "response"}), **found.metadata}
                    write_whole(file, json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
                    made.new += 1
                    made.responses += 1
                tick(made.responses + len(made.unanswered), len(wanted))
        made.stopped = answers.stopped
        _write_unanswered(unanswered_path(path), made.unanswered)
    finally:
        os.close(file)
    return made


def write_responses(lines: Path, table: Path) -> int:
    """Copy generated responses into a `.parquet` or `.csv` file, whole or not at all; how many there were."""
    columns = {"id": str, "scenario": str, "response": str, "model": str, "sample": int, "cut_off": bool}
    with lines.open("rb") as file:
        return write_rows(({"cut_off": False} | json.loads(line) for line in file), table, columns)


def unanswered_path(path: Path) -> Path:
    """The file beside a file of responses that says which scenarios got none, and why."""
    return path.with_name(f"{path.stem}.unanswered.jsonl")


def _write_unanswered(path: Path, rows: Sequence[Unanswered]) -> None:
    if rows:
        path.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


def _refuse_another(path: Path) -> None:
    """Refuse to write in the place of a file that is not of this kind.

    Raises:
        InputError: It holds something else.
    """
    if not path.exists():
        return
    try:
        for line in path.read_bytes().splitlines():
            Unanswered.model_validate_json(line)
    except (OSError, ValidationError):
        raise InputError(f"{path} is not a file of unanswered scenarios: move it away, or name another output file with -o") from None


def _kept(path: Path, model: str, wanted: dict[str, tuple[Scenario, int]]) -> set[str]:
    """Ids of the wanted responses that a file holds.

    Raises:
        InputError: It holds something else, another model's responses, or other scenarios under the same ids.
    """

    def read(line: bytes) -> tuple[str, str] | None:
        try:
            row = json.loads(line)
            identity, scenario, _, whose = (row[name] for name in ("id", "scenario", "response", "model"))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if whose != model:
            raise InputError(f"{path} holds responses of {str(whose)[:100]}, and this is {model}: name another file with -o")
        if identity in wanted and wanted[identity][0].text != scenario:
            raise InputError(f"{path}: {identity!r} answers another scenario of the same id: name another file with -o")
        return identity, scenario

    beginning = json.dumps({"id": f"{model}/"}, ensure_ascii=False)[:-2].encode("utf-8", "replace")
    return {identity for identity, _ in own_lines(path, read, beginning, "a response that clave generated") if identity in wanted}


def _not_empty(text: str) -> None:
    if is_blank(spoken(text)):
        raise ValueError("it is empty")


def assessment_page(
    made: Sequence[Generated],
    verdicts: Iterable[Verdict],
    responses: Iterable[Response],
    *,
    system: ValueSystem | None = None,
    title: str,
    evaluator: Fitted | None = None,
    audit: str | Path | None = None,
) -> Page:
    """The value report of one or several models, with what each left unanswered; `evaluator` and `audit` as for `write_report`."""
    page = evaluation_page(verdicts, responses=responses, system=system, title=title, evaluator=evaluator, audit=audit)
    rows = tuple((m.model, m.responses + len(m.unanswered), m.responses, m.count("refused"), m.count("failed")) for m in made)
    table = Table("Scenarios asked and answered", ("Model", "Asked", "Answered", "Refused", "Failed"), rows)
    text = (
        "Refused: the model's server or its filter gave no answer. Such scenarios are in no figure of this page. An answer that declines "
        "in words is a response, and is evaluated as one."
    )
    first: dict[tuple[str, str, str], list[str]] = {}
    for m in made:
        for u in m.unanswered:
            first.setdefault((m.model, u.status, u.reason), []).append(u.scenario)
    reasons = tuple((*why, len(asked), asked[0][:200]) for why, asked in sorted(first.items(), key=lambda item: -len(item[1]))[:30])
    why = Table("Why there is no answer", ("Model", "Status", "Reason", "Scenarios", "One of them"), reasons)
    section = Section("answers", "Answers", text, tables=(table, why) if reasons else (table,))
    place = 1 + [fact.name for fact in page.facts].index("Responses")
    facts = (*page.facts[:place], *_unanswered_fact(made), *page.facts[place:])
    return replace(page, facts=facts, sections=(*page.sections, section))


def _unanswered_fact(made: Sequence[Generated]) -> tuple[Fact, ...]:
    refused, failed = (sum(m.count(status) for m in made) for status in ("refused", "failed"))
    parts = [f"{refused:,} refused"] * bool(refused) + [f"{failed:,} failed"] * bool(failed)
    parts += [f"no answer at all from {short(m.model, 40)}" for m in made if not m.responses]
    return (Fact("Unanswered", f"{refused + failed:,}", ", ".join(parts)),) if parts else ()
