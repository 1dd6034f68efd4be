"""Which channel a reading belongs to: by who delivered it, what it is, and when it was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from openami.mdus.series import Calendar
from openami.shared.contract.field import ReadingTypeCode, reading_type_table
from openami.shared.contract.field.tables import PERIOD_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openami.shared.contract.field import Identity, MeterReading
    from openami.shared.spans import Span

MRID: Final = "mRID"
SERIAL: Final = "SerialNumber"
_COMMODITIES: Final = {"1": "1|2"}  # a meter behind transformers may state either side; its channel knows the factor
_VOLUMES: Final = {"42": "42|134|166|167|156|157|119|128"}  # their channels say in which unit they count
_GAS: Final = "7"
_GAS_ENERGIES: Final = {"72": "72|31|169"}  # the same
_METERED: Final = frozenset("6789")  # heat, gas, water: the interval is what the dial moved


@dataclass(frozen=True, slots=True)
class ChannelDescription:
    """One channel of the registry, as far as it takes to find and to fill it.

    Values are integers of `unit * 10**scale`. `interval_s` is 0 for a register. `names` are all (kind, name) pairs of
    its device, kind `mRID` for the mRID, and `UsagePoint` for the point that it is installed at.
    """

    channel: int
    device: str
    names: tuple[tuple[str, str], ...]
    patterns: tuple[str, ...]
    """Reading types that this channel takes, see `patterns_of`."""
    unit: str
    scale: int
    interval_s: int
    zone: str
    span: Span
    day_start_s: int = 0
    rollover: int | None = None
    """Where the dial behind this channel begins anew, in scaled values."""
    differenced: bool = False
    """The intervals are what a dial moved between two values, rather than delivered as such."""
    serial: str = ""
    """The serial number of its device as the master data have it; empty where only a file has named the device."""
    tolerance_s: int = 0
    """How far from the grid a dial value may be stamped and still count for its nearest instant."""
    clock_tolerance_s: int = 0
    """How far from the grid an interval may begin and still count for the nearest one (V03)."""
    prorate_max_s: int = 0
    """How far from the grid an interval may begin for its energy to be prorated (V03)."""

    @property
    def calendar(self) -> Calendar:
        """How the channel cuts time."""
        return Calendar(self.zone, self.interval_s, self.day_start_s)

    def takes(self, code: ReadingTypeCode) -> bool:
        """True if values of this reading type belong here."""
        return any(_matches(code, pattern) for pattern in self.patterns)


@lru_cache(maxsize=65536)
def _matches(code: ReadingTypeCode, pattern: str) -> bool:
    return code.matches(pattern)


class Directory:
    """The channels that one delivery may concern, by the names that the delivery uses."""

    def __init__(self, descriptions: Iterable[ChannelDescription]) -> None:
        self._by_device: dict[str, list[ChannelDescription]] = {}
        self._devices: dict[tuple[str, str], set[str]] = {}
        self._found: dict[tuple[tuple[str, ...], ReadingTypeCode], tuple[ChannelDescription, ...]] = {}
        for each in descriptions:
            self._by_device.setdefault(each.device, []).append(each)
            for kind, name in each.names:
                self._devices.setdefault((kind, name), set()).add(each.device)
                self._devices.setdefault(("", name), set()).add(each.device)

    def devices_of(self, reading: MeterReading) -> tuple[str, ...]:
        """The devices that a delivery means: one if it names a meter, perhaps several over time if only a point.

        Empty if it names nobody we know; several for a meter means that its bare name is not unique.
        """
        if reading.meter is not None:
            return tuple(sorted(self._named(reading.meter)))
        return tuple(sorted(self._named(reading.usage_point))) if reading.usage_point is not None else ()

    def channels_of(self, devices: tuple[str, ...]) -> list[ChannelDescription]:
        """All channels of these devices."""
        return [each for device in devices for each in self._by_device[device]]

    def stranger(self, reading: MeterReading, device: str) -> tuple[str, str] | None:
        """A name of a delivery that is not its device's, and the one expected (V01): another's, or another serial."""
        serial = self._by_device[device][0].serial
        given = [each for each in (reading.meter, reading.usage_point) if each is not None]
        for identity in given:
            told = [name.name for name in identity.names if name.type and name.type.name == SERIAL]
            if serial and told and serial not in told:
                return told[0], serial
            for key in _keys(identity):
                owners = self._devices.get(key)
                if owners and device not in owners:
                    return key[1], serial or device
        return None

    def _named(self, identity: Identity) -> set[str]:
        """By mRID, else by kind and name, else by a bare name (a kind that we do not use says nothing)."""
        return next((self._devices[key] for key in _keys(identity) if key in self._devices), set())

    def channels(self, devices: tuple[str, ...], code: ReadingTypeCode) -> tuple[ChannelDescription, ...]:
        """The channels of these devices that take values of a reading type, whatever their span."""
        key = (devices, code)
        if key not in self._found:
            own = (each for device in devices for each in self._by_device[device])
            self._found[key] = tuple(each for each in own if each.takes(code))
        return self._found[key]


def _keys(identity: Identity) -> list[tuple[str, str]]:
    keys = [(MRID, identity.mrid)] if identity.mrid else []
    keys += [(name.type.name, name.name) for name in identity.names if name.type]
    keys += [("", name.name) for name in identity.names]
    if identity.mrid:  # some partners put the serial number here
        keys.append(("", identity.mrid))
    return keys


@lru_cache(maxsize=4096)
def patterns_of(obis: str, interval_s: int) -> tuple[str, ...]:
    """The reading types in which a source may deliver the quantity of an OBIS code, from the common reading types.

    The line (value group B) does not matter; for intervals the way of recording (group D) neither.
    """
    found = []
    for row in reading_type_table().values():
        code = ReadingTypeCode.parse(row.code)
        if row.obis and _same_quantity(row.obis, obis, interval_s) and _same_form(code, interval_s):
            found.append(_widened(_of_length(code, interval_s), interval_s))
    return tuple(dict.fromkeys(found))


def measures_a_dial(obis: str) -> bool:
    """True for media whose intervals are differences of a dial: heat, gas, water."""
    return obis[:1] in _METERED


def _same_quantity(row: str, obis: str, interval_s: int) -> bool:
    mine, theirs = _groups(row), _groups(obis)
    if interval_s:
        return (mine[0], mine[1], mine[3]) == (theirs[0], theirs[1], "0")
    return mine == theirs


def _groups(obis: str) -> tuple[str, str, str, str]:
    """Value groups A, C, D, E of `A-B:C.D.E` with or without F."""
    medium, _, rest = obis.partition(":")
    parts = [*rest.replace("*", ".").split("."), "0", "0"]
    return medium.partition("-")[0], parts[0], parts[1], parts[2]


def _same_form(code: ReadingTypeCode, interval_s: int) -> bool:
    # The greatest demand of a period has a block length, but is a register to us.
    is_register = code.interval_s is None or code.aggregate == 8
    return is_register == (not interval_s)


def _of_length(code: ReadingTypeCode, interval_s: int) -> ReadingTypeCode:
    """The same quantity in intervals of any length that the standard has a number for: the table names a few."""
    if not interval_s or interval_s not in PERIOD_NUMBERS or code.interval_s == interval_s:
        return code
    return replace(code, measuring_period=PERIOD_NUMBERS[interval_s])


def _widened(code: ReadingTypeCode, interval_s: int) -> str:
    parts = str(code).split(".")
    if not code.aggregate:
        parts[0] = "*" if not interval_s else parts[0]
        parts[3] = "1|4|6|9" if interval_s else "1|3|9|12" if code.accumulation == 1 else parts[3]
    parts[5] = _COMMODITIES.get(parts[5], parts[5])
    parts[15] = "*"
    parts[16] = (_GAS_ENERGIES if parts[5] == _GAS else _VOLUMES).get(parts[16], _VOLUMES.get(parts[16], parts[16]))
    return ".".join(parts)
