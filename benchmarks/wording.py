"""How often `unlike_labels` is raised: on new rows of the annotators' sources, on other sources, on edited text, and on other languages.

python benchmarks/wording.py --items items.jsonl

The items are rows of the fields id, system, value, split, scenario, response, label; splits calibration, dev, dev_ood, dev_perturbed. The
texts in other languages were written for this measurement. Beside it, for each group, what the nearest labelled sample's cosine would
flag at a threshold with the same share of false alarms (the default encoder).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from clave.concepts.cases import encoded_text
from clave.encoder import load_encoder
from clave.fitting.samples import Sample
from clave.fitting.wording import FALSE_ALARMS, Wording
from clave.records import LabelledResponse, Response
from clave.scoring.statistics import wilson
from clave.settings import DEFAULT_ENCODER

FOREIGN = json.loads((Path(__file__).parent / "foreign_responses.json").read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", required=True)
    rows = [json.loads(line) for line in Path(parser.parse_args().items).read_text(encoding="utf-8").splitlines()]
    encoder = load_encoder(DEFAULT_ENCODER)
    counted: dict[str, list[tuple[bool, bool]]] = {}
    for system in sorted({row["system"] for row in rows}):
        own = [row for row in rows if row["system"] == system]
        labelled = [LabelledResponse(**{k: r[k] for k in ("id", "scenario", "response", "value", "label")})
                    for r in own if r["split"] == "calibration"]  # fmt: skip
        samples = [Sample(labelled=row, fold=i % 2) for i, row in enumerate(labelled)]
        wording = Wording.of(samples)
        vectors = encoder.encode([encoded_text(row) for row in labelled])
        groups = np.array([row.group for row in labelled])
        near = np.where(groups[:, None] == groups[None], -1.0, vectors @ vectors.T).max(axis=1)
        least = np.sort(near)[max(0, int(FALSE_ALARMS * (len(near) + 1)) - 1)]
        tried: dict[str, list[Response]] = {
            split: list({r["response"]: Response(id=r["id"], scenario=r["scenario"], response=r["response"]) for r in own
                         if r["split"] == split and not r.get("scenario_in_calibration")}.values())
            for split in ("dev", "dev_ood", "dev_perturbed")
        }  # fmt: skip
        tried |= {language: [Response(id=str(i), response=text) for i, text in enumerate(texts)] for language, texts in FOREIGN.items()}
        for kind, responses in tried.items():
            cosines = (encoder.encode([encoded_text(r) for r in responses]) @ vectors.T).max(axis=1) if responses else []
            counted.setdefault(kind, []).extend(
                (wording.unlike(r.response), bool(cosine < least)) for r, cosine in zip(responses, cosines, strict=True)
            )
    print(f"flagged, with 95 % intervals; at most {FALSE_ALARMS:.0%} wanted of texts like the labelled ones")
    print(f"{'texts':14} {'n':>4}  {'by words':22} by the nearest sample's cosine")
    for kind, found in counted.items():
        print(f"{kind:14} {len(found):4}  {said([w for w, _ in found]):22} {said([c for _, c in found])}")


def said(flags: list[bool]) -> str:
    low, high = wilson(sum(flags) / len(flags), len(flags))
    return f"{sum(flags) / len(flags):.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
