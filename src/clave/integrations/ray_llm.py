"""A batch file answered by a model that runs in the Ray cluster itself, on its GPUs: Ray Data's LLM processor, with vLLM.

    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    processor = build_processor(vLLMEngineProcessorConfig(model_source="Qwen/Qwen3-32B"), preprocess=asked)
    processor(ray.data.read_text("requests.jsonl")).map(answered).write_json("results")

`asked` turns a line that `clave batch write` wrote into what the processor's stages take, `answered` what they give into a row that
`clave batch read` reads. Of Ray they need nothing but its rows; the columns are those of Ray 2.60.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_FAILED = "__inference_error__"
"""The column in which Ray says why a row failed, with `should_continue_on_error=True`."""


def asked(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the processor is asked for a request.

    Args:
        row: As `ray.data.read_text` gives it: a line of a request file in `text`.

    Returns:
        `messages` and `sampling_params`, and what `answered` needs. The answer's schema is JSON text: Ray keeps rows in Arrow tables, where
        two objects with different fields would each get those of the other.
    """
    line = json.loads(row["text"])
    body = line["body"]
    most = body.get("max_completion_tokens", body.get("max_tokens"))
    form = body.get("response_format", {})
    params: dict[str, Any] = {"temperature": body.get("temperature", 1.0), "max_tokens": most}
    params |= {"seed": body["seed"]} if "seed" in body else {}
    if form.get("type") == "json_schema":
        params["structured_outputs"] = {"json": json.dumps(form["json_schema"]["schema"])}
    elif form.get("type") == "json_object":
        params["structured_outputs"] = {"json": '{"type": "object"}'}
    return {"custom_id": line["custom_id"], "model": body["model"], "most": most, "messages": body["messages"], "sampling_params": params}


def answered(row: Mapping[str, Any]) -> dict[str, Any]:
    """A result as a batch API would give it.

    Args:
        row: Of the processor, without a `postprocess` of its own: `generated_text`, the numbers of tokens, and the columns of `asked`.

    Returns:
        A row that failed is an error, which stays missing and is written again. An answer as long as was allowed counts as cut off: the
        processor does not say why it ended.
    """
    if row.get(_FAILED):
        return {"custom_id": row["custom_id"], "response": None, "error": {"code": "server_error", "message": str(row[_FAILED])[:2000]}}
    used = {"prompt_tokens": int(row["num_input_tokens"]), "completion_tokens": int(row["num_generated_tokens"])}
    choice = {
        "index": 0,
        "finish_reason": "length" if used["completion_tokens"] >= row["most"] else "stop",
        "message": {"role": "assistant", "content": row["generated_text"]},
    }
    body = {"object": "chat.completion", "model": row["model"], "choices": [choice], "usage": used}
    return {"custom_id": row["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}
