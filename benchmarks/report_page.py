"""How fast the page of 10,000 verdicts is in a browser: until it shows its list, and until a filter or a search has been answered.

python benchmarks/report_page.py [--verdicts 10000] [--repeats 5]

Seconds are those that the page itself took (performance.now), the median and the worst; the load of the machine stands beside them.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from clave.records import Evidence, Response, Verdict
from clave.report import write_report

VALUES = [f"value {i}" for i in range(10)]
LABELS = ("adhere", "oppose", "unrelated")
_PICK = """([name, text]) => {
  const box = document.querySelector(`[aria-label="${name}"]`) ?? document.querySelector(`.controls [type=search]`);
  const before = performance.now();
  if (box.tagName === "SELECT") box.selectedIndex = [...box.options].findIndex(o => o.label.startsWith(text) || o.text.startsWith(text));
  else box.value = text;
  box.dispatchEvent(new Event("input", {bubbles: true})); box.dispatchEvent(new Event("change", {bubbles: true}));
  document.body.getBoundingClientRect();
  return performance.now() - before;
}"""


def page_of(verdicts: int, folder: Path) -> Path:
    """A report of three models, with texts of 60 words."""
    rng = random.Random(0)
    words = [f"word{i}" for i in range(2000)]
    responses, found = [], []
    for i in range(verdicts // len(VALUES)):
        text = " ".join(rng.choices(words, k=60))
        responses.append(Response(id=f"r{i}", scenario=f"Question {i // 3}?", response=text, metadata={"model": f"model {i % 3}"}))
        for value in VALUES:
            label = rng.choice(LABELS)
            sure = {one: 0.8 if one == label else 0.1 for one in LABELS}
            quote = Evidence(text=text[:30], start=0, end=30)
            found.append(
                Verdict(id=f"r{i}", value=value, status="ok", label=label, probabilities=sure, evidence=(quote,), reason="it says so")
            )
    return write_report(found, folder / "report.html", responses=responses)


def said(name: str, seconds: list[float]) -> str:
    """Milliseconds."""
    return f"{name:28} median {statistics.median(seconds):7.1f} ms, worst {max(seconds):7.1f} ms (n = {len(seconds)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verdicts", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    opened: list[float] = []
    picked: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = page_of(given.verdicts, Path(folder))
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(given.repeats):
            page: Page = browser.new_page()
            page.goto(file.as_uri())
            page.wait_for_selector(".rows .verdict")
            opened.append(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
            for name, text in (("Filter by verdicts", "oppose"), ("Filter by values", "value 3"), ("Search", "word77 ")):
                picked.setdefault(f"{name}: {text}", []).append(page.evaluate(_PICK, [name, text]))
            page.close()
        browser.close()
        print(f"{given.verdicts:,} verdicts, {file.stat().st_size / 2**20:.1f} MB, load {os.getloadavg()[0]:.1f}")
    print(said("opens", opened))
    for name, seconds in picked.items():
        print(said(name, seconds))


if __name__ == "__main__":
    main()
