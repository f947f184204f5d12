"""Examples in docstrings run: each block of code is executed as it stands, and a value in the comment behind a line is its value.

    accuracy(gold, predicted)      # 0.807 [0.772, 0.837] (n = 538, 2 failed): up to a colon; … stands for anything

A block may use the names of its module, those of `clave`, and those that given/ has for its room; files that it names are made for it.
Libraries that run examples want another form: doctest and xdoctest `>>>`, pytest-examples and sybil fences. These are code blocks as
Markdown has them, with `await` at the top.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import importlib
import inspect
import io
import re
import tempfile
import textwrap
import tokenize
from collections.abc import Iterable, Iterator
from contextvars import copy_context
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import pytest
from docstrings.given import everywhere
from docstrings.provider import Provider

import clave
from clave.llm.account import PAYS

ROOT = Path(__file__).parents[2]
SRC, DOCS, GIVEN = ROOT / "src", ROOT / "docs", Path(__file__).parent / "given"
HUB, SERVES = "the Hub", "serves until it is stopped"
HOST = "a tool that is no dependency of the tests; tests/integrations has examples of it"
NOT_RUN = {
    "clave.errors": "a tree of classes",
    "clave.records": "a picture",
    "clave.saving": "a list of files",
    "clave.demo.recording": "commands for a shell",
    "clave.registry 2": "TOML",
    "clave.report.writing 2": "TOML",
    "clave.annotate.serving": SERVES,
    "clave.server.running": SERVES,
    "clave.saving.hub": HUB,
    "clave.valeval.push": HUB,
    "clave.valeval.download": "the network",
    "clave.judges.setfit_judge": "setfit is no dependency of the tests",
    "clave.integrations.deepeval_metric": HOST,
    "clave.integrations.inspect_model": HOST,
    "clave.integrations.inspect_scorer": HOST,
    "clave.integrations.lm_eval_task": HOST,
    "clave.integrations.mlflow_scorer": HOST,
    "clave.integrations.pydantic_evaluator": HOST,
    "clave.integrations.ray_data": HOST,
    "clave.integrations.ray_llm": HOST,
}
"""Block -> why it is not run: it is no Python, or waits for what cannot be had here."""


class Example(NamedTuple):
    """A block of code: its module, its number there, the line where its docstring begins, and code that begins so many lines down."""

    path: Path
    number: int
    start: int
    code: str

    @property
    def module(self) -> str:
        return ".".join(self.path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")

    @property
    def name(self) -> str:
        return self.module if self.number == 1 else f"{self.module} {self.number}"


def examples(path: Path) -> Iterator[Example]:
    """The code of a file's docstrings: indented blocks, each after an empty line; or all that follows the summary, as what is indented to
    the end is indented for the formatter's taste no more than the summary."""
    number = 0
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or ast.get_docstring(node) is None:
            continue
        string = node.body[0].value
        lines = [line[string.col_offset if i else 0 :] for i, line in enumerate(string.value.split("\n"))]
        for code in [rest] if is_code(rest := textwrap.dedent("\n".join(["", *lines[1:]]))) else indented(lines):
            number += 1
            yield Example(path, number, string.lineno, code.rstrip())


def is_code(text: str) -> bool:
    """Whether a text is Python that calls something."""
    try:
        return any(isinstance(node, ast.Call) for node in ast.walk(ast.parse(text)))
    except SyntaxError:
        return False


def indented(lines: list[str]) -> Iterator[str]:
    """The indented blocks, each at its place, after as many empty lines."""
    block: list[int] = []
    for i, line in enumerate([*lines, "."]):
        if line[:4].strip():
            if block and not lines[block[0] - 1].strip():
                yield "\n".join(lines[k][4:] if k in block else "" for k in range(i))
            block = []
        elif line.strip() or block:
            block.append(i)


def fenced(path: Path) -> Iterator[Example]:
    """The Python of a page of the docs."""
    text = path.read_text(encoding="utf-8")
    for number, found in enumerate(re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL), 1):
        yield Example(path, number, text[: found.start(1)].count("\n") + 1, found[1])


EXAMPLES = [example for path in sorted(SRC.rglob("*.py")) for example in examples(path)]
MODULES = sorted({example.module for example in EXAMPLES if example.name not in NOT_RUN})


@pytest.fixture(scope="module", autouse=True)
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    server = Provider()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", server.url)
        patch.setenv("OPENAI_API_KEY", "sk-none")
        patch.setenv("CLAVE_CACHE", str(tmp_path_factory.mktemp("cache") / "completions.sqlite"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("given")))
        yield
    server.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of transformers and sentence-transformers
@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = [example for example in EXAMPLES if example.module == name and example.name not in NOT_RUN]
    copy_context().run(run_all, blocks, Names(importlib.import_module(name)), capsys)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("page", ["lora.md", "how-to/drift.md"])
def test_examples_of_the_docs_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    copy_context().run(run_all, fenced(DOCS / page), Names(clave), capsys)


def test_what_an_example_sets_ends_with_it():
    assert PAYS.get() is None


