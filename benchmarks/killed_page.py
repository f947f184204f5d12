"""The labelling page in a process that is killed while somebody works with it, for kills.py."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from counting_server import Counting

_FORM = "application/x-www-form-urlencoded"


class LivePage:
    """`clave annotate` in a process of its own, and one annotator before it.

    Args:
        place: Where its files go.
        server: Behind its calibrate button.
        command: `clave annotate` with the value system.
        environment: Of the process.
        model: Of the calibrate button.
    """

    def __init__(self, place: Path, server: Counting, command: list[str], environment: dict[str, str], model: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._place, self._server, self._environment = place, server, environment
        options = ("--store", "labels.db", "--port", str(self._port), "--no-browser", "--overlap", "0")
        self._command = [*command, *options, "--model", model, "--base-url", server.url, "-o", "evaluator"]
        self._process: subprocess.Popen[str] | None = None
        self._cookie = ""
        self.posted = 0
        """Labels that were sent and answered."""
        self.struck = self._killed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def serve(self, responses: Path) -> None:
        """Start it and come in."""
        self._command += ["--responses", str(responses)]
        link = self._start()
        answer = self._send("/enter", urlencode({"name": "Ana", "token": link.partition("token=")[2]}), _FORM)
        self._cookie = str(answer.getheader("set-cookie")).partition(";")[0]

    def _start(self) -> str:
        self._process = subprocess.Popen(self._command, cwd=self._place, env=self._environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        link = ""
        for line in self._process.stdout:
            link = line.strip() if "token=" in line else link
            if line.startswith("Ctrl-C"):
                break
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self._port)).close()
                return link
            except OSError:
                time.sleep(0.05)
        raise OSError("the page does not come up")

    def strike_after(self, requests: int, delay: float, blow: int) -> None:
        """Send it a signal once so many labels were sent and model calls made, and some seconds have gone by."""
        process, start = self._process, self._server.requests
        assert process is not None

        def kill() -> None:
            while process.poll() is None and self.posted + self._server.requests - start < requests:
                time.sleep(0.002)
            time.sleep(delay)
            self.struck = process.poll() is None
            self._server.expect_a_kill()
            self._killed = blow == signal.SIGKILL
            process.send_signal(blow)

        threading.Thread(target=kill, daemon=True).start()

    def label(self, labels: Path) -> list[str]:
        """Say what a file of labels says of the first responses; what the store holds in the end."""
        from clave.annotate.store import Store
        from clave.values import ValueSystem

        rows = [json.loads(line) for line in labels.read_text("utf-8").splitlines()]
        numbers = {identity: n for n, identity in enumerate(dict.fromkeys(row["id"] for row in rows), 1)}
        for k, row in enumerate(rows):
            said = {"response": numbers[row["id"]], "value": row["value"], "label": row["label"], "key": f"label-{k:04}"}
            if k % 7 == 3:
                said["only"] = row["value"]
            self._surely("/api/labels", json.dumps(said), "application/json")
            self.posted += 1
        store = Store(str(self._place / "labels.db"), ValueSystem.load(self._command[self._command.index("--system") + 1]))
        try:
            return sorted(f"{j.annotator} {j.id} {j.value} {j.label}" for j in store.judgements())
        finally:
            store.close()

    def calibrate(self) -> None:
        """Press the button, and again where the page was killed before it was done."""
        while not (self._place / "evaluator" / "manifest.json").exists():
            self._surely("/calibrate", urlencode({"accepted": "yes"}), _FORM)
            time.sleep(0.05)

    def _surely(self, path: str, body: str, kind: str) -> None:
        """Send it, and again to a new process where this one has died before it answered."""
        while True:
            try:
                answer = self._send(path, body, kind)
            except (OSError, http.client.HTTPException):
                assert self._process is not None
                self._process.communicate(timeout=60)
                if self._killed:
                    self._server.forgive()
                self._start()
                continue
            if answer.status >= 400:
                raise ValueError(f"{path}: {answer.status}")
            return

    def _send(self, path: str, body: str, kind: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {"content-type": kind, "origin": f"http://127.0.0.1:{self._port}", "cookie": self._cookie}
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer
        finally:
            connection.close()
