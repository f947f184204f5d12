"""`clave values`: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from clave.cli.values import PLACEHOLDER, app
from clave.errors import InputError
from clave.values import ValueSystem
from clave.values.schema import packaged_schema


def run(*args: str) -> Result:
    return CliRunner().invoke(app, list(args), env={"COLUMNS": "160"})


def ok(*args: str) -> str:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def error(*args: str) -> str:
    """The message of the error that the root command would print."""
    result = run(*args)
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


def write(path: Path, *values: str, head: str = "") -> str:
    path.write_text(f'id: house\nname: House\nversion: "1"\n{head}values:\n' + "".join(values), encoding="utf-8")
    return str(path)


GOOD = (
    "  - id: honesty\n    name: Honesty\n    definition: Saying what is so and owning up to doubt. A response adheres when it does this,"
    " opposes when it deceives, is unrelated otherwise.\n"
)


def test_list_shows_every_system_with_its_size() -> None:
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ok("list").splitlines() if line.startswith("│")]
    assert [line[:5] for line in lines] == [
        ["mft", "Moral foundations", "1.0", "6", "1"],
        ["schwartz", "Schwartz basic human values", "1.0", "10", "0"],
        ["social_risk", "Social risk", "1.0", "14", "0"],
    ]
    assert lines[0][5] == ValueSystem.load("mft").hash


def test_list_json_is_one_array() -> None:
    data = json.loads(ok("list", "--json"))
    assert [d["id"] for d in data] == ["mft", "schwartz", "social_risk"]
    assert data[0]["optional"] == ["liberty"]
    assert data[0]["values"] == list(ValueSystem.load("mft").by_id)


def test_show_prints_definitions_groups_and_citation() -> None:
    text = ok("show", "schwartz")
    assert text.startswith("Schwartz basic human values (schwartz), version 1.0, hash ")
    assert "Self-transcendence" in text
    assert "Thinking for oneself" in text
    assert "After: Schwartz, S. H. (1992)" in text
    assert "liberty (optional)" in ok("show", "mft")


def test_show_json_reads_back_to_the_system() -> None:
    data = json.loads(ok("show", "social_risk", "--json"))
    assert data.pop("hash") == ValueSystem.load("social_risk").hash
    assert ValueSystem.model_validate(data) == ValueSystem.load("social_risk")


def test_show_takes_a_file_and_prints_markup_and_control_characters_as_text(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", '  - {id: a, name: "[red]A[/red]", definition: "one\\e[2Jtwo [/] three"}\n')
    text = ok("show", file)
    assert "[red]A[/red]" in text
    assert "one�[2Jtwo [/] three" in text
    assert "\x1b" not in text


def test_show_leaves_the_error_for_an_unknown_id_to_the_root() -> None:
    assert error("show", "swartz").startswith("there is no value system 'swartz'")


def test_check_passes_a_good_file(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", GOOD)
    result = run("check", file)
    assert result.exit_code == 0
    assert "warning" not in result.stderr
    assert "value system 'house' is valid: 1 values, 0 warnings" in result.stdout


def test_check_warns_of_what_is_seldom_meant(tmp_path: Path) -> None:
    head = "groups:\n  - {id: idle, name: Idle}\n"
    file = write(
        tmp_path / "s.yaml", GOOD, "  - {id: thin, name: honesty, definition: Not lying.}\n",
        f"  - {{id: long, name: Long, definition: {'adhere oppose unrelated ' * 70}}}\n", head=head,
    )  # fmt: skip
    found = json.loads(ok("check", file, "--json"))["warnings"]
    assert found == [
        "value 'thin': the definition has 2 words: 40 to 80 tell a model enough",
        "value 'thin': the definition does not say which responses are labelled adhere, oppose, unrelated",
        "value 'long': the definition has 210 words and is sent with every call: 40 to 80 are enough",
        "value 'honesty': another value has the same name 'Honesty'",
        "value 'thin': another value has the same name 'honesty'",
        "group 'idle' holds no value",
    ]
    assert run("check", file).stderr.count("warning: ") == 6


def test_check_warns_when_all_values_are_optional(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", GOOD + "    optional: true\n")
    assert json.loads(ok("check", file, "--json"))["warnings"] == [
        "every value is optional, so nothing is evaluated unless it is asked for by name"
    ]


def test_check_names_file_and_field_of_a_mistake(tmp_path: Path) -> None:
    file = write(tmp_path / "s.yaml", "  - {id: a, name: A}\n")
    assert error("check", file) == f"value system {file}: values.0.definition: Field required"


@pytest.mark.parametrize("identity", ["mft", "schwartz", "social_risk"])
def test_the_built_in_systems_pass_without_a_warning(identity: str) -> None:
    assert json.loads(ok("check", identity, "--json"))["warnings"] == []


def test_new_writes_a_valid_commented_template_with_its_schema(tmp_path: Path) -> None:
    file = tmp_path / "Our Policy-2.yaml"
    ok("new", str(file))
    system = ValueSystem.load(file)
    assert (system.id, system.name) == ("our_policy_2", "Our policy 2")
    assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=value-system.schema.json\n")
    assert (tmp_path / "value-system.schema.json").read_text(encoding="utf-8") == packaged_schema()


def test_check_reminds_of_the_template_text(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    ok("new", str(file), "--id", "house")
    assert ValueSystem.load(file).id == "house"
    (warning,) = json.loads(ok("check", str(file), "--json"))["warnings"]
    assert PLACEHOLDER in warning


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    file, schema = tmp_path / "policy.yaml", tmp_path / "value-system.schema.json"
    file.write_text("mine", encoding="utf-8")
    assert error("new", str(file)) == f"{file} exists already and is not overwritten: name another file"
    assert file.read_text(encoding="utf-8") == "mine"
    assert not schema.exists()
    schema.write_text("mine too", encoding="utf-8")
    ok("new", str(tmp_path / "other.yaml"))
    assert schema.read_text(encoding="utf-8") == "mine too"


@pytest.mark.parametrize(("name", "args"), [("a.yaml", ["--id", "No Good"]), ("2024.yaml", [])])
def test_new_refuses_an_id_that_is_none_and_writes_nothing(tmp_path: Path, name: str, args: list[str]) -> None:
    assert "name it with --id" in error("new", str(tmp_path / name), *args)
    assert list(tmp_path.iterdir()) == []


def test_new_refuses_what_is_no_yaml_file_or_no_folder(tmp_path: Path) -> None:
    assert "end its name in .yaml" in error("new", str(tmp_path / "policy.txt"))
    assert "cannot be written" in error("new", str(tmp_path / "absent" / "policy.yaml"))
