"""Rule sets: files that say which rules apply to which class of channel, with which parameters, and where from.

A set may extend another and then holds only what differs. `[V15]` gives the parameters of a rule,
`[class.residential.V15]` what differs for a class of channels. Every value carries its evidence and source:
`theta = { value = 1.8, evidence = "S2", source = "UBP 1.4.4" }`.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from openami.mdus.vee.catalogue import rule
from openami.mdus.vee.errors import RuleError, RuleSetError, UnknownRuleSetError
from openami.mdus.vee.model import Parameter, Parameters

if TYPE_CHECKING:
    from pathlib import Path

EVIDENCE: Final = ("S", "S2", "S-part", "C", "D", "M")
SEVERITIES: Final = ("fail", "warn", "note")
_USUAL: Final = {
    "enabled": Parameter(value=True, evidence="D", source="on unless said otherwise"),
    "severity": Parameter("fail", "D", "what fires, fails"),
    "severity_when_sum_fails": Parameter("", "D", "the same"),
}
_BEFORE: Final = "what the rule did before it had this parameter"
_ORDERS: Final = ("checks", "chain", "scaling", "readings")
_HEAD: Final = ("name", "version", "sentence", "extends", *_ORDERS, "class")


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for one class of channel, in the order in which they act."""

    stamp: str
    checks: tuple[str, ...]
    chain: tuple[str, ...]
    scaling: tuple[str, ...]
    readings: tuple[str, ...]
    """Methods for registers, the first that can goes first; none in a rule set from before they were rules."""
    parameters: Mapping[str, Parameters]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One rule set with everything it extends merged in."""

    name: str
    version: str
    sentence: str
    content: Mapping[str, Any]
    kept: bool = False
    """Whether it comes from the records of runs: it may be older than some parameters of its rules."""
    stamp: str = field(init=False)
    """Name, version and a digest of the whole content: what a result is kept with."""

    def __post_init__(self) -> None:
        digest = hashlib.sha256(repr(_sorted(self.content)).encode()).hexdigest()[:8]
        object.__setattr__(self, "stamp", f"{self.name} {self.version} {digest}")

    def for_class(self, kind: str) -> Rules:
        """The rules for a class of channel; a class the set does not mention gets the set's own."""
        return _rules(self, kind)


def from_content(content: Mapping[str, Any]) -> RuleSet:
    """A rule set as it was kept, with decimals as text (`as_json`)."""
    restored: dict[str, Any] = json.loads(json.dumps(content), parse_float=Decimal, object_hook=_restored)
    return RuleSet(str(restored["name"]), str(restored["version"]), str(restored["sentence"]), restored, kept=True)


def as_json(content: object) -> Any:  # noqa: ANN401 - JSON
    """The content as JSON keeps it exactly: decimals become {"decimal": "1.8"}."""
    if isinstance(content, Mapping):
        return {key: as_json(value) for key, value in content.items()}
    if isinstance(content, list):
        return [as_json(one) for one in content]
    return {"decimal": str(content)} if isinstance(content, Decimal) else content


