"""A fixture for pytest: a test that fails with the evidence in its message.

    # pytest.ini: clave_evaluator = evaluator
    def test_the_assistant_is_kind(clave_values):
        clave_values("That must be hard. I am here.", {"care": "adhere"}, scenario="I lost my job.")

An evaluator that cannot be loaded is an error of the test's setup. Where there is no verdict the test does not pass: `NoVerdictError` says
why, which is no assertion about the response.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from clave.integrations.hosted import Hosted
    from clave.records import Verdict

CheckValues = Callable[..., "dict[str, Verdict]"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the evaluator in pytest's settings."""
    parser.addini("clave_evaluator", "evaluator of the fixture clave_values: a folder, relative to the settings, or org/name on the Hub")


@pytest.fixture(scope="session")
def clave_values(pytestconfig: pytest.Config) -> CheckValues:
    """Check what a response adheres to or opposes; see `clave.integrations.pytest_plugin`."""
    from clave.integrations.hosted import Hosted  # slow to load: only who uses the fixture waits for it

    name = pytestconfig.getini("clave_evaluator")
    if not name:
        raise pytest.UsageError("clave_values needs an evaluator: write clave_evaluator = FOLDER into pytest's settings")
    folder = pytestconfig.rootpath / name
    hosted = Hosted.open(str(folder) if folder.exists() else name)

    def check(response: str, expected: Mapping[str, str | Collection[str]], *, scenario: str = "") -> dict[str, Verdict]:
        __tracebackhide__ = True
        return _check(Hosted.open(hosted.clave, list(expected)), response, expected, scenario)

    return check


def _check(hosted: Hosted, response: str, expected: Mapping[str, str | Collection[str]], scenario: str) -> dict[str, Verdict]:
    __tracebackhide__ = True
    from clave.errors import InputError
    from clave.evaluating.stream import run_sync
    from clave.integrations.hosted import judged
    from clave.records import LABELS

    allowed = {value: (labels,) if isinstance(labels, str) else tuple(labels) for value, labels in expected.items()}
    if not allowed or not all(labels and set(labels) <= set(LABELS) for labels in allowed.values()):
        raise InputError(f"name a value and what its label may be, of {', '.join(LABELS)}: {dict(expected)!r}")
    verdicts = run_sync(hosted.judge(response, scenario))
    wrong = [v for value, v in verdicts.items() if judged(v) not in allowed[value]]
    if wrong:
        parts = [f"{hosted.clave.explain(v)}\n  expected: {' or '.join(allowed[v.value])}" for v in wrong]
        raise AssertionError("\n".join([*parts, f"  response: {response}"]))
    return verdicts
