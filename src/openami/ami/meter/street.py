"""The layout of a simulated street: homes, transformers, meters, spares on the shelf; the same for the same seed."""

from __future__ import annotations

import hashlib
import hmac
import random
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Final

from openami.ami.meter.recordings import Behind, Recording, library, load
from openami.shared.errors import OpenAmiError

HOMES_PER_TRANSFORMER: Final = 10
HOUSEHOLDS: Final = 50
"""So many differ in what they use and own, then they come again: ten thousand meters share their numbers."""
HOMES_WITH_GAS_AND_WATER: Final = (2, 7)  # of each ten, so that every concentrator has some
_SGSC_RECORDINGS: Final = 28
_LCL_RECORDINGS: Final = 16
_UCI_ROTATIONS: Final = 4
_AMPDS2_ROTATIONS: Final = 2
_WATER_ROTATIONS: Final = 4
_SLAVES: Final = {"gas": ("OAG", "3"), "water": ("OAW", "7"), "heat": ("OAH", "4")}
_HEAT_PLACE: Final = 5
_ROOF_W: Final = range(2_400, 7_201, 400)  # whole panels of 400 W
_CHARGERS_W: Final = (3_700, 7_400, 11_000)
_QUARTER_S: Final = 900
_HALF_HOUR_S: Final = 1800


class UnknownMeterError(OpenAmiError):
    """No meter of the street has this serial."""


class UnknownTransformerError(OpenAmiError):
    """No transformer of the street has this name."""


class Kind(StrEnum):
    """What a meter measures."""

    ELECTRICITY = "electricity"
    GAS = "gas"
    WATER = "water"
    HEAT = "heat"

    @property
    def unit(self) -> str:
        """In which its register counts."""
        return "Wh" if self in (Kind.ELECTRICITY, Kind.HEAT) else "litre"


@dataclass(frozen=True, slots=True)
class Load:
    """Which recording a connection replays, and from which of its weeks."""

    recording: str
    rotate_weeks: int = 0

    def open(self) -> Recording:
        """The recording itself."""
        return load(self.recording, rotate_weeks=self.rotate_weeks)


@dataclass(frozen=True, slots=True)
class Home:
    """One home: what it uses, and where it hangs on the grid."""

    name: str
    transformer: str
    electricity: Load
    gas: Load | None = None
    water: Load | None = None
    heat: Load | None = None
    """How much gas its heat would take: it comes from a district's network instead."""
    phases: int = 1
    behind: Behind = field(default_factory=Behind)

    @property
    def media(self) -> tuple[Kind, ...]:
        """What it has a connection for."""
        return tuple([kind for kind in Kind if self._loads()[kind] is not None])

    def load_of(self, kind: Kind) -> Load:
        """The load that a meter of this kind measures here."""
        found = self._loads()[kind]
        if found is None:
            raise UnknownMeterError(f"{self.name} has no {kind}.", hint="Choose another home.")
        return found

    def _loads(self) -> dict[Kind, Load | None]:
        return {
            Kind.ELECTRICITY: self.electricity,
            Kind.GAS: self.gas,
            Kind.WATER: self.water,
            Kind.HEAT: self.heat,
        }


@dataclass(frozen=True, slots=True)
class Equipment:
    """Which of each ten homes (places 0 to 9) have three phases, a roof that generates, or a car that is charged."""

    three_phase: frozenset[int] = frozenset()
    solar: frozenset[int] = frozenset()
    charger: frozenset[int] = frozenset()
    district_heat: bool = False
    """Whether the sixth of each ten homes is heated by a district's network."""


PLAIN: Final = Equipment()
MODERN: Final = Equipment(frozenset({1, 4, 5, 8}), frozenset({4, 6, 8}), frozenset({0, 4, 8}), district_heat=True)
"""A street of every sort of home."""
STREETS: Final = {"plain": PLAIN, "modern": MODERN}
"""By the name that a setting gives them."""


@dataclass(frozen=True, slots=True)
class Device:
    """One meter as the factory made it; `home` is where it hangs at the start, None for one on the shelf."""

    serial: str
    kind: Kind
    transformer: str
    home: str | None
    interval_s: int
    start_register: int
    mbus_address: int = 0
    mbus_id: str = ""
    phases: int = 1
    exports: bool = False
    """Whether it was ordered with registers for what a home gives to the grid."""
    digits: int = 9
    """Of its register, in Wh or litres; after the last one it begins again at zero."""

    def shown(self, register: int) -> int:
        """What the register shows: it rolls over behind its last digit."""
        return register % int(10**self.digits)

    @property
    def gateway_address(self) -> bytes:
        """The physical address behind the concentrator's gateway: the serial in ASCII."""
        return self.serial.encode("ascii")


@dataclass(frozen=True, slots=True)
class Transformer:
    """A transformer with the concentrator beside it."""

    name: str
    concentrator: str
    index: int


@dataclass(frozen=True)
class Street:
    """Everything that stands in a street."""

    transformers: tuple[Transformer, ...]
    homes: tuple[Home, ...]
    devices: tuple[Device, ...]

    @cached_property
    def device_by_serial(self) -> dict[str, Device]:
        """Meters by serial."""
        return {device.serial: device for device in self.devices}

    @cached_property
    def home_by_name(self) -> dict[str, Home]:
        """Homes by name."""
        return {home.name: home for home in self.homes}

    def device(self, serial: str) -> Device:
        """The meter with a serial.

        Raises:
            UnknownMeterError: there is none.
        """
        try:
            return self.device_by_serial[serial]
        except KeyError:
            raise UnknownMeterError(
                f"There is no meter {serial!r} in this street.", hint="GET /api/street lists them."
            ) from None

    def transformer(self, name: str) -> Transformer:
        """The transformer with a name.

        Raises:
            UnknownTransformerError: there is none.
        """
        for transformer in self.transformers:
            if transformer.name == name:
                return transformer
        names = ", ".join(each.name for each in self.transformers)
        raise UnknownTransformerError(f"There is no transformer {name!r}.", hint=f"There are {names}.")


