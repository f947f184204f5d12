"""A fuzz of the routes from their own OpenAPI description: no answer is a 500, and every error is one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from fastapi.testclient import TestClient  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402

from clave import Clave, ValueSystem  # noqa: E402
from clave.server.app import build_app  # noqa: E402
from clave.server.job_store import JobStore  # noqa: E402
from clave.testing import FakeChat  # noqa: E402

SYSTEM = ValueSystem.parse("{id: t, name: T, version: '1', values: [{id: care, name: Care, definition: Being kind to others.}]}")
ORIGIN = "http://127.0.0.1:8100"
EXPECTED = {200, 202, 400, 404, 405, 413, 422, 429}


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_makes_a_500(mode: str, tmp_path: Path) -> None:
    seen: dict[str, set[int]] = {}
    app = build_app({"t": Clave(SYSTEM, chat=FakeChat({"a": "oppose"}))}, jobs=JobStore(str(tmp_path / "jobs.sqlite")))
    with TestClient(app, base_url=ORIGIN) as client:
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        for found in schema.get_all_operations():
            operation = found.ok()
            if mode == "negative" and not operation.body and not operation.path_parameters:
                continue  # it takes nothing that could be wrong

            @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
            @settings(max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
            def fuzz(case: Any) -> None:
                sent = case.as_transport_kwargs(base_url=ORIGIN)
                content = json.dumps(sent["json"]).encode() if "json" in sent else sent.get("data")
                headers = {str(k): str(v) for k, v in (sent.get("headers") or {}).items() if str(v).isascii()}
                headers |= {"content-type": "application/json"} if content else {}
                answer = client.request(sent["method"], sent["url"], params=sent.get("params"), headers=headers, content=content)
                seen.setdefault(case.operation.path, set()).add(answer.status_code)
                # a text that is blank has no verdict, which moderations must say
                assert answer.status_code in EXPECTED | ({502} if case.operation.path == "/v1/moderations" else set()), answer.text
                if answer.status_code >= 400 and answer.content:
                    assert answer.json()["error"]["message"]

            fuzz()
    assert (200 if mode == "positive" else 422) in seen["/v1/verdicts"]
    if mode == "positive":
        assert set(seen) == set(app.openapi()["paths"])
