"""Values of billing: what goes into a bill, what is on it, and the states it passes through."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from openami.office.devices.model import Direction
from openami.office.readings.model import ItemStatus
from openami.office.readings.rules import advance_milli

if TYPE_CHECKING:
    from datetime import date, datetime

    from numpy.typing import NDArray

    from openami.office.billing.tariff import Tariff
    from openami.office.readings.model import RegisterReading
    from openami.shared.spans import Span


class BillState(StrEnum):
    """A bill is corrected by addition: voided by a reversal, and billed again by a new one."""

    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class Party:
    """Who gets the bill, and where the energy was used."""

    contract_id: str
    customer_id: str
    name: str
    address: str
    point_of_delivery: str


@dataclass(frozen=True, slots=True, eq=False)
class MeterSlice:
    """One device at the point of delivery, as long as it was installed there inside the billed period.

    `starts` are epoch seconds on the grid of `interval_s`; values are thousandths of the unit (Wh, litres).
    """

    device_id: str
    serial: str
    register_id: str
    profile_id: str
    interval_s: int
    span: Span
    starts: NDArray[np.int64]
    values_milli: NDArray[np.int64]
    status: NDArray[np.uint8]
    direction: Direction = Direction.DRAWN
    opening: RegisterReading | None = None
    closing: RegisterReading | None = None
    range_milli: int = 0
    """After how many thousandths its register shows zero again; 0 if that is not known."""

    @property
    def register_difference_milli(self) -> int | None:
        """How far the register moved between its readings; one that turned over (meter overrun) went on from zero."""
        if self.opening is None or self.closing is None:
            return None
        opening, closing, span = map(np.int64, (self.opening.value_milli, self.closing.value_milli, self.range_milli))
        return int(advance_milli(opening, closing, span))

    @property
    def estimated(self) -> NDArray[np.bool_]:
        """Where the value was estimated."""
        flags: NDArray[np.bool_] = self.status == ItemStatus.ESTIMATED
        return flags

    def sum_milli(self, start_s: int, end_s: int) -> int:
        """The energy or volume of the intervals that start in [start, end), in thousandths."""
        inside = (self.starts >= start_s) & (self.starts < end_s)
        return int(self.values_milli[inside].sum())


@dataclass(frozen=True, slots=True, eq=False)
class BillInput:
    """Everything a bill is made from; the same input gives the same bill, byte for byte."""

    party: Party
    tariff: Tariff
    zone_name: str
    first_day: date
    past_last_day: date
    slices: tuple[MeterSlice, ...]
    as_of: datetime
    metered_from: datetime | None = None
    """The instant of a new connection, when there was none before it; else metering begins with the first day."""
    versions: dict[str, dict[str, int]] = field(default_factory=dict)
    """Which version of which day of which profile was read, so that it can be read again."""

    def going(self, direction: Direction) -> tuple[MeterSlice, ...]:
        """The parts of the meters that count one direction."""
        return tuple([piece for piece in self.slices if piece.direction is direction])


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line: quantity times price, rounded by the stated rule. `estimated` is the part of `quantity` that was."""

    kind: str
    id: str
    name: str
    quantity: Decimal
    unit: str
    price: Decimal
    price_unit: str
    amount: Decimal
    rounding: str
    estimated: Decimal = Decimal(0)
    vat_rate: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tax:
    """Value added tax on the lines of one rate; two where the rate changed inside the period."""

    rate: Decimal
    net: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MeterEvidence:
    """What the bill rests on: the readings of one register, and the sum of the intervals between them."""

    device_id: str
    serial: str
    direction: Direction
    start: datetime
    end: datetime
    opening: RegisterReading | None
    closing: RegisterReading | None
    register_difference_milli: int | None
    interval_sum_milli: int
    measured_milli: int
    estimated_milli: int


@dataclass(frozen=True, slots=True)
class EstimatedStretch:
    """A run of intervals that were estimated."""

    device_id: str
    direction: Direction
    start: datetime
    end: datetime
    quantity_milli: int


@dataclass(frozen=True, slots=True)
class DayTotal:
    """One local day, in thousandths of the measured unit."""

    day: date
    measured_milli: int
    estimated_milli: int


@dataclass(frozen=True, slots=True)
class Bill:
    """A finished calculation."""

    party: Party
    tariff_id: str
    tariff_name: str
    tariff_digest: str
    division: str
    currency: str
    measured_unit: str
    billed_unit: str
    zone_name: str
    first_day: date
    past_last_day: date
    lines: tuple[BillLine, ...]
    net: Decimal
    taxes: tuple[Tax, ...]
    vat: Decimal
    total: Decimal
    rounding: str
    measured_milli: int
    estimated_milli: int
    fed_in_milli: int
    meters: tuple[MeterEvidence, ...]
    estimates: tuple[EstimatedStretch, ...]
    days: tuple[DayTotal, ...]
    notes: tuple[str, ...]
    as_of: datetime
    inputs_sha256: str
    versions: dict[str, dict[str, int]]


def json_value(value: Any) -> Any:  # noqa: ANN401 - any value of the books, any JSON value
    """A value of the books as plain JSON: decimals and instants as text, so that nothing is lost."""
    match value:
        case Decimal():
            return format(value, "f")
        case dict():
            return {key: json_value(item) for key, item in value.items()}
        case tuple() | list():
            return [json_value(item) for item in value]
        case bool() | int() | str() | None:
            return value
        case _ if hasattr(value, "isoformat"):
            return value.isoformat()
        case _:
            return {name: json_value(getattr(value, name)) for name in value.__dataclass_fields__}
