"""int8 is taken only where the cross-validated verdicts stay, a saved evaluator keeps its form, and torch stays out of the process."""

import subprocess
import sys

import numpy as np
import pytest

from clave import Clave, LabelledResponse, Response
from clave.encoder import FULL_ENCODER
from clave.encoder.precision import compare
from clave.settings import Settings

WORDS = {"adhere": "helped the old lady kindly", "oppose": "hurt and insulted the boy", "unrelated": "the engine needs new oil"}


def labelled(n=30):
    names = list(WORDS)
    return [
        LabelledResponse(id=f"l{i}", scenario=f"scene {i}", response=f"{WORDS[names[i % 3]]} {i}", value="care", label=names[i % 3])
        for i in range(n)
    ]


@pytest.mark.parametrize(("changed", "kind"), [(0, "int8"), (2, "int8"), (6, "fp32")])
def test_int8_may_cost_no_more_than_stated(changed, kind):
    y = np.arange(200) % 3
    exact = np.eye(3)[y]
    small = exact.copy()
    small[:changed] = small[:changed, [1, 2, 0]]
    found = compare(exact, small, y)
    assert found.kind == kind
    assert (found.n, found.accuracy_fp32, found.accuracy_int8) == (200, 1.0, 1 - changed / 200)


def test_labels_that_change_without_a_loss_are_refused_too():
    y = np.arange(200) % 3
    wrong, other = np.eye(3)[(y + 1) % 3], np.eye(3)[(y + 2) % 3]
    assert compare(wrong, other, y).kind == "fp32"


def test_an_evaluator_without_a_model_runs_in_int8_and_says_the_same_after_loading(tmp_path):
    clave = Clave("mft", settings=Settings(encoder=FULL_ENCODER)).fit(labelled())
    assert clave.fitted.precision.kind == "int8"
    clave.save(tmp_path / "e")
    loaded = Clave.load(tmp_path / "e")
    assert loaded.fitted.precision == clave.fitted.precision
    rows = [Response(id=str(i), response=f"She {word} again", value="care") for i, word in enumerate(WORDS.values())]
    before = {v.id: v for v in clave.evaluate(rows)}
    assert {v.id: v for v in loaded.evaluate(rows[::-1])} == before
    assert {v.id: v.probabilities for v in loaded.refit().evaluate(rows)} == {i: v.probabilities for i, v in before.items()}


def test_the_exact_form_can_be_asked_for():
    assert Clave("mft", settings=Settings(encoder=FULL_ENCODER, int8=False)).fit(labelled()).fitted.precision.kind == "fp32"


def test_torch_is_not_imported(tmp_path):
    Clave("mft").fit(labelled()).save(tmp_path / "e")
    code = (
        "import sys\nfrom clave import Clave, Response\n"
        "rows = [Response(id=str(i), response=f'He helped {i} of them', value='care') for i in range(100)]\n"
        "print(len(list(Clave.load(sys.argv[1]).evaluate(rows))), [m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "e")], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "100 []"
