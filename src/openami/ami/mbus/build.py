"""Records as a slave makes them: the few codings that our own meters send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.ami.mbus import values
from openami.ami.mbus.errors import UnencodableError
from openami.ami.mbus.records import Function, RawRecord

if TYPE_CHECKING:
    from openami.ami.mbus.values import LocalTime

VIF_VOLUME_LITRES: Final = 0x13
VIF_DATE_TIME: Final = 0x6D
VIF_FD: Final = 0xFD
VIFE_ERROR_FLAGS: Final = 0x17
_INTEGER_FIELDS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 8: 7}
_BCD_FIELDS: Final = {1: 0x9, 2: 0xA, 3: 0xB, 4: 0xC, 6: 0xE}


def integer(
    vib: bytes, value: int, size: int, *, function: Function = Function.INSTANTANEOUS, storage: int = 0, tariff: int = 0
) -> RawRecord:
    """A signed integer of 1, 2, 3, 4, 6 or 8 bytes.

    Raises:
        UnencodableError: the size is none of these, or the value does not fit.
    """
    if size not in _INTEGER_FIELDS:
        raise UnencodableError(f"There is no integer of {size} bytes.", hint="Choose 1, 2, 3, 4, 6 or 8.")
    return RawRecord(
        data_information(_INTEGER_FIELDS[size], function, storage, tariff), vib, values.encode_integer(value, size)
    )


def bcd(
    vib: bytes, value: int, size: int, *, function: Function = Function.INSTANTANEOUS, storage: int = 0, tariff: int = 0
) -> RawRecord:
    """A BCD number of 1, 2, 3, 4 or 6 bytes.

    Raises:
        UnencodableError: the size is none of these, or the value does not fit.
    """
    if size not in _BCD_FIELDS:
        raise UnencodableError(f"There is no BCD number of {size} bytes.", hint="Choose 1, 2, 3, 4 or 6.")
    return RawRecord(
        data_information(_BCD_FIELDS[size], function, storage, tariff), vib, values.encode_bcd(value, size)
    )


def volume_litres(litres: int, *, storage: int = 0) -> RawRecord:
    """A cumulative volume in litres, eight BCD digits as gas and water meters show them."""
    return bcd(bytes([VIF_VOLUME_LITRES]), litres, 4, storage=storage)


def date_time(time: LocalTime, *, storage: int = 0) -> RawRecord:
    """The time of the reading, type F."""
    return RawRecord(
        data_information(0x4, Function.INSTANTANEOUS, storage, 0),
        bytes([VIF_DATE_TIME]),
        values.encode_date_time_f(time),
    )


def error_flags(flags: int) -> RawRecord:
    """The meter's error flags; 0 when all is well."""
    return integer(bytes([VIF_FD, VIFE_ERROR_FLAGS]), flags, 2)


def data_information(field: int, function: Function, storage: int, tariff: int) -> bytes:
    """DIF and as many DIFEs as storage and tariff need."""
    octets = [field | function << 4 | (storage & 1) << 6]
    storage >>= 1
    while storage or tariff:
        octets[-1] |= 0x80
        octets.append((storage & 0x0F) | (tariff & 0x03) << 4)
        storage >>= 4
        tariff >>= 2
    return bytes(octets)
