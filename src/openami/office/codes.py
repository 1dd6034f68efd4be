"""What the codes of the contract mean in the office; the code lists themselves are tables that a customer edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.office.readings.model import ItemStatus
from openami.shared.contract.enterprise.headers import id_key
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.shared.contract.enterprise.codes import Code, CodeTable

    Tables = Mapping[str, CodeTable]

_STATUSES: Final = {
    "valid": ItemStatus.VALID,
    "default": ItemStatus.VALID,
    "estimated": ItemStatus.ESTIMATED,
    "implausible": ItemStatus.IMPLAUSIBLE,
    "missing": ItemStatus.MISSING,
}
"""Name of an item status in the code table -> what it is worth here."""


class CodeMissingError(OpenAmiError):
    """A code table has no code for something that the office has to say."""

    number = "OAMI137"
    category = "DCE.VME"


def item_statuses(tables: Tables) -> dict[str, ItemStatus]:
    """Status codes (in capitals, without leading zeros) and what they are worth; a name we do not know is left out."""
    return {
        id_key(code.code.upper()): _STATUSES[code.name]
        for code in tables["item_statuses"].codes
        if code.name in _STATUSES
    }


def recurrence_code(tables: Tables, interval_s: int) -> str | None:
    """The recurrence code of an interval length; None for a register.

    Raises:
        CodeMissingError: the table has no such length.
    """
    return _having(tables["recurrences"], "interval_s", interval_s).code if interval_s else None


def time_zone_code(tables: Tables, zone_name: str) -> str | None:
    """The back office's name of a zone (at most 10 characters, not an IANA name).

    None if the table does not know the zone: the field is optional, the middle then takes its own zone.
    """
    return next((code.code for code in tables["time_zones"].codes if code.values.get("zone") == zone_name), None)


def division_code(tables: Tables, division: str) -> str:
    """The division code of electricity, gas or water."""
    return tables["divisions"].named(division).code


def _having(table: CodeTable, column: str, value: str | int) -> Code:
    found = next((code for code in table.codes if code.values.get(column) == value), None)
    if found is None:
        raise CodeMissingError(
            f"The table {table.title!r} has no code with {column} = {value!r}.", hint="Add one to the table."
        )
    return found
