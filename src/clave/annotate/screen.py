"""What the labelling screen shows: an item or none, the one after it, and the progress.

screen(store, rules, "ada", next_task(store, "ada", rules))
"""

from __future__ import annotations

from typing import Any

from clave.annotate.assign import Assignment, Rules, next_task
from clave.annotate.store import Store


def screen(store: Store, rules: Rules, annotator: str, task: Assignment | None, only: str | None = None) -> dict[str, Any]:
    """All that the labelling screen shows: the item or none, the one after it, and the progress."""
    counts, available = store.label_counts(), store.available()
    progress = {
        "mine": store.labelled_by(annotator),
        "values": {value: [counts[value]["items"], min(rules.target, available[value])] for value in store.system.by_id},
    }
    following = next_task(store, annotator, rules, only, after=task) if task else None
    return {"item": _item(store, task), "following": _item(store, following), "progress": progress}


def _item(store: Store, task: Assignment | None) -> dict[str, Any] | None:
    row = store.response(task.response) if task else None
    if task is None or row is None:
        return None
    value = store.system[task.value]
    return {
        "response": task.response,
        "value": task.value,
        "name": value.name,
        "definition": value.definition,
        "guideline": store.setting(f"guideline:{task.value}") or value.guideline or "",
        "scenario": row.scenario,
        "text": row.response,
    }
