"""The service over HTTP: verdicts as `Clave.evaluate` gives them, and for whatever else is sent one sentence and no 500."""

import json
from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from fastapi.testclient import TestClient

from clave import Clave, LabelledResponse, Response, ValueSystem
from clave.records import Failure, Label, Verdict
from clave.server.access import Tokens
from clave.server.app import LINES, build_app
from clave.server.bodies import MOST_CHARACTERS, MOST_RESPONSES
from clave.server.guard import LARGEST_BODY
from clave.server.remembered import Remembered
from clave.testing import FakeChat

SYSTEM = ValueSystem.parse(
    """
id: tiny
name: Tiny
version: "1"
values:
  - {id: care, name: Care, definition: Being kind to others.}
  - {id: honesty, name: Honesty, definition: Telling the truth.}
"""
)
ACTS: dict[Label, str] = {"adhere": "helped", "oppose": "harmed", "unrelated": "watered the plants"}
RULES = {act: label for label, act in ACTS.items()} | {
    "unspeakable": Failure(status="refused", kind="refused", reason="I will not"),
    "unpaid": Failure(status="failed", kind="budget", reason="the budget of 1 dollar is spent"),
}
TOKEN = "0123456789abcdef"
RESPONSES = [{"id": f"r{i}", "scenario": f"Day {i}", "response": f"Somebody {act} in case {i}."} for i, act in enumerate(ACTS.values())]


def labelled() -> list[LabelledResponse]:
    return [
        LabelledResponse(id=f"{v}-{label}-{i}", scenario=f"{v} {label} {i}?", response=f"Number {i} {act} for {v}.", value=v, label=label)
        for v in ("care", "honesty")
        for label, act in ACTS.items()
        for i in range(6)
    ]


@pytest.fixture(scope="module")
def fitted() -> Clave:
    return Clave(SYSTEM, chat=FakeChat(RULES)).fit(labelled())


@pytest.fixture
def client(fitted: Clave) -> Iterator[TestClient]:
    with TestClient(build_app({"tiny": fitted}, Tokens([TOKEN])), headers={"authorization": f"Bearer {TOKEN}"}) as made:
        yield made


@pytest.fixture
def zero_shot() -> Iterator[TestClient]:
    with TestClient(build_app({"a": Clave(SYSTEM, chat=FakeChat(RULES))}, queue=4)) as made:
        yield made


def sentence(answer: object, status: int) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type"}
    return str(error["message"])


def test_verdicts_are_those_of_evaluate_in_the_order_asked(client: TestClient, fitted: Clave) -> None:
    expected = {(v.id, v.value): v for v in fitted.evaluate([Response(**row) for row in RESPONSES])}
    answer = client.post("/v1/verdicts", json={"responses": RESPONSES})
    assert answer.status_code == 200
    found = [Verdict.model_validate(row) for row in answer.json()["verdicts"]]
    assert [(v.id, v.value) for v in found] == [(row["id"], value) for row in RESPONSES for value in fitted.values]
    assert {(v.id, v.value): v for v in found} == expected


def test_lines_hold_the_same_verdicts(client: TestClient) -> None:
    whole = client.post("/v1/verdicts", json={"responses": RESPONSES}).json()["verdicts"]
    with client.stream("POST", "/v1/verdicts", json={"responses": RESPONSES}, headers={"accept": LINES}) as answer:
        assert answer.headers["content-type"].startswith(LINES)
        lines = [json.loads(line) for line in answer.iter_lines()]
    key = lambda row: (row["id"], row["value"])  # noqa: E731
    assert [judged(row) for row in sorted(lines, key=key)] == [judged(row) for row in sorted(whole, key=key)]


def judged(row: dict[str, object]) -> dict[str, object]:
    """A verdict without what it took."""
    return {name: value for name, value in row.items() if name not in ("cached", "usage")}


