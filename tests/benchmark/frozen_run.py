"""Makes data/frozen_run.parquet: four judges of known skill on two systems and three splits, with edits, failures and hostile text;
and data/frozen_studies: a learning curve, an ablation, a choice of labels and probes; and frozen_report.json, the report's numbers.

PYTHONPATH=tests python tests/benchmark/frozen_run.py        # only after a change of the schema or the report; the tests read the files
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from clave.benchmark.predictions import Prediction, write_parquet
from clave.records import LABELS

DATA = Path(__file__).parents[1] / "data"
SKILLS = {"large": (0.85, 0.8), "guided": (0.85, 0.8), "small": (0.65, 0.4), "majority": (0.34, 0.34)}
VALUES = {"care": "mft", "fairness": "mft", "privacy": "risk"}
HOSTILE = "<script>document.title='owned'</script>"
STUDIES = ("curve", "ablation", "diversity", "probes")
MANIFEST = {
    "clave": "0.1.0",
    "plan": {"judges": list(SKILLS), "labels": "labels.jsonl"},
    "rows_sha256": "ab" * 32,
    "ablation_full": "guided",
    "original_split": "original",
    "skipped": {"kaleido": "its weights are not at hand"},
    "curve": {"points": [5, 20, 60], "skipped": {"100 labels": "some value has 60 labels only"}},
    "commands": [{"command": "run", "seconds": 12.5, "dollars": None}, {"command": "curve", "seconds": 3.0, "dollars": 0.0}],
}


def frozen_run(n=60):
    rng = np.random.default_rng(0)
    rows = []
    for split in ("original", "generalization"):
        for value, system in VALUES.items():
            for i in range(n):
                gold = LABELS[rng.integers(3)]
                base = {"value": value, "system": system, "split": split, "source": "made", "group": f"{split}-{i // 2}", "gold": gold}
                for judge, skills in SKILLS.items():
                    rows += judged(rng, judge, skills[split == "generalization"], f"{split}-{value}-{i}", base)
    return rows


def judged(rng, judge, skill, identity, base):
    def label_and_chances(accuracy):
        right = rng.random() < accuracy
        code = LABELS.index(base["gold"])
        code = code if right else (code + rng.integers(1, 3)) % 3
        chances = np.full(3, (1 - skill) / 2)
        chances[code] = skill
        return {"label": LABELS[code], "probabilities": tuple(float(c) for c in chances)}

    usage = (
        {"calls": 1, "prompt_tokens": 500, "completion_tokens": 50, "cost": 0.001, "latency": 0.8} if judge in {"large", "guided"} else {}
    )
    explained = {"concepts": ("Refusing to help " + HOSTILE,), "evidence": ("I will not",)} if judge == "guided" else {}
    if judge == "large" and rng.random() < 0.05:
        return [Prediction(judge=judge, id=identity, status="failed", reason="the answer was cut off", **base, **usage)]
    said = label_and_chances(skill)
    rows = [Prediction(judge=judge, id=identity, **said, **base, **usage, **explained)]
    if base["split"] == "original":
        for kind, moves in (("typo", 0.05), ("probe:injection", 0.3)):
            edited = label_and_chances(skill) if rng.random() < moves else said
            more = {"perturbation": kind, "strength": 0.5, "base": identity, "split": "perturbation"}
            rows.append(Prediction(judge=judge, id=f"{identity}-{kind}", **{**base, **edited, **more}, **usage))
    return rows


def studies(n=30):
    """Rows of the four studies; judges are right with a known chance, so the parts come out as they should."""
    rng = np.random.default_rng(1)
    golds = {(split, value, i): LABELS[rng.integers(3)] for split in ("original", "generalization") for value in VALUES for i in range(n)}

    def rows(judge, right, split="original", **more):
        for (of, value, i), gold in golds.items():
            if of == split:
                code = LABELS.index(gold) if rng.random() < right else rng.integers(3)
                about = {"value": value, "system": VALUES[value], "split": split, "group": f"{split}-{i // 2}", "gold": gold}
                yield Prediction(judge=judge, id=f"{split}-{value}-{i}", label=LABELS[code], **about, **more)

    curve = [
        row
        for judge, start in (("guided", 0.5), ("small", 0.2))
        for labels, gain in ((5, 0.0), (20, 0.2), (60, 0.3))
        for seed in range(2 if labels < 60 else 1)
        for row in rows(judge, start + gain, labels=labels, seed=seed)
    ]
    ablation = [
        row
        for judge, right in (("guided", 0.85), ("without concepts", 0.83), ("without stance", 0.3))
        for split in ("original", "generalization")
        for row in rows(judge, right, split)
    ]
    diversity = [
        row
        for judge in ("guided", "small")
        for choice, right in (("clustered", 0.7), ("random", 0.65), ("narrow", 0.2))
        for seed in range(2)
        for row in rows(f"{judge} · {choice}", right, labels=20, seed=seed)
    ]
    probes = [row for judge, fooled in (("guided", 0.0), ("small", 0.8)) for row in probed(rng, judge, fooled, list(rows(judge, 0.8)))]
    return dict(zip(STUDIES, (curve, ablation, diversity, probes), strict=True))


def probed(rng, judge, fooled, plain):
    """Padding that must move nothing, and a negation that must turn what is not unrelated."""
    turned = {"adhere": "oppose", "oppose": "adhere"}
    for row in plain:
        yield row
        other = LABELS[(LABELS.index(row.label) + 1) % 3]
        edit = {"split": "probes", "base": row.id, "perturbation": "probe:length", "id": f"{row.id}-length"}
        yield row.model_copy(update=edit | {"label": other if rng.random() < fooled else row.label})
        if row.gold in turned:
            edit = {"split": "probes", "base": row.id, "perturbation": "probe:negation", "id": f"{row.id}-negation"}
            follows = rng.random() >= fooled
            yield row.model_copy(
                update=edit | {"gold": turned[row.gold], "label": turned.get(row.label, row.label) if follows else row.label}
            )


def run_folder(folder):
    """The frozen files laid out as the folder of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(DATA / "frozen_run.parquet", folder / "predictions.parquet")
    for name in STUDIES:
        shutil.copy(DATA / "frozen_studies" / f"{name}.parquet", folder)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    return folder


