"""The page over HTTP: who is let in, what is refused, and that nothing a response says can run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient

from clave.annotate.access import Access
from clave.annotate.app import build_app, session_secret
from clave.annotate.assign import Rules
from clave.annotate.calibrating import Calibrating
from clave.annotate.checks import read_checks
from clave.annotate.exchange import judgement_rows, read_judgements, write_rows
from clave.annotate.gold import add_gold
from clave.annotate.store import Store
from clave.errors import InputError
from clave.records import LabelledResponse, Response, Verdict
from clave.values import ValueSystem

ORIGIN = "http://127.0.0.1:8000"
PAGES = ("/label", "/progress", "/agreement", "/guidelines", "/exchange", "/settle")
HOSTILE = [
    "<script>document.title = 'ran'</script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} </script> ' \" & <!-- ]]>",
    "control \x00\x07\x1b[31m and bidi \u202egnol\u202c end",
    "half \ud83d pair",
    "long " * 100_000,
    "مرحبا بالعالم",
]


@pytest.fixture
def open_store(tmp_path: Path, system: ValueSystem, responses: list[Response]) -> Iterator[Store]:
    store = Store(str(tmp_path / "labels.db"), system)
    store.add_responses(responses)
    yield store
    store.close()


def client(store: Store, *, name: str | None = "ana", **access: object) -> TestClient:
    entry = Access.model_validate({"secret": session_secret(store), **access})
    app = build_app(store, entry, Rules(), None, Calibrating("openai/gpt-4o-mini", Path("x"), cache=""))
    made = TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN}, follow_redirects=False)
    if name:
        assert made.post("/enter", data={"name": name}).status_code == 303
    return made


def said(**changed: object) -> dict[str, object]:
    return {"response": 1, "value": "care", "label": "adhere", "key": "a-key-of-mine", **changed}


def test_an_item_is_shown_labelled_and_followed_by_another(open_store: Store) -> None:
    page = client(open_store)
    first = page.get("/api/next").json()["item"]
    choice = said(response=first["response"], seconds=2.5, note="so", evidence=[{"start": 0, "end": 6}])
    answer = page.post("/api/labels", json=choice).json()
    assert answer["saved"]
    assert answer["item"]["response"] != first["response"]
    assert answer["progress"] == {"mine": 1, "values": {"care": [1, 30], "fairness": [0, 30]}}
    (kept,) = open_store.judgements()
    assert (kept.annotator, kept.seconds, kept.note, kept.evidence[0].text) == ("ana", 2.5, "so", "Answer")


def test_undo_brings_back_the_item_with_its_note(open_store: Store) -> None:
    page = client(open_store)
    page.post("/api/labels", json=said(note="because", evidence=[{"start": 0, "end": 6}]))
    answer = page.post("/api/undo", json={"key": "undo-key-1"}).json()
    assert (answer["undone"], answer["item"]["response"]) == (True, 1)
    assert (answer["before"]["note"], answer["before"]["label"]) == ("because", "adhere")
    assert open_store.judgements() == []
    assert not page.post("/api/undo", json={"key": "undo-key-2"}).json()["undone"]


def test_a_restart_logs_nobody_out(open_store: Store, tmp_path: Path, system: ValueSystem) -> None:
    page = client(open_store)
    again = Store(str(tmp_path / "labels.db"), system)
    other = client(again, name=None)
    other.cookies = page.cookies
    assert other.get("/api/next").status_code == 200
    again.close()


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"response": 999}, 404),
        ({"value": "honesty"}, 404),
        ({"only": "honesty"}, 404),
        ({"label": "good"}, 422),
        ({"response": 0}, 422),
        ({"response": 2**40}, 422),
        ({"key": "../../etc"}, 422),
        ({"seconds": -1}, 422),
        ({"note": "x" * 10_001}, 422),
        ({"evidence": [{"start": 5, "end": 5}]}, 400),
        ({"evidence": [{"start": 0, "end": 10_000}]}, 400),
        ({"annotator": "ben"}, 422),
    ],
)
def test_what_is_not_a_choice_is_refused_and_not_recorded(open_store: Store, changed: dict[str, object], status: int) -> None:
    assert client(open_store).post("/api/labels", json=said(**changed)).status_code == status
    assert open_store.judgements() == []


def test_without_a_session_only_the_entry_opens(open_store: Store) -> None:
    page = client(open_store, name=None)
    assert page.get("/").status_code == 200
    assert page.get("/static/annotate.css").status_code == 200
    for path in (*PAGES, "/api/next", "/export", "/openapi.json"):
        assert page.get(path).status_code == 401, path
        assert page.get(path, headers={"accept": "text/html"}).headers["location"] == "/", path
    assert page.post("/api/labels", json=said()).status_code == 401


@pytest.mark.parametrize("cookie", ["x", "YW5h.0000", "YW5h", ".", "é", "YW5h." + "0" * 64, "a" * 5000])
def test_a_forged_session_is_refused(open_store: Store, cookie: str) -> None:
    page = client(open_store, name=None)
    assert page.get("/api/next", headers={"cookie": f"clave_session={cookie}".encode()}).status_code == 401


def test_the_token_is_asked_for_and_a_changed_token_ends_sessions(open_store: Store) -> None:
    page = client(open_store, name=None, token="right")
    assert page.post("/enter", data={"name": "ana", "token": "wrong"}).status_code == 403
    assert page.post("/enter", data={"name": "ana"}).status_code == 403
    assert page.post("/enter", data={"name": "ana", "token": "right"}).status_code == 303
    assert page.get("/api/next").status_code == 200
    changed = client(open_store, name=None, token="other")
    changed.cookies = page.cookies
    assert changed.get("/api/next").status_code == 401


def test_a_personal_token_says_who_it_is(open_store: Store) -> None:
    page = client(open_store, name=None, personal={"t1": "ana", "t2": "ben"})
    assert page.post("/enter", data={"name": "ben"}).status_code == 403
    assert page.post("/enter", data={"name": "ben", "token": "t1"}).status_code == 303
    page.post("/api/labels", json=said())
    assert [j.annotator for j in open_store.judgements()] == ["ana"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:9999", "http://127.0.0.1:8000.evil.example"])
def test_a_post_from_another_site_is_refused(open_store: Store, origin: str) -> None:
    page = client(open_store)
    forms = ("/enter", "/leave", "/language", "/settle/1/care", "/guidelines/care", "/import", "/calibrate")
    for path in ("/api/labels", "/api/undo", *forms):
        assert page.post(path, json=said(), headers={"origin": origin}).status_code == 403, path
    bare = TestClient(page.app, base_url=ORIGIN, cookies=page.cookies)
    assert bare.post("/api/labels", json=said()).status_code == 403
    assert open_store.judgements() == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "", "[::1", "169.254.169.254"])
def test_another_host_name_is_refused(open_store: Store, host: str) -> None:
    assert client(open_store).get("/label", headers={"host": host}).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/%00",
        "/settle/../../x",
        "/../../etc/passwd",
    ],
)
def test_path_tricks_reach_nothing(open_store: Store, path: str) -> None:
    answer = client(open_store).get(path)
    assert answer.status_code in {404, 405}
    assert "import" not in answer.text


def test_every_answer_carries_a_policy_without_inline_script(open_store: Store) -> None:
    page = client(open_store)
    for path in ("/label", "/api/next", "/static/label.js", "/nothing"):
        policy = page.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    inline = r"<script(?![^>]*(src=\"/static/|application/json))|\son\w+=|\sstyle=|javascript:|https?://"
    for path in PAGES:
        assert not re.search(inline, page.get(path).text), path


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_text_on_every_page(open_store: Store, text: str) -> None:
    open_store.add_responses([Response(id=text[:60], response=text, scenario=text[:200], value="care")])
    pk = open_store.find(text[:60], "care")
    assert pk is not None
    page, ben = client(open_store), client(open_store, name="ben")
    page.post("/api/labels", json=said(response=pk, note="<b>note</b>\u202e"))
    ben.post("/api/labels", json=said(response=pk, label="oppose"))
    open_store.set("guideline:care", text[:1000])
    for path in ("/label", "/progress", "/agreement", "/settle", "/guidelines", "/exchange"):
        answer = page.get(path)
        assert answer.status_code == 200, path
        assert "<script>doc" not in answer.text
        assert "<img src=x" not in answer.text
        assert "<b>note" not in answer.text
        assert "49" not in answer.text or "7 * 7" not in text
        if path.startswith("/settle"):
            assert not re.search("[\x00-\x08\u202e]", answer.text)
    for kind in ("jsonl", "csv", "parquet", "label-studio"):
        assert page.get(f"/export?what=judgements&format={kind}").status_code == 200
    assert page.post("/api/undo", json={"key": "undo-key-1"}).json()["item"]["text"] == text
    assert page.get("/api/next?value=care").json()["item"]["text"] == text


def test_a_dispute_is_listed_settled_and_exported(open_store: Store) -> None:
    ana, ben = client(open_store), client(open_store, name="ben")
    ana.post("/api/labels", json=said())
    ben.post("/api/labels", json=said(label="oppose"))
    assert "/settle/1/care" in ana.get("/settle").text
    assert "Settle disagreements (1)" in ana.get("/agreement").text
    assert ana.get("/export").text == ""
    assert ana.post("/settle/1/care", data={"label": "unrelated", "note": "we talked"}).status_code == 303
    (row,) = [json.loads(line) for line in ana.get("/export").text.splitlines()]
    assert (row["label"], row["metadata"]["votes"]) == ("unrelated", {"ana": "adhere", "ben": "oppose"})
    assert "Settled by ana: Unrelated" in ana.get("/settle").text
    assert ana.post("/settle/1/care", data={"label": "good"}).status_code == 400
    assert ana.post("/settle/99/care", data={"label": "adhere"}).status_code == 404


def test_an_export_of_everything_comes_in_again_once(open_store: Store, tmp_path: Path, system: ValueSystem) -> None:
    page = client(open_store)
    page.post("/api/labels", json=said())
    body = page.get("/export?what=judgements&format=csv").content
    fresh = Store(str(tmp_path / "fresh.db"), system)
    other = client(fresh)
    assert other.post("/import?format=csv", content=body).json() == {"imported": 1, "kept": 0}
    assert other.post("/import?format=csv", content=body).json() == {"imported": 0, "kept": 0}
    assert judgement_rows(fresh.judgements()) == judgement_rows(open_store.judgements())
    bad = other.post("/import?format=jsonl", content=b"{")
    assert bad.status_code == 400
    assert "not a JSON object" in bad.json()["detail"]
    missing = (
        b'{"id": "r1", "value": "care", "label": "oppose", "annotator": "x", "response": "Answer number 1.", "scenario": "Question 1?"}\n'
    )
    missing += b'{"id": "z", "value": "care", "label": "oppose", "annotator": "x"}\n'
    assert "no response 'z'" in other.post("/import?format=jsonl", content=missing).json()["detail"]
    assert len(fresh.judgements()) == 1
    assert other.post("/import?format=parquet", content=b"no").status_code == 400
    fresh.close()


def test_the_command_gives_the_same_agreement_as_the_page(open_store: Store, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from clave.annotate.agreement import agreement
    from clave.cli import annotate as command

    for n, (a, b) in enumerate([("adhere", "adhere"), ("oppose", "oppose"), ("adhere", "oppose"), ("unrelated", "unrelated")], 1):
        client(open_store).post("/api/labels", json=said(response=n, label=a, key=f"key-of-{n}"))
        client(open_store, name="ben").post("/api/labels", json=said(response=n, label=b, key=f"key-of-{n}"))
    path = tmp_path / "labels.jsonl"
    write_rows(path, judgement_rows(open_store.judgements()))
    import typer

    app = typer.Typer()
    app.command()(command.agreement)
    shown = CliRunner().invoke(app, [str(path), "--json"])
    assert json.loads(shown.output) == json.loads(agreement(read_judgements(path)).model_dump_json())
    html = client(open_store).get("/agreement").text
    assert f"{json.loads(shown.output)['values'][0]['alpha']['point']:.2f}" in html
    assert "ana /" in CliRunner().invoke(app, [str(path)]).output


def test_a_port_that_is_taken_and_a_folder_that_is_no_evaluator_are_sentences(tmp_path: Path) -> None:
    import socket

    import typer
    from typer.testing import CliRunner

    from clave.cli.annotate import annotate
    from clave.errors import InputError

    (tmp_path / "r.jsonl").write_text('{"id": "a", "response": "x"}\n')
    app = typer.Typer()
    app.command()(annotate)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ["--system", "mft", "--responses", str(tmp_path / "r.jsonl"), "--store", str(tmp_path / "labels.db")]
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, [*options, "--port", str(port)])
    assert isinstance(done.exception, InputError)
    assert "name another --port" in str(done.exception)
    (tmp_path / "evaluator").mkdir()
    (tmp_path / "evaluator" / "thesis.txt").write_text("years of work")
    done = CliRunner().invoke(app, [*options, "--port", str(port), "--model", "acme/x", "-o", str(tmp_path / "evaluator")])
    assert isinstance(done.exception, InputError)
    assert "is there and is no evaluator" in str(done.exception)
    assert not (tmp_path / "labels.db").exists()


def test_guidelines_are_edited_and_shown_to_annotators(open_store: Store) -> None:
    page = client(open_store)
    page.post("/guidelines/care", data={"text": "A mere mention is unrelated."})
    assert page.get("/api/next?value=care").json()["item"]["guideline"] == "A mere mention is unrelated."
    assert page.post("/guidelines/honesty", data={"text": "x"}).status_code == 404


def test_calibration_needs_consent_and_says_what_it_costs(open_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    page = client(open_store)
    assert "no value has six labels" in page.get("/guidelines").text
    assert page.post("/calibrate", data={}).status_code == 400
    for n in range(1, 13):
        page.post("/api/labels", json=said(response=n, label="adhere" if n % 2 else "oppose", key=f"key-of-{n}"))
    assert "needs a key" in page.get("/guidelines").text
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    assert re.search(r"16 calls, about [\d,]+ tokens, about \$0\.\d\d \(12 labels\)", page.get("/guidelines").text)


def test_the_interface_speaks_chinese_and_keeps_the_choice(open_store: Store) -> None:
    page = client(open_store)
    assert '<html lang="zh">' in page.get("/label", headers={"accept-language": "zh-CN,zh;q=0.9"}).text
    assert page.post("/language", data={"language": "zh", "back": "//evil.example"}).headers["location"] == "/"
    assert "违背" in page.get("/label").text
    folder = Path(__file__).resolve().parents[2] / "src" / "clave" / "annotate" / "i18n"
    both = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("en", "zh")]
    assert set(both[0]) == set(both[1])
    for key, text in both[0].items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", both[1][key])), key


def test_gold_results_are_shown(open_store: Store) -> None:
    add_gold(open_store, [LabelledResponse(id="g", response="gold", value="care", label="oppose")])
    pk = open_store.find("g", "care")
    client(open_store).post("/api/labels", json=said(response=pk, label="oppose"))
    assert "ana</bdi>: 1 of 1 right" in client(open_store).get("/agreement").text


def test_too_much_is_refused(open_store: Store) -> None:
    page = client(open_store)
    assert page.post("/api/labels", content=b"x" * (2**20 + 1)).status_code == 413

    def drip() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 2**16

    assert page.post("/api/labels", content=drip()).status_code == 413
    assert page.post("/api/labels", content=b"[" * 100_000, headers={"content-type": "application/json"}).status_code in {400, 422}


def test_columns_of_an_audit_plan_are_not_shown_and_come_back(open_store: Store) -> None:
    hidden = {"inclusion_probability": 0.0421, "stratum": "stratum-xyz", "round": 3, "seed": 77, "model": "model-xyz"}
    open_store.add_responses([Response(id="audit", response="Audited.", value="care", metadata=hidden)])
    pk = open_store.find("audit", "care")
    page = client(open_store)
    page.post("/api/labels", json=said(response=pk))
    client(open_store, name="ben").post("/api/labels", json=said(response=pk, label="oppose"))
    shown = [page.get(path).text for path in PAGES] + [page.post("/api/undo", json={"key": "undo-key-1"}).text]
    assert "Audited." in shown[-1]
    assert not [text for text in shown if "xyz" in text or "0421" in text]
    (row,) = [json.loads(line) for line in page.get("/export?what=judgements").text.splitlines()]
    assert {name: row[name] for name in hidden} == hidden


def test_an_evaluators_verdict_is_shown_after_the_label_and_not_before(open_store: Store, tmp_path: Path) -> None:
    verdicts = [
        Verdict(id="r0", value="care", status="ok", label="oppose", probabilities={"adhere": 0.1, "oppose": 0.9, "unrelated": 0.0}),
        Verdict(id="r1", value="care", status="failed", reason="timeout"),
    ]
    path = tmp_path / "verdicts.jsonl"
    path.write_text("".join(v.model_dump_json() + "\n" for v in verdicts))
    checks = read_checks(path, open_store.system)
    app = build_app(open_store, Access(secret="s"), Rules(), checks=checks)
    page = TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN}, follow_redirects=False)
    page.post("/enter", data={"name": "ana"})
    for text in (page.get("/label").text, page.get("/api/next?value=care").text):
        assert "0.9" not in text
        assert '"probability"' not in text
    answer = page.post("/api/labels", json=said(response=open_store.find("r0", "care"))).json()
    assert answer["check"] == {"said": "adhere", "label": "oppose", "probability": 0.9, "why": "", "same": False}
    other = page.post("/api/labels", json=said(response=open_store.find("r1", "care"), key="another-key")).json()
    assert other["check"] is None
    path.write_text("")
    with pytest.raises(InputError, match="there is no verdict for a value"):
        read_checks(path, open_store.system)


def test_names_that_look_like_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    import typer
    from typer.testing import CliRunner

    from clave.cli import annotate as command

    path = tmp_path / "labels.jsonl"
    rows = [{"id": "a", "response": "x", "value": "[/nope]", "label": "adhere", "annotator": who} for who in ("[/nope]", "[red]ben")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    app = typer.Typer()
    app.command()(command.agreement)
    shown = CliRunner().invoke(app, [str(path)], env={"COLUMNS": "200"})
    assert "[/nope] / [red]ben" in shown.output
