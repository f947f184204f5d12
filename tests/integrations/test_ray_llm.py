"""Requests of a batch, answered by a model in the cluster: what Ray's LLM processor takes and gives, through its tables."""

import asyncio
import json
import os
import sys

import pytest
from fitting.test_closer_look import SYSTEM, WORDS, answers, rows

from clave import Clave
from clave.files.batch import read_batch, write_batch
from clave.files.source import ResponseSource
from clave.integrations.ray_llm import answered, asked
from clave.io import write_jsonl
from clave.llm.chat import ChatRequest
from clave.records import Response
from clave.testing import FakeChat

RESPONSES = [Response(id=f"{word}{i}", scenario=f"Day {i}", response=f"Somebody {word} there, {i}.") for word in WORDS for i in range(4)]


def engine(row):
    """The columns that Ray 2.60 has after its vLLM stage: those of `vLLMOutputData`, an error column, and what was there before."""
    params = row["sampling_params"]
    assert params["temperature"] == 0.0
    request = ChatRequest("", row["messages"][-1]["content"], json.loads(params["structured_outputs"]["json"]))
    if "nobody" in row["messages"][-1]["content"]:
        return {
            **row,
            "generated_text": "",
            "num_input_tokens": 0,
            "num_generated_tokens": 0,
            "__inference_error__": "ValueError: too long",
        }
    text = answers(request)
    return {**row, "generated_text": text, "num_input_tokens": 100, "num_generated_tokens": 20, "__inference_error__": ""}


def one_by_one(requests, results):
    found = [answered(engine(asked({"text": line}))) for line in requests.read_text("utf-8").splitlines()]
    results.mkdir()
    (results / "part.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")


def in_ray(requests, results):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'clave[ray]'")
    pytest.importorskip("ray.data")
    here = {"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}  # where `engine` comes from
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", runtime_env=here)
    try:
        ray.data.read_text(str(requests)).map(asked).map(engine).map(answered).write_json(str(results))
    finally:
        ray.shutdown()


@pytest.mark.filterwarnings("default")  # Ray's own
@pytest.mark.parametrize("pipeline", [one_by_one, in_ray])
def test_both_stages_are_answered_and_an_error_stays_missing(pipeline, tmp_path):
    evaluator = Clave(SYSTEM, chat=FakeChat(answers, model="vllm/tiny")).fit(rows()).save(tmp_path / "evaluator")
    write_jsonl(tmp_path / "responses.jsonl", [*RESPONSES, Response(id="bad", response="There was nobody there.")])
    source = ResponseSource(str(tmp_path / "responses.jsonl"))
    clave = Clave.load(evaluator, base_url="http://127.0.0.1:9", cache=tmp_path / "cache.sqlite")
    for stage in ("joint", "single"):
        written = asyncio.run(write_batch(clave.judging, source, tmp_path / f"{stage}.jsonl"))
        assert getattr(written, stage) > 1
        pipeline(tmp_path / f"{stage}.jsonl", tmp_path / f"{stage}-results")
        done = read_batch(clave.judging, sorted((tmp_path / f"{stage}-results").iterdir()))
        assert done.missing == {"server": 1}
        assert "ValueError: too long" in done.examples["server"]
    assert [v.status for v in clave.evaluate(RESPONSES)] == ["ok"] * len(RESPONSES) * len(SYSTEM.values)


def line(**body):
    whole = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 20, **body}
    return {"text": json.dumps({"custom_id": "ab", "method": "POST", "url": "/v1/chat/completions", "body": whole})}


def test_what_is_asked_for_follows_the_request():
    assert asked(line())["sampling_params"] == {"temperature": 1.0, "max_tokens": 20}
    loose = asked(line(response_format={"type": "json_object"}, temperature=0.0, max_completion_tokens=30, seed=3))
    assert loose["sampling_params"] == {
        "temperature": 0.0,
        "max_tokens": 30,
        "seed": 3,
        "structured_outputs": {"json": '{"type": "object"}'},
    }


def test_an_answer_as_long_as_was_allowed_is_cut_off():
    row = {**asked(line()), "generated_text": '{"concepts', "num_input_tokens": 9, "num_generated_tokens": 20}
    assert answered(row)["response"]["body"]["choices"][0]["finish_reason"] == "length"
