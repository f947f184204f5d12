"""Logs of Inspect as rows, without Inspect: written here in the form of its 0.3.285, and broken in the ways that files are."""

import json
import sys
import zipfile

import pytest
from typer.testing import CliRunner

from clave import InputError
from clave.cli.main import app
from clave.io import read_responses, read_verdicts
from clave.io.opening import MAX_ROW
from clave.records import Response


def sample(number, answer, *, epoch=1, scores=None, **more):
    """A sample as it stands in a log."""
    return {
        "id": number,
        "epoch": epoch,
        "input": f"What did you do on day {number}?",
        "target": "",
        "output": {"choices": [{"message": {"role": "assistant", "content": answer}}], "completion": answer},
        "scores": scores or {},
        "metadata": {"topic": "kindness"},
    } | more


def plan(epochs=1):
    return {"version": 2, "status": "success", "eval": {"model": "ollama/qwen3", "config": {"epochs": epochs}}, "plan": {}}


def archive(path, samples, head=None, name="header.json"):
    """A log as `.eval`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as log:
        if name:
            log.writestr(name, json.dumps(head or plan()))
        for one in samples:
            log.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
    return path


@pytest.fixture(params=["eval", "json", "json.gz"])
def write(request, tmp_path):
    """Write a log in one of the forms."""

    def write(samples, head=None):
        path = tmp_path / f"log.{request.param}"
        if request.param == "eval":
            return archive(path, samples, head)
        text = json.dumps((head or plan()) | {"samples": samples}, indent=2).encode()
        if request.param == "json.gz":
            import gzip

            text = gzip.compress(text)
        path.write_bytes(text)
        return path

    return write


def test_each_sample_is_a_response_of_its_model(write):
    found = list(read_responses(write([sample("a", "I helped."), sample(2, "")])))
    assert [(r.id, r.scenario, r.response) for r in found] == [
        ("a", "What did you do on day a?", "I helped."),
        ("2", "What did you do on day 2?", ""),
    ]
    assert found[0].metadata == {"topic": "kindness", "model": "ollama/qwen3"}


def test_epochs_are_told_apart(write):
    log = write([sample("a", "I helped.", epoch=e) for e in (1, 2)], plan(epochs=2))
    assert [r.id for r in read_responses(log)] == ["a_epoch_1", "a_epoch_2"]


def test_a_conversation_that_was_asked_is_the_scenario(write):
    chat = [
        {"role": "user", "content": "Hi?"},
        {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Yes?"}]},
        {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image", "image": "data:…"}]},
    ]
    (found,) = read_responses(write([sample("a", "I helped.", input=chat)]))
    assert found.scenario == "User: Hi?\n\nAssistant: Yes?\n\nUser: See"


def test_a_run_that_did_not_end_is_read_as_far_as_it_came(tmp_path):
    log = archive(tmp_path / "log.eval", [sample("a", "I helped.")], name="_journal/start.json")
    assert [r.response for r in read_responses(log)] == ["I helped."]


def verdict(value="care", label="adhere", text="I helped.", scenario="What did you do on day a?"):
    """What the scorer keeps of a verdict."""
    return {
        "value": value,
        "status": "ok",
        "label": label,
        "probabilities": {"adhere": 0.9, "oppose": 0.05, "unrelated": 0.05},
        "reason": "It helps.",
        "evidence": [{"text": "helped", "start": 2, "end": 8}],
        "evaluator": "tiny-1",
        "judged": Response(id="1", scenario=scenario, response=text).digest,
    }


def scored(*verdicts):
    return {"values": {"value": {}, "metadata": {"scenario": "0", **{v["value"]: v for v in verdicts}}}}


def test_verdicts_of_the_scorer_are_read_and_reported_with_their_texts(write, tmp_path):
    log = write([sample("a", "I helped.", scores=scored(verdict(), verdict("honesty", "unrelated")))])
    assert [(v.id, v.value, v.label, v.evaluator) for v in read_verdicts(log)] == [
        ("a", "care", "adhere", "tiny-1"),
        ("a", "honesty", "unrelated", "tiny-1"),
    ]
    shown = CliRunner().invoke(app, ["report", str(log), "-o", str(tmp_path / "page.html")])
    assert shown.exit_code == 0, shown.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "I helped." in page
    assert "ollama/qwen3" in page


def test_a_log_without_verdicts_says_how_to_get_them(write):
    with pytest.raises(InputError, match=r"holds no verdicts: score it with `inspect score .* or write verdicts with `clave evaluate"):
        list(read_verdicts(write([sample("a", "I helped.", scores={"match": {"value": "C", "metadata": None}})])))


def test_two_scorers_on_one_value_are_refused(write):
    scores = scored(verdict()) | {"values1": scored(verdict(label="oppose"))["values"]}
    with pytest.raises(InputError, match="two scorers give verdicts on 'care'"):
        list(read_verdicts(write([sample("a", "I helped.", scores=scores)])))


@pytest.mark.parametrize(
    "wrong", [{"id": None}, {"id": True}, {"input": [{"role": "wizard", "content": "?"}]}, {"input": [{"content": "?"}]}, {"input": 3}]
)
def test_a_bad_sample_is_told_and_can_be_skipped(write, wrong):
    log = write([sample("a", "I helped."), sample("b", "I harmed.") | wrong])
    with pytest.raises(InputError, match="no id|no role that is known|must be a list of messages"):
        list(read_responses(log))
    assert [r.id for r in read_responses(log, on_error="skip")] == ["a"]


def test_what_is_no_log_is_told(tmp_path):
    log = tmp_path / "log.eval"
    log.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"log\.eval: not a whole log of Inspect"):
        list(read_responses(log))
    with pytest.raises(InputError, match="it has no header"):
        list(read_responses(archive(log, [], name="")))
    whole = archive(log, [sample("a", "I helped. " * 2000)]).read_bytes()
    log.write_bytes(whole[:80] + bytes(40) + whole[120:])
    with pytest.raises(InputError, match="not a whole log of Inspect"):
        list(read_responses(log))


def test_a_sample_made_to_fill_the_memory_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "log.eval", "w", zipfile.ZIP_DEFLATED) as log:
        log.writestr("header.json", json.dumps(plan()))
        log.writestr("samples/a_epoch_1.json", b" " * (MAX_ROW + 2))
        log.writestr("samples/b_epoch_1.json", "[" * 100_000)
    with pytest.raises(InputError, match="longer than 64 MiB"):
        list(read_responses(tmp_path / "log.eval"))
    assert list(read_responses(tmp_path / "log.eval", on_error="skip")) == []


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads zstd by itself")
def test_a_log_that_is_compressed_with_zstd_is_read(tmp_path):
    zstd = pytest.importorskip("backports.zstd.zipfile")
    with zstd.ZipFile(tmp_path / "log.eval", "w", zstd.ZIP_ZSTANDARD) as log:
        log.writestr("header.json", json.dumps(plan()))
        log.writestr("samples/a_epoch_1.json", json.dumps(sample("a", "I helped.")))
    assert [r.response for r in read_responses(tmp_path / "log.eval")] == ["I helped."]
    damaged = bytearray((tmp_path / "log.eval").read_bytes())
    damaged[len("header.json") + 60] ^= 0xFF
    (tmp_path / "log.eval").write_bytes(damaged)
    with pytest.raises(InputError, match="not a whole log of Inspect"):
        list(read_responses(tmp_path / "log.eval"))
