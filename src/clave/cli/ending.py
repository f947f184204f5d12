"""How a command ends that did not go well: one sentence and an exit code, whatever was raised; and what libraries say on the way."""

from __future__ import annotations

import errno
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

from rich.text import Text
from typer.core import TyperGroup

from clave.cli.terminal import Terminal, say
from clave.cli.wording import in_options
from clave.errors import ClaveError, InputWarning
from clave.text.content import cut_middle
from clave.text.masking import masked
from clave.text.plain import clean

FAULT = 70
"""Exit code of what nobody foresaw, so that it is not taken for a result: 1 says that a bound is broken, or that there is no verdict."""
_MEMORY = ("allocat", "bad_alloc", "malloc", "out of memory", "failed to map segment")
"""How libraries say that there is none left, where they say it in an exception of another kind."""
_LONGEST = 2000
"""Characters of a sentence: what a file holds may stand in it."""


def told(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    """What is said of a file or a model stands in a sentence, without the place in the code that says it; for `warnings.showwarning`."""
    ours = issubclass(category, InputWarning)
    said = f"note: {in_options(str(message))}" if ours else warnings.formatwarning(message, category, filename, lineno, line)
    Terminal(stderr=True).print(Text(cut_middle(said, _LONGEST)), soft_wrap=True)


def ended(error: Exception) -> NoReturn:
    """Say in a sentence what ended a command; a traceback is for what nobody foresaw."""
    if isinstance(error, ClaveError):
        _failed(in_options(str(error)))
    lacking = next(filter(None, map(_lacking, _causes(error))), None)
    if lacking is not None:
        _failed(lacking)
    if isinstance(error, OSError):  # a full disk, a file that may not be written
        _failed(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    say(traceback.format_exc().rstrip(), err=True)
    _failed("this is a fault of clave: please report it with the lines above", FAULT)


def _failed(sentence: str, code: int = 2) -> NoReturn:
    Terminal(stderr=True).print(Text(cut_middle(f"error: {sentence}", _LONGEST), style="red"), soft_wrap=True)
    sys.exit(code)


def _lacking(error: BaseException) -> str | None:
    """What the machine has too little of, where that is what an error comes from."""
    if (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or any(word in str(error).casefold() for word in _MEMORY)
    ):
        return "there is too little memory for this: take fewer rows at a time (--limit, --shard), or raise the limit (ulimit -v)"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "no further thread can be started: raise the limit of processes or of memory (ulimit -u, ulimit -v)"
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many files are open: raise the limit (ulimit -n 1024), or ask less at once with --concurrency"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, those that it groups, and those that it came from."""
    seen, waiting = set[int](), [error]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [cause for cause in (one.__cause__, one.__context__) if cause is not None]
            waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()


class Commands(TyperGroup):
    """A group of commands; what is wrong with how one is called is told without what a terminal would obey in it."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """See Typer."""
        with _plainly():
            return super().make_context(*args, **more)

    def invoke(self, *args: Any, **more: Any) -> Any:
        """See Typer."""
        with _plainly():
            return super().invoke(*args, **more)


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(getattr(error, "message", None), str) and hasattr(error, "format_message"):
            error.message = cut_middle(clean(masked(error.message)), _LONGEST)  # type: ignore[attr-defined]
        raise
