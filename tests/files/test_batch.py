"""Batch files end to end: requests out, results in, and then an evaluation that makes no call."""

import json

import pytest
from fitting.test_closer_look import SYSTEM, WORDS, answers, rows
from typer.testing import CliRunner

from clave import Clave, InputError, ValueSystem
from clave.cli.main import app
from clave.concepts.extractor import extraction_request
from clave.files.batch import read_batch
from clave.io import write_jsonl
from clave.llm import AnswerCache, ChatRequest, OpenAIChat
from clave.records import Response
from clave.testing import FakeChat

RESPONSES = [
    Response(id=f"{word}{i}", scenario=f"Day {i}", response=f"Somebody {word} there, case {i}.") for word in WORDS for i in range(4)
]

GOOD = json.dumps({"concepts": ["Doing"], "evidence": "", "stance": "adhere", "confidence": 0.9})


def asked(row):
    """A request as a chat model sees it."""
    body = row["body"]
    return ChatRequest("", body["messages"][-1]["content"], body["response_format"]["json_schema"]["schema"])


def completed(row, text=None, finish="stop", **message):
    """The row of a result file that answers a request."""
    text = answers(asked(row)) if text is None else text
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    reply = {"id": "c", "object": "chat.completion", "model": "served-1", "choices": [choice], "usage": usage}
    return {"id": "b", "custom_id": row["custom_id"], "response": {"status_code": 200, "request_id": "r", "body": reply}, "error": None}


def failed(row, status, message, **more):
    reply = {"status_code": status, "request_id": "r", "body": {"error": {"message": message, **more}}}
    return {"id": "b", "custom_id": row["custom_id"], "response": reply, "error": None}


