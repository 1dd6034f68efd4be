from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from openami.mdus.vee import catalogue
from openami.mdus.vee.catalogue import checks, methods, rule
from openami.mdus.vee.errors import RuleError, RuleSetError, UnknownRuleSetError
from openami.mdus.vee.ruleset import RuleSet, as_json, available, from_content, load, shipped

EARLIER = Path(__file__).parents[2] / "vectors" / "vee" / "earlier"
"""Rule sets as they were: each has judged somewhere."""


def test_the_catalogue_is_whole() -> None:
    assert sorted(checks()) == [*(f"V{number:02}" for number in range(1, 37)), "WA1", "WA2"]
    # E14, E15 and E19 give register readings, not intervals: see `vee.registers`
    assert sorted(methods()) == [f"E{number:02}" for number in range(1, 21) if number not in {14, 15, 19}]


@pytest.mark.parametrize("rule_id", sorted({*checks(), *methods()}))
def test_every_rule_says_what_it_wants_in_a_sentence(rule_id: str) -> None:
    sentence = rule(rule_id).sentence
    assert sentence[0].isupper()
    assert sentence.endswith(".")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_set_resolves_and_names_its_sources(name: str) -> None:
    rules = load(name).for_class("residential")
    for parameters in rules.parameters.values():
        assert all(one.source for one in parameters.by_name.values())


def test_a_set_holds_only_what_differs() -> None:
    ontario, default = load("ontario").for_class(""), load("default").for_class("")
    assert (ontario.parameters["E01"]["max_gap_s"], default.parameters["E01"]["max_gap_s"]) == (3600, 7200)
    assert ontario.parameters["V15"] == default.parameters["V15"]
    assert "E02" not in load("austria").for_class("").chain  # through germany
    assert load("austria").for_class("").parameters["E01"]["inclusive"] is False


def test_a_class_overrides_its_set() -> None:
    home, shop = (load("default").for_class(kind) for kind in ("residential", "commercial"))
    assert (home.parameters["V15"]["severity"], shop.parameters["V15"]["severity"]) == ("warn", "fail")
    assert home.parameters["V15"]["theta"] == Decimal("1.8")
    assert "V22" in shop.checks
    assert "V22" not in home.checks


def test_a_file_of_the_installation_goes_before_a_shipped_one(tmp_path: Path) -> None:
    write(tmp_path, "default", 'name="default"\nversion="mine"\nsentence="Mine."\nchecks=["V05"]\n[V05]\n')
    mine = load("default", tmp_path)
    assert mine.stamp.startswith("default mine ")
    assert mine.for_class("").checks == ("V05",)


def test_the_stamp_changes_with_any_parameter(tmp_path: Path) -> None:
    write(tmp_path, "a", extending('[V16]\ntolerance_steps = { value = 2, evidence = "D", source = "me" }'))
    write(tmp_path, "b", extending('[V16]\ntolerance_steps = { value = 3, evidence = "D", source = "me" }'))
    a, b = (load(name, tmp_path).stamp.split()[-1] for name in ("a", "b"))
    assert a != b


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[V99]", "There is no rule 'V99'"),
        ('[V15]\nbeta = { value = 1, evidence = "D", source = "me" }', "V15 takes no beta"),
        ("[V15]\ntheta = 2.0", "must have a value, its evidence and its source"),
        ('[V15]\ntheta = { value = 2, evidence = "rumour", source = "me" }', "has the evidence 'rumour'"),
        ('[V15]\ntheta = { value = "two", evidence = "D", source = "me" }', "is 'two', not a Decimal"),
        ('[V15]\nseverity = { value = "loud", evidence = "D", source = "me" }', "severity is 'loud'"),
        ('[E01]\ninclusive = { value = 1, evidence = "D", source = "me" }', "is 1, not a bool"),
        ("[V15\n", "is not TOML"),
    ],
)
def test_a_set_that_cannot_be_is_refused_with_the_place(tmp_path: Path, body: str, message: str) -> None:
    write(tmp_path, "mine", extending(body))
    with pytest.raises(RuleSetError, match=message):
        load("mine", tmp_path)


def test_a_rule_without_its_parameters_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "bare", 'name="bare"\nversion="1"\nsentence="Bare."\nchecks=["V15"]\n')
    with pytest.raises(RuleSetError, match="V15 needs floor_pulses, theta"):
        load("bare", tmp_path)


def test_a_circle_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", 'extends="b"\nversion="1"')
    write(tmp_path, "b", 'extends="a"\nversion="1"')
    with pytest.raises(RuleSetError, match="extends itself through"):
        load("a", tmp_path)


