"""The JSON Schema of a value system, so that editors complete and check the YAML while it is being written.

    write_schema("value-system.schema.json")

It is generated from the models in system.py: titles and types by pydantic, descriptions from the docstrings of classes and
fields. The copy in the package is the output of this function, and a test holds it to that.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import textwrap
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from clave.values.system import _ID, Group, Value, ValueSystem

SCHEMA_FILE = "value-system.schema.json"


def value_system_schema() -> dict[str, Any]:
    """The schema as a mapping (JSON Schema, draft 2020-12)."""
    schema = ValueSystem.model_json_schema()
    models: tuple[tuple[type[BaseModel], dict[str, Any]], ...] = (
        (ValueSystem, schema),
        (Group, schema["$defs"]["Group"]),
        (Value, schema["$defs"]["Value"]),
    )
    for model, part in models:
        for name, text in _field_docs(model).items():
            part["properties"][name]["description"] = text
    # The pattern lives in a validator, which gives a better message than pydantic's own; the schema must be told of it.
    for model, part in models:
        if model is not Group:
            part["properties"]["id"]["pattern"] = f"^{_ID.pattern}$"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """The schema as the text of a file."""
    return json.dumps(value_system_schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema(path: str | Path) -> None:
    """Write the schema to a file."""
    Path(path).write_text(schema_text(), encoding="utf-8", newline="\n")


def packaged_schema() -> str:
    """The copy that comes with the package; reading it needs no source code at hand."""
    return (resources.files("clave.values") / SCHEMA_FILE).read_text(encoding="utf-8")


def _field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The string literal under a field, by the name of the field."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(definition, ast.ClassDef)
    docs = {}
    for field, after in itertools.pairwise(definition.body):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = inspect.cleandoc(text)
    return docs
