"""Makes data/frozen_run.parquet: four judges of known skill on two systems and three splits, with edits, failures and hostile text.

python tests/benchmark/frozen_run.py        # only after a change of the schema; the tests read the file
"""

from pathlib import Path

import numpy as np

from clave.benchmark.predictions import Prediction, write_parquet
from clave.records import LABELS

SKILLS = {"large": (0.85, 0.8), "guided": (0.85, 0.8), "small": (0.65, 0.4), "majority": (0.34, 0.34)}
VALUES = {"care": "mft", "fairness": "mft", "privacy": "risk"}
HOSTILE = "<script>document.title='owned'</script>"


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


if __name__ == "__main__":
    folder = Path(__file__).parents[1] / "data"
    folder.mkdir(exist_ok=True)
    write_parquet(folder / "frozen_run.parquet", frozen_run())