def _restored(given: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    return Decimal(given["decimal"]) if given.keys() == {"decimal"} else given


@cache
def load(name: str, folder: Path | None = None) -> RuleSet:
    """A rule set by name: from the folder of the installation if it is there, else a shipped one; read once a process.

    Raises:
        UnknownRuleSetError: it is in neither place.
        RuleSetError: it says something that cannot be.
    """
    merged = _merged(name, folder, ())
    head = {key: merged.get(key) for key in _HEAD}
    result = RuleSet(name, str(head["version"]), str(head["sentence"]), merged)
    for kind in ("", *merged.get("class", {})):
        result.for_class(kind)  # every class must resolve, or the file is refused as a whole
    return result


def shipped() -> tuple[str, ...]:
    """The names of the rule sets that come with OpenAMI."""
    folder = files("openami.mdus.vee") / "rulesets"
    return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml")))


def available(folder: Path | None = None) -> tuple[str, ...]:
    """The names of all rule sets: the shipped ones and those of a folder."""
    own = [one.stem for one in folder.glob("*.toml")] if folder and folder.is_dir() else []
    return tuple(sorted({*shipped(), *own}))


def _merged(name: str, folder: Path | None, seen: tuple[str, ...]) -> dict[str, Any]:
    if name in seen:
        raise RuleSetError(f"The rule set {name} extends itself through {', '.join(seen)}.", hint="Cut the circle.")
    own = _parse(name, folder)
    if "extends" not in own:
        return own
    base = _merged(str(own["extends"]), folder, (*seen, name))
    return _overlay(base, own)


def _overlay(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in own.items():
        below = result.get(key)
        is_parameter = isinstance(value, Mapping) and "value" in value
        both = isinstance(value, Mapping) and isinstance(below, Mapping) and not is_parameter
        result[key] = _overlay(below, value) if both and isinstance(below, Mapping) else value
    return result


def _parse(name: str, folder: Path | None) -> dict[str, Any]:
    candidate = folder / f"{name}.toml" if folder else None
    if candidate and candidate.is_file():
        text = candidate.read_text()
    elif name in shipped():
        text = (files("openami.mdus.vee") / "rulesets" / f"{name}.toml").read_text()
    else:
        raise UnknownRuleSetError(f"There is no rule set {name!r}.", hint=f"Shipped are {', '.join(shipped())}.")
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise RuleSetError(f"The rule set {name} is not TOML: {error}.", hint="Mend that line.") from error


@cache
def _resolve(stamp: str, kept: bool) -> dict[str, Rules]:
    """One memory per content: rule sets are values, resolving them twice gives the same."""
    del stamp, kept
    return {}


def _rules(of: RuleSet, kind: str) -> Rules:
    memory = _resolve(of.stamp, of.kept)
    if kind not in memory:
        content = of.content
        special = content.get("class", {}).get(kind, {})
        merged = _overlay({key: value for key, value in content.items() if key not in _HEAD}, special)
        order = {key: tuple(special.get(key, content.get(key, ()))) for key in _ORDERS}
        wanted = {*merged, *chain.from_iterable(order.values())} - {*order}
        parameters = {one: _parameters(of, one, merged.get(one, {})) for one in sorted(wanted)}
        on = {key: tuple(one for one in ids if parameters[one]["enabled"]) for key, ids in order.items()}
        memory[kind] = Rules(of.stamp, on["checks"], on["chain"], on["scaling"], on["readings"], parameters)
    return memory[kind]


def _parameters(of: RuleSet, rule_id: str, given: Mapping[str, Any]) -> Parameters:
    where = of.name
    try:
        known = rule(rule_id)
    except RuleError as error:
        raise RuleSetError(
            f"The rule set {where} names a rule that is not there: {error.found}", hint=error.hint
        ) from error
    declared = known.parameters
    before = {name: Parameter(value, "D", _BEFORE) for name, value in known.before.items()} if of.kept else {}
    by_name = _USUAL | before | {name: _parameter(f"{where}: {rule_id}.{name}", one) for name, one in given.items()}
    if unknown := sorted(by_name.keys() - declared.keys()):
        raise RuleSetError(
            f"{where}: {rule_id} takes no {', '.join(unknown)}.", hint=f"It takes {', '.join(sorted(declared))}."
        )
    if absent := sorted(declared.keys() - by_name.keys()):
        raise RuleSetError(f"{where}: {rule_id} needs {', '.join(absent)}.", hint="Add it, with evidence and source.")
    for name, one in by_name.items():
        _check_kind(f"{where}: {rule_id}.{name}", one.value, declared[name])
    return Parameters(rule_id, by_name)


def _parameter(where: str, given: object) -> Parameter:
    if not isinstance(given, Mapping) or given.keys() != {"value", "evidence", "source"}:
        raise RuleSetError(f"{where} must have a value, its evidence and its source.", hint="Write all three.")
    if given["evidence"] not in EVIDENCE:
        raise RuleSetError(
            f"{where} has the evidence {given['evidence']!r}.", hint=f"Use one of {', '.join(EVIDENCE)}."
        )
    return Parameter(given["value"], given["evidence"], str(given["source"]))


def _check_kind(where: str, value: object, kind: type) -> None:
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    fits = number if kind is Decimal else isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not fits:
        raise RuleSetError(f"{where} is {value!r}, not a {kind.__name__}.", hint="Mend the file.")
    if ".severity" in where and value not in (*SEVERITIES, ""):
        raise RuleSetError(f"{where} is {value!r}.", hint=f"Use one of {', '.join(SEVERITIES)}.")


def _sorted(content: object) -> object:
    if isinstance(content, Mapping):
        return [(key, _sorted(content[key])) for key in sorted(content)]
    return content
