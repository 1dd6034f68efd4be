"""Values of the readings: item status, reading reasons and types, register readings, days of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

MILLI: Final = 1000
"""Books hold thousandths of the register's unit: Wh for KWH, litres for M3."""


class ItemStatus(IntEnum):
    """What a profile value is worth; the numbers are the ones energy data management knows (01, 02, 03, 99)."""

    EMPTY = 0
    """Nothing ever arrived."""
    VALID = 1
    ESTIMATED = 2
    IMPLAUSIBLE = 3
    MISSING = 99
    """The middle says that there is no value."""


class Reason(StrEnum):
    """Why a register is read (code list of the enterprise services, section 3.12)."""

    PERIODIC = "01"
    INTERIM_WITH_BILLING = "02"
    MOVE_OUT = "03"
    MOVE_IN = "06"
    INSTALLATION = "08"
    INTERIM = "09"
    CONTROL = "10"
    REMOVAL = "12"
    BILLING_INSTALLATION = "21"
    BILLING_REMOVAL = "22"


class ReadingType(StrEnum):
    """How a register value came about."""

    MEASURED = "01"
    ESTIMATED = "02"


class DataSource(StrEnum):
    """Whether the middle answers from its store or reads the device now."""

    STORED = "0"
    ON_DEMAND = "1"


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """What a register showed at an instant, in thousandths of its unit."""

    at: datetime
    value_milli: int
    estimated: bool = False
    reason: str = Reason.PERIODIC
    document_id: str = ""
