"""The data card of a build, in the Hub's form: front matter, what is in it, where labels come from, what is our judgement, what is missing.

text = data_card(sources, manifest)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from clave.records import LABELS
from clave.valeval.perturbations.rows import KINDS
from clave.valeval.quality import READ, share_text
from clave.valeval.row import SPLITS
from clave.valeval.sources.spec import Source

THIN = 10
"""A value and label of a test split with fewer rows is named as thin."""

_SPLIT_WORDS = {
    "calibration": "for fitting: at most 100 rows a value, stratified by label, spread by K-Means over sentence embeddings",
    "calibration_random": "the same scenarios and counts, drawn at random: for the diversity study only, in place of `calibration`",
    "original": "the same sources, other scenarios",
    "perturbation": "edited copies of original rows, with the label of the original",
    "generalization": "other sources and text types, and values that are never calibrated",
}


def data_card(sources: Sequence[Source], manifest: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    parts = [
        _front_matter(sources, manifest),
        "# ValEval\n\nTexts labelled for one human value each: does the response adhere to the value, oppose it, or is it unrelated? "
        "An open benchmark after the description in CLAVE (Yao, Yi, Xie 2024, arXiv:2407.10725), whose own data were not released. "
        "Rebuilt from public, mostly human-labelled data by `clave valeval build`; some texts are harmful by design, as they come from "
        "safety data. It is a measure for evaluators, not a training set, and no statement about the people behind the texts.",
        "## Splits\n\n" + _table(("split", "rows", "what"), [(f"`{s}`", manifest["rows"][s], _SPLIT_WORDS[s]) for s in SPLITS]),
        "No scenario (normalised, with near duplicates) stands in two of calibration, original and generalization. Perturbation rows "
        "share scenarios with original only.",
        "## Values and labels\n\nRows as adhere / oppose / unrelated.\n\n" + _value_table(manifest),
        "## Thin or missing\n\n" + _thin(manifest),
        "## Sources\n\n" + _source_table(sources, manifest),
        "### Rows left out\n\n" + _left_out(manifest),
        "## How labels are read\n\n" + "\n".join(_reading(s) for s in sources),
        "## Label quality\n\n" + _quality(sources),
        "## Perturbations\n\n" + _perturbations(manifest),
        "## Licences\n\nEach row carries the licence of its source in `license`; rows of a non-commercial source are marked `-NC` "
        "and may not be used commercially. Attribution:\n\n" + "\n".join(f"- {s.attribution}: {s.license}. {s.home}" for s in sources),
        "## Fields\n\n`id`, `system`, `value`, `split`, `scenario` (may be empty), `response`, `label`, `source`, `license`, `group` (near "
        "twins share it), `agreement` (what the source says of its annotators), `annotations` (what each of them said), "
        "`base_id`, `kind`, `strength` (perturbation only), `corrected`. The definitions of the values are in `value_systems/`.",
        "## How to cite\n\nCite CLAVE (arXiv:2407.10725) for the benchmark's design, the sources above for their texts and labels, and the "
        f"hashes in `manifest.json` for this build (seed {manifest['seed']}, clave {manifest['clave']}).",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(sources: Sequence[Source], manifest: Mapping[str, Any]) -> str:
    front = {
        "pretty_name": "ValEval",
        "language": ["en"],
        "license": "cc-by-nc-4.0" if any(s.non_commercial for s in sources) else "other",
        "task_categories": ["text-classification"],
        "tags": ["human values", "alignment", "llm-as-a-judge", "safety"],
        "annotations_creators": ["crowdsourced", "expert-generated"],
        "size_categories": ["10K<n<100K" if sum(manifest["rows"].values()) >= 10_000 else "n<10K"],
        "configs": [{"config_name": "default", "data_files": [{"split": s, "path": f"{s}.parquet"} for s in SPLITS]}],
    }
    return "---\n" + yaml.safe_dump(front, sort_keys=False, allow_unicode=True) + "---"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines)


def _by_value(manifest: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Counter[str]]]:
    found: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    for c in manifest["cells"]:
        found.setdefault((c["system"], c["value"]), {s: Counter() for s in SPLITS})[c["split"]][c["label"]] += c["rows"]
    return dict(sorted(found.items()))


def _value_table(manifest: Mapping[str, Any]) -> str:
    shown = [s for s in SPLITS if s != "calibration_random"]
    rows = [
        (system, value, *(" / ".join(str(counts[s][label]) for label in LABELS) for s in shown))
        for (system, value), counts in _by_value(manifest).items()
    ]
    return _table(("system", "value", *shown), rows)


def _thin(manifest: Mapping[str, Any]) -> str:
    lines = []
    for split in ("calibration", "original", "generalization"):
        thin = [
            f"{value} {label} {counts[split][label]}"
            for (_, value), counts in _by_value(manifest).items()
            if counts[split].total()
            for label in LABELS
            if counts[split][label] < THIN
        ]
        lines.append(f"- {split}, fewer than {THIN} rows: {', '.join(thin) or 'none'}.")
    return "\n".join(lines) + "\n\nThin cells are left thin; nothing was invented or repeated to fill them."


def _source_table(sources: Sequence[Source], manifest: Mapping[str, Any]) -> str:
    used = Counter[tuple[str, str]]()
    for c in manifest["cells"]:
        used[c["source"], c["split"]] += c["rows"]
    rows = [
        (
            s.title,
            s.text_type,
            s.labels_by,
            s.license,
            ", ".join(sorted({i["bytes"] for i in manifest["inputs"][s.id]})),
            *(used[s.id, split] for split in SPLITS),
        )
        for s in sources
    ]
    words = "Bytes: `official` are the authors' own files, `copy` the same rows in another carrier, `unknown` has no hash that we know."
    return _table(("source", "texts", "labels by", "licence", "bytes", *SPLITS), rows) + "\n\n" + words


def _left_out(manifest: Mapping[str, Any]) -> str:
    rows = []
    for name, c in manifest["sources"].items():
        why = "; ".join(f"{n:,} {reason}" for reason, n in sorted(c["left_out"].items())) or "none"
        dropped = "; ".join(f"{n:,} {reason}" for reason, n in sorted(c["dropped"].items())) or "none"
        rows.append((name, f"{c['read']:,}", f"{c['used']:,}", why, f"{c['items']:,}", dropped))
    head = ("source", "raw rows read", "gave labels", "left out, why", "labels read", "not used, why")
    return "One raw row may give labels for several values.\n\n" + _table(head, rows)


def _reading(source: Source) -> str:
    judgement = f" *Judgement call:* {source.judgement}" if source.judgement else ""
    return f"- **{source.title}**: {source.reading}{judgement} *Gaps:* {source.gaps}"


def _quality(sources: Sequence[Source]) -> str:
    rows = [(s.title, share_text(*READ[s.id])) for s in sources if s.id in READ]
    if not rows:
        return "The labels of these sources were not read again."
    words = (
        "Thirty random rows of each source, the same number of each label, were read once more by one careful reader (a language model, "
        "with the label in view and texts cut at 260 characters); the share whose label that reader accepts, with a 95 % Wilson interval:"
    )
    return f"{words}\n\n{_table(('source', 'accepted'), rows)}"


def _perturbations(manifest: Mapping[str, Any]) -> str:
    kept, rejected = Counter[str](), Counter[str]()
    for name, n in manifest["perturbations"]["kept"].items():
        kept[name.split()[0]] += n
    for name, n in manifest["perturbations"]["rejected"].items():
        rejected[name.split(":")[0]] += n
    return _table(
        ("kind", "rows", "edits rejected by the checks", "why the label holds"), [(k.id, kept[k.id], rejected[k.id], k.why) for k in KINDS]
    )
