"""Edits of a saved evaluator, taken up.

refit_folder(Path("evaluator"))
"""

from __future__ import annotations

from pathlib import Path

from clave.fitting.fit import refit
from clave.fitting.fitted import Fitted
from clave.saving.reading import load
from clave.saving.writing import save


def refit_folder(folder: Path, *, trust: bool = False) -> Fitted:
    """Take edits of guidelines and concepts up, fit again without a call, and save; further arguments as for `load`.

    Raises:
        EvaluatorError: Something else was changed, the folder is damaged, or it names what the user has not.
    """
    fitted = refit(load(folder, edited=True, trust=trust))
    save(fitted, folder)
    return fitted