def build_street(homes: int, seed: int, equipment: Equipment = PLAIN) -> Street:
    """A street of this many homes, ten to a transformer, with two spare electricity meters each."""
    chance = random.Random(seed)  # noqa: S311 - a layout, not a secret
    transformers = tuple(
        Transformer(f"T{index + 1:02d}", f"OAC{index + 1:07d}", index)
        for index in range(-(-homes // HOMES_PER_TRANSFORMER))
    )
    factory = _Factory(chance)
    electricity = _electricity_loads(chance)
    gas = [Load(name) for name, recording in library().items() if recording.medium == Kind.GAS]
    built: list[Home] = []
    devices: list[Device] = []
    for number in range(homes):
        transformer = transformers[number // HOMES_PER_TRANSFORMER].name
        home = Home(f"H{number + 1:04d}", transformer, electricity[number % len(electricity)])
        place = number % HOMES_PER_TRANSFORMER
        if place in HOMES_WITH_GAS_AND_WATER:
            rank = number // HOMES_PER_TRANSFORMER * 2 + HOMES_WITH_GAS_AND_WATER.index(place)
            home = replace(home, gas=gas[rank % len(gas)], water=Load("AMPds2-water", rank % _WATER_ROTATIONS))
        home = _equipped(home, place, equipment, f"{seed}:{number % HOUSEHOLDS}")
        if equipment.district_heat and place == _HEAT_PLACE:
            home = replace(home, heat=gas[number % len(gas)])
        built.append(home)
        devices += factory.devices_of(home)
    for each in transformers:
        devices += factory.spares(each.name)
    return Street(transformers, tuple(built), tuple(devices))


def _equipped(home: Home, place: int, equipment: Equipment, seed: str) -> Home:
    chance = random.Random(seed)  # noqa: S311 - what stands in a home, no secret
    behind = Behind(
        solar_w=chance.choice(_ROOF_W) if place in equipment.solar else 0,
        charger_w=chance.choice(_CHARGERS_W) if place in equipment.charger else 0,
        seed=chance.randrange(2**32) if place in equipment.solar | equipment.charger else 0,
    )
    return replace(home, phases=3 if place in equipment.three_phase else 1, behind=behind)


def lls_password(fleet_secret: str, serial: str) -> str:
    """The password of a meter, as the factory derives it from its secret: sixteen hexadecimal digits."""
    return hmac.new(fleet_secret.encode(), f"lls:{serial}".encode(), hashlib.sha256).hexdigest()[:16]


def _electricity_loads(chance: random.Random) -> list[Load]:
    names = [name for name, recording in library().items() if recording.medium == Kind.ELECTRICITY]
    sgsc = [name for name in names if name.startswith("SGSC")]
    lcl = [name for name in names if name.startswith("LCL")]
    loads = [Load(name) for name in sgsc[:_SGSC_RECORDINGS] + lcl[:_LCL_RECORDINGS]]
    loads += [Load("UCI-household", weeks) for weeks in range(_UCI_ROTATIONS)]
    loads += [Load("AMPds2-electricity", 2 * weeks) for weeks in range(_AMPDS2_ROTATIONS)]
    chance.shuffle(loads)
    return loads


class _Factory:
    """Numbers meters as they leave it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._made = dict.fromkeys(Kind, 0)
        self._on_segment: dict[str, int] = {}

    def devices_of(self, home: Home) -> list[Device]:
        """The meters that a home needs."""
        slot_s = home.electricity.open().slot_s
        start_register = self._chance.randrange(1_000_000, 60_000_000)
        first = self._electricity(home.transformer, home.name, slot_s, start_register)
        first = replace(first, phases=home.phases, exports=home.behind.solar_w > 0)
        return [first, *(self._slave(kind, home) for kind in home.media if kind is not Kind.ELECTRICITY)]

    def spares(self, transformer: str) -> list[Device]:
        """One meter of each interval for the shelf; their registers show what the test bench left."""
        return [
            self._electricity(transformer, None, interval_s, self._chance.randrange(10, 500))
            for interval_s in (_HALF_HOUR_S, _QUARTER_S)
        ]

    def _electricity(self, transformer: str, home: str | None, interval_s: int, start_register: int) -> Device:
        number = self._next(Kind.ELECTRICITY)
        return Device(f"OAE{number:07d}", Kind.ELECTRICITY, transformer, home, interval_s, start_register)

    def _slave(self, kind: Kind, home: Home) -> Device:
        number = self._next(kind)
        letters, medium_digit = _SLAVES[kind]
        address = self._on_segment[home.transformer] = self._on_segment.get(home.transformer, 0) + 1
        return Device(
            serial=f"{letters}{number:07d}",
            kind=kind,
            transformer=home.transformer,
            home=home.name,
            interval_s=3600,
            start_register=self._chance.randrange(100_000, 9_000_000),
            mbus_address=address,
            mbus_id=f"{medium_digit}{number:07d}",  # the medium first: ids differ between makers as well
            digits=8,
        )

    def _next(self, kind: Kind) -> int:
        self._made[kind] += 1
        return self._made[kind]
