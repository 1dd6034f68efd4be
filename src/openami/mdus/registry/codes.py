"""Codes of the back office that belong to customizing: units, recurrences. The tables are those of the contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openami.mdus.registry.errors import UnknownCodeError
from openami.shared.contract.enterprise.codes import UnknownCode, code_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.shared.contract.enterprise.codes import Code, CodeTable


@dataclass(frozen=True, slots=True)
class UnitRule:
    """How a unit of the back office stands in the books: `1 code = 10**power` of `unit`, kept at `10**scale`."""

    unit: str
    power: int
    scale: int


@dataclass(frozen=True, slots=True)
class CodeTables:
    """The tables of one landscape; an entry that is missing there is an error, never a guess."""

    tables: Mapping[str, CodeTable] = field(default_factory=code_tables)
    day_starts_s: Mapping[str, int] = field(default_factory=dict)
    """Where days do not begin at midnight, by medium (value group A of OBIS): 7 is gas, 21600 six in the morning."""

    def day_start_s(self, obis: str) -> int:
        """When the days of a quantity begin, in seconds after local midnight."""
        return self.day_starts_s.get(obis[:1], 0)

    def unit(self, code: str) -> UnitRule:
        """The books' unit of a unit code.

        Raises:
            UnknownCodeError: the table has no such code.
        """
        values = self.of("units", code).values
        return UnitRule(str(values["unit"]), int(values["power"]), int(values["scale"]))

    def interval_s(self, recurrence: str) -> int:
        """The interval length of a recurrence code, 0 for a register; none at all is a register too.

        Raises:
            UnknownCodeError: the table has no such code.
        """
        return int(self.of("recurrences", recurrence).values["interval_s"]) if recurrence.strip() else 0

    def of(self, table: str, code: str) -> Code:
        """A code of a table, as sent.

        Raises:
            UnknownCodeError: the table has no such code.
        """
        try:
            return self.tables[table].of(code)
        except UnknownCode as error:
            raise UnknownCodeError(error.found, hint=error.hint) from error
