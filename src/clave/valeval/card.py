"""The data card of a build, in the Hub's form: front matter, what is in it, where labels come from, what is our judgement, what is missing.

text = data_card(sources, manifest)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from clave.records import LABELS
from clave.valeval.edition import CANARY, CEILINGS, CONTAMINATION, FIELDS, PURPOSE
from clave.valeval.perturbations.rows import KINDS
from clave.valeval.provenance import ORIGINS, Terms
from clave.valeval.readings import share_text
from clave.valeval.row import SPLITS, VIEWS
from clave.valeval.sources.spec import Source

THIN = 10
"""A value and label of a test split with fewer rows is named as thin."""

_SPLIT_WORDS = {
    "calibration": "for fitting: at most 100 rows a value, stratified by label, spread by K-Means over sentence embeddings",
    "calibration_random": "the same scenarios and counts, drawn at random: for the diversity study only, in place of `calibration`",
    "original": "the same sources, other scenarios",
    "perturbation": "edited copies of original rows, with the label of the original",
    "generalization": "other sources and text types, and values that are never calibrated",
    "related": "other texts, whose labels come from the annotation that a calibration source's labels come from",
}


_VIEW_WORDS = {
    "decides": "the response decides the label: equal numbers of unlike answers to one prompt",
    "hard": "equal numbers of each label where controls that do not read give the same answer",
    "verified": "a person looked the label over",
}
_ALLOWS: dict[Terms, str] = {
    "permissive": "use and change for any purpose, with attribution",
    "share-alike": "the same, and what is derived goes on under the same licence",
    "non-commercial": "no commercial use",
    "disputed": "what its own licence says, unless the narrower one binds: ask",
}


def data_card(sources: Sequence[Source], manifest: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    parts = [
        _front_matter(sources, manifest),
        "# ValEval\n\nTexts labelled for one human value each: does the response adhere to the value, oppose it, or is it unrelated? "
        "An open benchmark after the description in CLAVE (Yao, Yi, Xie 2024, arXiv:2407.10725), whose own data were not released. "
        "Rebuilt from public data sets by `clave valeval build`; some texts are harmful by design, as they come from safety data.\n\n"
        f"Version {manifest['version']} ([changes](CHANGES.md)). {CANARY}",
        "## Why it was made, and for whom\n\n" + PURPOSE,
        "## Splits\n\n" + _table(("split", "rows", "what"), [(f"`{s}`", manifest["rows"][s], _SPLIT_WORDS[s]) for s in SPLITS]),
        "No scenario (normalised, with near duplicates) stands in two of calibration, original and generalization. Perturbation rows "
        "share scenarios with original only. No response of a test split is a near duplicate of a calibration one.",
        "## Views\n\nRows of the test splits once more, in files of their own.\n\n" + _views(manifest),
        "## Where labels come from\n\n" + _origins(manifest),
        "## The floor\n\n" + _floor(manifest),
        "## Values and labels\n\nRows as adhere / oppose / unrelated.\n\n" + _value_table(manifest),
        "## Thin or missing\n\n" + _thin(manifest),
        "## Sources\n\n" + _source_table(sources, manifest),
        "### Rows left out\n\n" + _left_out(manifest),
        "## How labels are read\n\n" + "\n".join(_reading(s) for s in sources),
        "## Label quality\n\n" + _quality(manifest),
        "## How far people agree\n\n" + _people(manifest),
        "## Perturbations\n\n" + _perturbations(manifest),
        "## Licences\n\nEach row carries the licence of its source in `license`; no one licence covers the whole. "
        "`clave valeval build --licence permissive` builds what may be used and changed freely with attribution.\n\n" + _licences(sources),
        "## Contamination\n\n" + CONTAMINATION,
        "## Fields\n\n" + FIELDS,
        "## How to cite\n\nCite CLAVE (arXiv:2407.10725) for the benchmark's design, the sources above for their texts and labels, and the "
        f"hashes in `manifest.json` for this build (seed {manifest['seed']}, clave {manifest['clave']}).",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(sources: Sequence[Source], manifest: Mapping[str, Any]) -> str:
    front = {
        "pretty_name": "ValEval",
        "language": ["en"],
        "license": "other",
        "license_name": "per-row",
        "task_categories": ["text-classification"],
        "tags": ["human values", "alignment", "llm-as-a-judge", "safety"],
        "annotations_creators": ["crowdsourced", "expert-generated", "machine-generated"],
        "size_categories": ["10K<n<100K" if sum(manifest["rows"].values()) >= 10_000 else "n<10K"],
        "configs": [
            {"config_name": "default", "data_files": [{"split": s, "path": f"{s}.parquet"} for s in SPLITS]},
            *({"config_name": v, "data_files": [{"split": "test", "path": f"{v}.parquet"}]} for v in VIEWS),
        ],
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
    for split in ("calibration", "original", "generalization", "related"):
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


def _quality(manifest: Mapping[str, Any]) -> str:
    readers = {name: found for name, found in manifest["readings"]["readers"].items() if found}
    if not readers:
        return "The labels of these sources were not read again."
    between = manifest["readings"]["kappa"]
    head = ("source", *(f"{name} gives the label" for name in readers), "both readers agree", "kappa")
    rows = []
    for source in sorted({s for found in readers.values() for s in found}):
        k = between.get(source)
        said = (share_text(c["agreed"], c["read"]) if (c := found.get(source)) else "" for found in readers.values())
        rows.append((source, *said, share_text(k["agreed"], k["read"]) if k else "", k["value"] if k and k["value"] is not None else ""))
    words = (
        "Rows of each source, as many of each label, were read by readers who saw value, scenario and response and neither label nor "
        "source: language models, whose own errors count against the label too. Shares with a 95 % Wilson interval; "
        "`clave valeval readings` makes the table again."
    )
    return f"{words}\n\n{_table(head, rows)}\n\nBoth readers, all sources: kappa {between['all']['value']} (n = {between['all']['read']})."


def _people(manifest: Mapping[str, Any]) -> str:
    """How far annotators agree, where a source tells what each said."""
    rows = [
        (
            source,
            c["of"],
            f"{c['judgements']:,}",
            f"{c['agreement']:.3f} ({c['low']:.3f}-{c['high']:.3f})",
            "" if c["kappa"] is None else f"{c['kappa']:.2f}",
            "; ".join(f"{label} {own['again']:.2f}" for label, own in c["labels"].items()),
        )
        for source, c in manifest["annotators"].items()
    ]
    head = ("source", "what they were asked", "judgements", "one gives the label of the others", "kappa", "where one says it, another does")
    return CEILINGS + (f"\n\n{_table(head, rows)}" if rows else "")


def _views(manifest: Mapping[str, Any]) -> str:
    rows = []
    for view, words in _VIEW_WORDS.items():
        by_system = manifest["views"][view]
        rows.append((f"`{view}`", sum(by_system.values()), ", ".join(f"{s} {n:,}" for s, n in by_system.items()) or "none", words))
    return _table(("view", "rows", "by system", "what"), rows)


def _origins(manifest: Mapping[str, Any]) -> str:
    counts = Counter[tuple[str, str, str]]()
    for c in manifest["origins"]:
        if c["split"] not in {"perturbation", "calibration_random"}:
            counts[c["source"], c["label"], c["origin"]] += c["rows"]
    rows = [
        (source, label, *(counts[source, label, origin] for origin in ORIGINS))
        for source, label in dict.fromkeys((s, label) for s, label, _ in sorted(counts))
    ]
    words = (
        "`stated`: the label renames what people said of this very text, or puts two such statements together. `inferred`: nobody was "
        "asked; it follows by our rule from what people said of something else, or from their silence. `model-assisted`: a model proposed "
        "it and people corrected it. Without edited rows and `calibration_random`:"
    )
    return f"{words}\n\n{_table(('source', 'label', *ORIGINS), rows)}"


def _floor(manifest: Mapping[str, Any]) -> str:
    rows = [
        (f"`{part}`", c["rows"], *(f"{c[control]['calibration']:.3f}" for control in ("scenario-only", "surface")))
        for part, c in manifest["controls"].items()
    ]
    words = (
        "Accuracy of judges that never read the response: one sees the scenario alone, one layout alone. Both learn from the calibration "
        "rows. An evaluator is worth what it has beyond these. Values without calibration rows are not in it."
    )
    table = _table(("rows", "n", "scenario-only", "surface"), rows)
    hard = manifest["controls"].get("hard")
    if not hard:
        return f"{words}\n\n{table}"
    fresh = " and ".join(f"{hard[control]['halves']:.3f} ({control})" for control in ("scenario-only", "surface"))
    return (
        f"{words}\n\n{table}\n\nOn `hard` chance is .333. Controls that learn anew from one half of it are right on {fresh} of the other."
    )


def _licences(sources: Sequence[Source]) -> str:
    rows = [(s.title, s.license, s.terms, _ALLOWS[s.terms], s.license_note, f"{s.attribution}. {s.home}") for s in sources]
    return _table(("source", "licence", "terms", "which allow", "note", "attribution"), rows)


def _perturbations(manifest: Mapping[str, Any]) -> str:
    kept, rejected = Counter[str](), Counter[str]()
    for name, n in manifest["perturbations"]["kept"].items():
        kept[name.split()[0]] += n
    for name, n in manifest["perturbations"]["rejected"].items():
        rejected[name.split(":")[0]] += n
    return _table(
        ("kind", "rows", "edits rejected by the checks", "why the label holds"), [(k.id, kept[k.id], rejected[k.id], k.why) for k in KINDS]
    )
