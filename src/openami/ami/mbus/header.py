"""Data headers of EN 13757-3: who speaks, what it measures, in which state it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from openami.ami.mbus.errors import HeaderTruncatedError, UnencodableError

LONG_HEADER_SIZE: Final = 12
SHORT_HEADER_SIZE: Final = 4


class Medium(IntEnum):
    """Device types, EN 13757-7 table 13 (the ones in use)."""

    OTHER = 0x00
    OIL = 0x01
    ELECTRICITY = 0x02
    GAS = 0x03
    HEAT_OUTLET = 0x04
    STEAM = 0x05
    WARM_WATER = 0x06
    WATER = 0x07
    HEAT_COST_ALLOCATOR = 0x08
    COMPRESSED_AIR = 0x09
    COOLING_OUTLET = 0x0A
    COOLING_INLET = 0x0B
    HEAT_INLET = 0x0C
    HEAT_COOLING = 0x0D
    BUS_SYSTEM = 0x0E
    UNKNOWN = 0x0F
    HOT_WATER = 0x15
    COLD_WATER = 0x16
    DUAL_WATER = 0x17
    PRESSURE = 0x18
    AD_CONVERTER = 0x19
    SMOKE_DETECTOR = 0x1A
    ROOM_SENSOR = 0x1B
    GAS_DETECTOR = 0x1C
    BREAKER = 0x20
    VALVE = 0x21
    CUSTOMER_UNIT = 0x25
    WASTE_WATER = 0x28
    GARBAGE = 0x29
    CARBON_DIOXIDE = 0x2A
    RADIO_CONVERTER_SYSTEM = 0x36
    RADIO_CONVERTER_METER = 0x37


# status byte, EN 13757-3 table 23
STATUS_APPLICATION_BUSY: Final = 0x01
STATUS_APPLICATION_ERROR: Final = 0x02
STATUS_POWER_LOW: Final = 0x04
STATUS_PERMANENT_ERROR: Final = 0x08
STATUS_TEMPORARY_ERROR: Final = 0x10


@dataclass(frozen=True, slots=True)
class Header:
    """The long header (CI 72h); after a short header (CI 7Ah) the first four fields are unknown to it.

    `identification` is the text of the eight BCD digits: a few makers use hexadecimal digits, which must not be lost.
    """

    identification: str
    manufacturer: str
    version: int
    medium: int
    access_number: int
    status: int = 0
    configuration: int = 0

    @property
    def medium_name(self) -> str:
        """What the device measures, in words, or the number when EN 13757-7 does not name it."""
        return medium_name(self.medium)

    def encode(self) -> bytes:
        """The twelve bytes of the long header.

        Raises:
            UnencodableError: a field does not fit.
        """
        if len(self.identification) != 8:
            raise UnencodableError(
                f"The identification {self.identification!r} has not eight digits.", hint="Pad it with zeros."
            )
        try:
            return (
                bytes.fromhex(self.identification)[::-1]
                + manufacturer_code(self.manufacturer).to_bytes(2, "little")
                + bytes([self.version, self.medium, self.access_number, self.status])
                + self.configuration.to_bytes(2, "little")
            )
        except (ValueError, OverflowError) as error:
            raise UnencodableError(f"The header {self} does not fit: {error}.", hint="Check its fields.") from error


def decode_long_header(data: bytes) -> Header:
    """The header in the first twelve bytes after CI 72h.

    Raises:
        HeaderTruncatedError: there are fewer.
    """
    if len(data) < LONG_HEADER_SIZE:
        raise HeaderTruncatedError(
            f"The long header has {len(data)} of {LONG_HEADER_SIZE} bytes.", hint="The telegram was cut."
        )
    return Header(
        identification=data[3::-1].hex().upper(),
        manufacturer=manufacturer_letters(int.from_bytes(data[4:6], "little")),
        version=data[6],
        medium=data[7],
        access_number=data[8],
        status=data[9],
        configuration=int.from_bytes(data[10:12], "little"),
    )


def decode_short_header(data: bytes) -> Header:
    """The header in the first four bytes after CI 7Ah; identity fields are empty (the link layer knows them).

    Raises:
        HeaderTruncatedError: there are fewer.
    """
    if len(data) < SHORT_HEADER_SIZE:
        raise HeaderTruncatedError(
            f"The short header has {len(data)} of {SHORT_HEADER_SIZE} bytes.", hint="The telegram was cut."
        )
    return Header("", "", 0, Medium.OTHER, data[0], data[1], int.from_bytes(data[2:4], "little"))


def manufacturer_letters(code: int) -> str:
    """The three letters in the 15 bits of a manufacturer code (FLAG association)."""
    return "".join(chr(((code >> shift) & 0x1F) + 64) for shift in (10, 5, 0))


def manufacturer_code(letters: str) -> int:
    """The 15 bits of three letters A to Z.

    Raises:
        UnencodableError: not three characters from @ to underscore, the alphabet of five bits.
    """
    if len(letters) != 3 or any(not 64 <= ord(letter) < 96 for letter in letters):
        raise UnencodableError(f"{letters!r} is no manufacturer code.", hint="Give three letters A to Z.")
    first, second, third = (ord(letter) - 64 for letter in letters)
    return first << 10 | second << 5 | third


def medium_name(medium: int) -> str:
    """A device type in words."""
    try:
        return Medium(medium).name.lower().replace("_", " ")
    except ValueError:
        return f"device type {medium:02X}h"
