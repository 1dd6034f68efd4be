"""What AMS, capability group and activation group allow: all that are set have to agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openami.shared.capabilities import FUNCTIONS, BadCapabilitiesError, Capabilities, NotCapableError, Subject, load

if TYPE_CHECKING:
    from pathlib import Path

SUBJECT = Subject(device="000000000000004711", material="M1", system="AMS1")
READ = frozenset({"read"})
BY_SYSTEM = Capabilities(systems={"AMS1": READ})
BY_GROUP = Capabilities(groups={"G": READ, "ALL": frozenset(FUNCTIONS)}, materials={"M1": "G"})
BY_ACTIVATION = Capabilities(activation_groups={"A": READ, "ALL": frozenset(FUNCTIONS)}, activations={"4711": "A"})


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_not_named_can_do_everything(function: str):
    Capabilities().check(SUBJECT, function)


@pytest.mark.parametrize(
    ("table", "who"),
    [(BY_SYSTEM, "AMS AMS1"), (BY_GROUP, "Capability group G"), (BY_ACTIVATION, "Activation group A")],
)
def test_each_of_the_three_can_forbid(table: Capabilities, who: str):
    table.check(SUBJECT, "read")
    with pytest.raises(NotCapableError, match=f"{who} of device .* does not support 'switch'") as caught:
        table.check(SUBJECT, "switch")
    assert "It supports read;" in caught.value.hint
    assert (caught.value.number, caught.value.category) == ("1013", "PRE.CVE")


def test_groups_that_came_with_the_device_go_before_those_of_the_table():
    BY_GROUP.check(Subject("1", "M1", "AMS1", capability_group="ALL"), "switch")
    BY_ACTIVATION.check(Subject("4711", "M1", "AMS1", activation_group="ALL"), "switch")
    with pytest.raises(NotCapableError, match="Capability group G"):
        BY_GROUP.check(Subject("1", "M2", "AMS1", capability_group="G"), "switch")
    with pytest.raises(NotCapableError, match="Activation group A"):
        BY_ACTIVATION.check(Subject("1", "M1", "AMS1", activation_group="A"), "switch")


def test_the_shipped_table_can_be_read_and_a_wrong_one_says_why(tmp_path: Path):
    assert "switch" in load().systems["AMS1"]
    file = tmp_path / "capabilities.toml"
    for content, why in (('[systems]\nAMS1 = ["fly"]\n', "unknown function 'fly'"), ("[systems", "cannot be read")):
        file.write_text(content)
        with pytest.raises(BadCapabilitiesError, match=why):
            load(file)
    with pytest.raises(BadCapabilitiesError, match="cannot be read"):
        load(tmp_path / "absent.toml")


def test_a_table_of_a_customer_is_read_whole(tmp_path: Path):
    file = tmp_path / "capabilities.toml"
    file.write_text(
        '[groups]\nG = ["read"]\n[materials]\nM1 = "G"\n[activation_groups]\nA = []\n[activations]\n0004711 = "A"\n'
    )
    table = load(file)
    assert (table.groups, table.materials, table.activations) == ({"G": READ}, {"M1": "G"}, {"4711": "A"})
    with pytest.raises(NotCapableError, match="Activation group A") as caught:
        table.check(SUBJECT, "read")
    assert "It supports nothing" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('[system]\nAMS1 = ["read"]', r"no table \[system\]"),  # a slip of the pen would forbid nothing
        ('systems = ["AMS1"]', r"no table \[systems\]"),
        ('AMS1 = ["read"]', r"no table \[AMS1\]"),
        ('[systems]\nAMS1 = "read"', "AMS1 is 'read'"),
        ("[systems]\nAMS1 = [1]", "unknown function 1"),
        ("[groups]\nG = [[]]", r"unknown function \[\]"),
        ("[groups.G]\nread = true", "G is"),
        ('[systems]\nAMS1 = ["read\\u0000"]', "unknown function"),
    ],
)
def test_a_table_that_would_not_do_what_it_says_is_refused(tmp_path: Path, content: str, why: str):
    file = tmp_path / "capabilities.toml"
    file.write_text(content)
    with pytest.raises(BadCapabilitiesError, match=why) as caught:
        load(file)
    assert caught.value.hint
