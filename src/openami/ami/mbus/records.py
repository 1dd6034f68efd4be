"""Data records of EN 13757-3: DIF, VIF and data as raw bytes, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from openami.ami.mbus import quantities, values
from openami.ami.mbus.errors import RecordTruncatedError, TextTooLongError, TooManyExtensionsError
from openami.ami.mbus.quantities import Quantity, Shape

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from openami.ami.mbus.values import LocalTime, Value

EXTENSION: Final = 0x80
DIF_MANUFACTURER: Final = 0x0F
DIF_MORE_RECORDS: Final = 0x1F
DIF_FILLER: Final = 0x2F
_EMPTY: Final = 0xFF
_EXTENSIONS_MAX: Final = 10  # EN 13757-3 clause 6.3.4
_PLAIN_TEXT_VIF: Final = 0x7C
_DATA_SIZES: Final = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, -1, 6, 0)
_REAL: Final = 0x5
_VARIABLE: Final = 0xD
_BCD_FIELDS: Final = frozenset({0x9, 0xA, 0xB, 0xC, 0xE})


class Function(IntEnum):
    """Bits 4 and 5 of the DIF."""

    INSTANTANEOUS = 0
    MAXIMUM = 1
    MINIMUM = 2
    ERROR_STATE = 3


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as sent: DIF with DIFEs, VIF with text and VIFEs, data (with LVAR byte when variable)."""

    dib: bytes
    vib: bytes
    data: bytes

    @property
    def octets(self) -> bytes:
        """What goes over the line."""
        return self.dib + self.vib + self.data


@dataclass(frozen=True, slots=True)
class Record:
    """One value with its meaning; numbers are exact, in `unit`, scale applied."""

    function: Function
    storage: int
    tariff: int
    subunit: int
    quantity: str
    unit: str
    value: Value
    qualifiers: tuple[str, ...]
    raw: RawRecord


def split_records(data: bytes) -> tuple[list[RawRecord], bytes, bool]:
    """The records in the data of a variable telegram, the manufacturer's block behind them, and whether more follow.

    Raises:
        RecordTruncatedError: the last record is cut.
        TooManyExtensionsError: a chain of DIFE or VIFE has more than ten.
        TextTooLongError: the text of a VIF does not fit.
    """
    records: list[RawRecord] = []
    position = 0
    while position < len(data):
        dif = data[position]
        if dif == DIF_FILLER:
            position += 1
        elif dif == _EMPTY and not data[position:].strip(b"\xff"):
            break  # memory that was never written, behind the last record
        elif dif & 0x7F in (DIF_MANUFACTURER, DIF_MORE_RECORDS):
            return records, data[position + 1 :], dif & 0x7F == DIF_MORE_RECORDS
        else:
            record, position = _split_one(data, position)
            records.append(record)
    return records, b"", False


def _split_one(data: bytes, start: int) -> tuple[RawRecord, int]:
    dib_end = _chain_end(data, start, "DIFE")
    vib_end = _vib_end(data, dib_end)
    if _DATA_SIZES[data[start] & 0x0F] < 0 and vib_end >= len(data):
        raise _cut("before its LVAR byte", data[start:])
    size = data_size(data[start], data[vib_end : vib_end + 1])
    if vib_end + size > len(data):
        raise _cut(f"in its {size} bytes of data", data[start:])
    end = vib_end + size
    return RawRecord(data[start:dib_end], data[dib_end:vib_end], data[vib_end:end]), end


def data_size(dif: int, first: bytes) -> int:
    """How many bytes of data a DIF announces; variable ones begin with their length (LVAR)."""
    size = _DATA_SIZES[dif & 0x0F]
    return size if size >= 0 else 1 + (variable_size(first[0]) if first else 0)


def _vib_end(data: bytes, start: int) -> int:
    if start >= len(data):
        raise _cut("before its VIF", data[start:])
    text_end = start + 1
    if data[start] & 0x7F == _PLAIN_TEXT_VIF:
        if text_end >= len(data):
            raise _cut("in the text of its VIF", data[start:])
        length = data[text_end]
        text_end += 1 + length
        if text_end > len(data):
            raise TextTooLongError(
                f"The VIF carries a text of {length} bytes, {len(data) - start - 2} are left.",
                hint="The telegram was cut.",
            )
    if not data[start] & EXTENSION:
        return text_end
    return _chain_end(data, text_end, "VIFE", extensions=1)


def _chain_end(data: bytes, position: int, name: str, extensions: int = 0) -> int:
    """Past the last byte of a chain whose bytes all but the last have the extension bit."""
    while True:
        if position >= len(data):
            raise _cut(f"in its {name} bytes", data)
        if extensions > _EXTENSIONS_MAX:
            raise TooManyExtensionsError(
                f"A record has more than {_EXTENSIONS_MAX} {name} bytes.", hint="The telegram is damaged."
            )
        position += 1
        if not data[position - 1] & EXTENSION:
            return position
        extensions += 1


