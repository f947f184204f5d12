"""Bad values of environment variables and options end in a sentence: a few of `python benchmarks/hostile_environment.py`."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "hostile_environment.py"


def test_no_value_of_a_variable_or_an_option_ends_in_a_traceback():
    ran = subprocess.run([sys.executable, str(SCRIPT), "--times", "40", "--seed", "7"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