def expired(row):
    told = {"code": "batch_expired", "message": "This request could not be executed before the completion window expired."}
    return {"id": "b", "custom_id": row["custom_id"], "response": None, "error": told}


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An evaluator that asks for all values at once, and closer where it is unsure."""
    clave = Clave(SYSTEM, chat=FakeChat(answers, model="vllm/tiny")).fit(rows())
    assert clave.fitted.closer_look is not None
    return clave.save(tmp_path_factory.mktemp("saved") / "evaluator")


class Work:
    """A folder with responses, and `clave` on them with one cache and one server."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        self.cache = folder / "cache.sqlite"
        write_jsonl(folder / "responses.jsonl", RESPONSES)

    def clave(self, *arguments, evaluator):
        options = ["--base-url", self.server.url, "--cache", str(self.cache), *evaluator]
        done = CliRunner().invoke(app, [*arguments, *options], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def write(self, name, *more, evaluator):
        out = self.clave("batch", "write", str(self.folder / "responses.jsonl"), "-o", str(self.folder / name), *more, evaluator=evaluator)
        return out, self.folder / name

    def read(self, rows, *, evaluator):
        path = self.folder / "results.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return json.loads(self.clave("batch", "read", str(path), "--json", evaluator=evaluator))

    def evaluate(self, *, evaluator):
        """Verdicts, and how many calls they took."""
        before, verdicts = len(self.server.requests), self.folder / "verdicts.jsonl"
        self.clave("evaluate", str(self.folder / "responses.jsonl"), "-o", str(verdicts), evaluator=evaluator)
        return lines(verdicts), len(self.server.requests) - before


@pytest.fixture
def work(tmp_path, chat_server):
    chat_server.script = lambda body: chat_server.error(500, "nobody may ask")
    return Work(tmp_path, chat_server)


@pytest.fixture
def zero_shot(tmp_path):
    (tmp_path / "system.yaml").write_text(
        "id: three\nname: Three\nversion: '1'\nvalues:\n- {id: care, name: Care, definition: Being kind.}\n", encoding="utf-8"
    )
    return ["--system", str(tmp_path / "system.yaml"), "--model", "vllm/tiny"]


def test_two_stages_and_then_no_call(work, saved):
    evaluator = ["--evaluator", str(saved)]
    out, first = work.write("first.jsonl", evaluator=evaluator)
    assert "first of two stages" in out
    requests = lines(first)
    assert len(requests) == len(RESPONSES)
    assert work.read(map(completed, requests), evaluator=evaluator)["filled"] == 12
    out, second = work.write("second.jsonl", evaluator=evaluator)
    assert "that such an answer was unsure of. 12 answers are in the cache" in out
    closer = lines(second)
    assert len(closer) == 4 * 3
    assert all("watered" in row["body"]["messages"][-1]["content"] for row in closer)
    assert work.read(map(completed, closer), evaluator=evaluator)["filled"] == 12
    out, third = work.write("third.jsonl", evaluator=evaluator)
    assert out == "All 24 answers are in the cache: clave evaluate makes no call.\n"
    assert not third.exists()
    verdicts, calls = work.evaluate(evaluator=evaluator)
    assert (len(verdicts), calls) == (36, 0)
    assert all(v["status"] == "ok" and v["label"] == next(WORDS[w] for w in WORDS if w in v["id"]) for v in verdicts)


def test_a_request_is_what_the_client_would_send(work, zero_shot, chat_server):
    _, path = work.write("requests.jsonl", evaluator=zero_shot)
    written = {row["custom_id"]: row for row in lines(path)}
    chat_server.script = lambda body: chat_server.says(answers(asked({"body": body})))
    work.evaluate(evaluator=zero_shot)
    assert sorted(map(json.dumps, chat_server.requests)) == sorted(json.dumps(row["body"]) for row in written.values())
    assert {(row["method"], row["url"]) for row in written.values()} == {("POST", "/v1/chat/completions")}
    value = ValueSystem.load(zero_shot[1])["care"]
    chat = OpenAIChat("vllm/tiny", base_url=chat_server.url)
    assert set(written) == {extraction_request(r, value, None, ()).key(chat.model, chat.endpoint).hex() for r in RESPONSES}


def test_what_has_no_answer_stays_missing_and_is_counted(work, zero_shot):
    _, path = work.write("requests.jsonl", evaluator=zero_shot)
    requests = lines(path)
    results = [
        expired(requests[0]),
        failed(requests[1], 400, "the prompt is too long"),
        failed(requests[2], 500, "it broke"),
        completed(requests[3], "no JSON at all"),
        completed(requests[4], '{"concepts": [', finish="length"),
        completed(requests[5], None, refusal="I will not."),
        failed(requests[6], 400, "The response was filtered", code="content_filter"),
        {
            "custom_id": requests[7]["custom_id"],
            "response": {"status_code": 400, "body": None},
            "error": {"message": "bad", "type": "BadRequest"},
        },
        expired(requests[8]),
        completed(requests[8]),
        *map(completed, requests[9:]),
        expired(requests[9]),
        completed(requests[10], json.dumps({"concepts": [], "evidence": "", "stance": "unrelated", "confidence": 0.1})),
    ]
    found = work.read(results, evaluator=zero_shot)
    assert found["missing"] == {"expired": 1, "rejected": 2, "server": 1, "bad_answer": 1, "cut_off": 1}
    assert (found["filled"], found["refused"], found["known"]) == (6, 2, 1)
    assert "completion window" in found["examples"]["expired"]
    again = work.read(results, evaluator=zero_shot)
    assert (again["filled"], again["known"], again["missing"]) == (0, 7, found["missing"])
    out, left = work.write("left.jsonl", evaluator=zero_shot)
    assert [row["custom_id"] for row in lines(left)] == [row["custom_id"] for row in [*requests[:5], requests[7]]]
    assert "6 of them were written before" in out
    work.read(map(completed, lines(left)), evaluator=zero_shot)
    verdicts, calls = work.evaluate(evaluator=zero_shot)
    assert ([v["status"] for v in verdicts].count("refused"), len(verdicts), calls) == (2, 12, 0)


def test_rows_that_answer_nothing_that_was_asked_are_refused_and_nothing_is_kept(work, zero_shot):
    _, path = work.write("requests.jsonl", evaluator=zero_shot)
    requests = lines(path)
    good, results = completed(requests[0]), work.folder / "r.jsonl"
    other = Clave("mft", model="vllm/tiny", base_url=work.server.url, cache=work.cache)
    clave = Clave(zero_shot[1], model="vllm/tiny", base_url=work.server.url, cache=work.cache)
    for bad, said in (
        (good | {"custom_id": "request-1"}, "'request-1' belongs to no request"),
        (good | {"custom_id": "ab" * 32}, "belongs to no request"),
        (good | {"custom_id": None}, "belongs to no request"),
        (requests[1], "a request, not a result"),
        ({"custom_id": requests[1]["custom_id"]}, "not a result"),
    ):
        results.write_text("".join(json.dumps(row) + "\n" for row in (good, bad)))
        with pytest.raises(InputError, match=said) as error:
            read_batch(clave.judging, [results])
        assert "line 2" in str(error.value)
    results.write_text(json.dumps(good)[:-9])
    with pytest.raises(InputError, match="not a JSON object"):
        read_batch(clave.judging, [results])
    results.write_text(json.dumps(good) + "\n")
    with pytest.raises(InputError, match="belongs to no request"):
        read_batch(other.judging, [results])
    assert len(AnswerCache(work.cache)) == 0
    assert read_batch(clave.judging, [results]).filled == 1


def test_limits_split_the_requests_into_several_files(work, zero_shot):
    _, path = work.write("rows.jsonl", "--rows", "5", evaluator=zero_shot)
    files = [path, path.with_name("rows-2.jsonl"), path.with_name("rows-3.jsonl")]
    assert [len(lines(file)) for file in files] == [5, 5, 2]
    whole = [row for file in files for row in lines(file)]
    size = max(len(line) for file in files for line in file.read_bytes().splitlines(keepends=True))
    _, path = work.write("size.jsonl", "--megabytes", str(2.5 * size / 1e6), evaluator=zero_shot)
    parts = [path, *(path.with_name(f"size-{i}.jsonl") for i in range(2, 7))]
    assert [row for file in parts for row in lines(file)] == whole
    assert all(file.stat().st_size <= 2.5 * size for file in parts)


def test_a_file_that_is_there_is_not_written_over(work, zero_shot):
    _, path = work.write("requests.jsonl", evaluator=zero_shot)
    before = path.read_bytes()
    with pytest.raises(InputError, match="is there already"):
        work.write("requests.jsonl", evaluator=zero_shot)
    assert path.read_bytes() == before


def test_the_first_call_teaches_the_form_of_the_others(work, zero_shot, chat_server):
    def script(body):
        if "max_tokens" in body:
            return chat_server.error(400, "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
        if body["response_format"]["type"] == "json_schema":
            return chat_server.error(400, "response_format json_schema is not supported")
        return chat_server.says(GOOD)

    chat_server.script = script
    _, path = work.write("requests.jsonl", "--ask-first", evaluator=zero_shot)
    written = lines(path)
    assert len(written) == len(RESPONSES) - 1
    assert all("max_tokens" not in row["body"] and row["body"]["response_format"] == {"type": "json_object"} for row in written)
    assert work.read([completed(row, GOOD) for row in written], evaluator=zero_shot)["filled"] == len(written)
    verdicts, calls = work.evaluate(evaluator=zero_shot)
    assert calls == 0
    assert all("json_object" in v["flags"] for v in verdicts)
