"""`clave evaluate --batch` against a provider on loopback: states, faults, limits, and kills at every point."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from files.batch_server import BatchServer
from files.test_batch import RESPONSES, asked, completed, failed, lines
from fitting.test_closer_look import SYSTEM, answers, rows
from typer.testing import CliRunner

from clave import Clave, InputError
from clave.cli.main import app
from clave.errors import ModelError
from clave.files.batch import Sending, evaluate_in_batches
from clave.files.batch.sent import SentBatches
from clave.files.evaluating import evaluate_file
from clave.files.source import ResponseSource
from clave.io import write_jsonl
from clave.llm import AnswerCache
from clave.llm.ledger import Budget
from clave.testing import FakeChat

RUN = """
import asyncio, sys
from clave import Clave
from clave.files.batch import Sending, evaluate_in_batches
from clave.files.source import ResponseSource
evaluator, url, folder = sys.argv[1:]
clave = Clave.load(evaluator, base_url=url, cache=folder + "/cache.sqlite")
source = ResponseSource(folder + "/responses.jsonl")
asyncio.run(evaluate_in_batches(clave.judging, source, folder + "/verdicts.jsonl", sending=Sending(most_rows=5), poll=0.02))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An evaluator that asks for all values at once, and closer where it is unsure."""
    clave = Clave(SYSTEM, chat=FakeChat(answers, model="vllm/tiny")).fit(rows())
    return clave.save(tmp_path_factory.mktemp("saved") / "evaluator")


@pytest.fixture
def provider():
    server = BatchServer(completed)
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path):
    write_jsonl(tmp_path / "responses.jsonl", RESPONSES)
    return tmp_path


def opened(saved, provider, folder):
    prices = folder / "prices.yaml"
    prices.write_text("vllm/tiny: {input: 10, output: 50}\n")
    return Clave.load(saved, base_url=provider.url, cache=folder / "cache.sqlite", prices=str(prices))


def evaluate(clave, folder, *, name="verdicts.jsonl", told=None, retry_failed=False, **sending):
    """A run; its summary and verdicts."""

    async def run():
        async with clave:
            return await evaluate_in_batches(
                clave.judging,
                ResponseSource(str(folder / "responses.jsonl")),
                folder / name,
                sending=Sending(**sending),
                retry_failed=retry_failed,
                tell=(told if told is not None else []).append,
                poll=0.01,
            )

    return asyncio.run(run()), {(v["id"], v["value"]): v for v in lines(folder / name)}


def as_live(saved, folder, verdicts):
    """Whether they are those that calls give."""
    clave = Clave.load(saved, chat=FakeChat(answers, model="vllm/tiny"))
    asyncio.run(evaluate_file(clave.judging, ResponseSource(str(folder / "responses.jsonl")), folder / "live.jsonl"))
    live = {(v["id"], v["value"]): v for v in lines(folder / "live.jsonl")}
    return {k: (v["label"], v["probabilities"]) for k, v in live.items()} == {
        k: (v["label"], v["probabilities"]) for k, v in verdicts.items()
    }


def submitted(provider):
    """custom_id -> batches it was in."""
    return Counter(row["custom_id"] for batch in provider.made() for row in provider.requests(batch))


def leftovers(folder):
    return [path.name for path in (folder / "cache.sqlite.batches").iterdir() if path.name != "lock"]


def test_two_stages_in_several_batches_at_half_price(saved, provider, folder):
    clave, told = opened(saved, provider, folder), []
    summary, verdicts = evaluate(clave, folder, told=told, most_rows=5)
    assert sum(summary.counts.values()) == 36
    assert as_live(saved, folder, verdicts)
    assert [len(provider.requests(batch)) for batch in provider.made()] == [5, 5, 2, 5, 5, 2]
    assert set(submitted(provider).values()) == {1}
    assert (clave.ledger.calls, clave.ledger.cost) == (24, pytest.approx(24 * (100 * 10 + 20 * 50) / 1e6 / 2))
    assert "batch batch_0: 5 requests, completed" in told or "batch batch_0: 2 requests, completed" in told
    assert not [what for what in provider.seen if "chat" in what]
    assert leftovers(folder) == []
    again, _ = evaluate(clave, folder)
    assert (again.new, len(provider.made())) == (0, 6)


def test_size_splits_batches_too(saved, provider, folder):
    _, verdicts = evaluate(opened(saved, provider, folder), folder, most_bytes=6000)
    assert len(verdicts) == 36
    assert all(len(provider.files[batch["input_file_id"]]) <= 6000 for batch in provider.made() if len(provider.requests(batch)) > 1)
    assert len(provider.made()) > 2


def test_expired_rows_and_passing_errors_are_asked_again_and_the_rest_is_a_reason(saved, provider, folder):
    bad = {"helped0": lambda row: failed(row, 400, "the prompt is too strange"), "helped1": lambda row: failed(row, 500, "it broke")}

    def answer(row):
        word = next(
            (w for w in bad if f"case {w[-1]}" in str(asked(row).user) and "helped" in str(asked(row).user.split("<response")[-1])), None
        )
        if word == "helped1" and provider.paid[row["custom_id"]] > 1:
            return completed(row)
        return bad[word](row) if word else completed(row)

    provider.answer = answer
    provider.ends = ["expired"]
    summary, verdicts = evaluate(opened(saved, provider, folder), folder)
    failures = {k: v["reason"] for k, v in verdicts.items() if v["status"] == "failed"}
    assert {k[0] for k in failures} == {"helped0"}
    assert all("the prompt is too strange" in reason for reason in failures.values())
    assert max(submitted(provider).values()) == 2
    assert sum(summary.counts.values()) == 36
    provider.answer = completed
    before = len(provider.made())
    evaluate(opened(saved, provider, folder), folder)
    assert len(provider.made()) == before  # nobody asked for it
    _, verdicts = evaluate(opened(saved, provider, folder), folder, retry_failed=True)
    assert {v["status"] for v in verdicts.values()} == {"ok"}


def test_what_expires_twice_stays_missing_with_a_reason(saved, provider, folder):
    provider.ends = ["expired"] * 9
    _, verdicts = evaluate(opened(saved, provider, folder), folder)
    assert any("completion window" in v["reason"] for v in verdicts.values() if v["status"] == "failed")
    assert max(submitted(provider).values()) == 2


def test_a_cancelled_batch_is_not_asked_for_in_another_way(saved, provider, folder):
    provider.ends, told = ["cancelled"], []
    _, verdicts = evaluate(opened(saved, provider, folder), folder, told=told)
    missing = [v for v in verdicts.values() if v["status"] == "failed"]
    assert len(missing) == 6 * 3
    assert all("was cancelled before it came to this request" in v["reason"] for v in missing)
    assert any("cancelling" in sentence for sentence in told)
    assert set(submitted(provider).values()) == {1}
    _, verdicts = evaluate(opened(saved, provider, folder), folder, retry_failed=True)
    assert as_live(saved, folder, verdicts)


def test_without_room_a_batch_waits_and_is_sent_again(saved, provider, folder):
    provider.ends = ["completed", "full", "full"]
    _, verdicts = evaluate(opened(saved, provider, folder), folder, most_rows=5)
    assert as_live(saved, folder, verdicts)
    assert set(submitted(provider).values()) == {1}
    assert sum(batch["status"] == "failed" for batch in provider.batches.values()) == 2


def test_a_batch_that_is_refused_as_a_whole_ends_the_run_and_the_next_one_sends_anew(saved, provider, folder):
    provider.ends = ["failed"]
    with pytest.raises(ModelError, match="refuses batch batch_0 as a whole: invalid_json_line"):
        evaluate(opened(saved, provider, folder), folder)
    _, verdicts = evaluate(opened(saved, provider, folder), folder)
    assert as_live(saved, folder, verdicts)
    assert set(submitted(provider).values()) == {1}


def test_when_all_rows_are_rejected_the_run_says_what_to_try(saved, provider, folder):
    write_jsonl(
        folder / "responses.jsonl", [r.model_copy(update={"id": f"{r.id}-{i}", "scenario": str(i)}) for r in RESPONSES for i in (1, 2)]
    )
    provider.answer = lambda row: failed(row, 400, "'max_tokens' is not supported with this model")
    with pytest.raises(ModelError, match="'max_tokens' is not supported with this model; `ask_first`"):
        evaluate(opened(saved, provider, folder), folder)
    provider.answer = completed
    _, verdicts = evaluate(opened(saved, provider, folder), folder)
    assert {v["status"] for v in verdicts.values()} == {"ok"}


FAULTS = {
    "the upload is cut": ["drop"],
    "the upload's answer is lost": ["vanish"],
    "busy": [(429, {"retry-after": "0.01"}, {"error": {"message": "slow down"}})],
    "the batch is not made": [None, "drop"],
    "the batch is made and its answer lost": [None, "vanish"],
    "the server breaks after it": [None, (500, {}, {"error": {"message": "it broke"}})],
    "the look is cut": [None, None, "drop"],
    "the look is answered by a page": [None, None, (502, {"content-type": "text/html"}, b"<html>Bad gateway</html>")],
    "the download is cut": [None, None, None, None, None, None, "drop"],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_bad_line_costs_nothing_twice(saved, provider, folder, faults, monkeypatch):
    monkeypatch.setattr("clave.llm.batch_api._FIRST_PAUSE", 0.01)
    provider.faults, provider.lists_after = list(faults), 1
    _, verdicts = evaluate(opened(saved, provider, folder), folder)
    assert as_live(saved, folder, verdicts)
    assert set(submitted(provider).values()) == {1}


def test_what_no_request_asked_for_in_the_results_is_passed_over(saved, provider, folder):
    provider.answer = lambda row: (
        completed(row) | ({"custom_id": "ab" * 32} if "helped" in asked(row).user and "case 0" in asked(row).user else {})
    )
    _, verdicts = evaluate(opened(saved, provider, folder), folder)
    assert {v["id"] for v in verdicts.values() if v["status"] == "failed"} <= {"helped0"}


def test_results_that_a_proxy_passes_on_are_results(saved, provider, folder, monkeypatch):
    def proxied(method, path, headers, body, done=provider._done):
        status, headers, answer = done(method, path, headers, body)
        return 203 if path.endswith("/content") else status, headers, answer  # Non-Authoritative Information

    monkeypatch.setattr(provider, "_done", proxied)
    _, verdicts = evaluate(opened(saved, provider, folder), folder)
    assert as_live(saved, folder, verdicts)


def test_results_that_are_gone_are_a_reason(saved, provider, folder):
    def lose(when, what):
        if when == "before" and what.endswith("/content"):
            provider.files.pop(what.split("/")[3], None)

    provider.hook = lose
    _, verdicts = evaluate(opened(saved, provider, folder), folder)
    assert {v["status"] for v in verdicts.values()} == {"failed"}
    assert all("are gone from the server" in v["reason"] for v in verdicts.values())
    provider.hook = lambda when, what: None
    _, verdicts = evaluate(opened(saved, provider, folder), folder, retry_failed=True)
    assert as_live(saved, folder, verdicts)


def test_a_batch_that_another_key_sent_is_not_sent_again_unless_it_is_asked_for(saved, provider, folder):
    def forget(when, what):
        if when == "after" and what == "POST /v1/batches":
            provider.batches.clear()

    provider.hook = forget
    with pytest.raises(ModelError, match="knows no batch batch_0: is the key"):
        evaluate(opened(saved, provider, folder), folder)
    provider.hook = lambda when, what: None
    with pytest.raises(ModelError, match="knows no batch"):
        evaluate(opened(saved, provider, folder), folder)
    _, verdicts = evaluate(opened(saved, provider, folder), folder, retry_failed=True)
    assert as_live(saved, folder, verdicts)


def test_the_budget_counts_batches_at_their_price(saved, provider, folder):
    clave = opened(saved, provider, folder)
    clave.ledger.budget = Budget(0.02)
    summary, verdicts = evaluate(clave, folder)
    assert "the budget of $0.02 is used up" in summary.stopped
    assert 0 < sum(submitted(provider).values()) < 24
    assert all(v["status"] == "ok" for v in verdicts.values())
    summary, verdicts = evaluate(opened(saved, provider, folder), folder)
    assert (summary.stopped, as_live(saved, folder, verdicts), set(submitted(provider).values())) == ("", True, {1})


def test_what_another_output_has_sent_is_waited_for(saved, provider, folder):
    provider.states = ["validating", *["in_progress"] * 3, "completed"]
    clave = opened(saved, provider, folder)

    async def both():
        other = opened(saved, provider, folder)
        source = ResponseSource(str(folder / "responses.jsonl"))
        await asyncio.gather(
            evaluate_in_batches(clave.judging, source, folder / "a.jsonl", poll=0.01),
            evaluate_in_batches(other.judging, source, folder / "b.jsonl", poll=0.01),
        )

    asyncio.run(both())
    assert set(submitted(provider).values()) == {1}
    assert len(lines(folder / "a.jsonl")) == len(lines(folder / "b.jsonl")) == 36


def test_a_server_without_the_api_is_a_sentence(saved, provider, folder):
    provider.faults = [(404, {}, {"detail": "Not Found"})]
    with pytest.raises(ModelError, match=r"has no batch API \(404\) Not Found: ask it in calls"):
        evaluate(opened(saved, provider, folder), folder)


KILLS = [
    ("before", "POST /v1/files"),
    ("after", "POST /v1/files"),
    ("before", "POST /v1/batches"),
    ("after", "POST /v1/batches"),
    ("after", "POST /v1/files"),
    ("after", "POST /v1/batches"),
    ("before", "GET /v1/files/"),
    ("after", "GET /v1/files/"),
    ("before", "POST /v1/files"),
    ("after", "POST /v1/batches"),
]
"""The last two are of the second stage."""


def test_ten_kills_lose_nothing_and_send_nothing_twice(saved, provider, folder):
    """One run that is killed ten times, each time at another point of its way."""
    running, kills = [], list(KILLS)

    def kill(when, what):
        if kills and running and when == kills[0][0] and what.startswith(kills[0][1]):
            kills.pop(0)
            os.kill(running.pop(), signal.SIGKILL)

    provider.hook, provider.lists_after = kill, 1
    codes = []
    while not codes or codes[-1] != 0:
        assert len(codes) <= len(KILLS) + 1
        run = subprocess.Popen([sys.executable, "-c", RUN, str(saved), provider.url, str(folder)], stderr=subprocess.PIPE, text=True)
        running[:] = [run.pid]
        told = run.communicate(timeout=120)[1]
        codes.append(run.returncode)
        assert run.returncode in (0, -signal.SIGKILL), told
    assert (codes.count(-signal.SIGKILL), kills) == (10, [])
    assert set(submitted(provider).values()) == {1}
    verdicts = {(v["id"], v["value"]): v for v in lines(folder / "verdicts.jsonl")}
    assert len(verdicts) == len(lines(folder / "verdicts.jsonl")) == 36
    assert as_live(saved, folder, verdicts)
    assert leftovers(folder) == []


def test_the_command_says_what_batches_do_and_that_estimates_are_half(saved, provider, folder, monkeypatch):
    monkeypatch.setattr("clave.files.batch.sending._LONGEST_POLL", 0.01)
    prices = folder / "prices.yaml"
    prices.write_text("vllm/tiny: {input: 10, output: 50}\n")
    shared = ["--evaluator", str(saved), "--base-url", provider.url, "--cache", str(folder / "c.sqlite"), "--prices", str(prices)]

    def run(*arguments):
        done = CliRunner().invoke(app, [*arguments, *shared], catch_exceptions=False)
        return done.exit_code, done.stdout, done.stderr

    costs = [json.loads(run("estimate", str(folder / "responses.jsonl"), "--json", *more)[1])["cost"] for more in ([], ["--batch"])]
    assert costs[1] == pytest.approx(costs[0] / 2)
    code, out, err = run("evaluate", str(folder / "responses.jsonl"), "-o", str(folder / "v.jsonl"), "--batch", "--json")
    assert (code, json.loads(out)["new"]) == (0, 36)
    assert json.loads(out)["dollars"] == pytest.approx(24 * 2e-3 / 2)
    assert "batch batch_0: 12 requests, completed" in err
    for bad, says in (
        (["--ask-first"], "add --batch"),
        (["--batch", "--cascade", str(saved)], "leave --cascade out"),
    ):
        with pytest.raises(InputError, match=says):
            run("evaluate", str(folder / "responses.jsonl"), "-o", str(folder / "w.jsonl"), *bad)
    with pytest.raises(InputError, match="name files"):
        run("evaluate", "-", "-o", str(folder / "w.jsonl"), "--batch")


def test_ctrl_c_leaves_the_batch_with_the_provider_and_says_how_to_go_on(saved, provider, folder):
    provider.states = ["validating", *["in_progress"] * 1000, "completed"]
    arguments = [str(folder / "responses.jsonl"), "-o", str(folder / "v.jsonl"), "--batch", "--evaluator", str(saved)]
    more = ["--base-url", provider.url, "--cache", str(folder / "cache.sqlite")]
    program = [sys.executable, "-c", "from clave.cli.main import main; main()", "evaluate"]
    run = subprocess.Popen([*program, *arguments, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def press(when, what):
        if when == "after" and what == "GET /v1/batches/batch_0" and not pressed:
            pressed.append(run.send_signal(signal.SIGINT))

    pressed = []
    provider.hook = press
    _, told = run.communicate(timeout=120)
    assert run.returncode == 130
    assert "What is with the provider goes on there. The same command waits for it again; nothing is sent twice." in " ".join(told.split())
    provider.hook, provider.states = (lambda when, what: None), ["validating", "completed"]
    provider.batches["batch_0"]["_coming"] = ["completed"]
    _, verdicts = evaluate(opened(saved, provider, folder), folder, name="v.jsonl")
    assert as_live(saved, folder, verdicts)
    assert set(submitted(provider).values()) == {1}


def test_a_run_leaves_no_notes_of_requests(saved, provider, folder):
    evaluate(opened(saved, provider, folder), folder)
    cache = AnswerCache(folder / "cache.sqlite")
    SentBatches(cache)
    assert cache.rows("SELECT count(*) FROM sent") == cache.rows("SELECT count(*) FROM batches") == [(0,)]
