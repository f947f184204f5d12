"""A fuzz of the JSON routes from their own OpenAPI description: no answer is a 500, and every answer is a described one."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from fastapi.testclient import TestClient  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402

from clave.annotate.access import Access  # noqa: E402
from clave.annotate.app import build_app, session_secret  # noqa: E402
from clave.annotate.assign import Rules  # noqa: E402
from clave.annotate.store import Store  # noqa: E402
from clave.records import Response  # noqa: E402
from clave.values import ValueSystem  # noqa: E402

ORIGIN = "http://127.0.0.1:8000"
EXPECTED = {200, 400, 404, 405, 413, 422}


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_makes_a_500(mode: str, tmp_path: Path, system: ValueSystem, responses: list[Response]) -> None:
    store = Store(str(tmp_path / "labels.db"), system)
    store.add_responses(responses)
    app = build_app(store, Access(secret=session_secret(store)), Rules())
    statuses: dict[str, set[int]] = {}
    with TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        client.post("/enter", data={"name": "fuzz"})
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        for found in schema.get_all_operations():
            operation = found.ok()

            @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
            @settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
            def fuzz(case: Any) -> None:
                sent = case.as_transport_kwargs(base_url=ORIGIN)
                answer = client.request(
                    sent["method"],
                    sent["url"],
                    params=sent.get("params"),
                    headers={str(k): str(v) for k, v in (sent.get("headers") or {}).items() if str(v).isascii()},
                    content=body(sent),
                )
                statuses.setdefault(case.operation.path, set()).add(answer.status_code)
                assert answer.status_code in EXPECTED

            fuzz()
    store.close()
    assert set(statuses) == {"/api/next", "/api/labels", "/api/undo"}
    assert mode == "negative" or all(200 in seen for seen in statuses.values())


def body(sent: dict[str, Any]) -> bytes:
    """The body as bytes, whatever it was generated as."""
    if "json" in sent:
        return json.dumps(sent["json"]).encode()
    data = sent.get("data")
    return data if isinstance(data, bytes) else b"" if data is None else str(data).encode("utf-8", "replace")