def test_a_text_that_comes_again_has_its_verdict_at_once_under_its_new_id(client: TestClient, fitted: Clave) -> None:
    first = client.post("/v1/verdicts", json={"responses": RESPONSES}).json()["verdicts"]
    asked = fitted.judging.chat.chat.calls  # type: ignore[union-attr]
    renamed = [{**row, "id": f"new-{row['id']}"} for row in RESPONSES]
    again = client.post("/v1/verdicts", json={"responses": [*renamed, {"id": "other", "scenario": "Day 9", "response": "She harmed."}]})
    rows = again.json()["verdicts"]
    assert [judged({**row, "id": f"new-{row['id']}"}) for row in first] == [judged(row) for row in rows[: len(first)]]
    assert all(row["cached"] and row["usage"]["calls"] == 0 for row in rows[: len(first)])
    assert {row["id"] for row in rows[len(first) :]} == {"other"}
    assert fitted.judging.chat.chat.calls == asked + 2  # type: ignore[union-attr]
    unsure = client.post("/v1/verdicts", json={"responses": RESPONSES, "min_confidence": 0.999}).json()["verdicts"]
    assert "abstained" in {row["status"] for row in unsure}


def test_a_failure_is_not_remembered_and_the_oldest_verdicts_are_forgotten() -> None:
    remembered, response = Remembered(most=2), Response(id="a", response="x")
    for value in ("care", "honesty", "courage"):
        remembered.put("e", 0.0, response, Verdict(id="a", value=value, status="ok", label="adhere"))
    remembered.put("e", 0.0, response, Verdict(id="a", value="fairness", status="failed"))
    found = [remembered.get("e", 0.0, response, value) for value in ("care", "honesty", "courage", "fairness")]
    assert [verdict and verdict.value for verdict in found] == [None, "honesty", "courage", None]
    assert remembered.get("e", 0.5, response, "honesty") is None
    assert remembered.get("e", 0.0, Response(id="a", scenario="x", response=""), "honesty") is None


def test_one_text_alone_and_values(client: TestClient) -> None:
    (verdict,) = client.post("/v1/verdicts", json={"responses": "She harmed them.", "values": ["honesty"]}).json()["verdicts"]
    assert (verdict["id"], verdict["value"], verdict["label"]) == ("1", "honesty", "oppose")
    body = {"responses": ["She helped.", {"response": "He helped.", "value": "care"}], "values": ["honesty", "honesty"]}
    assert [(v["id"], v["value"]) for v in client.post("/v1/verdicts", json=body).json()["verdicts"]] == [("1", "honesty"), ("2", "care")]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "responses: field required"),
        ([], 422, "the body must be a JSON object"),
        ({"responses": []}, 422, "responses: list should have at least 1 item"),
        ({"responses": [3]}, 422, "responses.0"),
        ({"responses": [{"response": "x", "lable": 1}]}, 422, "responses.0.lable: extra inputs are not permitted"),
        ({"responses": "x", "values": ["courage"]}, 400, "value 'courage' is not in value system"),
        ({"responses": {"response": "x", "value": "courage"}}, 400, "value 'courage' is not in value system"),
        ({"responses": "x", "evaluator": "other\x1b[31m"}, 404, "there is no evaluator 'other"),
        ({"responses": [{"id": "a", "response": "x"}, {"id": "a", "response": "y"}]}, 400, "id 'a' is judged twice for 'care'"),
        ({"responses": ["x"] * (MOST_RESPONSES + 1)}, 422, f"at most {MOST_RESPONSES} items"),
        ({"responses": "x" * (MOST_CHARACTERS + 1)}, 422, f"at most {MOST_CHARACTERS} characters"),
        ({"responses": "x", "coverage": 0}, 422, "coverage: input should be greater than 0"),
    ],
)
def test_a_bad_request_gets_one_sentence(client: TestClient, body: object, status: int, says: str) -> None:
    said = sentence(client.post("/v1/verdicts", json=body), status)
    assert says in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"{", 400, "the body is not JSON"),
        (b"\xff\xfe{", 400, "pars"),
        (b"[" * 100_000, 400, "pars"),
        (b'{"responses": "half \\ud83d pair"}', 422, "responses.0.response"),
        (b'{"responses": "x", "min_confidence": NaN}', 422, "min_confidence"),
        (b'{"responses": ' + b"9" * 5000 + b"}", 400, "pars"),
        (b"", 422, "the body must be a JSON object"),
    ],
)
def test_a_body_that_is_no_json_gets_one_sentence(client: TestClient, content: bytes, status: int, says: str) -> None:
    assert says in sentence(client.post("/v1/verdicts", content=content, headers={"content-type": "application/json"}), status)


