"""Values at places of a manufacturer's bytes: the codings that drivers name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

from openami.ami.mbus import quantities, values
from openami.ami.mbus.quantities import Quantity
from openami.ami.mbus.records import Function, RawRecord, Record

if TYPE_CHECKING:
    from collections.abc import Callable

_THIRDS: Final = Decimal("0.000001")  # what pulses that are no decimal part of a unit are rounded to
_DATE_OCTETS: Final = 2


@dataclass(frozen=True, slots=True)
class Place:
    """One value: where its bytes are (several places are added up), how they are coded, what they mean.

    Codings: `unsigned` and `signed` (least significant byte first), `big-endian`, `bcd`, `float` (type H), `date`
    (type G), `packed date` (year, month and day in 7, 4 and 5 bits), `day` (month and day of Techem, the first such
    day behind the packed date at `after`), `bcd date` (day, month, year), `twelve low` and `twelve high` (two
    numbers of twelve bits in three bytes), `unsigned or none` (none where all bits are ones), `bcd year first`
    (year, month, day). `mask` keeps some bits of a number, and `table` says what its codes stand for; other codes
    say nothing. With `repeat` there are as many values, each `step` bytes on. `vif` is the place of a VIF that
    gives quantity, unit and scale; `of` says for which period the value stands.
    """

    quantity: str
    at: tuple[int, ...]
    size: int = 2
    coding: str = "unsigned"
    unit: str = ""
    exponent: int = 0
    divide: int = 1
    storage: int = 0
    vif: int | None = None
    of: str = ""
    after: int | None = None
    tag: int | None = None
    mask: int = 0
    table: tuple[tuple[int, Decimal], ...] = ()

    @classmethod
    def all_of(cls, table: dict[str, Any]) -> list[Self]:
        """A place as a driver's file writes it, as often as it is repeated."""
        told = dict(table)
        at, tag = told.pop("at"), told.pop("tag", None)
        first = tuple(at) if isinstance(at, list) else (at,)
        repeat, step, storage_step = told.pop("repeat", 1), told.pop("step", 0), told.pop("storage_step", 1)
        storage = told.pop("storage", 0)
        if told.get("coding", "unsigned") not in _NUMBERS.keys() | _DATES.keys():
            msg = f"there is no coding {told['coding']!r}"
            raise ValueError(msg)
        codes = told.pop("table", {})
        return [
            cls(
                table=tuple((int(code), Decimal(meant)) for code, meant in codes.items()),
                at=tuple(each + index * step for each in first),
                storage=storage + index * storage_step,
                tag=None if tag is None else int(tag, 16),
                **told,
            )
            for index in range(repeat)
        ]


def read_place(place: Place, data: bytes) -> Record | None:
    """The value at a place, or None when the data end before it or no date stands there."""
    pieces = [data[at : at + place.size] for at in place.at]
    if any(len(piece) < place.size for piece in pieces):
        return None
    if place.coding in _DATES:
        told = _DATES[place.coding](pieces[0]) if place.after is None else _day_after(pieces[0], data, place.after)
        return None if told is None else _record(place, Quantity(place.quantity), told, pieces)
    numbers = [_NUMBERS[place.coding](piece) for piece in pieces]
    if None in numbers:
        return None
    quantity = Quantity(place.quantity, place.unit, place.exponent)
    if place.vif is not None and place.vif < len(data):
        meant = quantities.PRIMARY.get(data[place.vif] & 0x7F, quantities.RESERVED)
        name = f"{meant.name} of a {place.of}" if place.of else meant.name
        quantity = Quantity(name, meant.unit, meant.exponent, meant.factor)
    number = sum(each for each in numbers if each is not None)
    number = int(number) & place.mask if place.mask else number
    if place.table:
        meant_by_code = dict(place.table).get(int(number))
        return None if meant_by_code is None else _record(place, quantity, meant_by_code, pieces)
    return _record(place, quantity, _scaled(number, quantity, place.divide), pieces)


def _scaled(number: int | Decimal, quantity: Quantity, divide: int) -> int | Decimal:
    if divide != 1:
        exact = (Decimal(number) / divide).quantize(_THIRDS)
        return int(exact) if exact == exact.to_integral_value() else exact.normalize()
    if quantity.exponent >= 0:
        return number * quantity.factor * int(10**quantity.exponent)
    return Decimal(number * quantity.factor).scaleb(quantity.exponent)


def _record(place: Place, quantity: Quantity, value: int | Decimal | date, pieces: list[bytes]) -> Record:
    raw = RawRecord(b"", b"", b"".join(pieces))
    return Record(Function.INSTANTANEOUS, place.storage, 0, 0, quantity.name, quantity.unit, value, (), raw)


def _packed_date(data: bytes) -> date | None:
    number = int.from_bytes(data[:_DATE_OCTETS], "little")
    return _date(2000 + (number >> 9), number >> 5 & 0x0F, number & 0x1F)


def _bcd_date(data: bytes) -> date | None:
    digits = data[:3].hex()
    return _date(2000 + int(digits[4:]), int(digits[2:4]), int(digits[:2])) if digits.isdecimal() else None


def _bcd_year_first(data: bytes) -> date | None:
    return _bcd_date(data[2::-1])


def _unsigned_or_none(data: bytes) -> int | None:
    return None if data == b"\xff" * len(data) else int.from_bytes(data, "little")


def _day_after(piece: bytes, data: bytes, after: int) -> date | None:
    """A day without a year: the first one behind a date that is told."""
    number = int.from_bytes(piece[:_DATE_OCTETS], "little")
    month, day = number >> 9 & 0x0F, number >> 4 & 0x1F
    last = _packed_date(data[after : after + _DATE_OCTETS])
    if last is None:
        return None
    later = (month, day) > (last.month, last.day)
    return _date(last.year if later else last.year + 1, month, day)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


_DATES: Final[dict[str, Callable[[bytes], date | None]]] = {
    "date": values.date_g,
    "packed date": _packed_date,
    "bcd date": _bcd_date,
    "bcd year first": _bcd_year_first,
    "day": _packed_date,
}
_NUMBERS: Final[dict[str, Callable[[bytes], int | Decimal | None]]] = {
    "float": values.real,
    "unsigned": lambda data: int.from_bytes(data, "little"),
    "unsigned or none": _unsigned_or_none,
    "signed": values.integer,
    "big-endian": lambda data: int.from_bytes(data, "big"),
    "bcd": values.bcd,
    "twelve low": lambda data: int.from_bytes(data, "big") & 0x0FFF,
    "twelve high": lambda data: data[0] | data[1] >> 4 << 8,
}
