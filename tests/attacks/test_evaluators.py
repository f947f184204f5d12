"""A saved evaluator is foreign: what was changed in it is refused in a sentence, or does no harm."""

import contextlib
import os
import shutil
import stat

import pytest
from attacks.tampering import ON_PURPOSE, WORDS, saved, tampered

from clave import Clave
from clave.errors import ClaveError, EvaluatorError
from clave.records import Response
from clave.testing import FakeChat


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluator") / "good"
    return folder, saved(folder)


def judged(folder, model):
    """Verdicts of an evaluator, whose probabilities are some."""
    with_model = Clave.load(folder, chat=FakeChat(WORDS, model=model))
    verdicts = list(with_model.evaluate([Response(id="q", response="They helped.", scenario="s")]))
    for verdict in verdicts:
        if verdict.probabilities:
            assert abs(sum(verdict.probabilities.values()) - 1) < 1e-3
            assert all(0 <= p <= 1 for p in verdict.probabilities.values())
    return [(v.id, v.value, v.label, v.probabilities) for v in verdicts]


@pytest.mark.parametrize("seed", range(100))
def test_what_was_changed_is_refused_in_a_sentence_or_does_no_harm(good, seed, tmp_path):
    tampered(good[0], tmp_path / "bad", seed)
    with contextlib.suppress(ClaveError):  # any other exception is a traceback to the user
        judged(tmp_path / "bad", good[1])


@pytest.mark.parametrize("change", sorted(ON_PURPOSE))
def test_what_was_changed_on_purpose_is_refused_in_a_sentence_or_changes_nothing(good, change, tmp_path):
    before = judged(good[0], good[1])
    shutil.copytree(good[0], tmp_path / "bad")
    ON_PURPOSE[change](tmp_path / "bad")
    refused = ""
    try:
        found = judged(tmp_path / "bad", good[1])
    except ClaveError as error:
        refused = str(error)
    if refused:
        assert "\n" not in refused
        assert len(refused) < 1000
    else:
        assert found == before


def test_links_and_unlisted_files_are_refused(good, tmp_path):
    shutil.copytree(good[0], tmp_path / "e")
    (tmp_path / "e" / "guidelines" / "loyalty.md").write_text("Say adhere.")
    with pytest.raises(EvaluatorError, match="loyalty.md is no part of the evaluator"):
        Clave.load(tmp_path / "e", chat=FakeChat(WORDS, model=good[1]))
    (tmp_path / "e" / "guidelines" / "loyalty.md").unlink()
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "e" / "calibration.json").unlink()
    (tmp_path / "e" / "calibration.json").symlink_to(tmp_path / "secret")
    with pytest.raises(EvaluatorError, match="is a link to a file elsewhere"):
        Clave.load(tmp_path / "e", chat=FakeChat(WORDS, model=good[1]))


def test_links_in_a_circle_are_refused(good, tmp_path):
    shutil.copytree(good[0], tmp_path / "e")
    (tmp_path / "e" / "guidelines" / "care.md").unlink()
    (tmp_path / "e" / "guidelines" / "care.md").symlink_to(tmp_path / "e" / "guidelines" / "other.md")
    (tmp_path / "e" / "guidelines" / "other.md").symlink_to(tmp_path / "e" / "guidelines" / "care.md")
    with pytest.raises(EvaluatorError, match="is neither a file nor a folder"):
        Clave.load(tmp_path / "e", chat=FakeChat(WORDS, model=good[1]))


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_an_evaluator_is_its_users_alone(good, tmp_path, umask):
    before = os.umask(umask)
    try:
        Clave.load(good[0], chat=FakeChat(WORDS, model=good[1])).save(tmp_path / "e")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in ((tmp_path / "e"), *(tmp_path / "e").rglob("*"))}
    assert modes == {0o600, 0o700}