def test_a_form_of_a_web_page_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/verdicts", content=b'{"responses": "x"}', headers={"content-type": "text/plain"})
    assert "Content-Type: application/json" in sentence(answer, 422)


def test_a_body_is_refused_for_its_size_with_or_without_a_length(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    assert "at most" in sentence(client.post("/v1/verdicts", content=b" " * (LARGEST_BODY + 1), headers=headers), 413)
    pieces = (b" " * 2**20 for _ in range(9))
    assert "too large" in sentence(client.post("/v1/verdicts", content=pieces, headers=headers), 413)


def test_paths_and_methods_that_do_not_exist(client: TestClient) -> None:
    assert sentence(client.get("/v2"), 404)
    assert sentence(client.get("/v1/verdicts"), 405)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer \xe9"])
def test_without_a_right_token_nothing_is_judged_or_told(fitted: Clave, header: str | None) -> None:
    asked = fitted.judging.chat.chat.calls  # type: ignore[union-attr]
    headers = [] if header is None else [(b"authorization", header.encode("latin-1"))]
    with TestClient(build_app({"tiny": fitted}, Tokens([TOKEN]))) as bare:
        for method, path in (("POST", "/v1/verdicts"), ("POST", "/v1/moderations"), ("GET", "/v1/evaluators"), ("GET", "/metrics")):
            answer = bare.request(method, path, headers=headers)
            assert "Authorization: Bearer TOKEN" in sentence(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
        assert bare.get("/healthz", headers=headers).status_code == bare.get("/readyz", headers=headers).status_code == 200
    assert fitted.judging.chat.chat.calls == asked  # type: ignore[union-attr]


def test_an_open_server_answers_under_its_own_host_name_alone(fitted: Clave) -> None:
    app = build_app({"tiny": fitted}, hosts=("127.0.0.1", "localhost"))
    with TestClient(app, base_url="http://localhost:8100") as near, TestClient(app, base_url="http://rebound.example:8100") as far:
        assert near.get("/v1/evaluators").status_code == 200
        assert "host name" in sentence(far.get("/v1/evaluators"), 403)


def test_what_does_not_fit_comes_back_later_and_what_never_fits_is_told_so(zero_shot: TestClient) -> None:
    assert "this server takes 4" in sentence(zero_shot.post("/v1/verdicts", json={"responses": ["x"] * 5}), 413)
    assert zero_shot.post("/v1/verdicts", json={"responses": ["helped"] * 4}).status_code == 200
    assert zero_shot.post("/v1/verdicts", json={"responses": ["helped"] * 4}).status_code == 200  # the room was given back


def test_a_failed_response_is_a_verdict_with_its_reason(zero_shot: TestClient) -> None:
    rows = zero_shot.post("/v1/verdicts", json={"responses": ["helped", "unspeakable"], "values": ["care"]}).json()["verdicts"]
    assert [(row["status"], row["label"]) for row in rows] == [("ok", "adhere"), ("refused", None)]


def test_what_the_budget_does_not_pay_for_is_a_failed_verdict(zero_shot: TestClient) -> None:
    for headers in ({}, {"accept": LINES}):
        answer = zero_shot.post("/v1/verdicts", json={"responses": "unpaid"}, headers=headers)
        rows = [json.loads(line) for line in answer.text.splitlines()] if headers else answer.json()["verdicts"]
        assert {(row["value"], row["status"], row["reason"]) for row in rows} == {
            (value, "failed", "the budget of 1 dollar is spent") for value in ("care", "honesty")
        }


def test_moderations_flag_what_opposes_a_value(client: TestClient) -> None:
    answer = client.post("/v1/moderations", json={"input": ["She harmed them.", "She helped them."], "model": "tiny", "user": "u"}).json()
    bad, good = answer["results"]
    assert answer["id"].startswith("modr-")
    assert (answer["model"], bad["flagged"], good["flagged"]) == ("tiny", True, False)
    assert bad["categories"] == {"care": True, "honesty": True}
    assert bad["category_scores"]["care"] > 0.5 > good["category_scores"]["care"]
    assert client.post("/v1/moderations", json={"input": "She harmed them."}).json()["results"] == [bad]


def test_a_text_without_a_verdict_is_never_not_flagged(client: TestClient) -> None:
    said = sentence(client.post("/v1/moderations", json={"input": ["helped", "unspeakable"]}), 502)
    assert said.startswith("input 2 has no verdict for")


def test_several_evaluators_are_told_apart(fitted: Clave) -> None:
    zero = Clave(SYSTEM, chat=FakeChat(RULES))
    with TestClient(build_app({"tiny": fitted, "zero": zero})) as both:
        entries = both.get("/v1/evaluators").json()["evaluators"]
        assert [(e["id"], e["name"], e["calibrated"], e["values"]) for e in entries] == [
            ("tiny", fitted.name, True, ["care", "honesty"]),
            ("zero", zero.name, False, ["care", "honesty"]),
        ]
        assert "name one of tiny, zero" in sentence(both.post("/v1/verdicts", json={"responses": "x"}), 422)
        (row,) = both.post("/v1/verdicts", json={"responses": "x", "evaluator": "zero", "values": ["care"]}).json()["verdicts"]
        assert row["evaluator"] == zero.name
        asked = {"responses": "x", "evaluator": "zero", "coverage": 0.5}
        assert "calibrate on labels first" in sentence(both.post("/v1/verdicts", json=asked), 400)


def test_metrics_count_requests_verdicts_and_what_calls_cost(fitted: Clave) -> None:
    clave = Clave(SYSTEM, chat=FakeChat(RULES))
    with TestClient(build_app({"a": clave})) as client:
        client.post("/v1/verdicts", json={"responses": ["helped", "unspeakable"], "values": ["care"]})
        client.post("/v1/verdicts", content=b"{", headers={"content-type": "application/json"})
        client.get("/made-up")
        clave.ledger.add(10, 5)
        lines = client.get("/metrics").text.splitlines()
    for line in (
        'clave_requests_total{route="/v1/verdicts",status="200"} 1.0',
        'clave_requests_total{route="/v1/verdicts",status="400"} 1.0',
        'clave_requests_total{route="other",status="404"} 1.0',
        'clave_verdicts_total{evaluator="a",status="ok"} 1.0',
        'clave_verdicts_total{evaluator="a",status="refused"} 1.0',
        'clave_calls_total{evaluator="a"} 1.0',
        'clave_tokens_total{evaluator="a",kind="prompt"} 10.0',
        'clave_tokens_total{evaluator="a",kind="completion"} 5.0',
        'clave_unpriced_calls_total{evaluator="a"} 1.0',
        'clave_request_seconds_count{route="/v1/verdicts"} 2.0',
        "clave_responses_under_way 0.0",
    ):
        assert line in lines


def test_the_description_has_examples_that_are_understood(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    examples = schemas["VerdictsRequest"]["examples"]
    assert len(examples) == 2
    assert client.post("/v1/verdicts", json=examples[0]).status_code == 200
    assert client.post("/v1/moderations", json=schemas["ModerationRequest"]["examples"][0]).status_code == 200
