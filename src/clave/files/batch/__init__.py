"""Batch files in OpenAI's format: what the answer cache lacks goes out as requests, and results come back into the cache.

    from clave.files.source import ResponseSource

    written = await write_batch(clave.judging, ResponseSource("responses.jsonl"), Path("requests.jsonl"))

A provider's batch API, or vLLM's run-batch, answers them, and

    read_batch(clave.judging, [Path("results.jsonl")])

takes the answers in. An evaluation then finds its answers in the cache and makes no call. Where all values of a response are asked for
in one call, there are two stages: only the answers say which values need a call of their own. `evaluate_in_batches` does all of it
through a provider's API.
"""

from clave.files.batch.evaluating import evaluate_in_batches
from clave.files.batch.reading import Answered, read_batch
from clave.files.batch.sending import Sending
from clave.files.batch.writing import Written, write_batch

__all__ = ["Answered", "Sending", "Written", "evaluate_in_batches", "read_batch", "write_batch"]
