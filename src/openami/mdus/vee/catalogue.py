"""The catalogue of rules: every check and method under its id, with its sentence and the parameters it takes.

Other packages add theirs through entry points of the group `openami.vee.rules`: each names a module whose import
registers rules with `check`, `method` and `reading`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, TypeAlias

from openami.mdus.vee.errors import RuleError
from openami.mdus.vee.model import Facts, Filled, Fired, Parameters, Reads, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

ENTRY_POINT_GROUP: Final = "openami.vee.rules"


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What estimation has to do: facts, values so far, slots still needed, slots that no method may lean on."""

    facts: Facts
    values: NDArray[np.int64]
    needed: NDArray[np.bool_]
    actual: NDArray[np.bool_]
    """Measured (or a person's) and not failed: what estimates may start from."""
    results: Mapping[str, Fired]


CheckFunction: TypeAlias = Callable[[Facts, Parameters, "Mapping[str, Fired]"], Fired]
MethodFunction: TypeAlias = Callable[[Work, Parameters], Filled]
ReadingFunction: TypeAlias = Callable[[Reads, Parameters], Filled]
Kind: TypeAlias = type[int] | type[Decimal] | type[str] | type[bool] | type[list]  # type: ignore[type-arg]

COMMON: Final[Mapping[str, Kind]] = {"enabled": bool, "severity": str, "severity_when_sum_fails": str}


@dataclass(frozen=True, slots=True)
class Added:
    """A parameter that came after its rule, and the value with which the rule acts as it did before."""

    kind: Kind
    before: Value


@dataclass(frozen=True, slots=True)
class Rule:
    """What every rule has: its id, a sentence, the parameters it takes."""

    id: str
    sentence: str
    declared: Mapping[str, Kind | Added]

    @property
    def parameters(self) -> Mapping[str, Kind]:
        """The kind of each parameter."""
        return {name: one.kind if isinstance(one, Added) else one for name, one in self.declared.items()}

    @property
    def before(self) -> Mapping[str, Value]:
        """What a rule set from before a parameter means by not having it."""
        return {name: one.before for name, one in self.declared.items() if isinstance(one, Added)}


@dataclass(frozen=True, slots=True)
class Check(Rule):
    """A validation rule."""

    function: CheckFunction


@dataclass(frozen=True, slots=True)
class Method(Rule):
    """An estimation method."""

    function: MethodFunction


@dataclass(frozen=True, slots=True)
class ReadingMethod(Rule):
    """A method for registers, by row rather than by interval."""

    function: ReadingFunction


_CHECKS: Final[dict[str, Check]] = {}
_METHODS: Final[dict[str, Method]] = {}
_READINGS: Final[dict[str, ReadingMethod]] = {}
_OWN: Final = (
    "openami.mdus.vee.checks.flags",
    "openami.mdus.vee.checks.limits",
    "openami.mdus.vee.checks.presence",
    "openami.mdus.vee.checks.shape",
    "openami.mdus.vee.checks.source",
    "openami.mdus.vee.checks.sums",
    "openami.mdus.vee.checks.water",
    "openami.mdus.vee.estimates.interpolation",
    "openami.mdus.vee.estimates.readings",
    "openami.mdus.vee.estimates.reference",
    "openami.mdus.vee.estimates.scaling",
    "openami.mdus.vee.estimates.shapes",
    "openami.mdus.vee.estimates.state",
)


def check(rule_id: str, sentence: str, **parameters: Kind | Added) -> Callable[[CheckFunction], CheckFunction]:
    """Register a validation rule."""

    def register(function: CheckFunction) -> CheckFunction:
        _refuse_second(rule_id)
        _CHECKS[rule_id] = Check(rule_id, sentence, {**COMMON, **parameters}, function)
        return function

    return register


def method(rule_id: str, sentence: str, **parameters: Kind | Added) -> Callable[[MethodFunction], MethodFunction]:
    """Register an estimation method."""

    def register(function: MethodFunction) -> MethodFunction:
        _refuse_second(rule_id)
        _METHODS[rule_id] = Method(rule_id, sentence, {**COMMON, **parameters}, function)
        return function

    return register


def reading(rule_id: str, sentence: str, **parameters: Kind | Added) -> Callable[[ReadingFunction], ReadingFunction]:
    """Register a method for registers."""

    def register(function: ReadingFunction) -> ReadingFunction:
        _refuse_second(rule_id)
        _READINGS[rule_id] = ReadingMethod(rule_id, sentence, {**COMMON, **parameters}, function)
        return function

    return register


def checks() -> Mapping[str, Check]:
    """All validation rules: ours and those of installed packages."""
    _load()
    return _CHECKS


def methods() -> Mapping[str, Method]:
    """All estimation methods: ours and those of installed packages."""
    _load()
    return _METHODS


def readings() -> Mapping[str, ReadingMethod]:
    """All methods for registers: ours and those of installed packages."""
    _load()
    return _READINGS


def _found(rule_id: str) -> Rule | None:
    return checks().get(rule_id) or methods().get(rule_id) or readings().get(rule_id)


def rule(rule_id: str) -> Rule:
    """A rule of any sort.

    Raises:
        RuleError: the catalogue has no such rule.
    """
    found = _found(rule_id)
    if found is None:
        raise RuleError(
            f"There is no rule {rule_id!r}.",
            hint=f"Known are {', '.join(sorted({*checks(), *methods(), *readings()}))}.",
        )
    return found


def sentence_of(rule_id: str) -> str:
    """What a rule says; also of one that judged once and is not installed any more."""
    found = _found(rule_id)
    return "This rule is not installed any more." if found is None else found.sentence


def _refuse_second(rule_id: str) -> None:
    if rule_id in _CHECKS or rule_id in _METHODS or rule_id in _READINGS:
        raise RuleError(f"Two rules have the id {rule_id}.", hint="Give a rule of your own an id of your own.")


_loaded: Final[list[bool]] = []


def _load() -> None:
    if _loaded:
        return
    _loaded.append(True)
    for module in _OWN:
        import_module(module)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        point.load()
