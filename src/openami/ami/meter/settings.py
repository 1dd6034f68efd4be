"""What a meter was told and simply keeps: attributes that a head-end writes, with the values the factory gave them.

Most of them steer the meter (the calendar, the push setups, the limit of harmonics): who needs one asks `Settings.of`.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute that is kept: its factory value, which also says of which type it must be."""

    class_id: int
    default: Data


def _nothing() -> Data:
    return d.array([])


_PUSH_DESTINATION: Final = d.structure(d.enum(0), d.octet_string(b""), d.enum(0))
_EMPTY: Final = d.octet_string(b"")

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
    **{(setup, 7): Attribute(_PUSH, d.unsigned16(60)) for setup in PUSH_SETUPS},
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

    @property
    def spread_s(self) -> int:
        """How long a meter may wait before it calls by itself, so that not all of a city speak at once.

        The wider of two: the randomisation of the push setup, and the window of the randomisation settings unless they
        say that it calls directly.
        """
        direct, window_s, _factor, _tries = (each.integer() for each in self.of(RANDOMISATION, 2).elements())
        return max(self.of(PUSH_INTERVAL, 5).integer(), 0 if direct else window_s)

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
    default = KEPT[obis, attribute].default

    def write(value: Data) -> None:
        if not _is_like(value, default):
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
