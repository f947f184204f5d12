"""Jobs: judged in the background, kept through kills, bounded, and paid for by who sent them."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("sqlalchemy")

import httpx
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from clave import Clave, ValueSystem
from clave.errors import InputError
from clave.llm.account import Account
from clave.server import job_store
from clave.server.access import Tokens
from clave.server.accounts import Accounts
from clave.server.app import build_app
from clave.server.job_store import JobStore
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
ANA, BEN = "a" * 16, "b" * 16
RESPONSES = [{"id": f"r{i}", "response": f"Somebody {act} in case {i}."} for i, act in enumerate(("helped", "harmed") * 3)]


def test_jobs_of_another_version_are_told_in_a_sentence(tmp_path):
    place = tmp_path / "jobs.sqlite"
    JobStore(str(place)).close()
    with sqlite3.connect(place) as connection:
        connection.execute("ALTER TABLE jobs RENAME COLUMN beats TO until")
    with pytest.raises(InputError, match="jobs.sqlite are of another version of clave: name another file with `jobs`"):
        JobStore(str(place))


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def wait(client, job, headers=None, status="done"):
    """Until it has ended; how."""
    for _ in range(600):
        found = client.get(f"/v1/jobs/{job}", headers=headers).json()
        if found["status"] not in ("queued", "running"):
            assert found["status"] == status, found
            return found
        time.sleep(0.05)
    raise AssertionError("it never ended")


def rows(client, job, headers=None):
    return [json.loads(line) for line in client.get(f"/v1/jobs/{job}/result", headers=headers).text.splitlines()]


@pytest.fixture
def chat():
    return FakeChat({"helped": "adhere", "harmed": "oppose"})


@pytest.fixture
def client(tmp_path, chat):
    app = build_app({"tiny": Clave(SYSTEM, chat=chat)}, Tokens([ANA, BEN]), jobs=JobStore(str(tmp_path / "jobs.sqlite")), job_queue=10)
    with TestClient(app, headers=bearer(ANA)) as made:
        yield made


def test_a_job_has_the_verdicts_that_a_request_has(client):
    sent = client.post("/v1/jobs", json={"responses": RESPONSES})
    assert sent.status_code == 202
    job = sent.json()
    assert (job["evaluator"], job["total"], sent.headers["location"]) == ("tiny", 12, f"/v1/jobs/{job['id']}")
    ended = wait(client, job["id"])
    assert (ended["done"], ended["reason"], ended["ended"] >= ended["created"]) == (12, "", True)
    assert rows(client, job["id"]) == client.post("/v1/verdicts", json={"responses": RESPONSES}).json()["verdicts"]
    assert [j["id"] for j in client.get("/v1/jobs").json()["jobs"]] == [job["id"]]


def test_a_job_is_its_senders_alone(client):
    job = client.post("/v1/jobs", json={"responses": RESPONSES[:1]}).json()["id"]
    for method, path in (("GET", ""), ("GET", "/result"), ("POST", "/cancel")):
        answer = client.request(method, f"/v1/jobs/{job}{path}", headers=bearer(BEN))
        assert (answer.status_code, "no such job of yours" in answer.json()["error"]["message"]) == (404, True)
    assert client.get("/v1/jobs", headers=bearer(BEN)).json() == {"jobs": []}
    assert client.get("/v1/jobs/nonsense").status_code == 422
    assert client.get("/v1/jobs", headers=bearer("c" * 16)).status_code == 401
    wait(client, job)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"responses": RESPONSES, "evaluator": "other"}, 404, "there is no evaluator"),
        ({"responses": "x", "values": ["courage"]}, 400, "value 'courage' is not in value system"),
        ({"responses": "x", "coverage": 0.5}, 400, "calibrate on labels first"),
        ({"responses": []}, 422, "at least 1 item"),
        ({"responses": ["x"] * 11}, 413, "11 responses in one job, and this server takes 10"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_at_once(client, body, status, says):
    answer = client.post("/v1/jobs", json=body)
    assert (answer.status_code, says in answer.json()["error"]["message"]) == (status, True), answer.text
    assert client.get("/v1/jobs").json() == {"jobs": []}


class HeldChat(FakeChat):
    """Answers once it is let go."""

    def __init__(self):
        super().__init__({"helped": "adhere", "harmed": "oppose"})
        self.free = threading.Event()

    async def complete(self, request):
        while not self.free.is_set():
            await asyncio.sleep(0.01)
        return await super().complete(request)


def test_the_queue_is_bounded_and_a_cancelled_job_makes_room(tmp_path):
    chat = HeldChat()
    app = build_app({"tiny": Clave(SYSTEM, chat=chat)}, jobs=JobStore(str(tmp_path / "jobs.sqlite")), job_queue=10)
    with TestClient(app) as client:
        first = client.post("/v1/jobs", json={"responses": RESPONSES}).json()["id"]
        busy = client.post("/v1/jobs", json={"responses": RESPONSES})
        assert (busy.status_code, busy.headers["retry-after"]) == (429, "60")
        assert client.post(f"/v1/jobs/{first}/cancel").json()["status"] == "cancelled"
        second = client.post("/v1/jobs", json={"responses": RESPONSES}).json()["id"]
        chat.free.set()
        wait(client, second)
        assert client.get(f"/v1/jobs/{first}").json()["status"] == "cancelled"
        assert client.post(f"/v1/jobs/{second}/cancel").json()["status"] == "done"


def test_a_stop_leaves_the_rest_to_the_next_start(tmp_path):
    place, chat = str(tmp_path / "jobs.sqlite"), HeldChat()
    with TestClient(build_app({"tiny": Clave(SYSTEM, chat=chat)}, jobs=JobStore(place))) as client:
        job = client.post("/v1/jobs", json={"responses": RESPONSES}).json()["id"]
        while client.get(f"/v1/jobs/{job}").json()["status"] == "queued":
            time.sleep(0.01)
        threading.Timer(0.5, chat.free.set).start()
    other = FakeChat({"helped": "adhere", "harmed": "oppose"})
    with TestClient(build_app({"tiny": Clave(SYSTEM, chat=other)}, jobs=JobStore(place))) as client:
        wait(client, job)
        assert len(rows(client, job)) == 12
    assert chat.calls + other.calls == 12


class SlowStore(JobStore):
    """Keeps nothing before all answers are there."""

    def __init__(self, place, chat):
        super().__init__(place)
        self.chat = chat

    def keep(self, *args):
        self.chat.free.set()
        while self.chat.calls < 12:
            time.sleep(0.01)
        time.sleep(0.2)  # meanwhile their verdicts come, and the job ends
        return super().keep(*args)


def test_what_comes_while_verdicts_are_kept_is_kept_too(tmp_path):
    chat = HeldChat()
    with TestClient(build_app({"tiny": Clave(SYSTEM, chat=chat)}, jobs=SlowStore(str(tmp_path / "jobs.sqlite"), chat))) as client:
        job = client.post("/v1/jobs", json={"responses": RESPONSES}).json()["id"]
        assert (wait(client, job)["done"], len(rows(client, job))) == (12, 12)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_one_process_works_on_a_job_until_it_falls_silent(kind, tmp_path, request):
    store = JobStore(str(tmp_path / "jobs.sqlite") if kind == "sqlite" else request.getfixturevalue("postgres")(), lease=3600)
    job = store.add("ana", "tiny", "tiny-1", '{"responses": "half \\ud83d, NUL \\u0000"}', responses=1, total=2, most=10)
    taken = store.take()
    assert (taken.asked, taken.places, store.take()) == ('{"responses": "half \\ud83d, NUL \\u0000"}', frozenset(), None)
    assert store.keep(taken, [(1, "second")])
    store.lease = -1.0
    again = store.take()
    assert (again.pk, again.places) == (taken.pk, {1})
    assert not store.keep(taken, [(0, "first")])
    store.end(taken, "done")
    assert store.keep(again, [(0, "first")])
    store.end(again, "done")
    assert (store.get("ana", job.id).status, store.verdicts(job.id, -1, 9)) == ("done", [(0, "first"), (1, "second")])
    assert store.verdicts(job.id, 0, 9) == [(1, "second")]
    assert (store.spent("ana", 0.5, 2), store.spent("ana", 0.25, 1)) == ((0.5, 2), (0.75, 3))
    store.close()


def test_a_clock_that_is_set_takes_no_job_from_who_works_on_it_and_holds_none(tmp_path, monkeypatch):
    of_day, counter = [1e9], [100.0]
    monkeypatch.setattr(job_store, "time", SimpleNamespace(time=lambda: of_day[0], monotonic=lambda: counter[0]))
    one, two = (JobStore(str(tmp_path / "jobs.sqlite")) for _ in range(2))
    one.add("ana", "tiny", "tiny-1", "{}", responses=1, total=2, most=10)
    first = one.take()
    assert two.take() is None
    of_day[0] += 86_400
    assert two.take() is None
    counter[0] += job_store.LEASE - 1
    assert one.keep(first, [])
    counter[0] += 2
    assert two.take() is None  # it was heard of meanwhile
    of_day[0] -= 10 * 86_400
    counter[0] += job_store.LEASE + 1
    second = two.take()
    assert (second.pk, one.keep(first, []), two.keep(second, [])) == (first.pk, False, True)
    one.close()
    two.close()


@pytest.mark.parametrize("day", [-3650, -1, 0, 1, 3650])
def test_a_job_is_kept_for_thirty_days_of_service_whatever_the_clock_is_set_to(day, tmp_path, monkeypatch):
    of_day, counter = [1e9], [100.0]
    monkeypatch.setattr(job_store, "time", SimpleNamespace(time=lambda: of_day[0], monotonic=lambda: counter[0]))
    place = str(tmp_path / "jobs.sqlite")

    def ended(store, status):
        job = store.add("ana", "tiny", "tiny-1", "{}", responses=1, total=2, most=10)
        store.cancel("ana", job.id) if status == "cancelled" else store.end(store.take(), status)
        return job.id

    one, two = JobStore(place), JobStore(place)
    jobs = [ended(one, "done"), ended(two, "cancelled"), ended(two, "failed")]
    of_day[0] += day * 86_400
    for _ in range(29):  # two processes side by side count a day once
        counter[0] += 86_400
        assert one.take() is two.take() is None
    one.close()
    two.close()
    counter[0], of_day[0] = 5.0, of_day[0] - 7 * day * 86_400  # the machine starts anew
    again = JobStore(place)
    ended(again, "done")
    assert all(again.get("ana", job) for job in jobs)
    counter[0] += 86_400 + 700
    kept = ended(again, "done")
    assert not any(again.get("ana", job) for job in jobs)
    assert again.get("ana", kept)
    again.close()


def test_another_evaluator_under_the_name_does_not_go_on(tmp_path):
    place, chat = str(tmp_path / "jobs.sqlite"), FakeChat()
    store = JobStore(place)
    store.add("", "tiny", "another-1a2b", '{"responses": [{"response": "x"}]}', responses=1, total=2, most=10)
    (job,) = store.latest("")
    with TestClient(build_app({"tiny": Clave(SYSTEM, chat=chat)}, jobs=store)) as client:
        assert "not served any more as it was" in wait(client, job.id, status="failed")["reason"]
    assert chat.calls == 0


def budgeted(chat_server, tmp_path, line):
    """A service whose token has a budget, before a server whose calls cost 2 cents."""
    prices = tmp_path / "prices.yaml"
    prices.write_text("vllm/tiny: {input: 1000, output: 2000}\n")
    good = json.dumps({"concepts": ["Doing"], "evidence": "", "stance": "adhere", "confidence": 0.9})
    chat_server.script = lambda body: chat_server.says(good)
    clave = Clave(SYSTEM, model="vllm/tiny", base_url=chat_server.url, cache=tmp_path / "c.sqlite", prices=str(prices), concurrency=1)
    return build_app({"tiny": clave}, Tokens([line, BEN]), jobs=JobStore(str(tmp_path / "jobs.sqlite")))


def test_a_token_stays_within_its_calls_also_after_a_restart(chat_server, tmp_path):
    line = f"{ANA} calls=5"
    with TestClient(budgeted(chat_server, tmp_path, line), headers=bearer(ANA)) as client:
        job = client.post("/v1/jobs", json={"responses": RESPONSES}).json()["id"]
        assert "this token's budget of 5 calls is used up" in wait(client, job, status="stopped")["reason"]
        assert len([row for row in rows(client, job) if row["status"] == "ok"]) == len(chat_server.requests) == 5
        refused = client.post("/v1/verdicts", json={"responses": "x"})
        assert (refused.status_code, refused.json()["error"]["type"]) == (402, "insufficient_quota")
        assert "this token's budget of 5 calls is used up: ask who runs this service" in refused.text
        assert client.get("/v1/evaluators").status_code == 200
        assert client.post("/v1/verdicts", json={"responses": "x"}, headers=bearer(BEN)).status_code == 200
    with TestClient(budgeted(chat_server, tmp_path, line), headers=bearer(ANA)) as client:
        assert client.post("/v1/jobs", json={"responses": RESPONSES}).status_code == 402


def test_a_token_stays_within_its_dollars(chat_server, tmp_path):
    with TestClient(budgeted(chat_server, tmp_path, f"{ANA} dollars=0.5"), headers=bearer(ANA)) as client:
        answer = client.post("/v1/verdicts", json={"responses": [{"response": f"Case {i}"} for i in range(40)]}).json()["verdicts"]
    unpaid = [row for row in answer if row["status"] == "failed"]
    assert unpaid
    assert {row["reason"] for row in unpaid} == {"this token's budget of $0.5 is used up"}
    assert len(chat_server.requests) * 0.02 <= 0.5


class FullStore(JobStore):
    """Its disk is full once."""

    full = True

    def spent(self, *args):
        if self.full and args[1:] not in ((), (0.0, 0)):
            self.full = False
            raise OperationalError("UPDATE spending", {}, Exception("database or disk is full"))
        return super().spent(*args)


def test_what_could_not_be_noted_of_an_account_is_noted_later(tmp_path):
    store, account = FullStore(str(tmp_path / "jobs.sqlite")), Account(calls=10)
    accounts = Accounts({"ana": account}, store)
    account.add(0.5)
    with pytest.raises(OperationalError):
        asyncio.run(accounts.save("ana"))
    account.add(0.25)
    asyncio.run(accounts.save("ana"))
    assert (store.spent("ana"), account.spent, account.made) == ((0.75, 2), 0.75, 2)
    store.close()


SERVE = """
import sys
import clave.llm.cache
from clave import Clave, ValueSystem
from clave.errors import InputError
from clave.server.app import build_app
from clave.server.job_store import JobStore
from clave.server.running import run
system, url, folder, port = sys.argv[1:]
clave.llm.cache.CLAIM_SECONDS = 1.0  # a question of a process that was killed
evaluator = Clave(system, model="vllm/tiny", base_url=url, cache=folder + "/c.sqlite", concurrency=1, max_retries=0)
run(build_app({"tiny": evaluator}, jobs=JobStore(folder + "/jobs.sqlite", lease=1.0)), "127.0.0.1", int(port))
"""


def test_ten_kills_lose_nothing_and_pay_for_nothing_twice(chat_server, tmp_path):
    """The service dies ten times, each time with a call under way; what was answered is never asked again."""
    answered, running = Counter(), []
    kills = iter(range(3, 43, 4))
    due = [next(kills)]

    def script(body):
        text = body["messages"][-1]["content"]
        if due and answered.total() >= due[0] and running:
            due[:] = [n for n in [next(kills, None)] if n is not None]
            os.kill(running.pop(), signal.SIGKILL)
        if not running:
            return 503, {}, {"error": {"message": "nobody is there to read this"}}
        answered[text] += 1
        return chat_server.says(json.dumps({"concepts": ["Doing"], "evidence": "", "stance": "adhere", "confidence": 0.9}))

    chat_server.script = script
    (tmp_path / "system.yaml").write_text(json.dumps(SYSTEM.model_dump(mode="json")), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    asked = [{"id": f"r{i}", "response": f"Somebody did it in case {i}."} for i in range(30)]
    job, died = None, 0
    for _ in range(12):
        command = [sys.executable, "-c", SERVE, str(tmp_path / "system.yaml"), chat_server.url, str(tmp_path), str(port)]
        service = subprocess.Popen(command)
        running[:] = [service.pid]
        while service.poll() is None:
            try:
                if job is None:
                    job = httpx.post(f"http://127.0.0.1:{port}/v1/jobs", json={"responses": asked}, timeout=60).json()["id"]
                found = httpx.get(f"http://127.0.0.1:{port}/v1/jobs/{job}", timeout=60).json()
                if found["status"] not in ("queued", "running"):
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        if service.poll() is None:
            break
        died += 1
    lines = httpx.get(f"http://127.0.0.1:{port}/v1/jobs/{job}/result", timeout=60).text.splitlines()
    service.terminate()
    service.wait(timeout=60)
    verdicts = [json.loads(line) for line in lines]
    assert (died, found["status"], found["done"]) == (10, "done", 60)
    assert {(v["id"], v["value"]) for v in verdicts} == {(a["id"], value) for a in asked for value in ("care", "honesty")}
    assert len(verdicts) == 60
    assert {v["status"] for v in verdicts} == {"ok"}
    assert set(answered.values()) == {1}