def test_what_is_not_run_is_there_and_is_little():
    assert NOT_RUN.keys() <= {example.name for example in EXAMPLES}
    assert len(NOT_RUN) < 0.1 * len(EXAMPLES)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.name in NOT_RUN], ids=lambda e: e.name)
def test_what_is_not_run_calls_what_there_is(example):
    try:
        tree, known = ast.parse(example.code.replace("…", "...")), vars(importlib.import_module(example.module)) | vars(builtins)
    except (SyntaxError, ImportError) as why:
        pytest.skip(f"{why}")
    made = {node.asname or node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
    made |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        if call.func.id not in made:
            inspect.signature(known[call.func.id]).bind_partial(*call.args, **{k.arg: k.value for k in call.keywords if k.arg})


def run_all(blocks: Iterable[Example], names: Names, out: pytest.CaptureFixture[str]) -> None:
    """Execute blocks one after the other, each with its files there; in a context of their own, as some set what holds for a whole task."""
    with asyncio.Runner() as loop:
        for example in blocks:
            write_files(example.code, names.rooms)
            run(example, names, loop, out)


def run(example: Example, names: Names, loop: asyncio.Runner, out: pytest.CaptureFixture[str]) -> None:
    """Execute a block statement by statement, and compare what it claims."""
    said = claims(example.code)
    for statement in ast.parse("\n" * (example.start - 1) + example.code).body:
        names.look_up(statement)
        value = execute(statement, example.path, names, loop)
        printed = out.readouterr().out.rstrip("\n")
        claim = said.get((statement.end_lineno or 0) - example.start + 1, "")
        if is_value(claim):
            place = f"{example.path}:{statement.end_lineno}"
            assert states(claim, value) or states(claim, printed), f"{place} says {claim}, and it is {value!r} {printed}"


def execute(statement: ast.stmt, path: Path, names: Names, loop: asyncio.Runner) -> Any:
    """Run a statement; the value of an expression, or of what one name is bound to."""
    asked = isinstance(statement, ast.Expr)
    tree = ast.Expression(statement.value) if asked else ast.Module([statement], [])
    code: CodeType = compile(tree, str(path), "eval" if asked else "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = eval(code, names)  # noqa: S307, examples of this repository
    if code.co_flags & inspect.CO_COROUTINE:
        value = loop.run(value)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return names[statement.targets[0].id]
    return value


def claims(code: str) -> dict[int, str]:
    """The comments by their lines."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def is_value(claim: str) -> bool:
    """Whether a comment begins with a value: a literal, or the text of a record."""
    return bool(re.match(r"""b?["'\[({<]|-?\d|(True|False|None)\b|[A-Z]\w+\(""", claim))


def states(claim: str, value: object) -> bool:
    """Whether a comment, or what stands before one of its colons, commas and semicolons, is this value, to as many digits as it says."""
    claim = claim.replace('"', "'")
    digits = max((len(decimals) for decimals in re.findall(r"\d\.(\d+)", claim)), default=0)
    said = [rounded(claim[:end], digits) for end in (*(mark.start() for mark in re.finditer(r"[:;,] ", claim)), len(claim))]
    is_ = [rounded(text.replace('"', "'"), digits) for text in (str(value), repr(value), ascii(value), str(value).strip("()"))]
    return any(re.fullmatch(".*".join(map(re.escape, one.split("…"))), text, re.DOTALL) for one in said for text in is_)


def rounded(text: str, digits: int) -> str:
    """A text whose decimals are rounded; numpy's scalars are written as plain numbers."""
    plain = re.sub(r"np\.\w+\(([^()]*)\)", r"\1", text)
    return re.sub(r"-?\d+(\.\d+(e[+-]?\d+)?|e[+-]?\d+)", lambda number: f"{float(number[0]):.{digits}f}", plain)


class Names(dict[str, Any]):
    """What a block may use: the names of its module and of clave, and those that are given where it stands."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__({name: getattr(clave, name) for name in clave.__all__} | {"Path": Path, "asyncio": asyncio} | vars(module))
        self.rooms = rooms_of(module.__name__)

    def look_up(self, statement: ast.stmt) -> None:
        """Make what a statement takes as given, before it runs: within a coroutine nothing could be made that awaits."""
        for name in {
            node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        } - self.keys():
            for room in self.rooms:
                made = vars(room).get(name)
                if getattr(made, "__module__", "") == room.__name__:
                    self[name] = made()
                    break


def rooms_of(name: str) -> list[ModuleType]:
    """The module of given things that is named after the room of a module, and the one for all."""
    room = [*name.split("."), ""][1]
    return [*([importlib.import_module(f"docstrings.given.{room}")] if (GIVEN / f"{room}.py").is_file() else []), everywhere]


def write_files(code: str, rooms: list[ModuleType]) -> None:
    """Make the files that a block names and that are not there."""
    files = {name: write for room in reversed(rooms) for name, write in getattr(room, "FILES", {}).items()}
    named = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for name in sorted(name for name in named & files.keys() if not Path(name).exists()):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        files[name](Path(name))
