"""A page as JSON for machines.

to_json(page)
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from clave.report.page import Page
from clave.text.plain import clean, clean_json


def to_json(page: Page) -> str:
    """The figures' data and the tables, without the drawings; estimates as objects with value, low, high, n and failed."""
    sections = [_plain(asdict(section)) for section in page.sections]
    data = {"title": clean(page.title), "lead": page.lead, "facts": [asdict(f) for f in page.facts], "sections": sections}
    return clean_json(json.dumps(data, indent=1, ensure_ascii=False, default=_record)) + "\n"


_LOOKS = frozenset({"svg", "wide", "dense", "folded", "chart", "opened", "defines", "listing", "link"})
"""What only HTML needs."""


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _plain(v) for k, v in data.items() if k not in _LOOKS}
    return [_plain(v) for v in data] if isinstance(data, list | tuple) else data


def _record(value: Any) -> Any:
    return value.model_dump()
