"""Data sets, clause 6.5: `address(value*unit)(value)...`, as many in a line as one likes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from openami.ami.iec62056_21.errors import DataSetError, ReadoutTooLongError

DATA_SETS_MAX: Final = 4096
"""A read-out of all registers of a big meter has some hundreds."""
_SET: Final = re.compile(r"([^()/!\r\n]*)((?:\([^()]*\))+)")
_BETWEEN: Final = re.compile(r"[\s\x02\x03!]*")
_VALUE: Final = re.compile(r"\(([^()]*)\)")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d*)?|[+-]?\.\d+")


@dataclass(frozen=True, slots=True)
class DataValue:
    """What stands in one pair of brackets."""

    text: str
    unit: str = ""

    @property
    def number(self) -> Decimal | None:
        """The value as a number, exactly as many digits as sent; None if it is none."""
        return Decimal(self.text) if _NUMBER.fullmatch(self.text) else None


@dataclass(frozen=True, slots=True)
class DataSet:
    """An address (mostly an OBIS code) with its values; an empty address continues the set before."""

    address: str
    values: tuple[DataValue, ...]


def parse_data_sets(text: str) -> list[DataSet]:
    """The data sets of a text, line ends anywhere between them.

    Raises:
        DataSetError: something between the sets is none.
        ReadoutTooLongError: there are more than 4096.
    """
    sets: list[DataSet] = []
    position = _skip(text, 0)
    while position < len(text):
        match = _SET.match(text, position)
        if match is None:
            raise DataSetError(
                f"Found {text[position : position + 30]!r} where a data set is due.", hint="Write address(value*unit)."
            )
        if len(sets) == DATA_SETS_MAX:
            raise ReadoutTooLongError(f"There are more than {DATA_SETS_MAX} data sets.", hint="Is this a read-out?")
        values = tuple(_value(each.group(1)) for each in _VALUE.finditer(match.group(2)))
        sets.append(DataSet(match.group(1).strip(), values))
        position = _skip(text, match.end())
    return sets


def _skip(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return match.end() if match else position


def _value(content: str) -> DataValue:
    number, star, unit = content.partition("*")
    return DataValue(number, unit) if star else DataValue(content)
