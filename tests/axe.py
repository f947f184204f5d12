"""axe-core, which finds what keeps people from using a page."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def axe_script() -> str:
    """The source of axe-core, or a skip: from CLAVE_AXE, or the package that carries it."""
    package = importlib.util.find_spec("axe_playwright_python")
    folders = (package and package.submodule_search_locations) or ()
    places = [os.environ.get("CLAVE_AXE", ""), *(f"{folder}/axe.min.js" for folder in folders)]
    found = next((Path(place) for place in places if place and Path(place).is_file()), None)
    if found is None:
        pytest.skip("axe-core is not there: pip install axe-playwright-python, or name its axe.min.js in CLAVE_AXE")
    return found.read_text(encoding="utf-8")


def serious(page: Any) -> list[tuple[str, str]]:
    """Rule and place of each violation on a page of Playwright's that is serious or worse."""
    page.evaluate(axe_script())
    result = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    return [(v["id"], v["nodes"][0]["html"][:300]) for v in result["violations"] if v["impact"] in ("serious", "critical")]
