"""Value systems: the model, its errors, its hash, and YAML there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clave.errors import InputError
from clave.values import Group, Value, ValueSystem

POLICY = """\
id: house
name: House policy
version: "1.0"
citation: The handbook, page 3.
description: What our assistant should hold to.
groups:
  - id: conduct
    name: Conduct
values:
  - id: honesty
    name: Honesty
    definition: Says what is so.
    parent: conduct
  - id: thrift
    name: Thrift
    definition: Wastes nothing.
    guideline: Mere mention of money is unrelated.
  - id: wit
    name: Wit
    definition: Makes people smile.
    optional: true
"""


def policy() -> ValueSystem:
    return ValueSystem.parse(POLICY)


def test_a_system_is_read_whole() -> None:
    system = policy()
    assert (system.id, system.name, system.version) == ("house", "House policy", "1.0")
    assert system.groups == (Group(id="conduct", name="Conduct"),)
    assert list(system.by_id) == ["honesty", "thrift", "wit"]
    assert len(system) == 3
    assert system["honesty"].parent == "conduct"
    assert system["thrift"].guideline == "Mere mention of money is unrelated."


def test_optional_values_are_evaluated_only_by_name() -> None:
    system = policy()
    assert list(system.ids()) == ["honesty", "thrift"]
    assert "wit" in system
    assert "valour" not in system
    assert list(system.subset(["wit"]).ids()) == ["wit"]


def test_subset_keeps_the_order_asked_for_and_drops_repeats() -> None:
    part = policy().subset(["thrift", "honesty", "thrift"])
    assert list(part.by_id) == ["thrift", "honesty"]
    assert part["honesty"] == policy()["honesty"]
    assert part.groups == policy().groups


def test_a_subset_of_a_system_in_use_has_its_own_values_and_hash() -> None:
    system = policy()
    whole = (system.hash, system.by_id)
    part = system.subset(["wit"])
    assert list(part.by_id) == ["wit"]
    assert "honesty" not in part
    assert part.hash != whole[0]


def test_a_subset_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"name at least one of honesty, thrift, wit"):
        policy().subset([])


def test_an_unknown_value_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'valour' is not in value system 'house': its values are honesty, thrift, wit"):
        policy()["valour"]
    with pytest.raises(InputError, match="'valour'"):
        policy().subset(["honesty", "valour"])


def test_a_system_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        policy().name = "Other"


def test_load_reads_files_and_built_in_ids(tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    file.write_text(POLICY, encoding="utf-8")
    assert ValueSystem.load(file) == policy()
    assert ValueSystem.load(str(file)) == policy()
    assert ValueSystem.load("mft").id == "mft"


def test_load_names_what_there_is_when_the_id_is_unknown() -> None:
    with pytest.raises(InputError, match=r"no value system 'swartz' \(did you mean schwartz\?\): use one of .*mft"):
        ValueSystem.load("swartz")


def test_load_names_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.yaml cannot be read"):
        ValueSystem.load(tmp_path / "absent.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("id: caf\xe9".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.yaml cannot be read"):
        ValueSystem.load(latin)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version: "1.0"', "version: 1.0", r"x\.yaml: version: Input should be a valid string"),
        ("id: house", "id: Our House", r"x\.yaml: id: id 'Our House' must be lower case"),
        ("    definition: Says what is so.\n", "", r"x\.yaml: values\.0\.definition: Field required"),
        ("definition: Says what is so.", 'definition: ""', r"values\.0\.definition: .*at least 1 character"),
        ("- id: thrift", "- id: Thrift!", r"values\.1\.id: id 'Thrift!' must be"),
        ("- id: thrift", "- id: honesty", r"x\.yaml: the file: value id 'honesty' stands twice"),
        ("parent: conduct", "parent: manners", r"value 'honesty' has parent 'manners', which is not among the groups"),
        ("guideline:", "guidelines:", r"values\.1\.guidelines: Extra inputs are not permitted"),
        ("id: house", "id: [", r"x\.yaml is not YAML: "),
    ],
)
def test_errors_name_file_and_field(old: str, new: str, message: str) -> None:
    assert old in POLICY
    with pytest.raises(InputError, match=message) as caught:
        ValueSystem.parse(POLICY.replace(old, new, 1), "x.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "just a sentence", "- id: house"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"x\.yaml must be a mapping with id, name, version and values"):
        ValueSystem.parse(text, "x.yaml")


def test_a_system_without_values_is_refused() -> None:
    with pytest.raises(InputError, match="values: "):
        ValueSystem.parse('{id: a, name: A, version: "1", values: []}')


def test_yaml_tags_build_no_objects() -> None:
    with pytest.raises(InputError, match="is not YAML"):
        ValueSystem.parse("id: !!python/object/apply:os.getcwd []")


def test_the_hash_is_stable() -> None:
    """Caches and saved evaluators hold this hash: a change here orphans them all."""
    assert policy().hash == "b3ef66bfbd8d"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: House policy", "name: The house's policy"),
        ('version: "1.0"', 'version: "2.0"'),
        ("The handbook, page 3.", "The handbook, page 4."),
        ("What our assistant", "What any assistant"),
        ("name: Conduct", "name: Behaviour"),
        ("    parent: conduct\n", ""),
        ("    optional: true\n", ""),
    ],
)
def test_the_hash_ignores_prose_about_the_system(old: str, new: str) -> None:
    assert old in POLICY
    assert ValueSystem.parse(POLICY.replace(old, new, 1)).hash == policy().hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id: house", "id: home"),
        ("id: honesty", "id: candour"),
        ("name: Honesty", "name: Candour"),
        ("Says what is so.", "Says what is so!"),
        ("Mere mention", "A mere mention"),
    ],
)
def test_the_hash_follows_what_bears_on_verdicts(old: str, new: str) -> None:
    assert old in POLICY
    assert ValueSystem.parse(POLICY.replace(old, new, 1)).hash != policy().hash


def test_the_hash_does_not_depend_on_the_order_of_values() -> None:
    system = policy()
    assert system.model_copy(update={"values": system.values[::-1]}).hash == system.hash


identities = st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=60)


@st.composite
def systems(draw: st.DrawFn) -> ValueSystem:
    groups = draw(st.lists(st.builds(Group, id=identities, name=texts, definition=texts), max_size=3, unique_by=lambda g: g.id))
    parents = st.sampled_from([None, *(g.id for g in groups)])
    value = st.builds(
        Value,
        id=identities,
        name=texts,
        definition=texts.filter(bool),
        parent=parents,
        guideline=st.none() | texts,
        optional=st.booleans(),
    )
    values = draw(st.lists(value, min_size=1, max_size=4, unique_by=lambda v: v.id))
    head = {"id": draw(identities), "name": draw(texts), "version": draw(texts), "citation": draw(texts)}
    return ValueSystem(**head, groups=tuple(groups), values=tuple(values))


@pytest.mark.parametrize("text", ["a\x85b", "\x85", "a\u2028b", "\ufeff", "a\n\n b\r\n", " a: #b ", "yes", "1.0", "\x1b[2J", "é – 値"])
def test_to_yaml_keeps_odd_texts(text: str) -> None:
    system = ValueSystem(id="a", name=text, version=text, citation=text, values=(Value(id="a", name=text, definition=text),))
    assert ValueSystem.parse(system.to_yaml()) == system


def test_to_yaml_leaves_letters_of_all_scripts_readable() -> None:
    system = ValueSystem(id="a", name="Güte 善", version="1", values=(Value(id="a", name="A", definition="A"),))
    assert "name: Güte 善\n" in system.to_yaml()


@given(systems())
def test_to_yaml_is_read_back_to_an_equal_system(system: ValueSystem) -> None:
    again = ValueSystem.parse(system.to_yaml())
    assert again == system
    assert again.hash == system.hash
