"""What `import clave` offers, and that it stays light."""

import re
import subprocess
import sys
from importlib import metadata

import clave
from clave.saving import writing


def test_all_is_complete_and_small():
    assert len(set(clave.__all__)) == len(clave.__all__)
    assert all(hasattr(clave, name) for name in clave.__all__)
    assert len(clave.__all__) <= 25


def test_import_leaves_heavy_libraries_alone():
    heavy = (
        "torch",
        "transformers",
        "sklearn",
        "scipy",
        "openai",
        "onnxruntime",
        "onnx",
        "jinja2",
        "fastapi",
        "matplotlib",
        "genai_prices",
        "pydantic",
    )
    for importing in ("clave", "clave.cli.main"):
        code = f"import sys, {importing}; print([m for m in {heavy!r} if m in sys.modules])"
        assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"


def test_reports_and_the_demo_need_no_extra():
    blocked = ("sqlalchemy", "fastapi", "torch", "transformers", "matplotlib", "pyarrow")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); import clave.report, clave.profile.auditing, clave.demo.recorded"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def test_what_is_noted_of_a_saved_evaluator_are_libraries_that_every_installation_has():
    required = {re.split(r"[^\w-]", line)[0] for line in metadata.requires("clave") or () if "extra ==" not in line}
    assert set(writing._LIBRARIES) - {"clave"} <= required
