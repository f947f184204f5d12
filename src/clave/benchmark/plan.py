"""What a benchmark run compares on what: the record behind `clave bench run`, kept in the run's folder so that analyses use the same.

plan = Plan.read("bench.yaml")            # judges: [majority, clave]  valeval: valeval  splits: [original]  limit: 50
plan.write("the-same.yaml")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from clave.errors import InputError
from clave.records import Record
from clave.text.bounded import load_yaml, read_text

FILE = "config.yaml"
"""Where the folder of a run keeps its plan."""


class Plan(Record):
    """The choices that bear on a benchmark's figures. Budget, cache and concurrency are none: they belong to the call."""

    valeval: str | None = None
    """Folder of a built ValEval."""
    labels: str | None = None
    """Or: a file of labelled rows, as for `clave calibrate`."""
    calibration: str | None = None
    """The file of calibration rows; without it the rows of `labels` whose column `split` says calibration."""
    systems: tuple[str, ...] = ()
    """Value systems of `labels`, by name or file; values of several systems are fitted apart."""
    fold_column: str | None = None
    """Column of the calibration rows that says which cross-validation fold a row belongs to."""
    judges: tuple[str, ...] = ("majority",)
    splits: tuple[str, ...] = ()
    """Which splits are judged, the one of the annotators' own kind of data first; none named = all but calibration."""
    values: tuple[str, ...] = ()
    """Only these values; none named = all."""
    limit: int | None = Field(default=None, ge=1)
    """Most rows of each value and split, drawn with the seed."""
    seed: int = 0
    model: str | None = None
    """The large model of prompted judges and of Clave."""
    models: tuple[str, ...] = ()
    """Or several: prompted judges and Clave run on each, under names like `zero-shot@openai/gpt-4o-mini`."""
    base_url: str | None = None
    jury: tuple[str, ...] = ()
    """Further models of the judge `jury`, at the same address. With several `models` the jury is all of these together."""

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.model is not None and self.models:
            raise ValueError("name one model, or several, and not both")
        if len(set(self.models)) < len(self.models):
            raise ValueError("a model is named twice")
        return self

    @property
    def asked(self) -> tuple[str, ...]:
        """The large models that judges run on, whether one was named or several."""
        return self.models or ((self.model,) if self.model is not None else ())

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read a YAML file.

        Raises:
            InputError: It is not there, not YAML, or holds a key or a value that a plan does not know.
        """
        try:
            data = load_yaml(read_text(Path(path)))
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise InputError(f"{path}: not YAML that a plan can be: {error}") from None
        return cls.of(data if data is not None else {}, str(path))

    @classmethod
    def of(cls, data: Any, where: str = "the options") -> Plan:
        """A plan from plain data; see `read`."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{where}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from None

    def write(self, path: str | Path) -> None:
        """Write a YAML file that `read` reads."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        Path(path).write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
