"""The systems that come with the package: complete, readable, cited."""

from __future__ import annotations

import json
from importlib import resources

import pytest
import yaml

from clave.values import ValueSystem, builtin_ids
from clave.values.schema import packaged_schema, schema_text, write_schema

SCHWARTZ = {
    "openness_to_change": {"self_direction", "stimulation", "hedonism"},
    "self_enhancement": {"achievement", "power"},
    "conservation": {"security", "conformity", "tradition"},
    "self_transcendence": {"benevolence", "universalism"},
}
MFT = ["care", "fairness", "loyalty", "authority", "sanctity", "liberty"]
SOCIAL_RISK = {
    "animal_abuse", "child_abuse", "controversial_topics", "discrimination", "drugs_weapons", "financial_crime", "hate_speech",
    "misinformation", "unethical_behavior", "privacy", "self_harm", "sexual_content", "terrorism", "violence",
}  # fmt: skip


def text_of(identity: str) -> str:
    return (resources.files("clave.values") / "systems" / f"{identity}.yaml").read_text(encoding="utf-8")


def test_three_systems_come_with_the_package() -> None:
    assert {"mft", "schwartz", "social_risk"} <= set(builtin_ids())


def test_schwartz_has_ten_values_in_four_groups() -> None:
    system = ValueSystem.load("schwartz")
    assert {g.id: {v.id for v in system.values if v.parent == g.id} for g in system.groups} == SCHWARTZ
    assert len(system) == 10
    assert len(list(system.ids())) == 10


def test_mft_has_five_foundations_and_liberty_on_request() -> None:
    system = ValueSystem.load("mft")
    assert list(system.by_id) == MFT
    assert list(system.ids()) == MFT[:-1]


def test_social_risk_has_the_fourteen_categories() -> None:
    system = ValueSystem.load("social_risk")
    assert len(system) == 14
    assert set(system.ids()) == SOCIAL_RISK


@pytest.mark.parametrize("identity", builtin_ids())
def test_definitions_say_all_three_labels_in_few_words(identity: str) -> None:
    for value in ValueSystem.load(identity).values:
        assert 30 <= len(value.definition.split()) <= 100, value.id
        for said in ("adheres when", "opposes when", "is unrelated"):
            assert said in value.definition, (value.id, said)
        assert value.definition == " ".join(value.definition.split()), f"{value.id}: a folding mistake left odd spacing"


@pytest.mark.parametrize("identity", builtin_ids())
def test_every_system_is_cited_and_its_id_is_its_file_name(identity: str) -> None:
    system = ValueSystem.load(identity)
    assert system.id == identity
    assert system.citation
    assert system.version


def test_definitions_and_names_are_all_different() -> None:
    values = [v for i in builtin_ids() for v in ValueSystem.load(i).values]
    assert len({v.definition for v in values}) == len(values) >= 30
    assert len({v.name for v in values}) == len(values)


@pytest.mark.parametrize("identity", builtin_ids())
def test_the_files_stay_readable_and_name_their_schema(identity: str) -> None:
    text = text_of(identity)
    assert text.startswith("# yaml-language-server: $schema=../value-system.schema.json\n")
    assert max(map(len, text.splitlines())) <= 120
    assert text.count("definition: >-") == len(ValueSystem.load(identity))


@pytest.mark.parametrize("identity", builtin_ids())
def test_the_model_reads_what_the_file_says(identity: str) -> None:
    """No field is lost or made up on the way from the file to the model."""
    dumped = ValueSystem.load(identity).model_dump(exclude_unset=True)
    assert json.loads(json.dumps(dumped)) == yaml.safe_load(text_of(identity))


def test_the_packaged_schema_is_what_the_model_generates() -> None:
    assert packaged_schema() == schema_text(), "run: python -c 'from clave.values.schema import *; write_schema(<the file>)'"


def test_the_schema_tells_an_editor_fields_patterns_and_docs(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("schema") / "s.json"
    write_schema(file)
    schema = json.loads(file.read_text(encoding="utf-8"))
    value = schema["$defs"]["Value"]
    assert schema["required"] == ["id", "name", "version", "values"]
    assert value["required"] == ["id", "name", "definition"]
    assert schema["additionalProperties"] is value["additionalProperties"] is False
    assert value["properties"]["id"]["pattern"] == "^[a-z][a-z0-9_]{0,63}$"
    assert value["properties"]["optional"]["description"] == "Evaluated only when it is asked for by name."
