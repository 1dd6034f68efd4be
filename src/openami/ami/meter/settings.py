"""What a meter was told and simply keeps: attributes that a head-end writes, with the values the factory gave them.

Most of them steer the meter (the calendar, the push setups, the limit of harmonics): who needs one asks `Settings.of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import Encoded, encode
from openami.ami.dlms.axdr import decode as decode_data
from openami.ami.dlms.data import Data, Tag
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.times import CosemDate, CosemDateTime
from openami.ami.meter.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.ami.meter.model import Meter

CALENDAR: Final = Obis.of("0-0:13.0.0")
SPECIAL_DAYS: Final = Obis.of("0-0:11.0.0")
ALARM_FILTER: Final = Obis.of("0-0:97.98.10")
CLOCK: Final = Obis.of("0-0:1.0.0")
PUSH_INTERVAL, PUSH_ALARM, PUSH_SMS, PUSH_LAST_GASP = (Obis.of(f"0-{index}:25.9.0") for index in range(4))
PUSH_SETUPS: Final = (PUSH_INTERVAL, PUSH_ALARM, PUSH_SMS, PUSH_LAST_GASP)
PUSH_SCHEDULE: Final = Obis.of("0-0:15.0.4")
CONFIGURATION: Final = Obis.of("0-1:94.31.3")
ADMINISTRATIVE_STATUS: Final = Obis.of("0-1:94.31.0")
RANDOMISATION: Final = Obis.of("0-1:94.31.12")
THD_CONFIGURATION: Final = Obis.of("0-1:94.31.23")
MESSAGE_TEXT: Final = Obis.of("0-0:96.13.0")
MESSAGE_CODE: Final = Obis.of("0-0:96.13.1")
DEFINABLE_PROFILE: Final = Obis.of("0-1:94.31.6")
TCP_SETUP: Final = Obis.of("0-0:25.0.0")

_DATA, _PROFILE, _CLOCK, _SPECIAL_DAYS, _CALENDAR, _SCHEDULE, _PUSH, _TCP = 1, 7, 8, 11, 20, 22, 40, 41
_NO_DATE: Final = d.octet_string(CosemDateTime())
_FEW: Final = 4096
"""No setting is longer: what a head-end writes must not fill the memory of a meter."""


class Flag(IntEnum):
    """The flags of the configuration object that this meter acts on, by their bit (DSMR 4.2; 10 is of SMR 5).

    It has no port P0 and knows no other high level security than GMAC: the flags of those are only kept.
    """

    DISCOVER_ON_OPEN_COVER = 0
    DISCOVER_ON_POWER_ON = 1
    DYNAMIC_MBUS_ADDRESS = 2
    HLS5_ON_P3 = 6
    DIRECT_ATTACH_AT_POWER_ON = 10


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute that is kept: its factory value, which also says of which type it must be.

    `other` is a value of another type that later versions of the class know.
    """

    class_id: int
    default: Data
    other: Data | None = None


def _nothing() -> Data:
    return d.array([])


_PUSH_DESTINATION: Final = d.structure(d.enum(0), d.octet_string(b""), d.enum(0))
_EMPTY: Final = d.octet_string(b"")
_GROWING_DELAY: Final = d.structure(d.unsigned16(60), d.unsigned16(100), d.unsigned16(60))
"""The repetition delay of version 2: the first one, in per cent how it grows, the longest."""

