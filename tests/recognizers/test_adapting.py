"""What an adapter's training keeps from epoch to epoch."""

import pytest

from clave.errors import InputError
from clave.recognizers.adapting import _State


class Model:
    def adapter(self):
        return {"weight": 1.0}


def test_a_training_that_diverges_is_a_sentence():
    state = _State(None, Model(), None, "digest")
    with pytest.raises(InputError, match="diverged.*learning rate"):
        state.after_epoch({"loss": 0.9, "held_out": float("nan")})


def test_the_best_epoch_is_kept_and_patience_ends():
    state = _State(None, Model(), None, "digest")
    for held_out in (0.9, 0.8, 0.85, 0.86):
        assert not state.stale(2)
        state.after_epoch({"loss": 0.1, "held_out": held_out})
    assert state.stale(2)
    assert state.best == {"weight": 1.0}
