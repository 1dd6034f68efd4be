"""One P1 telegram: header, objects, CRC (DSMR 2.2 to 5, and what other countries made of it)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from openami.ami.iec62056_21 import DataSet, DataValue, parse_data_sets
from openami.ami.mbus.values import LocalTime
from openami.ami.p1.errors import TelegramChecksumError, TelegramCutError, TelegramTooLongError
from openami.ami.p1.stream import TELEGRAM_OCTETS_MAX
from openami.ami.telegrams.checksums import crc16_arc

if TYPE_CHECKING:
    from decimal import Decimal

_TIME: Final = re.compile(r"(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})([SW]?)")
_TELEGRAM: Final = re.compile(rb"/([^\r\n]*)\r?\n(.*?)!([0-9A-Fa-f]{0,4})\s*\Z", re.DOTALL)
_OBIS: Final = re.compile(r"(\d+-\d+:\d+\.\d+\.\d+)(?:[.*]\d+)?")
CLOCK: Final = "0-0:1.0.0"
SERIALS: Final = ("0-0:96.1.1", "0-0:96.1.0", "0-0:42.0.0")


@dataclass(frozen=True, slots=True)
class P1Object:
    """One object: its OBIS code, the time it was captured (if it says so) and its value."""

    obis: str
    value: DataValue
    time: LocalTime | None = None

    @property
    def number(self) -> Decimal | None:
        """The value as a number, if it is one."""
        return self.value.number


@dataclass(frozen=True, slots=True)
class P1Telegram:
    """A whole telegram; `checked` says whether it had a CRC (and a good one)."""

    header: str
    objects: tuple[P1Object, ...]
    sets: tuple[DataSet, ...]
    checked: bool

    @property
    def time(self) -> LocalTime | None:
        """When the meter sent it."""
        found = self.find(CLOCK)
        return None if found is None else local_time(found.value.text)

    @property
    def serial(self) -> str:
        """The equipment identifier, its hexadecimal coding undone; the header if there is none."""
        for obis in SERIALS:
            found = self.find(obis)
            if found is not None and found.value.text:
                return unhex(found.value.text)
        return self.header

    def find(self, obis: str) -> P1Object | None:
        """The first object with this code."""
        return next((each for each in self.objects if each.obis == obis), None)


def decode_p1(octets: bytes) -> P1Telegram:
    """One telegram from `/` to the CRC behind `!`.

    Raises:
        TelegramCutError: beginning or end are missing.
        TelegramChecksumError: the CRC does not fit.
        TelegramTooLongError: it is longer than any meter sends.
        DataSetError: an object breaks the grammar of IEC 62056-21.
    """
    if len(octets) > TELEGRAM_OCTETS_MAX:
        raise TelegramTooLongError(f"{len(octets)} bytes are too many for a telegram.", hint="Give one telegram.")
    start = octets.find(b"/")
    match = _TELEGRAM.match(octets, start) if start >= 0 else None
    if match is None:
        raise TelegramCutError("The telegram has no / at its beginning or no ! at its end.", hint="Wait for the next.")
    _check(octets[start : match.start(3)], match.group(3))
    sets = parse_data_sets(match.group(2).decode("latin-1"))
    return P1Telegram(match.group(1).decode("latin-1"), _objects(sets), tuple(sets), bool(match.group(3)))


def local_time(text: str) -> LocalTime | None:
    """`YYMMDDhhmmss`, then S in summer and W in winter; None when it is no time."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        wall = datetime(2000 + year - (100 if year >= 69 else 0), month, day, hour, minute, second)  # noqa: DTZ001 - a wall clock
    except ValueError:
        return None
    return LocalTime(wall, summer=match.group(7) == "S")


def unhex(text: str) -> str:
    """An identifier that was sent as hexadecimal digits of ASCII, as DSMR does; others stay as they are."""
    try:
        plain = bytes.fromhex(text).decode("ascii")
    except ValueError:
        return text
    return plain if plain.isprintable() and plain.isalnum() else text


def _check(octets: bytes, crc: bytes) -> None:
    """DSMR 4 and later: CRC16 over `/` up to and with `!`, four hexadecimal digits (some meters drop leading zeros)."""
    if not crc:
        return
    found = crc16_arc(octets)
    if found != int(crc, 16):
        raise TelegramChecksumError(
            f"The CRC is {crc.decode()}, the telegram gives {found:04X}.", hint="Wait for the next telegram."
        )


def _objects(sets: list[DataSet]) -> tuple[P1Object, ...]:
    objects: list[P1Object] = []
    for index, data_set in enumerate(sets):
        match = _OBIS.fullmatch(data_set.address)
        if match is None:
            continue
        obis, values = match.group(1), data_set.values
        following = sets[index + 1] if index + 1 < len(sets) else None
        if len(values) >= 6 and following is not None and not following.address:
            # DSMR 2 and 3: (time)(status)(minutes)(n)(obis)(unit), the value in brackets on the next line
            value = DataValue(following.values[0].text, values[5].text)
            objects.append(P1Object(values[4].text, value, local_time(values[0].text)))
        elif len(values) == 2 and (time := local_time(values[0].text)) is not None:
            objects.append(P1Object(obis, values[1], time))
        elif len(values) == 1:
            objects.append(P1Object(obis, values[0]))
        else:
            objects += _history(obis, values)
    return tuple(objects)


def _history(obis: str, values: tuple[DataValue, ...]) -> list[P1Object]:
    """Buffers: (n)(obis)(time)(value)... or (n)(obis)(obis)(time)(time)(value)..., one object a row."""
    codes = [value.text for value in values[1:] if _OBIS.fullmatch(value.text)]
    rows = values[1 + len(codes) :]
    width = 1 + len(codes)
    if not codes or len(rows) % width:
        return [P1Object(obis, value) for value in values]
    return [
        P1Object(codes[-1], rows[start + width - 1], local_time(rows[start + width - 2].text))
        for start in range(0, len(rows), width)
    ]