def variable_size(lvar: int) -> int:
    """How many bytes follow an LVAR byte, EN 13757-3 table 5; the reserved ones carry none."""
    if lvar < 0xC0:
        return lvar
    if lvar < 0xE0:
        return lvar & 0x0F if lvar & 0x0F < 10 else 0
    if lvar < 0xF0:
        return lvar - 0xE0
    if lvar < 0xF5:
        return 4 * (lvar - 0xEC)
    return {0xF5: 48, 0xF6: 64}.get(lvar, 0)


def interpret(raw: RawRecord) -> Record:
    """What a raw record means. Never fails: what cannot be read has the value None or its bytes."""
    storage, tariff, subunit = _coordinates(raw.dib)
    quantity, qualifiers = _quantity(raw.vib)
    dif = raw.dib[0]
    return Record(
        function=Function(dif >> 4 & 0x03),
        storage=storage,
        tariff=tariff,
        subunit=subunit,
        quantity=quantity.name,
        unit=quantity.unit,
        value=_value(dif & 0x0F, raw.data, quantity),
        qualifiers=qualifiers,
        raw=raw,
    )


def _coordinates(dib: bytes) -> tuple[int, int, int]:
    storage, tariff, subunit = dib[0] >> 6 & 1, 0, 0
    for index, dife in enumerate(dib[1:]):
        storage |= (dife & 0x0F) << (1 + 4 * index)
        tariff |= (dife >> 4 & 0x03) << (2 * index)
        subunit |= (dife >> 6 & 0x01) << index
    return storage, tariff, subunit


def _quantity(vib: bytes) -> tuple[Quantity, tuple[str, ...]]:
    vif, extensions = vib[0], vib[1:]
    if vif & 0x7F == _PLAIN_TEXT_VIF:
        length = vib[1]
        quantity = Quantity(values.text(vib[2 : 2 + length]))
        extensions = vib[2 + length :]
    elif vif in (0xFB, 0xFD) and extensions:
        table = quantities.FIRST_EXTENSION if vif == 0xFB else quantities.SECOND_EXTENSION
        quantity = table.get(extensions[0] & 0x7F, quantities.RESERVED)
        extensions = extensions[1:]
    else:
        quantity = quantities.PRIMARY.get(vif & 0x7F, quantities.RESERVED)
    if quantity.shape is Shape.MANUFACTURER:
        return quantity, ()
    return _qualified(quantity, extensions)


def _qualified(quantity: Quantity, extensions: bytes) -> tuple[Quantity, tuple[str, ...]]:
    qualifiers: list[str] = []
    exponent = quantity.exponent
    for octet in extensions:
        code = octet & 0x7F
        if 0x70 <= code <= 0x77:  # multiplicative correction 10^(n-6)
            exponent += code - 0x76
        elif code == 0x7D:
            exponent += 3
        elif code:
            qualifiers.append(quantities.QUALIFIERS.get(code, f"VIFE {code:02X}h"))
        if code == 0x7F:  # the rest of the chain belongs to the manufacturer
            break
    corrected = Quantity(quantity.name, quantity.unit, exponent, quantity.factor, quantity.shape)
    return corrected, tuple(qualifiers)


def _value(field: int, data: bytes, quantity: Quantity) -> Value:
    if field == _VARIABLE:
        return _variable_value(data, quantity)
    if not data:
        return None
    if quantity.shape is Shape.MANUFACTURER:
        return data
    if quantity.shape in (Shape.DATE, Shape.DATE_TIME) and field not in _BCD_FIELDS:
        return _time_value(data)
    if field == _REAL:
        return _scaled(values.real(data), quantity)
    return _scaled(values.bcd(data) if field in _BCD_FIELDS else values.integer(data), quantity)


def _time_value(data: bytes) -> date | LocalTime | None:
    decoders: dict[int, Callable[[bytes], date | LocalTime | None]] = {
        2: values.date_g,
        4: values.date_time_f,
        6: values.date_time_i,
    }
    decoder = decoders.get(len(data))
    return decoder(data) if decoder else None


def _variable_value(data: bytes, quantity: Quantity) -> Value:
    lvar, body = data[0], data[1:]
    if lvar < 0xC0:
        return body if quantity.shape is Shape.MANUFACTURER else values.text(body)
    if lvar < 0xE0:
        number = values.bcd(body) if body else None
        return _scaled(-number if number is not None and lvar >= 0xD0 else number, quantity)
    return body if quantity.shape is Shape.MANUFACTURER or len(body) > 8 else _scaled(values.integer(body), quantity)


def _scaled(number: int | Decimal | None, quantity: Quantity) -> int | Decimal | None:
    if number is None or (quantity.exponent == 0 and quantity.factor == 1):
        return number
    scaled = Decimal(number * quantity.factor).scaleb(quantity.exponent)
    return int(scaled) if quantity.exponent >= 0 and isinstance(number, int) else scaled


def _cut(where: str, rest: bytes) -> RecordTruncatedError:
    return RecordTruncatedError(
        f"The record {rest[:16].hex(' ').upper()} ends {where}.", hint="The telegram was cut; ask again."
    )
