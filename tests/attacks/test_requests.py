"""Requests that mean harm, to the labelling page and to `clave serve`: none is a 500, none changes what it may not, none is let in."""

import itertools
import json

import pytest
from attacks.drawing import drawn
from attacks.texts import TEXTS

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
from fastapi.testclient import TestClient

from clave import Clave, Response, ValueSystem
from clave.annotate.access import Access
from clave.annotate.app import build_app as labelling
from clave.annotate.app import session_secret
from clave.annotate.assign import Rules
from clave.annotate.store import Store
from clave.server.access import Tokens
from clave.server.app import build_app as service
from clave.testing import FakeChat

SYSTEM = ValueSystem.parse("{id: t, name: T, version: '1', values: [{id: care, name: Care, definition: Being kind to others.}]}")
PAGE, SERVICE = "http://127.0.0.1:8000", "http://127.0.0.1:8100"
TOKEN = "0123456789abcdef"
DEEP = "[" * 50_000
BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "deep": DEEP.encode(),
    "deep and closed": (DEEP + "]" * len(DEEP)).encode(),
    "digits": b'{"responses": ' + b"9" * 6_000 + b"}",
    "NaN": b'{"responses": "x", "min_confidence": NaN, "seconds": NaN}',
    "infinity": b'{"responses": "x", "coverage": 1e999, "seconds": 1e999}',
    "a list": b"[1, 2]",
    "a text": b'"x"',
    "null": b"null",
    "no UTF-8": b'{"responses": "\xff\xfe"}',
    "UTF-16": '{"responses": "x"}'.encode("utf-16"),
    "half an emoji": b'{"responses": "\\ud83d", "response": 1, "note": "\\ud83d"}',
    "NUL": b'{"responses": "a\\u0000b", "response": 1, "value": "care", "label": "adhere", "note": "\\u0000", "key": "k"}',
    "a million lists": b'{"responses": [' + b"[]," * 300_000 + b"[]]}",
    "too many": json.dumps({"responses": ["x"] * 1001}).encode(),
    "a long text": json.dumps({"responses": "x" * 300_000}).encode(),
    "nine megabytes": b'{"responses": "' + b"x" * (9 * 2**20) + b'"}',
    "unknown fields": b'{"responses": "x", "__proto__": {}, "constructor": 1}',
    "wrong types": b'{"responses": {"id": [], "response": {}}, "values": "care", "response": "1; DROP TABLE labels", "key": []}',
    "numbers beyond all": b'{"response": 99999999999999999999, "value": "care", "label": "adhere", "key": "k", "seconds": -1}',
    "a label that is none": b'{"response": 1, "value": "care", "label": "\\u202e", "key": "k"}',
    "a value that is none": b'{"responses": "x", "values": ["../../etc"], "response": 1, "value": "x", "label": "adhere", "key": "k"}',
    "a form": b"name=ana&token=" + b"x" * 100_000,
    "a broken form": b"name=%zz&name=%00&=&&&=",
    "multipart": b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../x.jsonl"\r\n\r\n{\r\n--x--\r\n',
    "broken multipart": b'--x\r\nContent-Disposition: form-data; name="',
}
KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "\x80", "")
HEADERS = {
    "another host": {"host": "evil.example"},
    "a host that is none": {"host": "[::1"},
    "a host with an escape": {"host": "a\x1bb"},
    "another origin": {"origin": "http://evil.example"},
    "no origin": {"origin": "null"},
    "a length that is none": {"content-length": "x"},
    "a length below 0": {"content-length": "-1"},
    "a forged session": {"cookie": "clave_session=eyJuYW1lIjoiYW5hIn0.AAAA"},
    "a session of bytes": {"cookie": "clave_session=\xff\xfe; clave_session==; =;;"},
    "cookies by the thousand": {"cookie": "; ".join(f"c{k}=x" for k in range(3_000))},
    "a token that is none": {"authorization": "Bearer " + "x" * 10_000},
    "a token in another form": {"authorization": "Basic \xff\xff"},
    "a range": {"range": "bytes=0-1,2-3," * 1_000},
    "a language": {"accept-language": "q=" * 10_000 + ";" * 1_000},
    "a forwarded host": {"x-forwarded-host": "evil.example", "x-forwarded-for": "127.0.0.1", "x-original-url": "/export"},
    "another method": {"x-http-method-override": "DELETE"},
}
PATHS = (
    "/",
    "/..%2f..%2fetc%2fpasswd",
    "/static/../../etc/passwd",
    "/static/%00",
    "//evil.example",
    "/%ff",
    "/\u202e",
    "/a" * 4_000,
    "/label?value=%00",
)
OPEN = ("", "evil.example", "healthz", "label", "language")
"""Paths that tell nothing and are for all; a client takes `//evil.example` for the host's own `/`."""
ROUTES = {
    PAGE: (
        "/enter",
        "/api/labels",
        "/api/undo",
        "/api/next",
        "/import",
        "/guidelines/care",
        "/settle/1/care",
        "/export",
        "/language",
        "/calibrate",
    ),
    SERVICE: ("/v1/verdicts", "/v1/moderations", "/v1/evaluators", "/metrics", "/healthz"),
}


