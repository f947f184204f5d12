"""What examples of `clave.annotate` take as given: a store with labels by two annotators, who differ here and there."""

from __future__ import annotations

from functools import cache

import numpy as np
from docstrings.given import everywhere
from fastapi import FastAPI
from starlette.requests import Request

from clave.annotate.access import Visitor
from clave.annotate.assign import Rules
from clave.annotate.exchange import judgement_rows, write_rows
from clave.annotate.judgement import Adjudication, Judgement
from clave.annotate.store import Store
from clave.annotate.tables import open_store
from clave.encoder import load_encoder
from clave.records import LabelledResponse, Response
from clave.values import ValueSystem


def judgements() -> list[Judgement]:
    said = [(label, "ana", label.label) for label in everywhere.labels()]
    said += [(label, "ben", "unrelated" if i % 7 == 0 else label.label) for i, label in enumerate(everywhere.labels())]
    return [
        Judgement(id=row.id, value=row.value, annotator=name, label=label, scenario=row.scenario, response=row.response)
        for row, name, label in said
    ]


def adjudications() -> list[Adjudication]:
    return [Adjudication(id=row.id, value=row.value, label=row.label, by="the owner") for row in everywhere.labels()[:1]]


def system() -> ValueSystem:
    return ValueSystem.load("mft")


def store() -> Store:
    made = Store("given.db", system())
    made.add_responses(everywhere.responses())
    for name, label in (("ana", "adhere"), ("ben", "oppose")):
        made.save(annotator=name, response=1, value="care", label=label, key=name)
    return made


def rules() -> Rules:
    return Rules()


def app() -> FastAPI:
    return FastAPI()


def request() -> Request:
    return Request(
        {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "clave_session": Visitor("ana", owner=False)}
    )


def engine():
    store().close()
    return open_store("given.db")


def response() -> Response:
    return everywhere.responses()[5]


def labelled() -> list[LabelledResponse]:
    return [row for row in everywhere.labels() if row.value == "care"]


@cache
def vectors() -> np.ndarray:
    return load_encoder().encode([row.response for row in labelled()])


def probabilities() -> np.ndarray:
    return np.random.default_rng(0).dirichlet([1, 1, 1], 40)


FILES = {
    "labels.jsonl": lambda path: write_rows(path, judgement_rows(judgements())),
    "labels.json": lambda path: write_rows(path, judgement_rows(judgements())),
}
