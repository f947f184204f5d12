"""The program begins without a traceback, whenever somebody stops it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRESSED = """
import sys

class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Pressed())
sys.argv = ["clave", "plugins"]
from {entry} import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "clave.cli.gate", "clave.judges.registry"])
def test_a_ctrl_c_while_modules_are_imported_is_no_traceback(module):
    entry, _, _ = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["clave"].partition(":")
    run = subprocess.run([sys.executable, "-c", PRESSED.format(module=module, entry=entry)], capture_output=True, text=True, timeout=60)
    assert (run.returncode, "Traceback" in run.stderr) == (130, False), run.stderr


def test_python_m_clave_is_the_same_program():
    done = subprocess.run([sys.executable, "-m", "clave", "values", "show", "nothing"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "there is no value system 'nothing'" in done.stderr) == (2, True)
