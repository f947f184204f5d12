"""`clave serve`: who may be let in without a token, and what it says of what cannot be served."""

from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from clave.cli.serve import serve
from clave.errors import ClaveError
from clave.server.access import Tokens, read_tokens


@pytest.mark.parametrize(
    ("options", "tokens", "says"),
    [
        ({}, "", "there is no token"),
        ({"open_to_all": True}, "0123456789abcdef", "leave out --open"),
        ({"open_to_all": True, "host": "0.0.0.0"}, "", "this machine's own address"),
        ({}, "short", "use 16 or more"),
        ({"token_file": Path("nowhere")}, "", "nowhere: No such file"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(monkeypatch: pytest.MonkeyPatch, options: dict[str, object], tokens: str, says: str) -> None:
    monkeypatch.setenv("CLAVE_TOKENS", tokens)
    with pytest.raises(ClaveError, match=says) as told:
        serve(["a/evaluator"], **options)  # type: ignore[arg-type]
    assert "short" not in str(told.value)


@pytest.mark.parametrize("line", ["dollars=five", "dollars=-1", "dollars=nan", "calls=1.5", "euros=5", "and more"])
def test_what_stands_behind_a_token_is_a_budget(line: str) -> None:
    with pytest.raises(ClaveError, match="token 2: what stands behind it is no budget: write TOKEN dollars=5"):
        Tokens(["a" * 16 + " dollars=5 calls=10", "b" * 16 + " " + line])


def test_two_folders_of_one_name_are_told_apart_by_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for parent in ("a", "b"):
        (tmp_path / parent / "evaluator").mkdir(parents=True)
    with pytest.raises(ClaveError, match="rename a folder"):
        serve([str(tmp_path / "a" / "evaluator"), str(tmp_path / "b" / "evaluator")], open_to_all=True)


def test_tokens_come_from_the_file_and_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLAVE_TOKENS", "c" * 16 + ", " + "d" * 16)
    file = tmp_path / "tokens"
    file.write_text("a" * 16 + "\n\n  " + "b" * 16 + "\n")
    found = read_tokens(file)
    assert found == [letter * 16 for letter in "abcd"]
    tokens = Tokens([*found, "f" * 16 + " calls=5"])
    assert all(tokens.sender(f"bearer {letter * 16}") for letter in "abcdf")
    assert tokens.sender("bearer " + "e" * 16) is None
    assert {sender: account.calls for sender, account in tokens.accounts.items()} == {tokens.sender("bearer " + "f" * 16): 5}
    with pytest.raises(ClaveError, match="token 1 has 0 characters"):
        Tokens([""])
    file.write_text("\n")
    with pytest.raises(ClaveError, match="holds no token"):
        read_tokens(file)
