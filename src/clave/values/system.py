"""Value systems as data: a YAML file with an id, a citation and the values with their definitions.

system = ValueSystem.load("schwartz")          # built in
system = ValueSystem.load("our-policy.yaml")   # your own
system["care"].definition
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from clave.errors import InputError
from clave.records import Record
from clave.registry import Registry
from clave.text.bounded import load_yaml, read_text

_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")


class _Dumper(yaml.SafeDumper):
    """Writes text that holds one of Unicode's rarer line breaks in double quotes, where it is escaped; else YAML folds it to a space."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if re.search("[\\x85\\u2028\\u2029]", text) else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def _check_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"id {value!r} must be lower case letters, digits and _, and begin with a letter")
    return value


class Group(Record):
    """A higher-order group of values, e.g. self-transcendence."""

    id: str
    name: str
    definition: str = ""


class Value(Record):
    """One value of a system."""

    id: str
    name: str
    definition: str = Field(min_length=1)
    """What the large model reads: what adhering, opposing and being unrelated mean for this value."""
    parent: str | None = None
    """The id of a group."""
    guideline: str | None = None
    """How your annotators apply the labels; replaces an induced guideline."""
    optional: bool = False
    """Evaluated only when it is asked for by name."""

    _id = field_validator("id")(_check_id)


class ValueSystem(Record):
    """A set of values, immutable and hashed by content."""

    id: str
    name: str
    version: str
    citation: str = ""
    description: str = ""
    groups: tuple[Group, ...] = ()
    values: tuple[Value, ...] = Field(min_length=1)

    _id = field_validator("id")(_check_id)

    @model_validator(mode="after")
    def _consistent(self) -> ValueSystem:
        ids = [v.id for v in self.values]
        twice = sorted(i for i, n in Counter(ids).items() if n > 1)
        if twice:
            raise ValueError(f"value id {twice[0]!r} stands twice")
        groups = {g.id for g in self.groups}
        for value in self.values:
            if value.parent is not None and value.parent not in groups:
                raise ValueError(f"value {value.id!r} has parent {value.parent!r}, which is not among the groups")
        return self

    @classmethod
    def load(cls, source: str | Path) -> ValueSystem:
        """Load a built-in system by id, or a YAML file by path.

        Raises:
            InputError: The name is unknown, or the file is not a value system; says the file and the field.
        """
        path = Path(source)
        if path.suffix.lower() in {".yaml", ".yml", ".json"} or path.is_file():
            try:
                text = read_text(path)
            except OSError as error:
                raise InputError(f"value system {path} cannot be read: {error.strerror}") from None
            except ValueError as error:
                raise InputError(f"value system {path} cannot be read: {error}") from None
            return cls.parse(text, str(path))
        if str(source) in builtin_ids():
            return cls.parse((resources.files("clave.values") / "systems" / f"{source}.yaml").read_text(encoding="utf-8"), str(source))
        offered = SYSTEMS[str(source)]
        return offered if isinstance(offered, ValueSystem) else cls.load(Path(offered))

    @classmethod
    def parse(cls, text: str, where: str = "the text") -> ValueSystem:
        """Read a system from YAML text; `where` names it in errors."""
        try:
            data: Any = load_yaml(text)
        except ValueError as error:
            raise InputError(f"value system {where} is not YAML: {error}") from None
        if not isinstance(data, dict):
            raise InputError(f"value system {where} must be a mapping with id, name, version and values")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(p) for p in first["loc"]) or "the file"
            raise InputError(f"value system {where}: {place}: {first['msg'].removeprefix('Value error, ')}") from None

    def to_yaml(self) -> str:
        """The system as YAML that `parse` reads back to an equal system."""
        data = self.model_dump(exclude_defaults=True)
        data["values"] = [dict(v) for v in data["values"]]
        if "groups" in data:
            data["groups"] = [dict(g) for g in data["groups"]]
        return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)

    @functools.cached_property
    def hash(self) -> str:
        """Twelve hex digits over all that bears on verdicts: ids, names, definitions, guidelines; not over prose about the system."""
        content = [[v.id, v.name, v.definition, v.guideline] for v in sorted(self.values, key=lambda v: v.id)]
        return hashlib.sha256(json.dumps([self.id, content]).encode()).hexdigest()[:12]

    @functools.cached_property
    def by_id(self) -> dict[str, Value]:
        """Values by id, in the order of the file."""
        return {v.id: v for v in self.values}

    def __getitem__(self, value_id: str) -> Value:
        try:
            return self.by_id[value_id]
        except KeyError:
            raise InputError(f"value {value_id!r} is not in value system {self.id!r}: its values are {', '.join(self.by_id)}") from None

    def __contains__(self, value_id: object) -> bool:
        return value_id in self.by_id

    def __len__(self) -> int:
        return len(self.values)

    def ids(self) -> Iterator[str]:
        """The values that are evaluated when none is named."""
        return (v.id for v in self.values if not v.optional)

    def subset(self, ids: list[str]) -> ValueSystem:
        """The same system with only these values, none of them optional any more.

        Raises:
            InputError: A value is unknown, or none is named.
        """
        values = tuple(self[i].model_copy(update={"optional": False}) for i in dict.fromkeys(ids))
        if not values:
            raise InputError(f"no value of value system {self.id!r} is named: name at least one of {', '.join(self.by_id)}")
        # Not model_copy, which would hand on the cached `by_id` and `hash` of the whole system.
        return ValueSystem(**{**{name: getattr(self, name) for name in ValueSystem.model_fields}, "values": values})


@functools.cache
def builtin_ids() -> tuple[str, ...]:
    """The ids of the systems that come with the package."""
    files = (resources.files("clave.values") / "systems").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def _problem(thing: Any) -> str:
    return "" if isinstance(thing, ValueSystem | Path) else "it is neither a ValueSystem nor the Path of a YAML file"


SYSTEMS: Registry[ValueSystem | Path] = Registry(
    "value system",
    "clave.systems",
    {identity: Path(f"{identity}.yaml") for identity in builtin_ids()},
    check=_problem,
)
"""The built-in systems by name, and those that packages offer in the entry point group `clave.systems`."""
