"""A live page for the browser tests: the real command in a process of its own, and Debian's Chromium driven by playwright."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

_SERVE = "import typer; from clave.cli.annotate import annotate; app = typer.Typer(); app.command()(annotate); app()"


class Page:
    """`clave annotate` in its own process, on one port, that can be killed and started again."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.folder, self.port, self.options = folder, port, options
        self.address = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._links: queue.Queue[str] = queue.Queue()

    def link(self) -> str:
        """An address that opens a session: each is good for one."""
        return self._links.get(timeout=60)

    def start(self) -> None:
        """Start, and return when it answers."""
        command = [sys.executable, "-c", _SERVE, "--system", "system.yaml", "--responses", "responses.jsonl", "--port", str(self.port)]
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder)}
        self._process = subprocess.Popen([*command, *self.options], cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True)
        self._links = queue.Queue()
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout, self._links, ready), daemon=True)
        self._reader.start()
        assert ready.wait(60)
        import httpx

        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport) as client:
            client.get(self.address)

    @staticmethod
    def _read(lines: Any, links: queue.Queue[str], ready: threading.Event) -> None:
        with lines:
            for line in lines:
                if "?token=" in line:
                    links.put(line.split(": ", 1)[1].strip())
                if line.startswith("Ctrl-C"):
                    ready.set()

    def kill(self) -> None:
        """End with -9."""
        if self._process and self._reader:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=30)
            self._reader.join(timeout=30)
            self._process = None


@contextmanager
def replayed(shared: Path) -> Iterator[str]:
    """The address of a server that answers from recordings of a large model."""
    port = free_port()
    command = [sys.executable, str(shared / "replay" / "server.py"), "--port", str(port), "--unknown", "fixed"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.communicate(timeout=30)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser, or a skip with its reason."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.skip("there is no chromium on the PATH")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


def enter(browser: Any, page: Page, name: str, **options: Any) -> Any:
    """A tab of a fresh profile in which somebody has entered their name."""
    tab = browser.new_context(**options).new_page()
    tab.goto(page.link())
    tab.fill("input[name=name]", name)
    tab.click("button.primary")
    tab.wait_for_selector("#item:not([hidden]), #done:not([hidden])")
    return tab


def free_port() -> int:
    """A port that nothing listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def numbers(text: str) -> list[int]:
    """All whole numbers of a text."""
    return [int(found) for found in re.findall(r"\d+", text)]
