"""What a function is, what it may use, and the plain values that it answers with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.data import Data, Tag
from openami.ami.dlms.enums import DataAccessResult
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.ami.headend.dialogues import Dialogue

Parameters = Mapping[str, Any]
Found = dict[str, Any]
Run = Callable[["Dialogue", Parameters], Awaitable[Found]]


class HopelessError(OpenAmiError):
    """A function failed in a way that no repeat can mend."""


class BadParametersError(HopelessError):
    """An order for a function lacks a parameter, or has one that cannot be used."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its name, the names that other systems give it, what it does, and how.

    `wanted` names the parameters that must be there, `optional` those that may; `event` is what the seam is told when
    it is done. One without a `run` is carried out by the head-end alone or needs more than one session.
    """

    name: str
    says: str
    run: Run | None = None
    floor: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    event: str = "order.done"
    where: str = "meter"
    objects: tuple[str, ...] = field(default=())

    def check(self, parameters: Parameters) -> None:
        """Refuse what is incomplete before anything is accepted.

        Raises:
            BadParametersError: says what is missing or unknown.
        """
        if missing := [name for name in self.wanted if name not in parameters]:
            raise BadParametersError(f"{self.name} needs {', '.join(missing)}.", hint="Add it to the parameters.")
        known = {*self.wanted, *self.optional}
        if unknown := sorted(set(parameters) - known):
            hint = f"It takes {', '.join(sorted(known)) or 'none'}."
            raise BadParametersError(f"{self.name} does not take {', '.join(unknown)}.", hint=hint)


def plain(value: Data | Encoded | DataAccessResult | None) -> Any:  # noqa: ANN401 - what JSON can hold
    """A COSEM value as JSON holds it: numbers, truth, lists, text where octets are printable, else hexadecimal."""
    if isinstance(value, DataAccessResult):
        return {"refused": value.name.lower()}
    if isinstance(value, Encoded):
        value = value.data()
    if value is None or value.tag == Tag.NULL:
        return None
    if isinstance(value.value, tuple):
        return [plain(member) for member in value.value]
    if isinstance(value.value, bytes):
        text = value.value.decode("latin-1")
        return text if text.isascii() and text.isprintable() and text else value.value.hex()
    return value.value if isinstance(value.value, bool | int | float | str) else str(value.value)


def number(parameters: Parameters, name: str, low: int, high: int, default: int | None = None) -> int:
    """A whole number within bounds.

    Raises:
        BadParametersError: it is none.
    """
    given = parameters.get(name, default)
    try:
        value = int(str(given))
    except ValueError as error:
        raise BadParametersError(f"{name} is {given!r}, no whole number.", hint=f"Send {low} to {high}.") from error
    if not low <= value <= high:
        raise BadParametersError(f"{name} is {value}.", hint=f"Send {low} to {high}.")
    return value


def octets(parameters: Parameters, name: str) -> bytes:
    """Octets from hexadecimal text.

    Raises:
        BadParametersError: it is none.
    """
    try:
        return bytes.fromhex(str(parameters[name]))
    except ValueError as error:
        raise BadParametersError(f"{name} is not hexadecimal.", hint="Send octets as 0A1B2C3D.") from error
