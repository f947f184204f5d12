"""Going on with a file of verdicts: only where it was made as this run would make it, and not with what this run would judge otherwise.

    from functools import partial

    with VerdictWriter("verdicts.jsonl") as writer:
        notes = resume(writer, read_manifest("verdicts.jsonl"), partial(source.units, judging.values_of), retry_failed=False)

Another evaluator, other options or other responses are refused. A response whose text has changed is asked again, as is what failed where
that is wanted. Files of version 0.1 say neither which text a verdict judges nor which options shaped it: they are taken as they are, and
the notes say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from clave.errors import InputError
from clave.evaluating.judging import Unit
from clave.io.manifest import RunManifest, manifest_path, read_manifest
from clave.io.verdicts import Entry, VerdictWriter, read_verdicts

Options = Mapping[str, float | str]
_OPTIONS = ("min_confidence", "coverage", "prevalence", "abstain_novel")
Units = Callable[[], Iterable[Unit]]
"""The responses of a run with the values they are asked for, from the beginning at each call."""


def resume(writer: VerdictWriter, manifest: RunManifest, units: Units | None, *, retry_failed: bool) -> list[str]:
    """Check what a file holds, and take out of it what is to be asked again.

    Args:
        writer: Of the file, opened.
        manifest: Of this run.
        units: What this run asks for; None where it cannot be read twice (standard input).
        retry_failed: Ask again what failed.

    Returns:
        Sentences for the user.

    Raises:
        InputError: The file was made otherwise; nothing in it has been changed.
    """
    if not len(writer):
        return []
    others = writer.evaluators - {manifest.evaluator}
    if others:
        raise InputError(f"{writer.path} holds verdicts of {min(others)}, and this is {manifest.evaluator}: name another output")
    before = read_manifest(writer.path)
    if before is not None:
        _same_options(writer.path, before.options, manifest.options)
    notes = []
    if before is None or writer.undated:
        missing = "which texts they judge" if writer.undated else "which options shaped them"
        notes.append(f"{writer.path}: {writer.undated or len(writer):,} verdicts do not say {missing}; they are taken as they are")
    changed = _changed(writer, units) if units is not None else set()

    def again(entry: Entry) -> bool:
        return (retry_failed and entry.outcome == "failed") or (entry.id, entry.value) in changed

    if changed or (retry_failed and any(outcome == "failed" for _, outcome in writer.counts)):
        writer.drop(again)
    if changed:
        notes.append(f"{writer.path}: {len(changed):,} verdicts judged texts that have changed since; they are asked for again")
    return notes


def may_replace(output: Path, plain: Path, manifest: RunManifest) -> None:
    """Check that an output may be made anew of plain verdicts, before anything is spent.

    Raises:
        InputError: It holds verdicts that were made otherwise.
    """
    if not output.is_file() or not output.stat().st_size:
        return
    if not plain.is_file():
        raise InputError(f"{output} holds verdicts that no coverage and no prevalence made ({plain} is not there): name another output")
    before = read_manifest(output)
    if before is not None:
        _same_options(output, before.options, manifest.options)


def _same_options(path: Path, before: Options, now: Options) -> None:
    for name in before:
        if name not in _OPTIONS:
            raise InputError(f"{manifest_path(path)} names the option {name!r}, which this version does not know")
    for name in dict.fromkeys([*before, *now]):
        then, this = (_text(options[name]) if name in options else "" for options in (before, now))
        if then != this:
            made = f"with {_said(name)} {then}" if then else f"without {_said(name)}"
            has = f"has {_said(name)} {this}" if this else "has none"
            keep = f"keep to {then}" if then else "leave it out"
            raise InputError(f"{path} was made {made}, and this run {has}: name another output, or {keep}")


def _said(option: str) -> str:
    return option.replace("_", "-")


def _text(option: float | str) -> str:
    return option if isinstance(option, str) else f"{option:g}"


def _changed(writer: VerdictWriter, units: Units) -> set[tuple[str, str]]:
    """(id, value) of verdicts on texts that have changed since; verdicts that nobody asks for any more are refused."""
    changed, found = set[tuple[str, str]](), 0
    for response, values in units():
        known = [value.id for value in values if writer.has(response.id, value.id)]
        found += len(known)
        changed.update((response.id, value) for value in known if writer.differs(response, value))
    if found < len(writer):
        asked = {(response.id, value.id) for response, values in units() for value in values}
        other = next(v for v in read_verdicts(writer.path) if (v.id, v.value) not in asked)
        raise InputError(
            f"{writer.path} holds {len(writer) - found:,} verdicts that these responses do not ask for, e.g. of {other.id!r} for "
            f"{other.value!r}: name another output, or give the responses that it was begun with"
        )
    return changed
