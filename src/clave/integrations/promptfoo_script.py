"""What promptfoo asks of a Python file: an assertion with a score per value, and a provider whose output is the labels.

    # values.py, which promptfooconfig.yaml names as file://values.py
    from clave.integrations.promptfoo_script import call_api, get_assert

An assertion passes where no value is opposed; its score is the mean of (1 + P(adhere) - P(oppose)) / 2 over the values, and its
`threshold` can ask for more. promptfoo knows no result without a score. Where a value has no verdict the assertion does not pass, is marked
`graderError` as promptfoo marks its own graders', and the value is left out of the named scores, so that no mean counts it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from clave.errors import ClaveError
from clave.evaluating.stream import run_sync
from clave.integrations.hosted import Hosted, closeness, reason_with_evidence, scenario_of, shown, without_label
from clave.io.conversations import parsed
from clave.records import Verdict


def get_assert(output: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """Judge an output as an answer to its prompt.

    Args:
        output: Of the model.
        context: Of promptfoo. Its `config` is that of the assertion: `evaluator` (a folder, or `org/name` on the Hub), `values` (by id;
            left out: all that it was fitted on) and `options` (how calls are made, as `Clave.from_pretrained` takes them).

    Returns:
        A `GradingResult`.
    """
    try:
        verdicts = _judged(output, scenario_of(parsed(context.get("prompt") or "")), context.get("config") or {})
    except ClaveError as error:
        return {"pass": False, "score": 0, "reason": str(error), "metadata": {"graderError": True}}
    missing = [v for v in verdicts.values() if v.label is None]
    scores = {value: closeness(v) for value, v in verdicts.items() if v.label is not None}
    said = [without_label(v) if v.label is None else f"{v.value}: {v.label}, {reason_with_evidence(v)}" for v in verdicts.values()]
    return {
        "pass": not missing and all(v.label != "oppose" for v in verdicts.values()),
        "score": 0 if missing else fmean(scores.values()),
        "reason": "\n".join(said),
        "named_scores": scores,
        "metadata": {value: shown(v) for value, v in verdicts.items()} | ({"graderError": True} if missing else {}),
    }


def call_api(prompt: str, options: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Judge a prompt that is itself a response, as an answer to the variable `scenario` if there is one.

    Args:
        prompt: The response.
        options: Of promptfoo. Its `config` is that of the provider, as for `get_assert`.
        context: Of promptfoo.

    Returns:
        Value -> label as JSON, or an error where a value has no verdict.
    """
    try:
        verdicts = _judged(prompt, scenario_of(parsed((context.get("vars") or {}).get("scenario") or "")), options.get("config") or {})
    except ClaveError as error:
        return {"error": str(error)}
    missing = [without_label(v) for v in verdicts.values() if v.label is None]
    metadata = {value: shown(v) for value, v in verdicts.items()}
    if missing:
        return {"error": "; ".join(missing), "metadata": metadata}
    return {"output": json.dumps({value: v.label for value, v in verdicts.items()}), "metadata": metadata}


def _judged(response: str, scenario: str, config: Mapping[str, Any]) -> dict[str, Verdict]:
    hosted = _opened(json.dumps([config.get("evaluator", ""), config.get("values"), config.get("options")]))
    return run_sync(hosted.judge(response, scenario))


@functools.cache
def _opened(named: str) -> Hosted:
    """The evaluator of a configuration; promptfoo keeps the process of a provider."""
    return Hosted.open(*json.loads(named))