def _requests(origin):
    """(method, path, headers, body) of a hundred and more requests to one server."""
    routes = itertools.cycle(ROUTES[origin])
    for kind, (name, body) in itertools.product(KINDS[:3], BODIES.items()):
        path = next(routes)
        yield f"{name} as {kind[:14]} to {path}", ("POST", path, {"content-type": kind}, body)
    for name, headers in HEADERS.items():
        yield f"{name}", ("POST", next(routes), {"content-type": "application/json", **headers}, b'{"responses": "x"}')
    for path in PATHS:
        yield f"to {path[:30]}", ("GET", path, {}, None)
    for method in ("DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "EVIL"):
        yield f"{method}", (method, next(routes), {}, b"x")
    for kind in KINDS[3:]:
        yield f"as {kind!r}", ("POST", next(routes), {"content-type": kind}, b'{"responses": "x"}')
    for k, text in enumerate(TEXTS[::7]):
        body = json.dumps({"responses": {"id": text[:200] or "a", "response": text}, "values": [text[:200] or "a"], "name": text})
        yield f"text {k}", ("POST", next(routes), {"content-type": "application/json"}, body.encode())


ALL = {f"{name}: {what}": (origin, sent) for name, origin in (("page", PAGE), ("serve", SERVICE)) for what, sent in _requests(origin)}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("page") / "l.db"), SYSTEM)
    store.add_responses([Response(id=f"r{k}", response=f"Answer {k}.") for k in range(5)])
    page = labelling(
        store, Access(secret=session_secret(store), owner="the-owners-own-token", personal={"anas-own-token-01": "ana"}), Rules()
    )
    app = service({"t": Clave(SYSTEM, chat=FakeChat({"a": "oppose"}))}, Tokens([TOKEN]))
    with (
        TestClient(page, base_url=PAGE, raise_server_exceptions=False, follow_redirects=False) as one,
        TestClient(app, base_url=SERVICE, raise_server_exceptions=False, follow_redirects=False) as other,
    ):
        yield {PAGE: one, SERVICE: other}, store
    store.close()


def state(store):
    return [j.model_dump() for j in store.judgements()], store.adjudications(), store.count(), store.setting("guideline:care")


@pytest.mark.parametrize("inside", [False, True], ids=["outside", "inside"])
@pytest.mark.parametrize("case", drawn(ALL, 24))
def test_a_request_that_means_harm_is_answered_and_does_none(case, inside, servers):
    origin, (method, path, headers, body) = case
    clients, store = servers
    client = clients[origin]
    before = state(store)
    client.cookies.clear()
    own = {"origin": origin}
    if inside and origin == PAGE:
        client.get("/?token=anas-own-token-01")
        client.post("/enter", data={"token": "anas-own-token-01"}, headers=own)
    elif inside:
        own["authorization"] = f"Bearer {TOKEN}"
    sent = {k.encode("latin-1"): v.encode("latin-1", "replace") for k, v in (own | headers).items()}
    try:
        answer = client.request(method, path, headers=list(sent.items()), content=body)
    except (ValueError, UnicodeError, TypeError) as error:
        pytest.skip(f"the client does not send it: {error}")
    except Exception as error:
        if "httpx" not in type(error).__module__:
            raise
        pytest.skip(f"the client does not send it: {error}")
    assert answer.status_code < 500 or (answer.status_code, path) == (502, "/v1/moderations"), answer.text[:500]
    assert "Traceback" not in answer.text
    assert "root:" not in answer.text
    assert "evil.example" not in answer.headers.get("location", "")
    if not inside:
        assert answer.status_code >= 300 or path.lstrip("/").partition("?")[0] in OPEN, answer.text[:200]
    if not inside or path not in ("/api/labels", "/api/undo"):
        assert state(store) == before


def test_there_are_two_hundred():
    assert len(ALL) >= 200
