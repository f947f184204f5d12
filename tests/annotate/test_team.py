"""A team of people who need not trust each other: roles, imports, gold questions, tokens, links that open once."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient

from clave.annotate.access import Access, OnceKey, Visitor, enter, read_session, session_cookie
from clave.annotate.app import build_app, session_secret
from clave.annotate.assign import Rules
from clave.annotate.exchange import FORMATS
from clave.annotate.gold import add_gold, gold_scores
from clave.annotate.store import Store
from clave.annotate.throttle import AT_ONCE, EVERY, Throttle
from clave.records import LabelledResponse, Response
from clave.values import ValueSystem

ORIGIN = "http://127.0.0.1:8000"
TEAM = {"personal": {"t-ana": "ana", "t-ben": "ben"}, "owner": "t-owner"}
OWNERS_ALONE = [
    ("GET", "/settle"),
    ("POST", "/settle/1/care"),
    ("GET", "/guidelines"),
    ("POST", "/guidelines/care"),
    ("POST", "/calibrate"),
    ("GET", "/exchange"),
    ("GET", "/export"),
    ("GET", "/export?what=judgements"),
    ("POST", "/import?format=jsonl"),
]


@pytest.fixture
def shared(tmp_path: Path, system: ValueSystem, responses: list[Response]) -> Iterator[Store]:
    store = Store(str(tmp_path / "labels.db"), system)
    store.add_responses(responses)
    yield store
    store.close()


def entered(store: Store, token: str, name: str = "", **access: object) -> TestClient:
    rules = Access.model_validate({"secret": session_secret(store), **TEAM, **access})
    made = TestClient(build_app(store, rules, Rules()), base_url=ORIGIN, headers={"origin": ORIGIN}, follow_redirects=False)
    assert made.post("/enter", data={"name": name, "token": token}).status_code == 303
    return made


def say(page: TestClient, label: str, response: int = 1, key: str = "a-key-of-mine") -> None:
    assert page.post("/api/labels", json={"response": response, "value": "care", "label": label, "key": key}).status_code == 200


def row(**changed: object) -> bytes:
    own = {"id": "r0", "scenario": "Question 0?", "response": "Answer number 0.", "value": "care", "label": "oppose", "annotator": "ana"}
    return json.dumps({**own, **changed}).encode()


@pytest.mark.parametrize(("method", "path"), OWNERS_ALONE)
def test_an_annotator_reaches_nothing_of_the_owners(shared: Store, method: str, path: str) -> None:
    ana = entered(shared, "t-ana")
    say(ana, "adhere")
    assert entered(shared, "t-ben").request(method, path, content=row()).status_code == 403
    assert [(j.annotator, j.label) for j in shared.judgements()] == [("ana", "adhere")]
    assert shared.adjudications() == []
    links = entered(shared, "t-ben").get("/label").text
    assert path.split("?")[0] not in links
    if method == "GET":
        assert entered(shared, "t-owner", "olga").get(path).status_code == 200


def test_an_import_replaces_nobodys_label_and_the_history_names_the_importer(shared: Store, tmp_path: Path) -> None:
    say(entered(shared, "t-ana"), "adhere")
    olga = entered(shared, "t-owner", "olga")
    assert olga.post("/import?format=jsonl", content=row() + b"\n" + row(annotator="ben")).json() == {"imported": 1, "kept": 1}
    assert {(j.annotator, j.label) for j in shared.judgements()} == {("ana", "adhere"), ("ben", "oppose")}
    with sqlite3.connect(tmp_path / "labels.db") as connection:
        query = "SELECT a.name, b.name FROM history JOIN annotators a ON a.pk = annotator LEFT JOIN annotators b ON b.pk = imported_by"
        assert set(connection.execute(query)) == {("ana", None), ("ben", "olga")}
    assert shared.undo("ben", "undo-key") is None  # what an import brought is not the annotator's to take back
    assert shared.undo("ana", "undo-key") is not None


def test_an_import_is_all_or_nothing(shared: Store) -> None:
    olga = entered(shared, "t-owner", "olga")
    told = olga.post("/import?format=jsonl", content=row() + b"\n" + row(id="r1", response="another text"))
    assert told.status_code == 400
    assert told.json()["detail"] == "response 'r1' stands in the store with another text: give it a new id"
    assert shared.judgements() == []


def test_gold_is_neither_readable_nor_replaceable_by_annotators(shared: Store) -> None:
    add_gold(shared, [LabelledResponse(id="g", response="gold", value="care", label="oppose", metadata={"key": "is-gold"})])
    pk = shared.find("g", "care")
    assert pk is not None
    ana, olga = entered(shared, "t-ana"), entered(shared, "t-owner", "olga")
    for path in ("/label", "/progress", "/agreement", "/api/next?value=care"):
        assert "gold" not in ana.get(path).text.replace('"gold_', "").replace("Gold", "") or '"text": "gold"' in ana.get(path).text
        assert "is-gold" not in ana.get(path).text
    say(ana, "adhere", pk, "first-answer")
    say(ana, "oppose", pk, "second-answer")
    say(entered(shared, "t-ben"), "oppose", pk, "bens-answer")
    assert gold_scores(shared) == {"ana": (0, 1), "ben": (1, 1)}
    assert "ana</bdi>: 0 of 1 right" in ana.get("/agreement").text
    assert "ben</bdi>:" not in ana.get("/agreement").text
    assert "ben</bdi>: 1 of 1 right" in olga.get("/agreement").text
    assert olga.post(f"/settle/{pk}/care", data={"label": "adhere"}).status_code == 400
    assert [(a.label, a.by) for a in shared.adjudications()] == [("oppose", "gold")]


def test_the_owner_cannot_be_taken_for_an_annotator(shared: Store) -> None:
    rules = Access.model_validate({"secret": "s", **TEAM})
    assert enter(rules, "olga", "t-owner") == Visitor("olga", owner=True)
    assert enter(rules, "ana", "t-owner") is None
    assert enter(rules, "gold", "t-owner") is None
    assert enter(rules, "ben", "t-ana") == Visitor("ana", owner=False)
    assert enter(rules, "olga", "") is enter(rules, "olga", "wrong") is None


def test_a_role_cannot_be_written_into_a_cookie_and_ends_with_its_token() -> None:
    rules = Access.model_validate({"secret": "s", **TEAM})
    cookie = session_cookie(rules, Visitor("ana", owner=False))
    assert read_session(rules, f"clave_session={cookie}") == Visitor("ana", owner=False)
    assert read_session(rules, f"clave_session={cookie.replace('.annotator.', '.owner.')}") is None
    owner = f"clave_session={session_cookie(rules, Visitor('olga', owner=True))}"
    assert read_session(rules.model_copy(update={"owner": "another"}), owner) is None
    alone = Access(secret="s", once=True)
    kept = f"clave_session={session_cookie(alone, Visitor('olga', owner=True))}"
    assert read_session(alone, kept) == Visitor("olga", owner=True)
    assert read_session(rules, kept) is read_session(Access(secret="s", token="t"), kept) is None


def test_a_link_opens_one_session_and_the_next_is_announced(shared: Store) -> None:
    told: list[str] = []
    once = OnceKey(told.append)
    app = build_app(shared, Access(secret=session_secret(shared), once=True), Rules(), once=once)
    page = TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN}, follow_redirects=False)
    first = once.now
    assert page.post("/enter", data={"name": "ana"}).status_code == 403
    assert page.post("/enter", data={"name": "<>", "token": first}).status_code == 403  # a bad name does not use it up
    assert page.post("/enter", data={"name": "ana", "token": first}).status_code == 303
    other = TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN}, follow_redirects=False)
    assert other.post("/enter", data={"name": "ben", "token": first}).status_code == 403
    assert other.post("/enter", data={"name": "ben", "token": told[-1]}).status_code == 303
    assert other.get("/exchange").status_code == 200


def test_wrong_tokens_are_slowed_down_and_right_ones_of_others_are_not(shared: Store) -> None:
    page = TestClient(build_app(shared, Access(secret="s", token="right"), Rules()), base_url=ORIGIN, headers={"origin": ORIGIN})
    statuses = [page.post("/enter", data={"name": "eve", "token": f"wrong {n}"}).status_code for n in range(50)]
    assert statuses == [403] * AT_ONCE + [429] * (50 - AT_ONCE)
    refused = page.post("/enter", data={"name": "eve", "token": "right"})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) <= EVERY + 1


def test_wrong_tokens_are_forgiven_one_by_one() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(AT_ONCE):
        assert throttle.wait("a") == 0
        throttle.wrong("a")
    assert throttle.wait("a") == EVERY
    assert throttle.wait("b") == 0
    now[0] = EVERY
    assert throttle.wait("a") == 0
    throttle.wrong("a")
    assert throttle.wait("a") > 0


NAN, INF = float("nan"), float("inf")
BAD_ROWS = [
    *({"at": bad} for bad in (INF, -1, "nan", "1e999", [1], True, {"a": 1})),
    *({"seconds": bad} for bad in (INF, -3, "x")),
    *({"id": bad} for bad in (["x"], {"a": 1}, True, "")),
    *({"value": bad} for bad in (["care"], {"a": 1}, 7, "x" * 65)),
    *({"label": bad} for bad in (None, ["adhere"], 3, "good")),
    *({"annotator": bad} for bad in (["a"], "x" * 65, "nul \0", "turned \u202e", {"a": 1})),
    *({"evidence": bad} for bad in ("[" * 100_000, 5, "5", {"a": 1}, [{"text": "x", "start": -5, "end": 10**30}], [[]], "{")),
    {"evidence": [{"text": "Answer", "start": 1, "end": 7}]},
    {"evidence": [{"text": "Answer", "start": 0, "end": 6}] * 51},
    *({"metadata": bad} for bad in ("[" * 100_000, 5, [1])),
    *({"note": bad} for bad in (5, "x" * 10_001, ["x"])),
    *({"response": bad} for bad in (5, ["x"], "another text")),
    {"scenario": [1]},
    {"column": json.loads("[" * 500 + "]" * 500)},
    {"annotator": None, "metadata": '{"votes": 3}'},
    {"annotator": None, "metadata": {"votes": {"ana": "good"}}},
    {"annotator": None, "metadata": {"votes": {"ana": ["adhere"]}}},
]


@pytest.mark.parametrize("changed", BAD_ROWS, ids=lambda changed: str(changed)[:60])
def test_a_malformed_row_is_a_sentence_and_changes_nothing(shared: Store, changed: dict[str, object]) -> None:
    olga = entered(shared, "t-owner", "olga")
    told = olga.post("/import?format=jsonl", content=row(id="r1", response="Answer number 1.", scenario="") + b"\n" + row(**changed))
    assert told.status_code == 400, told.text
    assert told.json()["detail"].startswith(("the file, line 2: ", "response "))
    assert shared.judgements() == []


def test_a_time_that_is_no_number_is_none(shared: Store) -> None:
    assert entered(shared, "t-owner", "olga").post("/import?format=jsonl", content=row(at=NAN, seconds=NAN)).json()["imported"] == 1
    assert shared.judgements()[0].seconds is None


TASK = {"data": {"id": "r0", "value": "care", "response": "Answer number 0."}}
CHOICE = {"from_name": "label", "type": "choices", "value": {"choices": ["adhere"]}}
BAD_ANNOTATIONS = [
    5,
    {"a": 1},
    [3],
    [{"result": 5}],
    [{"result": [5]}],
    [{"result": [{"type": "choices"}]}],
    [{"result": [{"type": "choices", "value": {"choices": {"a": 1}}}]}],
    [{"result": [{"type": "choices", "value": {"choices": ["adhere", "oppose"]}}]}],
    [{"result": [CHOICE, {**CHOICE, "from_name": "quality"}]}],
    [{"result": [{"type": "textarea", "value": {"text": [1, 2]}}]}],
    [{"result": [CHOICE], "completed_by": [1]}],
    [{"result": [CHOICE], "lead_time": NAN}],
    [{"result": [CHOICE], "at": NAN}],
    [{"result": [CHOICE, {"type": "labels", "value": {"start": "x", "end": 3, "text": "Ans"}}]}],
    [{"result": [CHOICE, {"type": "labels", "to_name": "response", "value": {"start": 4, "end": 9, "text": "other"}}]}],
    [{"result": []}],
]


@pytest.mark.parametrize("annotations", BAD_ANNOTATIONS, ids=str)
def test_a_malformed_label_studio_task_is_a_sentence(shared: Store, annotations: object) -> None:
    olga = entered(shared, "t-owner", "olga")
    told = olga.post("/import?format=label-studio", content=json.dumps([{**TASK, "annotations": annotations}]))
    assert told.status_code == 400, told.text
    assert told.json()["detail"].startswith("the file, item 1: ")
    assert shared.judgements() == []


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\x01", b"\xff\xfe", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"id,id\n", b'id,value\n"', b"PAR1", b"[{}]", b"[[]]"],
)
def test_a_file_that_is_none_is_a_sentence_or_brings_nothing(shared: Store, format: str, body: bytes) -> None:
    told = entered(shared, "t-owner", "olga").post(f"/import?format={format}", content=body)
    assert told.status_code == 400 or told.json() == {"imported": 0, "kept": 0}
    assert "/tmp" not in told.text
