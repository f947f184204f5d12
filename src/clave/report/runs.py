"""The runs that a report sets side by side, each with the texts that it judged.

    runs = paired([Path("verdicts.jsonl")], [Texts(read_responses("responses.jsonl"))])      # or several of each
    verdict, response = next(runs[0].judged())      # never another model's text under the same id

A verdict carries a hash of its text. Files of responses go to their runs by it, in whatever order they are given; where it does not fit,
that is an error. Verdicts of version 0.1 have none: they take their text by id, from the file that was given for their run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from clave.errors import InputError
from clave.io.manifest import RunManifest, read_manifest
from clave.io.samples import read_responses
from clave.io.verdicts import read_verdicts
from clave.records import Response, Verdict

Verdicts = str | Path | Iterable[Verdict]
Responses = str | Path | Iterable[Response] | None
_LOOKED_AT = 100
"""Verdicts of a run by which its file of responses is found; all are checked as they are read."""


class Texts:
    """Responses by id."""

    def __init__(self, responses: Iterable[Response], name: str = "the responses") -> None:
        self.name = name
        self._by_id = {(r.id, r.value): r for r in responses}
        self.models = frozenset(map(model_of, self._by_id.values())) - {""}
        """Who gave them, where that is known."""

    def get(self, verdict: Verdict) -> Response | None:
        """The response of the verdict's id; None where there is none."""
        return self._by_id.get((verdict.id, verdict.value)) or self._by_id.get((verdict.id, None))

    def fit(self, verdict: Verdict) -> bool:
        """Whether it is the text that the verdict judges."""
        response = self.get(verdict)
        return response is not None and verdict.judged in ("", response.digest)

    def by_id(self) -> dict[str, Response]:
        """All of them."""
        return {response.id: response for response in self._by_id.values()}

    def example(self) -> str:
        """An id, to be shown."""
        return next((identity for identity, _ in self._by_id), "")


@dataclass(frozen=True)
class Run:
    """The verdicts of one run, and the texts behind them."""

    verdicts: Verdicts
    texts: Texts | None = None
    """None: a report shows quotes alone."""
    name: str = ""
    """What tells the run apart where its responses do not say which model gave them."""

    @classmethod
    def of(cls, verdicts: Verdicts, responses: Responses = None, name: str = "") -> Run:
        """A run from verdicts and responses, or their files."""
        name = name or (Path(verdicts).stem if isinstance(verdicts, str | Path) else "")
        return cls(verdicts, None if responses is None else _texts(responses), name)

    @property
    def manifest(self) -> RunManifest | None:
        """What stands beside a file of verdicts."""
        return read_manifest(self.verdicts) if isinstance(self.verdicts, str | Path) else None

    def judged(self) -> Iterator[tuple[Verdict, Response | None]]:
        """Each verdict with its text; None where that is not at hand.

        Raises:
            InputError: The responses hold another text under the id of a verdict, or not one of the ids; or a response has two verdicts on
                one value, which would count twice.
        """
        found, first, seen = 0, None, set[int]()
        for verdict in _read(self.verdicts):
            first = first or verdict
            key = hash((verdict.id, verdict.value))
            if key in seen:
                two = f"there are two verdicts on response {verdict.id!r} for {verdict.value}: keep one"
                raise InputError(f"{self.name or 'the run'}: {two}")
            seen.add(key)
            response = self.texts.get(verdict) if self.texts is not None else None
            if response is not None and self.texts is not None and not self.texts.fit(verdict):
                raise InputError(
                    f"{self.name or 'the run'}: the verdict on {verdict.id!r} is about another text than {self.texts.name} holds "
                    "under that id: give each run the responses that it judged"
                )
            found += response is not None
            yield verdict, response
        if self.texts is not None and first is not None and not found:
            raise InputError(
                f"{self.name or 'the run'}: no verdict is about one of {self.texts.name}: ids are like {first.id!r} here and like "
                f"{self.texts.example()!r} there"
            )


def paired(verdicts: Sequence[Path], responses: Sequence[Texts]) -> list[Run]:
    """Files of verdicts with the responses that they judge: one for each, in any order, or one for all.

    Raises:
        InputError: It cannot be told which belong together.
    """
    names = _names(verdicts)
    if len(responses) not in (0, 1, len(verdicts)):
        how_many = f"for {len(verdicts)} {'run' if len(verdicts) == 1 else 'runs'} there are {len(responses)} files of responses"
        raise InputError(f"{how_many}: give one for each run, or one for all")
    if not responses:
        return [Run(path, None, name) for path, name in zip(verdicts, names, strict=True)]
    runs = []
    for place, (path, name) in enumerate(zip(verdicts, names, strict=True)):
        sample = list(islice(read_verdicts(path), _LOOKED_AT))
        if len(verdicts) > 1 and len(responses) == 1 and not all(v.judged for v in sample):
            raise InputError(
                f"{path} does not say which texts it judges, as it was made by an earlier version: give one file of responses for "
                "each run, in the order of the runs"
            )
        fit = [i for i, texts in enumerate(responses) if all(map(texts.fit, sample))]
        if len(responses) == 1 or place in fit:
            runs.append(Run(path, responses[min(place, len(responses) - 1)], name))
        elif len(fit) == 1:
            runs.append(Run(path, responses[fit[0]], name))
        else:
            which = "several files of responses hold" if fit else "no file of responses holds"
            raise InputError(f"{which} the texts that {path} judges: give one for each run, in the order of the runs")
    return runs


def model_names(runs: Sequence[Run]) -> list[dict[str, str]]:
    """For each run: the model that its responses name, or "", -> what its column is called. Runs on one model bear their own names."""
    models = [_models(run, shared=sum(other.texts is run.texts for other in runs) > 1) for run in runs]
    often = Counter(model for own in models for model in own)
    return [
        {"": run.name if len(runs) > 1 and run.name else "all responses"}
        | {model: f"{model} · {run.name}" if often[model] > 1 else model for model in own}
        for run, own in zip(runs, models, strict=True)
    ]


def in_order(names: Iterable[Mapping[str, str]]) -> list[str]:
    """Models as reports list them, whatever came first: run by run, those of one run by name; `names` as `model_names` gives them."""
    return list(dict.fromkeys(name for own in names for name in sorted(own.values(), key=str.casefold)))


def _models(run: Run, *, shared: bool) -> frozenset[str]:
    """Who gave the responses of a run; of a file of responses that several runs share, those that this one judged."""
    if run.texts is None or not shared or not isinstance(run.verdicts, str | Path):
        return run.texts.models if run.texts is not None else frozenset()
    found = (run.texts.get(verdict) for verdict in read_verdicts(run.verdicts))
    return frozenset(model_of(response) for response in found) - {""}


def model_of(response: Response | None) -> str:
    """Who gave a response; empty where that is not known."""
    return str((response.metadata.get("model") if response is not None else "") or "")


def _texts(responses: str | Path | Iterable[Response]) -> Texts:
    if isinstance(responses, str | Path):
        return Texts(read_responses(responses), str(responses))
    return Texts(responses)


def _read(verdicts: Verdicts) -> Iterable[Verdict]:
    return read_verdicts(verdicts) if isinstance(verdicts, str | Path) else verdicts


def _names(paths: Sequence[Path]) -> list[str]:
    """The files' names without ending; with their folders where two are alike."""
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    names = [str(path.with_suffix("")) for path in paths]
    if len(set(names)) < len(names):
        raise InputError(f"{next(n for n in names if names.count(n) > 1)} is given twice: compare a run with another")
    return names
