"""Each language of one-way meters, told in the common shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from openami.ami import iec62056_21, mbus, p1, sml
from openami.ami.mbus.compact import FormatBook
from openami.ami.mbus.frames import frame_size
from openami.ami.mbus.radio import decode_radio
from openami.ami.mbus.radio_stream import CONTROLS, radio_frames
from openami.ami.mbus.records import Function
from openami.ami.mbus.values import LocalTime
from openami.ami.mbus.wireless import decode_radio_frame
from openami.ami.sml.transport import BEGIN
from openami.ami.telegrams.dlms import decode_pushes
from openami.ami.telegrams.model import DecodedReading, DecodedTelegram
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from openami.ami.iec62056_21 import DataValue
    from openami.ami.mbus.records import Record
    from openami.ami.sml.messages import SmlEntry, SmlList


@dataclass(frozen=True, slots=True)
class How:
    """What one must know beside the bytes: the zone of local times, the keys of the meter, formats heard before."""

    zone_name: str
    key: bytes | None = None
    auth_key: bytes | None = None
    keys: Callable[[str], bytes | None] | None = None
    book: FormatBook = field(default_factory=FormatBook)

    def key_of(self, name: str) -> bytes | None:
        """The key of the meter that calls itself so: its own, or the one for all."""
        return (self.keys(name) if self.keys is not None else None) or self.key


_LONG_FRAME: Final = 0x68
_LINK_HEADER: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def decode_mbus(octets: bytes, how: How) -> list[DecodedTelegram]:
    """Wired M-Bus frames, one after the other; noise between them is skipped."""
    splitter = mbus.FrameSplitter()
    told = [_mbus_frame(frame, how) for frame in splitter.feed(octets) if isinstance(frame, mbus.LongFrame)]
    if not told and splitter.last_error is not None:
        return [DecodedTelegram("mbus", error=str(splitter.last_error))]
    if not told and splitter.pending_bytes:
        size = frame_size(octets[:4])
        return [DecodedTelegram("mbus", error=f"The frame has {len(octets)} of {size or 'more'} bytes.")]
    return told


def decode_p1(octets: bytes, how: How) -> list[DecodedTelegram]:
    """P1 telegrams, one after the other."""
    splitter = p1.TelegramSplitter()
    whole = splitter.feed(octets if octets.endswith(b"\n") else octets + b"\r\n")
    return [_guarded("p1", _p1_telegram, each, how.zone_name) for each in whole]


def decode_sml(octets: bytes, how: How) -> list[DecodedTelegram]:
    """SML files with their transport, one after the other, or the bare messages of one."""
    if BEGIN not in octets:
        return [_guarded("sml", _sml_body, octets, how.zone_name)]
    return [_guarded("sml", _sml_file, each, how.zone_name) for each in sml.SmlSplitter().feed(octets)]


def decode_iec62056_21(octets: bytes, how: How) -> list[DecodedTelegram]:
    """One read-out."""
    return [_guarded("iec62056-21", _readout, octets, how.zone_name)]


def decode_wmbus(octets: bytes, how: How) -> list[DecodedTelegram]:
    """Radio telegrams, one after the other, opened with the key if they are encrypted."""
    return [_radio(frame, how) for frame in radio_frames(octets) or [octets]]


def _radio(frame: bytes, how: How) -> DecodedTelegram:
    try:
        telegram = decode_radio(frame, how.key_of, how.book)
    except OpenAmiError as error:
        return DecodedTelegram("wmbus", _radio_sender(frame), error=str(error))
    meter = f"{telegram.header.manufacturer}{telegram.header.identification}"
    return _mbus_telegram("wmbus", meter, telegram.records, how.zone_name)


def _radio_sender(frame: bytes) -> str:
    """Who sent a frame that was not understood."""
    try:
        link = decode_radio_frame(frame)
    except OpenAmiError:
        return ""
    return f"{link.manufacturer}{link.identification}"


def decode_dlms(octets: bytes, how: How) -> list[DecodedTelegram]:
    """DLMS pushes, ciphered or not."""
    return decode_pushes(octets, how.zone_name, how.key_of, how.auth_key)


LANGUAGES: Final[dict[str, Callable[[bytes, How], list[DecodedTelegram]]]] = {
    "sml": decode_sml,
    "dlms": decode_dlms,
    "mbus": decode_mbus,
    "wmbus": decode_wmbus,
    "p1": decode_p1,
    "iec62056-21": decode_iec62056_21,
}


def looks_like(language: str, octets: bytes) -> bool:
    """Whether bytes that were not understood begin as a telegram of the language: then its reason is worth telling."""
    if language == "mbus":
        return len(octets) > 3 and octets[0] == octets[3] == _LONG_FRAME and octets[1] == octets[2]
    return language == "wmbus" and len(octets) > _LINK_HEADER and octets[1] in CONTROLS and octets[0] < len(octets)


def _guarded(
    language: str, decode: Callable[[bytes, str], DecodedTelegram], octets: bytes, zone_name: str
) -> DecodedTelegram:
    try:
        return decode(octets, zone_name)
    except OpenAmiError as error:
        return DecodedTelegram(language, error=str(error))


def _mbus_frame(frame: mbus.LongFrame, how: How) -> DecodedTelegram:
    try:
        telegram = mbus.decode_telegram(frame, how.key_of)
    except OpenAmiError as error:
        return DecodedTelegram("mbus", error=str(error))
    if isinstance(telegram, mbus.FixedData):
        counters = tuple(
            DecodedReading(each.value, each.unit, quantity="historic counter" if each.historic else "counter")
            for each in telegram.counters
        )
        return DecodedTelegram("mbus", telegram.identification, readings=counters)
    meter = f"{telegram.header.manufacturer}{telegram.header.identification}"
    return _mbus_telegram("mbus", meter, telegram.records, how.zone_name)


def _mbus_telegram(language: str, meter: str, records: tuple[Record, ...], zone_name: str) -> DecodedTelegram:
    times = (record.value for record in records if isinstance(record.value, LocalTime) and not record.storage)
    readings = tuple(mbus_reading(record, zone_name) for record in records)
    return DecodedTelegram(language, meter, time_text(next(times, None), zone_name), readings)


def mbus_reading(record: Record, zone_name: str) -> DecodedReading:
    """An M-Bus record; whatever tells it from its neighbours is part of its quantity's name."""
    name = [record.quantity, *record.qualifiers]
    if record.function is not Function.INSTANTANEOUS:
        name.append(record.function.name.lower().replace("_", " "))
    coordinates = {"storage": record.storage, "tariff": record.tariff, "subunit": record.subunit}
    name += [f"{word} {number}" for word, number in coordinates.items() if number]
    value = time_text(record.value, zone_name) if isinstance(record.value, LocalTime) else record.value
    return DecodedReading(value, record.unit, quantity=", ".join(name))


