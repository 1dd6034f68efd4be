"""CMEP (California Metering Exchange Protocol): one line a record, readings as triplets of time, flag and value.

`MEPMD01` carries metered data: consumptions (`KWH`) stamped at the end of their interval, or dial values (`KWHREG`,
`GALREG`) stamped when they were read. Times are UTC unless a zone is agreed.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Final
from zoneinfo import ZoneInfo

import numpy as np

from openami.mdus.unify.adapters.model import BAD_VALUE, Batch, SeriesBuilder, build_all
from openami.mdus.unify.adapters.quantities import DELTA, DIAL, ELECTRICITY, GAS, WATER, code_of_unit
from openami.mdus.unify.errors import UnknownUnitError
from openami.shared.contract import field as contract
from openami.shared.contract.field.errors import FieldContractError
from openami.shared.contract.field.lexical import parse_decimal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

_LINE_BYTES: Final = 4 * 1024 * 1024
_BATCH_READINGS: Final = 100_000
_RECORD: Final = "MEPMD01"
_HEAD_FIELDS: Final = 14
_COMMODITIES: Final = {"E": ELECTRICITY, "G": GAS, "W": WATER}
_FLAGS: Final = {"V": (0, 1), "E": (8, 0), "A": (7, 0), "N": (5, 259)}


class _RecordError(Exception):
    """A record that cannot be taken; the text says why."""


class Cmep:
    """CMEP files."""

    name = "cmep"

    def __init__(self, zone_name: str = "UTC") -> None:
        self.zone = ZoneInfo(zone_name)

    def sniffs(self, head: bytes) -> bool:
        """By the record type at the start of the first line."""
        return head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"MEP")

    def read(self, stream: BinaryIO) -> Iterator[Batch]:
        """Read records; a batch whenever enough is gathered."""
        builders: list[SeriesBuilder] = []
        refusals: list[contract.Refusal] = []
        lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline=None)
        number = 0
        while line := lines.readline(_LINE_BYTES):
            number += 1
            if not line.strip():
                continue
            parts = [part.strip() for part in line.split(",")]
            try:
                builders.append(self._record(parts, f"line {number}"))
            except _RecordError as error:
                name = next((part for part in (*parts[7:8], *parts[5:6], *parts[4:5]) if part), None)
                refusals.append(contract.Refusal(f"line {number}", BAD_VALUE, str(error), name))
            if sum(map(len, builders)) > _BATCH_READINGS:
                yield _batch(builders, refusals)
                builders, refusals = [], []
        yield _batch(builders, refusals)
        lines.detach()

    def _record(self, parts: list[str], position: str) -> SeriesBuilder:
        if parts[0] != _RECORD:
            raise _RecordError(f"a record of the type {parts[0][:20]!r}, not {_RECORD}")
        if len(parts) < _HEAD_FIELDS or not parts[13].isdecimal():
            raise _RecordError(f"a record with {len(parts)} fields and no count of readings")
        triplets = parts[_HEAD_FIELDS:]
        while len(triplets) % 3 and not triplets[-1]:
            triplets.pop()
        count = int(parts[13])
        if len(triplets) != 3 * count:
            raise _RecordError(f"the record declares {count} readings and carries {len(triplets) / 3:g}")
        interval_s = _length(parts[12])
        dial = parts[10].upper().endswith("REG")
        builder = SeriesBuilder(
            next((part for part in (parts[7], parts[5], parts[4]) if part), "nameless"),
            _identity(parts),
            _code(parts, 0 if dial else interval_s, DIAL if dial else DELTA),
            0 if dial else interval_s,
            _quality,
            factor=_factor(parts[11]),
        )
        stamps = self._stamps(triplets[::3], interval_s)
        builder.add(stamps if dial else stamps - interval_s, triplets[2::3], triplets[1::3], position)
        return builder

    def _stamps(self, texts: list[str], interval_s: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Times of the readings; an empty one follows its predecessor after one interval."""
        found: list[int] = []
        for text in texts:
            if text:
                found.append(self._stamp(text))
            elif found and interval_s:
                found.append(found[-1] + interval_s)
            else:
                raise _RecordError("the first reading has no time")
        return np.array(found, np.int64)

    def _stamp(self, text: str) -> int:
        try:
            if len(text) != 12:
                raise ValueError(text)  # noqa: TRY301 - strptime forgives what it should not
            return int(datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=self.zone).astimezone(UTC).timestamp())
        except ValueError:
            raise _RecordError(f"{text[:20]!r} is not a time") from None


def _batch(builders: list[SeriesBuilder], refusals: list[contract.Refusal]) -> Batch:
    series = build_all(builders, refusals)
    return Batch(series=series, refusals=tuple(refusals))


def _length(text: str) -> int:
    """`MMDDHHMM` of an interval; months have no length in seconds."""
    if len(text) != 8 or not text.isdecimal() or (text.startswith(("0", "1")) and int(text[:2])):
        raise _RecordError(f"the interval {text[:20]!r} has no length in days, hours and minutes")
    return (int(text[2:4]) * 24 + int(text[4:6])) * 3600 + int(text[6:8]) * 60


def _code(parts: list[str], interval_s: int, accumulation: int) -> contract.ReadingTypeCode:
    try:
        commodity = _COMMODITIES.get(parts[9].upper(), 0)
        return code_of_unit(parts[10], interval_s, commodity=commodity, accumulation=accumulation)
    except UnknownUnitError as error:
        raise _RecordError(error.found) from error


def _factor(text: str) -> Decimal:
    try:
        return parse_decimal(text or "1")
    except FieldContractError as error:
        raise _RecordError(f"the constant {error.found}") from error


def _identity(parts: list[str]) -> contract.Identity:
    kinds = ((7, "MeterID"), (5, "CmepReceiverCustomerID"), (4, "CmepReceiverID"))
    return contract.Identity(None, tuple(contract.Name.of(parts[at], kind) for at, kind in kinds if parts[at]))


def _quality(flag: str) -> tuple[contract.QualityCode, ...]:
    """The letter of a flag such as `R0`; raw says nothing, and the bits behind it are the vendor's."""
    known = _FLAGS.get(flag[:1].upper())
    return (contract.QualityCode(4, *known),) if known else ()
