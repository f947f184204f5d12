"""The calls of `engine.py --part peers` made by another tool, in a process of its own; prints wall and CPU seconds as JSON.

python benchmarks/engine_peers.py inspect|deepeval REQUESTS URL CONNECTIONS

Inspect: a sample for each request, `generate` and the scorer `includes`. deepeval: a test case for each, and a metric that does nothing but
ask through the openai package and read the answer. Either begins with a few calls that are not timed, for what is imported at the first.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Request = dict[str, Any]
"""`system`, `user`, `schema` and `max_tokens`."""
WARM_UP = 8


def inspect(requests: list[Request], url: str, connections: int) -> None:
    """In Inspect."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, ResponseSchema, get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate
    from inspect_ai.util import JSONSchema

    samples = [
        Sample(input=[ChatMessageSystem(content=r["system"]), ChatMessageUser(content=r["user"])], target="unrelated") for r in requests
    ]
    form = ResponseSchema(name="answer", json_schema=JSONSchema.model_validate(requests[0]["schema"]), strict=True)
    config = GenerateConfig(max_connections=connections, temperature=0.0, max_tokens=requests[0]["max_tokens"], response_schema=form)
    model = get_model("openai/recorded", base_url=url, api_key="none", config=config, responses_api=False)
    with tempfile.TemporaryDirectory() as place:
        (log,) = eval(
            Task(dataset=samples, solver=generate(), scorer=includes()),
            model=model,
            max_samples=connections,
            display="none",
            log_dir=place,
        )
    assert log.status == "success", log.error
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1.0


def deepeval(requests: list[Request], url: str, connections: int) -> None:
    """In deepeval."""
    os.environ["DEEPEVAL_TELEMETRY_OPT_OUT"] = "YES"
    import openai
    from deepeval import evaluate
    from deepeval.evaluate.configs import AsyncConfig, CacheConfig, DisplayConfig
    from deepeval.metrics import BaseMetric
    from deepeval.test_case import LLMTestCase

    client = openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0, timeout=120)

    class Thin(BaseMetric):  # type: ignore[misc]
        threshold = 0.5
        async_mode = True

        async def a_measure(self, test_case: Any, *args: Any, **kwargs: Any) -> float:
            request = requests[int(test_case.input)]
            answer = await client.chat.completions.create(
                model="recorded",
                messages=[{"role": "system", "content": request["system"]}, {"role": "user", "content": request["user"]}],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": True, "schema": request["schema"]},
                },
                max_tokens=request["max_tokens"],
                temperature=0.0,
            )
            self.score = float(json.loads(answer.choices[0].message.content or "")["stance"] == "unrelated")
            self.success = self.score == 1.0
            return self.score

        def measure(self, test_case: Any, *args: Any, **kwargs: Any) -> float:
            raise NotImplementedError("asynchronous runs alone are measured")

        def is_successful(self) -> bool:
            return bool(self.success)

        @property
        def __name__(self) -> str:
            return "thin"

    cases = [LLMTestCase(input=str(i), actual_output=r["user"]) for i, r in enumerate(requests)]
    results = evaluate(
        cases,
        [Thin()],
        async_config=AsyncConfig(max_concurrent=connections, throttle_value=0),
        display_config=DisplayConfig(show_indicator=False, print_results=False),
        cache_config=CacheConfig(write_cache=False, use_cache=False),
    )
    assert all(result.success for result in results.test_results)


TOOLS: dict[str, Callable[[list[Request], str, int], None]] = {"inspect": inspect, "deepeval": deepeval}


def main() -> None:
    tool, path, url, connections = sys.argv[1:]
    requests = json.loads(Path(path).read_text(encoding="utf-8"))
    out, sys.stdout = sys.stdout, sys.stderr
    TOOLS[tool](requests[:WARM_UP], url, int(connections))
    wall, cpu = time.perf_counter(), time.process_time()
    TOOLS[tool](requests, url, int(connections))
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}), file=out)


if __name__ == "__main__":
    main()
