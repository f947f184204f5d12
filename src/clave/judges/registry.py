"""Judges by name, as `clave bench run --judges` takes them.

local_judge("tfidf")
"""

from __future__ import annotations

from collections.abc import Callable

from clave.errors import InputError
from clave.judges.classical import encoder_head, majority, nearest, tfidf
from clave.judges.lexicon import lexicon
from clave.judges.protocol import Judge
from clave.judges.setfit_judge import setfit

LOCAL: dict[str, Callable[[], Judge]] = {
    "majority": majority,
    "lexicon": lexicon,
    "tfidf": tfidf,
    "nearest-1": lambda: nearest(1),
    "nearest-5": nearest,
    "encoder-head": encoder_head,
    "setfit": setfit,
}
"""Judges that run on this machine without a call."""


def local_judge(name: str) -> Judge:
    """A judge that needs no large model.

    Raises:
        InputError: There is none of this name.
    """
    if name not in LOCAL:
        raise InputError(f"there is no judge {name!r}: there are {', '.join(LOCAL)}")
    return LOCAL[name]()