def test_an_unknown_set_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(UnknownRuleSetError, match=r"'nowhere'.*california"):
        load("nowhere")


@pytest.mark.parametrize("path", sorted(EARLIER.iterdir()), ids=lambda path: path.stem)
def test_a_set_that_has_judged_is_understood_for_ever(path: Path) -> None:
    """A new parameter of an old rule is declared as `Added`, with what its absence means."""
    content = tomllib.loads(path.read_text(), parse_float=Decimal)
    kept = from_content(json.loads(json.dumps(as_json(content))))
    assert kept.stamp == RuleSet(kept.name, kept.version, kept.sentence, content).stamp
    for kind in ("", *content.get("class", {})):
        rules = kept.for_class(kind)
        assert {*rules.checks, *rules.chain} <= {*checks(), *methods()}


def test_what_a_parameter_meant_before_it_was_there_holds_for_kept_sets_only() -> None:
    content = tomllib.loads((EARLIER / "default-2026.1.toml").read_text(), parse_float=Decimal)
    then, now = from_content(as_json(content)).for_class(""), load("default").for_class("")
    assert [then.parameters["V32"][name] for name in ("nominal_v", "nominal_a")] == [120, 5]
    assert now.parameters["V32"]["nominal_v"] == 230
    assert "before it had this parameter" in then.parameters["V32"].by_name["nominal_v"].source
    with pytest.raises(RuleSetError, match="V03 needs inspect_after"):
        RuleSet("default", "2026.1", "A file that somebody has written today.", {**content}).for_class("")


def test_users_add_rules_through_entry_points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Point:
        def load(self) -> None:
            def even(facts: object, _: object, __: object) -> object:
                return facts

            catalogue.check("X01", "Values are even.")(even)  # type: ignore[arg-type]  # never called here

    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "entry_points", lambda group: [Point()] if group == "openami.vee.rules" else [])
        patch.setattr(catalogue, "_loaded", [])
        patch.setattr(catalogue, "_CHECKS", {})
        patch.setattr(catalogue, "import_module", lambda _: None)
        assert catalogue.checks()["X01"].sentence == "Values are even."
        with pytest.raises(RuleError, match="Two rules have the id X01"):
            Point().load()


def extending(body: str) -> str:
    return f'name="mine"\nversion="1"\nsentence="Mine."\nextends="default"\n{body}\n'


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.toml").write_text(text)


PACKAGE = """
import numpy as np

from openami.mdus.vee.catalogue import check
from openami.mdus.vee.checks.levels import failing


@check("X01", "No value is the number of the beast.", number=int)
def beast(facts, p, results):
    return failing(facts.days.values == p["number"])
"""
RULES = """name = "mine"
version = "1"
sentence = "The default, and a rule of our own."
extends = "default"
checks = ["V05", "X01"]

[X01]
number = { value = 666, evidence = "D", source = "Revelation 13:18" }
"""
JUDGE = """
import sys
from pathlib import Path
import numpy as np
from openami.mdus.series import ChannelDays
from openami.mdus.vee.engine import evaluate
from openami.mdus.vee.model import Facts
from openami.mdus.vee.ruleset import load
from openami.shared.quality import MEASURED

values = np.array([[1, 666, 3, 4]])
days = ChannelDays.of(np.array([1]), np.array([739_700]), values, np.full(values.shape, MEASURED, np.uint8))
rules = load("mine", Path(sys.argv[1])).for_class("residential")
found = evaluate(Facts.of(days, 21_600), rules, estimate=False).findings
print([(one.rule, one.slots) for one in found])
"""


def test_an_installed_package_adds_a_rule_and_a_folder_the_set_that_uses_it(tmp_path: Path) -> None:
    """As a user would: a package with an entry point on the path, a rule set beside the data."""
    (tmp_path / "beasts.py").write_text(PACKAGE)
    metadata = tmp_path / "beasts-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: beasts\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[openami.vee.rules]\nbeasts = beasts\n")
    write(tmp_path, "mine", RULES)
    assert "mine" in available(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", JUDGE, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[('X01', (1,))]"


def test_the_page_of_rules_says_of_each_where_its_inputs_come_from() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/vee-rules.md").read_text()
    shown: set[str] = set()
    for line in page.splitlines():
        if not line.startswith("| "):
            continue
        for part in line.split("|")[1].split(","):
            first, _, last = (word.strip() for word in part.partition(" to "))
            numbers = range(int(first[1:]), int(last[1:]) + 1) if last else ()
            shown |= {f"{first[0]}{number:02}" for number in numbers} or {first}
    # three estimate registers for bills and are no methods of the chain
    assert shown - {"rule", "E14", "E15", "E19"} == {*checks(), *methods()}
