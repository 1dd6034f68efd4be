"""The four dotted codes of IEC 61968-9 as small values: reading type, reading quality, event type, control type.

Unknown numbers are kept, never refused: partners use values outside every published table. Only the form is checked.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from typing import ClassVar, Self

from openami.shared.contract.field.errors import (
    BadControlCodeError,
    BadEventCodeError,
    BadQualityCodeError,
    BadReadingTypeError,
    FieldContractError,
)
from openami.shared.contract.field.tables import MEASURING_PERIODS_S, unit_symbol

# A number of a code fits a 32-bit integer; longer digit strings are an attack on int(), not a code.
_NUMBER = r"\d{1,9}"
_READING_TYPE = re.compile(rf"(?:{_NUMBER}\.){{15}}-?{_NUMBER}\.{_NUMBER}\.{_NUMBER}", re.ASCII)
_PATTERN_PART = re.compile(rf"\*|-?{_NUMBER}(?:\|-?{_NUMBER})*", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class ReadingTypeCode:
    """What a value is: eighteen integers, 0 = not applicable; only `multiplier` (a power of ten) may be negative."""

    macro_period: int = 0
    aggregate: int = 0
    measuring_period: int = 0
    accumulation: int = 0
    flow_direction: int = 0
    commodity: int = 0
    measurement_kind: int = 0
    interharmonic_numerator: int = 0
    interharmonic_denominator: int = 0
    argument_numerator: int = 0
    argument_denominator: int = 0
    tou: int = 0
    cpp: int = 0
    consumption_tier: int = 0
    phases: int = 0
    multiplier: int = 0
    unit: int = 0
    currency: int = 0

    BULK_QUANTITY: ClassVar[int] = 1
    DELTA_DATA: ClassVar[int] = 4
    INDICATING: ClassVar[int] = 6
    SUMMATION: ClassVar[int] = 9

    @staticmethod
    def parse(text: str) -> ReadingTypeCode:
        """Read `0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0`.

        Raises:
            BadReadingTypeError: not eighteen dotted integers.
        """
        return _parse_reading_type(text)

    def __str__(self) -> str:
        return _dotted(self)

    def matches(self, pattern: str) -> bool:
        """True if every field fits `pattern`: dotted, each part `*`, a number, or alternatives such as `1|2`."""
        return _pattern(pattern).fullmatch(str(self)) is not None

    @property
    def interval_s(self) -> int | None:
        """Length of the measuring period in seconds, None if the code names none that we know."""
        return MEASURING_PERIODS_S.get(self.measuring_period)

    @property
    def unit_symbol(self) -> str:
        """The unit without its multiplier, such as `Wh`; `unit-N` for a number that our table does not have."""
        return unit_symbol(self.unit)

    @property
    def is_dial(self) -> bool:
        """True if values only make sense as differences (bulk quantity, summation): a dial, not a consumption."""
        return self.accumulation in {self.BULK_QUANTITY, self.SUMMATION}


@lru_cache(maxsize=4096)
def _parse_reading_type(text: str) -> ReadingTypeCode:
    text = text.strip()
    if _READING_TYPE.fullmatch(text) is None:
        raise BadReadingTypeError(
            f"{text[:80]!r} is not a reading type.", hint="Give eighteen integers with dots between them."
        )
    return ReadingTypeCode(*map(int, text.split(".")))


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = pattern.split(".")
    if len(parts) != len(fields(ReadingTypeCode)) or not all(map(_PATTERN_PART.fullmatch, parts)):
        raise BadReadingTypeError(
            f"{pattern!r} is not a pattern of reading types.",
            hint="Give eighteen parts with dots between them, each `*`, a number, or `1|2`.",
        )
    return re.compile(r"\.".join(r"-?\d+" if part == "*" else f"(?:{part})" for part in parts))


@dataclass(frozen=True, slots=True, order=True)
class _DottedCode:
    """A fixed number of dotted non-negative integers."""

    _error: ClassVar[type[FieldContractError]]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the dotted form.

        Raises:
            FieldContractError: the subclass that belongs to this code, if the form is wrong.
        """
        names = [field.name for field in fields(cls)]
        parts = text.strip().split(".")
        if len(parts) != len(names) or not all(re.fullmatch(_NUMBER, part, re.ASCII) for part in parts):
            raise cls._error(f"{text[:40]!r} is not a {cls.__name__}.", hint=f"Give {'.'.join(names)} as integers.")
        return cls(*map(int, parts))

    def __str__(self) -> str:
        return _dotted(self)


@lru_cache(maxsize=65536)
def _dotted(code: ReadingTypeCode | _DottedCode) -> str:
    return ".".join(str(part) for part in astuple(code))


@dataclass(frozen=True, slots=True, order=True)
class QualityCode(_DottedCode):
    """What is known about a value: who says it (1 device, 2 AMS, 3 MDUS), the category and the index in it."""

    _error: ClassVar[type[FieldContractError]] = BadQualityCodeError

    system: int
    category: int
    index: int


@dataclass(frozen=True, slots=True, order=True)
class EventCode(_DottedCode):
    """What happened: device type, domain, sub-domain, event."""

    _error: ClassVar[type[FieldContractError]] = BadEventCodeError

    type: int
    domain: int
    sub_domain: int
    event_or_action: int


@dataclass(frozen=True, slots=True, order=True)
class ControlCode(_DottedCode):
    """What is ordered: device type, domain, sub-domain, action."""

    _error: ClassVar[type[FieldContractError]] = BadControlCodeError

    type: int
    domain: int
    sub_domain: int
    event_or_action: int


CONNECT = ControlCode(3, 31, 0, 18)
DISCONNECT = ControlCode(3, 31, 0, 23)
DEMAND_RESET = ControlCode(3, 8, 0, 214)
KNOWN_MISSING_BY_AMS = QualityCode(2, 5, 259)
VALID_BY_DEVICE = QualityCode(1, 0, 0)
