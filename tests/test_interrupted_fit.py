"""Ctrl-C while fitting: a real process, a slow server on loopback, and a count of the calls that arrive at it."""

import json
import re
import signal
import subprocess
import sys
import threading

import pytest

SCRIPT = """
import sys

from clave import Clave
from clave.records import LabelledResponse

words = {"adhere": "helped", "oppose": "lied", "unrelated": "walked"}
rows = [
    LabelledResponse(id=str(i), scenario=f"s{i}", response=f"They {words[label]} there {i}.", value="care", label=label)
    for i in range(18)
    for label in [("adhere", "oppose", "unrelated")[i % 3]]
]
clave = Clave("mft", model="vllm/x", base_url=sys.argv[1], cache=sys.argv[2], concurrency=4)
stop = clave.ledger.stop


def told(why):
    stop(why)
    print(why, flush=True)


clave.ledger.stop = told  # so that the test knows when Ctrl-C was heard
try:
    clave.fit(rows)
except KeyboardInterrupt:
    if "again" not in sys.argv:
        raise SystemExit(130)
    clave.fit(rows)
"""
GUIDELINES, SAMPLES, WIDTH = 4, 18, 4
LEAST = 3
"""Calls at once after four answers, however slow the machine made some of them look: see `clave.llm.pacing`."""


def extracts(body):
    """Whether it asks for the concepts of a sample, not for a guideline."""
    return "guideline" not in body["response_format"]["json_schema"]["schema"]["properties"]


def answer(body):
    """What the server says: of the asked form, by the words of the response."""
    if not extracts(body):
        return json.dumps({"guideline": "Label by what the response does."})
    text = body["messages"][-1]["content"].rpartition("<response ")[2]
    stance = next((label for word, label in (("helped", "adhere"), ("lied", "oppose")) if re.search(rf"They {word}", text)), "unrelated")
    return json.dumps({"concepts": ["Doing it"], "evidence": "", "stance": stance, "confidence": 0.9})


class Slow:
    """The server, which holds the extractions back until it is told to answer."""

    def __init__(self, server):
        self.server, self.asked = server, threading.Semaphore(0)
        server.script, server.holds = self.script, extracts
        server.free.clear()

    def script(self, body):
        if extracts(body):
            self.asked.release()
        return self.server.says(answer(body))

    def wait(self, n):
        for _ in range(n):
            assert self.asked.acquire(timeout=60)


@pytest.fixture
def run(chat_server, tmp_path):
    started = []

    def start(*more):
        command = [sys.executable, "-c", SCRIPT, chat_server.url, str(tmp_path / "cache.sqlite"), *more]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def interrupt(process):
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"


def ended(process):
    _, told = process.communicate(timeout=60)
    return process.returncode, told


def test_what_is_under_way_is_kept_and_nothing_more_is_started(run, chat_server):
    slow, process = Slow(chat_server), run()
    slow.wait(LEAST)
    interrupt(process)
    chat_server.free.set()
    assert ended(process)[0] == 130
    assert GUIDELINES + LEAST <= len(chat_server.requests) <= GUIDELINES + WIDTH  # the other samples were waiting for their turn
    chat_server.script = lambda body: chat_server.says(answer(body))
    assert ended(run()) == (0, "")
    assert len(chat_server.requests) == GUIDELINES + SAMPLES  # not one is paid for twice


def test_a_second_ctrl_c_ends_at_once(run, chat_server):
    slow, process = Slow(chat_server), run()
    slow.wait(LEAST)
    interrupt(process)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130  # though the server answers nothing
    assert not chat_server.free.is_set()


def test_the_same_evaluator_can_be_fitted_again(run, chat_server):
    slow, process = Slow(chat_server), run("again")
    slow.wait(LEAST)
    chat_server.script = lambda body: chat_server.says(answer(body))
    interrupt(process)
    chat_server.free.set()
    assert ended(process) == (0, "")
    assert len(chat_server.requests) == GUIDELINES + SAMPLES