def _p1_telegram(octets: bytes, zone_name: str) -> DecodedTelegram:
    telegram = p1.decode_p1(octets)
    readings = tuple(
        DecodedReading(_plain(each.value), each.value.unit, obis=each.obis, time=time_text(each.time, zone_name))
        for each in telegram.objects
    )
    return DecodedTelegram("p1", telegram.serial, time_text(telegram.time, zone_name), readings)


def _sml_file(octets: bytes, _zone_name: str) -> DecodedTelegram:
    return _sml_lists(sml.lists_of(sml.decode_messages(sml.decode_file(octets), file_checked=True)))


def _sml_body(octets: bytes, _zone_name: str) -> DecodedTelegram:
    return _sml_lists(sml.lists_of(sml.decode_messages(octets)))


def _sml_lists(lists: list[SmlList]) -> DecodedTelegram:
    entries = [entry for each in lists for entry in each.entries]
    times = [each.second for each in lists if each.second is not None and each.second_is_time]
    return DecodedTelegram(
        "sml",
        server_text(lists[0].server) if lists else "",
        (_EPOCH + timedelta(seconds=times[0])).isoformat() if times else "",
        tuple(_sml_reading(entry) for entry in entries if not isinstance(entry.value, list)),
    )


def _sml_reading(entry: SmlEntry) -> DecodedReading:
    value = entry.value
    assert not isinstance(value, list)
    if isinstance(value, bytes) and value.isascii() and value.decode("ascii").isprintable():
        return DecodedReading(value.decode("ascii"), entry.unit, obis=entry.obis)
    return DecodedReading(value if entry.number is None else entry.number, entry.unit, obis=entry.obis)


def server_text(server: bytes) -> str:
    """A server id as printed on the meter (DIN 43863-5), `1EMH0004321205`; others in hexadecimal."""
    letters = server[2:5]
    if len(server) == 10 and server[0] == 0x0A and letters.isalpha() and letters.isascii():
        return f"{server[1]:X}{letters.decode()}{server[5]:02d}{int.from_bytes(server[6:], 'big'):08d}"
    return server.hex().upper()


def _readout(octets: bytes, _zone_name: str) -> DecodedTelegram:
    readout = iec62056_21.decode_readout(octets)
    readings = tuple(
        DecodedReading(_plain(value), value.unit, obis=data_set.address)
        for data_set in readout.data_sets
        for value in data_set.values
    )
    return DecodedTelegram("iec62056-21", readout.identification, readings=readings)


def _plain(value: DataValue) -> Decimal | str | None:
    """A number only where a unit says that it is one: identifiers and codes keep their leading zeros."""
    if value.unit and value.number is not None:
        return value.number
    return value.text or None


def time_text(time: LocalTime | None, zone_name: str) -> str:
    """A meter's local time as an instant in ISO 8601, or empty text."""
    return "" if time is None or not time.valid else time.instant(zone_name).isoformat()
