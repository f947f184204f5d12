"""One evaluator in several processes: forked with it, or loading what was saved; each has connections and a cache of its own."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from test_evaluator import RESPONSES, RULES, SYSTEM, labelled

from clave import Clave
from clave.testing import FakeChat

FORKING = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
HERE = {}
"""What a forked child finds: nothing is handed over."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    clave = Clave(SYSTEM, chat=FakeChat(RULES, model="vllm/fake")).fit(labelled())
    return clave.save(tmp_path_factory.mktemp("pools") / "evaluator")


@pytest.fixture
def server(chat_server):
    """A large model that finds everything good."""
    one = {"concepts": ["c"], "evidence": "", "stance": "adhere", "confidence": 0.99}

    def answer(body):
        asked = body["response_format"]["json_schema"]["schema"]["properties"]
        return chat_server.says(json.dumps(one if "stance" in asked else dict.fromkeys(asked, one)))

    chat_server.script = answer
    return chat_server


def labels(clave):
    return sorted((v.id, v.value, v.status, v.label) for v in clave.evaluate(RESPONSES))


def of_the_parent(_):
    return labels(HERE["clave"])


def of_the_folder(arguments):
    folder, options = arguments
    return labels(Clave.load(folder, **options))


@FORKING
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
def test_a_forked_child_uses_the_evaluator_that_its_parent_has_used(saved, server, tmp_path):
    clave = HERE["clave"] = Clave.load(saved, base_url=server.url, cache=tmp_path / "answers.sqlite")
    first = labels(clave)  # connections, cache and encoder are open when the children are made
    asked = len(server.requests)
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        assert list(pool.map(of_the_parent, range(4), timeout=60)) == [first] * 4
    assert labels(clave) == first
    assert len(server.requests) == asked  # the children read the parent's cache
    assert {status for _, _, status, _ in first} == {"ok"}


def test_a_pool_loads_what_was_saved(saved, server, tmp_path):
    options = {"base_url": server.url, "cache": tmp_path / "answers.sqlite"}
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(of_the_folder, [(saved, options)] * 2, timeout=120))
    assert found[0] == found[1] == labels(Clave.load(saved, **options))