KEPT: Final[dict[tuple[Obis, int], Attribute]] = {
    **{(CALENDAR, number): Attribute(_CALENDAR, _EMPTY) for number in (2, 6)},
    **{(CALENDAR, number): Attribute(_CALENDAR, _nothing()) for number in (3, 4, 5, 7, 8, 9)},
    (CALENDAR, 10): Attribute(_CALENDAR, _NO_DATE),
    (SPECIAL_DAYS, 2): Attribute(_SPECIAL_DAYS, _nothing()),
    (ALARM_FILTER, 2): Attribute(_DATA, d.unsigned32(0xFFFFFFFF)),
    # as long as they are not written, the clock shows those of the zone in which the meter hangs
    (CLOCK, 3): Attribute(_CLOCK, d.integer16(0)),
    (CLOCK, 5): Attribute(_CLOCK, _NO_DATE),
    (CLOCK, 6): Attribute(_CLOCK, _NO_DATE),
    (CLOCK, 7): Attribute(_CLOCK, d.integer8(0)),
    (CLOCK, 8): Attribute(_CLOCK, d.boolean(False)),
    **{(setup, 2): Attribute(_PUSH, _nothing()) for setup in PUSH_SETUPS},
    **{(setup, 3): Attribute(_PUSH, _PUSH_DESTINATION) for setup in PUSH_SETUPS},
    **{(setup, 4): Attribute(_PUSH, _nothing()) for setup in PUSH_SETUPS},
    **{(setup, 5): Attribute(_PUSH, d.unsigned16(0)) for setup in PUSH_SETUPS},
    **{(setup, 6): Attribute(_PUSH, d.unsigned8(3)) for setup in PUSH_SETUPS},
    **{(setup, 7): Attribute(_PUSH, d.unsigned16(60), _GROWING_DELAY) for setup in PUSH_SETUPS},
    (PUSH_SCHEDULE, 4): Attribute(_SCHEDULE, _nothing()),
    (CONFIGURATION, 2): Attribute(_DATA, d.structure(d.enum(1), d.bit_string("0000001001000000"))),
    (ADMINISTRATIVE_STATUS, 2): Attribute(_DATA, d.enum(2)),
    (RANDOMISATION, 2): Attribute(_DATA, d.structure(d.unsigned8(0), d.unsigned16(0), d.unsigned8(0), d.unsigned8(0))),
    (THD_CONFIGURATION, 2): Attribute(_DATA, d.structure(d.unsigned16(80), d.unsigned16(10), d.unsigned16(600))),
    (MESSAGE_TEXT, 2): Attribute(_DATA, _EMPTY),
    (MESSAGE_CODE, 2): Attribute(_DATA, _EMPTY),
    (DEFINABLE_PROFILE, 3): Attribute(_PROFILE, _nothing()),
    (DEFINABLE_PROFILE, 4): Attribute(_PROFILE, d.unsigned32(3600)),
    (TCP_SETUP, 2): Attribute(_TCP, d.unsigned16(4059)),
    (TCP_SETUP, 5): Attribute(_TCP, d.unsigned8(1)),
    (TCP_SETUP, 6): Attribute(_TCP, d.unsigned16(120)),
}
"""Everything that is kept."""
OPTED_OUT: Final = 1
"""Of the administrative status: the customer does not take part."""
_TIMED: Final = frozenset({(CALENDAR, 10), (PUSH_SCHEDULE, 4), (THD_CONFIGURATION, 2)})
_PAUSE_MAX_S: Final = 86_400
"""Nobody waits longer for another try, whatever factors say."""
_STRINGS: Final = {Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING}


