"""What a fine-tuned encoder's folder may hold."""

import pytest

from clave.errors import EvaluatorError
from clave.recognizers.finetuned import FineTuned
from clave.recognizers.reading import Reading
from clave.values import Value


@pytest.mark.parametrize("name", ["pytorch_model.bin", "2_Dense/pytorch_model.bin", "weights.pt", "weights.pkl"])
def test_pickled_weights_are_never_read(name, tmp_path):
    reading = Reading(("text",), "name", {"care": Value(id="care", name="Care", definition="Kindness.")})
    reading.save(tmp_path / "encoder.json", report={"precision": {"kind": "fp32"}})
    (tmp_path / "encoder" / name).parent.mkdir(parents=True)
    (tmp_path / "encoder" / name).write_bytes(b"\x80\x04.")
    with pytest.raises(EvaluatorError, match=r"is a pickle.*never read"):
        FineTuned.load(tmp_path)
