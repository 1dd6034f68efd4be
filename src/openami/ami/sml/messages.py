"""Messages of an SML file, and the lists of readings in them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from openami.ami.sml.errors import SmlChecksumError, SmlShapeError
from openami.ami.sml.transport import checksums
from openami.ami.sml.values import Value, ValueReader, as_list
from openami.ami.telegrams.units import UNITS

OPEN_RESPONSE: Final = 0x0101
CLOSE_RESPONSE: Final = 0x0201
GET_LIST_RESPONSE: Final = 0x0701
_MESSAGES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class SmlMessage:
    """One message: what it is and its body; `checked` says whether its own checksum is good."""

    transaction: bytes
    kind: int
    body: Value
    checked: bool


@dataclass(frozen=True, slots=True)
class SmlEntry:
    """One reading of a list; `number` is exact, its scaler applied."""

    obis: str
    value: Value
    scaler: int
    unit: str
    status: int | None
    second: int | None

    @property
    def number(self) -> int | Decimal | None:
        """The value as an exact number, if it is one."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            return None
        return self.value * 10**self.scaler if self.scaler >= 0 else Decimal(self.value).scaleb(self.scaler)


@dataclass(frozen=True, slots=True)
class SmlList:
    """A list of readings; `second` counts since the meter was started, or since 1970 when `second_is_time`."""

    server: bytes
    second: int | None
    second_is_time: bool
    entries: tuple[SmlEntry, ...]


def decode_messages(octets: bytes, *, file_checked: bool = False) -> list[SmlMessage]:
    """The messages of a file, each with its checksum checked.

    Where the file's checksum was good, a message's bad one is the meter's own fault: the message is taken, and says so.

    Raises:
        SmlError: a subclass per reason.
    """
    reader = ValueReader(octets)
    messages: list[SmlMessage] = []
    while not reader.at_end:
        if len(messages) == _MESSAGES_MAX:
            raise SmlShapeError(f"There are more than {_MESSAGES_MAX} messages.", hint="Give one file.")
        messages.append(_message(reader, must_check=not file_checked))
    return messages


def lists_of(messages: list[SmlMessage]) -> list[SmlList]:
    """The lists of readings among messages.

    Raises:
        SmlShapeError: one is not built as the standard says.
    """
    return [_list(message.body) for message in messages if message.kind == GET_LIST_RESPONSE]


def _message(reader: ValueReader, *, must_check: bool) -> SmlMessage:
    start = reader.position
    head = reader.octets[start]
    if head != 0x76:  # a list of six
        raise SmlShapeError(f"A message starts with {head:02X}h, not 76h.", hint="Wait for the next push.")
    reader.position += 1
    transaction, _group, _abort = reader.value(), reader.value(), reader.value()
    kind, body = reader.list_of(2)
    checked_end = reader.position
    checked = _check(reader.octets[start:checked_end], reader.value(), must_check=must_check)
    if reader.value() is not None:
        raise SmlShapeError("A message does not end in 00.", hint="Wait for the next push.")
    name = transaction if isinstance(transaction, bytes) else b""
    return SmlMessage(name, kind if type(kind) is int else 0, body, checked)


def _check(octets: bytes, carried: Value, *, must_check: bool) -> bool:
    good = [int.from_bytes(checksum, "big") for checksum in checksums(octets)]
    # a leading zero byte of the checksum may be left out, and some meters send it signed
    if isinstance(carried, int) and carried & 0xFFFF in good:
        return True
    if must_check:
        shown = f"{carried:04X}" if isinstance(carried, int) else "none"
        raise SmlChecksumError(
            f"The message's checksum is {shown}, its bytes give {good[0]:04X}.", hint="Wait for the next push."
        )
    return False


def _list(body: Value) -> SmlList:
    _client, server, _name, sensor_time, entries, _signature, _gateway_time = as_list(body, 7)
    if not isinstance(entries, list):
        raise SmlShapeError("A list of readings has no readings.", hint="Wait for the next push.")
    second, is_time = _time(sensor_time)
    return SmlList(
        server=server if isinstance(server, bytes) else b"",
        second=second,
        second_is_time=is_time,
        entries=tuple(_entry(entry) for entry in entries),
    )


def _entry(entry: Value) -> SmlEntry:
    name, status, time, unit, scaler, value, _signature = as_list(entry, 7)
    return SmlEntry(
        obis=obis_text(name),
        value=value,
        scaler=scaler if type(scaler) is int else 0,
        unit=UNITS.get(unit, f"unit {unit}") if type(unit) is int else "",
        status=status if type(status) is int else None,
        second=_time(time)[0],
    )


def _time(value: Value) -> tuple[int | None, bool]:
    """A choice of second index (1), time stamp (2) and local time stamp (3); some meters send the number bare."""
    if type(value) is int:
        return value, False
    if not isinstance(value, list) or len(value) != 2:
        return None, False
    choice, content = value
    if choice == 3 and isinstance(content, list) and content:
        content = content[0]
    return (content, choice != 1) if type(content) is int else (None, False)


def obis_text(name: Value) -> str:
    """Six bytes as `1-0:1.8.0`, the last one only if it is not 255; other names in hexadecimal."""
    if not isinstance(name, bytes):
        return ""
    if len(name) != 6:
        return name.hex()
    a, b, c, d, e, f = name
    text = f"{a}-{b}:{c}.{d}.{e}"
    return text if f == 0xFF else f"{text}*{f}"
