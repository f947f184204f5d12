"""The library's sentences for the command line: where a message names a parameter, the option is shown that sets it."""

from __future__ import annotations

import ast
import re
import shlex

OPTIONS = {
    "abstain_novel": "--abstain-novel",
    "accept_nc": "--accept-nc",
    "allow_changed": "--allow-changed",
    "ask_first": "--ask-first",
    "base": "--base",
    "base_url": "--base-url",
    "budget": "--budget",
    "cache": "--cache",
    "calibration": "--calibration",
    "calls": "--calls",
    "control": "--control",
    "difference": "--difference",
    "fold_column": "--fold-column",
    "jobs": "--jobs",
    "jury": "--jury",
    "label_names": "--label-names",
    "labels": "--labels",
    "mapping": "--map",
    "max_tokens": "--max-tokens",
    "model": "--model",
    "on_error": "--on-error",
    "origins": "--origin",
    "prevalence": "--prevalence",
    "prices": "--prices",
    "retry_failed": "--retry-failed",
    "shard": "--shard",
    "shows": "--shows",
    "sources": "--sources",
    "store": "--store",
    "systems": "--system",
    "terms": "--licence",
    "trust": "--trust",
    "valeval": "--valeval",
}
"""Parameter, as messages of the library name it, -> option."""

_NAMED = re.compile(r"`(\w{1,40})(?:=([^`\n]{1,200}))?`")


def in_options(sentence: str) -> str:
    """``name it with `mapping={'answer': 'response'}` `` -> `name it with --map answer=response`."""
    return _NAMED.sub(lambda found: _option(found[1], found[2]) or found[0], sentence)


def _option(name: str, example: str | None) -> str | None:
    option = OPTIONS.get(name)
    if option is None or example is None:
        return option
    try:
        value = ast.literal_eval(example)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if value is True:
        return option
    if isinstance(value, dict):
        return " ".join(f"{option} {shlex.quote(f'{key}={cell}')}" for key, cell in value.items())
    return f"{option} {'/'.join(map(str, value)) if isinstance(value, tuple) else shlex.quote(str(value))}"
