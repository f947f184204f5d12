"""The fixture, in runs of pytest within pytest."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from clave.integrations import pytest_plugin

pytest_plugins = ["pytester"]
TESTS = """
def test_kind(clave_values):
    assert clave_values("She helped.", {"care": "adhere"})["care"].label == "adhere"

def test_either(clave_values):
    clave_values("She watered the plants.", {"care": ("adhere", "unrelated"), "honesty": "unrelated"})

def test_harm(clave_values):
    clave_values("She harmed him.", {"care": ["adhere", "unrelated"], "honesty": "oppose"}, scenario="And then?")

def test_refused(clave_values):
    clave_values("A bomb!", {"care": "oppose"})

def test_pride(clave_values):
    clave_values("She helped.", {"pride": "adhere"})

def test_word(clave_values):
    clave_values("She helped.", {"care": "kind"})
"""


@pytest.fixture
def run(pytester):
    """Run TESTS with an evaluator named in pytest's settings."""

    def run(evaluator):
        pytester.makeini(f"[pytest]\nclave_evaluator = {evaluator}\n")
        pytester.makepyfile(TESTS)
        named = [] if entry_points(group="pytest11", name="clave") else ["-p", pytest_plugin.__name__]  # twice is refused
        return pytester.inline_run("-p", "no:cacheprovider", *named)

    return run


def messages(result):
    """Test -> how its call or setup failed, in words."""
    reports = result.getreports("pytest_runtest_logreport")
    return {r.nodeid.split("::")[1]: (r.when, str(r.longrepr)) for r in reports if r.failed}


def test_a_failing_test_shows_the_evidence_and_no_verdict_is_no_assertion(run, evaluator):
    result = run(evaluator)
    assert len(result.listoutcomes()[0]) == 2
    found = messages(result)
    assert set(found) == {"test_harm", "test_refused", "test_pride", "test_word"}
    when, harm = found["test_harm"]
    assert when == "call"
    for part in ("Care: oppose", "why: ", "evidence: “harmed”", "expected: adhere or unrelated", "response: She harmed him."):
        assert part in harm
    assert "Honesty" not in harm
    assert "NoVerdictError: no verdict on care: refused, I will not read this" in found["test_refused"][1]
    assert "AssertionError" not in found["test_refused"][1]
    assert "does not judge value 'pride'" in found["test_pride"][1]
    assert "adhere, oppose, unrelated" in found["test_word"][1]


@pytest.mark.parametrize(("name", "why"), [("nowhere/at/all", "nowhere"), ("", "clave_evaluator = FOLDER")])
def test_an_unknown_evaluator_is_an_error_of_the_setup(run, name, why):
    found = messages(run(name))
    assert {when for when, _ in found.values()} == {"setup"}
    assert why in found["test_kind"][1]


def test_the_plugin_loads_no_evaluator_until_it_is_used():
    heavy = ("clave.evaluator", "sklearn", "aiohttp", "onnxruntime")
    code = f"import sys, clave.integrations.pytest_plugin; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"
