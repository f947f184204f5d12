"""A provider's batch API on loopback: files, batches, their states, and the faults of a bad day. It counts what would be paid for."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

from loopback import Answer, Handler, closed, serving

Row = dict[str, Any]


class BatchServer:
    """OpenAI's `/v1/files` and `/v1/batches`. A batch takes a step at each look: validating, in_progress, finalizing, completed.

    Args:
        answer: From a request's row to the row of the results that answers it; one with an error goes into the file of errors.
    """

    def __init__(self, answer: Callable[[Row], Row]) -> None:
        self.answer = answer
        self.files: dict[str, bytes] = {}
        self.names: dict[str, str] = {}
        """File -> the name it was sent under."""
        self.batches: dict[str, Row] = {}
        """In the order in which they were made."""
        self.paid: Counter[str] = Counter()
        """custom_id -> batches in which it was answered, well or not."""
        self.states = ["validating", "in_progress", "finalizing", "completed"]
        self.ends: list[str] = []
        """States in which the next batches end, in place of `completed`."""
        self.faults: list[Any] = []
        """What happens to the next requests: None, (status, headers, body), "drop" before or "vanish" after it was done."""
        self.seen: list[str] = []
        """Method and path of each request."""
        self.hook: Callable[[str, str], None] = lambda when, what: None
        """Called before and after each request is done."""
        self.lists_after = 0
        """Listings for which a new batch is not shown yet."""
        self._lock = threading.RLock()
        outer = self

        class Provider(Handler):
            def do_GET(self) -> None:
                what, body = f"{self.command} {self.path.partition('?')[0]}", self.body()
                with outer._lock:
                    outer.seen.append(what)
                    outer.hook("before", what)
                    fault = outer.faults.pop(0) if outer.faults else None
                    if fault == "drop":
                        self.close_connection = True
                        return
                    answer = fault if isinstance(fault, tuple) else outer._done(self.command, self.path, self.headers, body)
                    outer.hook("after", what)
                if fault == "vanish":
                    self.close_connection = True
                else:
                    self.send(answer)

            do_POST = do_GET

        self._server, address = serving(Provider)
        self.url = f"{address}/v1"

    def close(self) -> None:
        """Stop answering."""
        closed(self._server)

    def made(self) -> list[Row]:
        """Batches that were taken on."""
        return [batch for batch in self.batches.values() if batch["status"] != "failed"]

    def requests(self, batch: Row) -> list[Row]:
        """What was asked in a batch."""
        return [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]

    def _done(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        parts = urlsplit(path)
        match method, parts.path.removeprefix("/v1").strip("/").split("/"):
            case "POST", ["files"]:
                return 200, {}, self._upload(headers, body)
            case "POST", ["batches"]:
                return self._create(json.loads(body))
            case "GET", ["batches"]:
                return 200, {}, self._list(parse_qs(parts.query))
            case "GET", ["batches", name] if name in self.batches:
                return 200, {}, self._step(self.batches[name])
            case "GET", ["files", name, "content"] if name in self.files:
                return 200, {}, self.files[name]
        return 404, {}, {"error": {"message": f"there is nothing at {parts.path}"}}

    def _upload(self, headers: Any, body: bytes) -> Row:
        form = BytesParser().parsebytes(b"content-type: " + headers["content-type"].encode() + b"\r\n\r\n" + body)
        fields = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
        assert fields["purpose"].get_payload() == "batch"
        name = f"file-{len(self.files)}"
        self.files[name] = fields["file"].get_payload(decode=True)
        self.names[name] = fields["file"].get_filename()
        return {"id": name, "object": "file", "purpose": "batch", "bytes": len(self.files[name])}

    def _create(self, asked: Row) -> Answer:
        assert (asked["endpoint"], asked["completion_window"]) == ("/v1/chat/completions", "24h")
        if asked["input_file_id"] not in self.files:
            return 400, {}, {"error": {"message": "no such file", "type": "invalid_request_error"}}
        name = f"batch_{len(self.batches)}"
        end = self.ends.pop(0) if self.ends else "completed"
        batch = {
            "id": name,
            "object": "batch",
            "input_file_id": asked["input_file_id"],
            "status": "validating",
            "metadata": asked.get("metadata"),
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
            "_hidden": self.lists_after,
            "_coming": [*self.states[1:-1], "cancelling", end] if end == "cancelled" else [*self.states[1:-1], end],
        }
        self.batches[name] = batch
        return 200, {}, self._shown(batch)

    def _list(self, query: dict[str, list[str]]) -> Row:
        rows = [batch for batch in reversed(self.batches.values()) if batch["_hidden"] <= 0]
        for batch in self.batches.values():
            batch["_hidden"] -= 1
        after = query.get("after", [""])[0]
        start = next((i + 1 for i, row in enumerate(rows) if row["id"] == after), 0)
        page = rows[start : start + 2]
        return {"object": "list", "data": [self._shown(row) for row in page], "has_more": start + 2 < len(rows)}

    def _step(self, batch: Row) -> Row:
        shown = self._shown(batch)
        if batch["_coming"]:
            batch["status"] = batch["_coming"].pop(0)
            if not batch["_coming"]:
                self._end(batch)
        return shown

    def _end(self, batch: Row) -> None:
        if batch["status"] in ("full", "failed"):
            code = "token_limit_exceeded" if batch["status"] == "full" else "invalid_json_line"
            batch["errors"] = {"object": "list", "data": [{"code": code, "message": f"{code}: it was refused"}]}
            batch["status"] = "failed"
            return
        rows = self.requests(batch)
        if batch["status"] != "completed":  # only the first half was come to
            rows, left = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        else:
            left = []
        self.paid.update(row["custom_id"] for row in rows)
        results = [self.answer(row) for row in rows]
        good = [row for row in results if row["response"] and row["response"]["status_code"] == 200]
        bad = [row for row in results if row not in good]
        if batch["status"] == "expired":
            told = {"code": "batch_expired", "message": "This request could not be executed before the completion window expired."}
            bad += [{"id": "b", "custom_id": row["custom_id"], "response": None, "error": told} for row in left]
        for kind, rows in (("output", good), ("error", bad)):
            if rows:
                batch[f"{kind}_file_id"] = f"file-{len(self.files)}"
                self.files[f"file-{len(self.files)}"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
        batch["request_counts"] = {"total": len(good) + len(bad) + len(left), "completed": len(good), "failed": len(bad)}

    def _shown(self, batch: Row) -> Row:
        return {name: value for name, value in batch.items() if not name.startswith("_")}
