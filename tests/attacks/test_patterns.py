"""No regular expression of the package can be made slow by the text it runs on. Shown by its structure, not by a clock.

A pattern takes time beyond its text's length where one open repeat stands in another, where two that take the same character follow each
other, where a search begins with one that more must follow, or where it refers back. None of ours does.
"""

import ast
import importlib
from pathlib import Path
from re import _constants as sre
from re import _parser

import pytest

import clave
from clave.llm import faults

SOURCE = Path(clave.__file__).parent
OPEN = 1000
"""Repeats up to this often are bounded."""
SAMPLE = [chr(k) for k in range(128)] + list("é中\u00a0\u2028٣")
CATEGORIES = {
    sre.CATEGORY_DIGIT: str.isdigit,
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_WORD: lambda c: c.isalnum() or c == "_",
}
NEGATED = {sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT, sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE, sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD}
REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
ZERO_WIDTH = (sre.AT, sre.ASSERT, sre.ASSERT_NOT)


def taken(op, arg):
    """The characters of the sample that an item of a set takes."""
    if op is sre.LITERAL:
        return {c for c in SAMPLE if ord(c) == arg}
    if op is sre.RANGE:
        return {c for c in SAMPLE if arg[0] <= ord(c) <= arg[1]}
    if op is sre.CATEGORY:
        return set(SAMPLE) - taken(sre.CATEGORY, NEGATED[arg]) if arg in NEGATED else set(filter(CATEGORIES[arg], SAMPLE))
    raise AssertionError(op)


def first(items):
    """Characters that a sequence may begin with, and whether it may be empty."""
    found = set()
    for op, arg in items:
        begins, empty = set(), False
        if op in (sre.LITERAL, sre.NOT_LITERAL):
            begins = taken(sre.LITERAL, arg) if op is sre.LITERAL else set(SAMPLE) - taken(sre.LITERAL, arg)
        elif op is sre.ANY:
            begins = set(SAMPLE)
        elif op is sre.IN:
            parts = [taken(*part) for part in arg if part[0] is not sre.NEGATE]
            begins = set().union(*parts)
            begins = set(SAMPLE) - begins if arg[0][0] is sre.NEGATE else begins
        elif op in REPEATS:
            begins, empty = first(arg[2])
            empty = empty or arg[0] == 0
        elif op is sre.SUBPATTERN:
            begins, empty = first(arg[3])
        elif op is sre.BRANCH:
            parts = [first(branch) for branch in arg[1]]
            begins, empty = set().union(*(b for b, _ in parts)), any(e for _, e in parts)
        elif op in ZERO_WIDTH:
            empty = True
        found |= begins
        if not empty:
            return found, False
    return found, True


def is_open(op, arg):
    return op in REPEATS and arg[1] > OPEN


def holds_open(items):
    for op, arg in items:
        if is_open(op, arg):
            return True
        inner = arg[1] if op is sre.BRANCH else [arg[2]] if op in REPEATS else [arg[3]] if op is sre.SUBPATTERN else []
        if any(holds_open(part) for part in inner):
            return True
    return False


def problems(items, rest=()):
    """What may make a sequence slow; `rest` is what follows it."""
    items = list(items)
    for k, (op, arg) in enumerate(items):
        after = [*items[k + 1 :], *rest]
        if op is sre.GROUPREF:
            yield "refers back"
        if is_open(op, arg):
            if holds_open(arg[2]) and len(arg[2]) == 1:
                yield "an open repeat of an open repeat"
            taken_here, _ = first(arg[2])
            for other, what in after:
                if is_open(other, what):
                    if taken_here & first(what[2])[0]:
                        yield "two open repeats that take the same character"
                    break
                if not first([(other, what)])[1]:
                    break
        if op in REPEATS:
            yield from problems(arg[2], after)
        elif op is sre.SUBPATTERN:
            yield from problems(arg[3], after)
        elif op is sre.BRANCH:
            for branch in arg[1]:
                yield from problems(branch, after)


def slow(pattern, *, searched, flags=0):
    parsed = list(_parser.parse(pattern, flags))
    found = set(problems(parsed))
    if searched and is_open(*parsed[0]) and (not first(parsed[1:])[1] or any(op in ZERO_WIDTH for op, _ in parsed[1:])):
        found.add("a search that begins with an open repeat")
    return found


def pattern_of(path, argument):
    """What is plain to see, or put together of the module's own constants; None where it is neither."""
    if isinstance(argument, ast.Constant):
        return argument.value
    if not isinstance(argument, ast.Name | ast.JoinedStr):
        return None
    module = importlib.import_module(".".join(["clave", *path.relative_to(SOURCE).with_suffix("").parts]))
    try:
        pattern = eval(ast.unparse(argument), vars(module))  # noqa: S307  # our own source
    except NameError:
        return None
    return pattern if isinstance(pattern, str | bytes) else None


def calls():
    """Each call of re with a pattern in the package: (where, function, pattern or None, source)."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and node.func.attr not in ("escape",)
            ):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node.func.attr, pattern_of(path, node.args[0]), ast.unparse(node)


def test_the_rules_find_what_is_known_to_be_slow():
    for pattern in (r"(a+)+$", r"(\w+\s?)*x", r"```\w*\s+(.*?)\s*```", r"\s+$", r"(a|b+)*c", r".*(.*)x", r"<(\w+)>.*</\1>"):
        assert slow(pattern, searched=True), pattern
    for pattern in (r"\w+", r"[^<>]{0,500}x", r"\ba+b+c", r"\bword\b"):
        assert not slow(pattern, searched=True), pattern


@pytest.mark.parametrize(("where", "function", "pattern", "source"), list(calls()))
def test_no_pattern_can_be_made_slow(where, function, pattern, source):
    if pattern is None:
        assert "re.escape" in source or source in MADE_OF_WORDS, f"{where}: a pattern that is not plain to see: {source}"
    else:
        assert not slow(pattern, searched=function not in ("match", "fullmatch")), (where, pattern)


MADE_OF_WORDS = {
    "re.compile(rule.code, re.I)",  # looked at below
    "re.compile(rule.words, re.I)",
    "re.compile('\\\\b(?:' + '|'.join(sorted(_SPELLINGS, key=len, reverse=True)) + ')\\\\b', re.IGNORECASE)",
}
"""Calls whose pattern is put together of our own words."""


def test_the_patterns_of_errors_cannot_be_made_slow():
    patterns = [p for _, *pair in faults._RULES for p in pair if p is not None]
    assert len(patterns) > 10
    for pattern in patterns:
        assert not slow(pattern.pattern, searched=True), pattern.pattern