class Settings:
    """The written values of one meter, by logical name and attribute, as A-XDR octets."""

    def __init__(self) -> None:
        self._written: dict[tuple[Obis, int], bytes] = {}

    def of(self, obis: Obis, attribute: int) -> Data:
        """The value in force."""
        written = self._written.get((obis, attribute))
        return KEPT[obis, attribute].default if written is None else decode_data(written)

    def encoded(self, obis: Obis, attribute: int) -> Encoded:
        """The same, as octets."""
        written = self._written.get((obis, attribute))
        return Encoded(encode(KEPT[obis, attribute].default) if written is None else written)

    def written(self, obis: Obis, attribute: int) -> bytes | None:
        """What a head-end has written, if it has."""
        return self._written.get((obis, attribute))

    @property
    def has_times(self) -> bool:
        """Whether a calendar, a push or a limit of harmonics may wait for its time."""
        return not self._written.keys().isdisjoint(_TIMED)

    @property
    def takes_part(self) -> bool:
        """Whether the customer lets the meter tell by itself what was used."""
        return self.of(ADMINISTRATIVE_STATUS, 2).integer() != OPTED_OUT

    def flag(self, flag: Flag) -> bool:
        """Whether a flag of the configuration object is set; those of a shorter list are not."""
        flags = str(self.of(CONFIGURATION, 2).elements()[1].value)
        return flags[flag : flag + 1] == "1"

    def spread_s(self, setup: Obis) -> int:
        """How long a meter may wait before it calls by itself, so that not all of a city speak at once.

        The wider of two: the randomisation of the push setup, and the window of the randomisation settings unless they
        or the configuration object say that it calls directly.
        """
        return max(self.of(setup, 5).integer(), self._window_s())

    def tries(self, setup: Obis) -> int:
        """How often a push is tried: once, and as often again as the push setup or the randomisation settings say."""
        *_, tries = self.of(RANDOMISATION, 2).elements()
        return 1 + max(self.of(setup, 6).integer(), tries.integer())

    def repeat_after_s(self, setup: Obis, failed: int) -> tuple[int, int]:
        """After so many failures: the least pause until the next try, and how much longer it may be by chance.

        The pause grows as the push setup says, the window by the factor of the randomisation settings.
        """
        delay = self.of(setup, 7)
        if delay.tag is Tag.STRUCTURE:
            pause_s, percent, longest_s = (each.integer() for each in delay.elements())
            for _ in range(failed - 1):
                pause_s = min(pause_s * percent // 100, longest_s)
        else:
            pause_s = delay.integer()
        factor = self.of(RANDOMISATION, 2).elements()[2].integer()
        return min(pause_s, _PAUSE_MAX_S), min(self._window_s() * max(factor, 1) ** failed, _PAUSE_MAX_S)

    def _window_s(self) -> int:
        direct, window_s, *_ = (each.integer() for each in self.of(RANDOMISATION, 2).elements())
        return 0 if direct or self.flag(Flag.DIRECT_ATTACH_AT_POWER_ON) else window_s

    def put(self, obis: Obis, attribute: int, octets: bytes) -> None:
        """A value was written."""
        self._written[obis, attribute] = octets


def settings_part(meter: Meter, now_s: Callable[[], int]) -> Part:
    """All kept attributes as objects that can be read and written."""
    part = Part()
    for (obis, attribute), kept in KEPT.items():
        part.objects.setdefault(obis, (kept.class_id, {}))[1][attribute] = _getter(meter, obis, attribute)
        part.writers[obis, attribute] = _setter(meter, obis, attribute, now_s)
    for setup in PUSH_SETUPS:
        part.methods[setup, 1] = _push_now(meter, setup, now_s)
    part.methods[SPECIAL_DAYS, 1] = _insert_special_day(meter, now_s)
    part.methods[SPECIAL_DAYS, 2] = _delete_special_day(meter, now_s)
    return part


def _getter(meter: Meter, obis: Obis, attribute: int) -> Callable[[], Encoded]:
    return lambda: meter.settings.encoded(obis, attribute)


def _setter(meter: Meter, obis: Obis, attribute: int, now_s: Callable[[], int]) -> Callable[[Data], None]:
    kept = KEPT[obis, attribute]

    def write(value: Data) -> None:
        if not (_is_like(value, kept.default) or (kept.other is not None and _is_like(value, kept.other))):
            raise AccessDeniedError(DataAccessResult.TYPE_UNMATCHED)
        octets = encode(value)
        if len(octets) > _FEW:
            raise AccessDeniedError(DataAccessResult.OTHER_REASON)
        meter.write_setting(now_s(), obis, attribute, octets)

    return write


def _is_like(value: Data, default: Data) -> bool:
    """Whether a value is of the type of the default, and a structure member by member."""
    if value.tag is Tag.STRUCTURE and default.tag is Tag.STRUCTURE:
        members, defaults = value.elements(), default.elements()
        return len(members) == len(defaults) and all(map(_is_like, members, defaults))
    return value.tag == default.tag or {value.tag, default.tag} <= _STRINGS


def _push_now(meter: Meter, setup: Obis, now_s: Callable[[], int]) -> Callable[[Data | None], None]:
    return lambda _parameter: meter.push(now_s(), setup)


def _insert_special_day(meter: Meter, now_s: Callable[[], int]) -> Callable[[Data | None], None]:
    def insert(entry: Data | None) -> None:
        if entry is None:
            raise AccessDeniedError(DataAccessResult.TYPE_UNMATCHED)
        index, day, day_id = entry.fields(3)
        CosemDate.decode(day.octets())
        day_id.integer()
        others = [each for each in _entries(meter) if each.fields(3)[0].integer() != index.integer()]
        meter.write_setting(now_s(), SPECIAL_DAYS, 2, encode(d.array([*others, entry])))

    return insert


def _delete_special_day(meter: Meter, now_s: Callable[[], int]) -> Callable[[Data | None], None]:
    def delete(index: Data | None) -> None:
        if index is None:
            raise AccessDeniedError(DataAccessResult.TYPE_UNMATCHED)
        wanted = index.integer()
        left = [each for each in _entries(meter) if each.fields(3)[0].integer() != wanted]
        meter.write_setting(now_s(), SPECIAL_DAYS, 2, encode(d.array(left)))

    return delete


def _entries(meter: Meter) -> tuple[Data, ...]:
    return meter.settings.of(SPECIAL_DAYS, 2).elements()
