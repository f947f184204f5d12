"""What examples of `clave.server` take as given: an app and what stands behind it."""

from __future__ import annotations

from docstrings.given import everywhere
from fastapi import FastAPI

from clave import Clave
from clave.server.access import Tokens
from clave.server.accounts import Accounts
from clave.server.admission import Admission
from clave.server.bodies import VerdictsRequest
from clave.server.job_store import JobStore
from clave.server.metrics import Metrics


def app() -> FastAPI:
    return FastAPI()


def asked() -> VerdictsRequest:
    return VerdictsRequest.model_validate({"responses": "I took the wallet to the police."})


def tokens() -> Tokens:
    return Tokens(["a-token-of-at-least-16-characters"])


def store() -> JobStore:
    return JobStore("given.sqlite")


def accounts() -> Accounts:
    return Accounts({}, store())


def admission() -> Admission:
    return Admission(2000)


def evaluators() -> dict[str, Clave]:
    return {"mft": everywhere.clave()}


def metrics() -> Metrics:
    return Metrics(evaluators(), admission())
