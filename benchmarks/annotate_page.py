"""Page load and key handling of `clave annotate` on loopback, with 50,000 responses in the store, in a headless Chromium.

python benchmarks/annotate_page.py [--responses 50000] [--keys 100] [--page-loads 20]

Needs playwright and a chromium on the PATH. Key handling is from the key event to the frame in which the next item is on the screen.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

ARGUMENTS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SERVE = "import typer; from clave.cli.annotate import annotate; app = typer.Typer(); app.command()(annotate); app()"
WATCH = """() => { window.took = []; let start = 0, heard = 0;
  document.addEventListener('keydown', () => { start = performance.now(); }, true);
  new MutationObserver(() => { if (!start) return; const began = start; start = 0;
    requestAnimationFrame(() => setTimeout(() => window.took.push(performance.now() - began))); })
    .observe(document.getElementById('response'), {childList: true}); }"""
SYSTEM = {
    "id": "bench",
    "name": "Bench",
    "version": "1",
    "values": [{"id": f"v{i}", "name": f"Value {i}", "definition": "Something that a response can uphold. " * 5} for i in range(12)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--responses", type=int, default=50_000)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--page-loads", type=int, default=20)
    parser.add_argument("--port", type=int, default=8799)
    parser.add_argument("--store", help="a SQLAlchemy URL; default: an SQLite file in a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "system.yaml").write_text(json.dumps(SYSTEM))
        with (place / "responses.jsonl").open("w") as file:
            for i in range(options.responses):
                text = f"Answer {i} to that. " + " ".join(f"word{(i * 7 + k * 13) % 997}" for k in range(120))
                file.write(json.dumps({"id": f"r{i}", "scenario": f"Question {i}?", "response": text}) + "\n")
        began = time.perf_counter()
        command = [sys.executable, "-c", SERVE, "--system", "system.yaml", "--responses", "responses.jsonl", "--port", str(options.port)]
        store = ["--store", options.store] if options.store else []
        server = subprocess.Popen([*command, *store], cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            link = ""
            for line in server.stdout:
                link = line.split(": ", 1)[1].strip() if "?token=" in line else link
                if line.startswith("Ctrl-C"):
                    break
            print(f"responses in the store: {options.responses}; from start to listening: {time.perf_counter() - began:.1f} s")
            time.sleep(1)
            measure(options, link)
        finally:
            server.terminate()
            server.communicate(timeout=30)


def measure(options: argparse.Namespace, link: str) -> None:
    address = f"http://127.0.0.1:{options.port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        tab = browser.new_page()
        tab.goto(link)
        tab.fill("input[name=name]", "bench")
        tab.click("button.primary")
        tab.wait_for_selector("#item:not([hidden])")
        labelled = 0
        for when in ("while 1,000 texts are being embedded", "when idle"):
            loads = []
            for _ in range(options.page_loads):
                tab.goto(f"{address}/label")
                tab.wait_for_selector("#item:not([hidden])")
                loads.append(tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            report(f"page load, {when}", loads)
            tab.evaluate(WATCH)
            for n in range(options.keys):
                tab.keyboard.press("123"[n % 3])
                tab.wait_for_selector(f"#count:has-text('· {labelled + n + 1} ')")
                while tab.evaluate("window.took.length") <= n:
                    pass
            labelled += options.keys
            report(f"key to next item, {when}", tab.evaluate("window.took"))
            if when != "when idle":
                time.sleep(40)
        for path in ("progress", "agreement", "settle", "exchange"):
            tab.goto(f"{address}/{path}")
            took = tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            print(f"/{path}: {took:.0f} ms")
        browser.close()


def report(what: str, times: list[float]) -> None:
    ordered = sorted(times)
    late = ordered[int(len(ordered) * 0.95) - 1]
    print(f"{what}: median {statistics.median(ordered):.0f} ms, 95th percentile {late:.0f} ms, n = {len(ordered)}")


if __name__ == "__main__":
    main()