def compact(section):
    """The tables and cards of a section, a line for each row, with numbers of six digits: small, and a change can be read in a diff."""
    lines = []
    for table in (*section["tables"], *(f["table"] for f in section["figures"]), *section["more"]):
        lines += [[table["caption"], *table["columns"]], *table["rows"]]
    for card in (card for group in section["groups"] for card in group["cards"]):
        lines.append([card["title"], card["label"], card["verdicts"], *(c["text"] for c in card["concepts"])])
    return rounded(lines)


def rounded(data):
    if isinstance(data, float):
        return float(f"{data:.6g}")
    if isinstance(data, dict):
        return {key: rounded(value) for key, value in data.items()}
    return [rounded(item) for item in data] if isinstance(data, list) else data


def main():
    import tempfile

    from clave.report.benchmarking import run_page
    from clave.report.forms.json import to_json

    (DATA / "frozen_studies").mkdir(parents=True, exist_ok=True)
    write_parquet(DATA / "frozen_run.parquet", frozen_run())
    for name, rows in studies().items():
        write_parquet(DATA / "frozen_studies" / f"{name}.parquet", rows)
    with tempfile.TemporaryDirectory() as folder:
        numbers = json.loads(to_json(run_page(run_folder(Path(folder) / "run"))))
    parts = [(s["id"], ",\n".join(json.dumps(line, ensure_ascii=False) for line in compact(s))) for s in numbers["sections"]]
    text = ",\n".join(f'"{identity}": [\n{lines}\n]' for identity, lines in parts)
    (DATA / "frozen_report.json").write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
