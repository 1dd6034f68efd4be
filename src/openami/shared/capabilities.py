"""What an AMS, a kind of device and an activation group can do; an order outside all that are set is refused.

A device can do what its AMS can AND its capability group can AND, where it has one, its activation group can
(enterprise services, UC14). Both sides look before they send or take an order. The table belongs to the customer: names
of AMS, of materials (the capability group of a device is that of its material) and of activation groups, each with a
list of functions; groups that came with the device's own messages go before those of the table. What is not named can
do all.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openami.shared.contract.enterprise.headers import id_key
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTIONS: Final = ("read", "read on demand", "intervals", "switch", "text", "state")
TABLES: Final = ("systems", "groups", "materials", "activation_groups", "activations")
DEFAULT: Final = Path(__file__).with_name("capabilities.toml")


class NotCapableError(OpenAmiError):
    """The AMS, the capability group or the activation group of a device does not support what is asked."""

    number = "1013"
    category = "PRE.CVE"


class BadCapabilitiesError(OpenAmiError):
    """The table of capabilities cannot be used."""


Functions = frozenset[str]


@dataclass(frozen=True, slots=True)
class Subject:
    """A device as far as its capabilities depend on it; groups are empty where no message has named them."""

    device: str
    material: str
    system: str
    capability_group: str = ""
    activation_group: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The table of one landscape."""

    systems: Mapping[str, Functions] = field(default_factory=dict)
    groups: Mapping[str, Functions] = field(default_factory=dict)
    materials: Mapping[str, str] = field(default_factory=dict)
    """Material -> capability group."""
    activation_groups: Mapping[str, Functions] = field(default_factory=dict)
    activations: Mapping[str, str] = field(default_factory=dict)
    """Device (without leading zeros) -> activation group, where none came with the device."""

    def check(self, subject: Subject, function: str) -> None:
        """See that a device can do something.

        Raises:
            NotCapableError: says which of the three forbids it.
        """
        group = subject.capability_group or self.materials.get(subject.material, "")
        activation = subject.activation_group or self.activations.get(id_key(subject.device), "")
        for kind, name, table in (
            ("AMS", subject.system, self.systems),
            ("Capability group", group, self.groups),
            ("Activation group", activation, self.activation_groups),
        ):
            allowed = table.get(name) if name else None
            if allowed is not None and function not in allowed:
                raise NotCapableError(
                    f"{kind} {name} of device {subject.device} does not support {function!r}.",
                    hint=f"It supports {', '.join(sorted(allowed)) or 'nothing'}; see capabilities.toml.",
                )


def load(path: Path = DEFAULT) -> Capabilities:
    """Read a table of capabilities.

    Raises:
        BadCapabilitiesError: it is not TOML, or has a table or names a function that does not exist.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadCapabilitiesError(f"{path} cannot be read: {error}.", hint="Mend it: it has to be TOML.") from error
    for name, table in content.items():  # what is misspelt would forbid nothing
        if name not in TABLES or not isinstance(table, dict):
            raise BadCapabilitiesError(f"{path} has no table [{name}].", hint=f"Its tables are {', '.join(TABLES)}.")
    tables = {name: _functions(path, content.get(name, {})) for name in ("systems", "groups", "activation_groups")}
    return Capabilities(
        systems=tables["systems"],
        groups=tables["groups"],
        activation_groups=tables["activation_groups"],
        materials={str(key): str(value) for key, value in content.get("materials", {}).items()},
        activations={id_key(str(key)): str(value) for key, value in content.get("activations", {}).items()},
    )


def _functions(path: Path, table: dict[str, list[str]]) -> dict[str, Functions]:
    for name, functions in table.items():
        if not isinstance(functions, list):
            raise BadCapabilitiesError(f"{path}: {name} is {functions!r}.", hint='Give a list such as ["read"].')
        unknown = [one for one in functions if one not in FUNCTIONS]
        if unknown:
            raise BadCapabilitiesError(
                f"{path}: {name} has the unknown function {unknown[0]!r}.", hint=f"Use: {', '.join(FUNCTIONS)}."
            )
    return {name: frozenset(functions) for name, functions in table.items()}
