"""Companion standards as data: which objects a meter has, and how it wants to be spoken to.

In: the name of a standard (the files of `profiles` beside this one), and what a meter calls itself. Out: a `Companion`
that names objects by tag, builds queries for them, and carries the manner of the conversation with the quirks of this
maker's firmware in it. Lines that a standard leaves to the maker are settings here, never code.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from openami.ami.dlms.data import integer8
from openami.ami.dlms.enums import OUR_CONFORMANCE, Conformance, Mechanism
from openami.ami.dlms.errors import LocalProtocolError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.queries import Query, read, read_many
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.times import DEVIATION_NOT_SPECIFIED, CosemDateTime

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, tzinfo

    from openami.ami.dlms.data import Data
    from openami.ami.dlms.enums import DataAccessResult

TimePolicy = Literal["deviation", "negated", "zone", "utc"]
CHANNELS: Final = range(1, 7)
_LOGICAL_NAME_DIGITS: Final = 3  # the first letters of a logical device name are its maker's


class CompanionError(LocalProtocolError):
    """A companion standard, or an object of one, that there is not."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How meters of a standard want to be spoken to; what the standard leaves open has the cautious value.

    `time` says how stamps are to be read: by their deviation, by its negative (some firmware turns the sign), by the
    meter's zone whatever they say, or as UTC. `list_size` 1 asks for attributes one by one.
    """

    client_sap: int = 1
    public_sap: int = 16
    server_sap: int = 1
    address_octets: int = 1
    mechanism: int = Mechanism.HIGH_GMAC
    suite: int = 0
    general_protection: bool = False
    dedicated_key: bool = False
    counter: str = "0-0:43.1.0.255"
    max_pdu_octets: int = 1024
    window: int = 1
    transfer: Literal["block", "general"] = "block"
    selection: Literal["range", "entry"] = "range"
    rows_per_request: int = 960
    list_size: int = 16
    method_parameter: Literal["zero", "none"] = "zero"
    time: TimePolicy = "deviation"
    answer_s: int = 30
    prepare_s: int = 60

    @property
    def conformance(self) -> Conformance:
        """What a client proposes to such a meter."""
        proposed = OUR_CONFORMANCE
        if self.transfer == "general":
            proposed |= Conformance.GENERAL_BLOCK_TRANSFER
        if self.general_protection:
            proposed |= Conformance.GENERAL_PROTECTION
        if self.list_size == 1:
            proposed &= ~Conformance.MULTIPLE_REFERENCES
        return proposed

    def parameter(self) -> Data | None:
        """What a method without parameter is called with."""
        return integer8(0) if self.method_parameter == "zero" else None

    def instant(self, stamp: CosemDateTime, zone: tzinfo) -> datetime:
        """The instant that a meter meant with a stamp."""
        deviation_min = stamp.deviation_min
        if self.time == "zone" or deviation_min == DEVIATION_NOT_SPECIFIED:
            deviation_min = DEVIATION_NOT_SPECIFIED
        elif self.time == "utc":
            deviation_min = 0
        elif self.time == "negated":
            deviation_min = -deviation_min
        return replace(stamp, deviation_min=deviation_min).instant(zone=zone)


@dataclass(frozen=True, slots=True)
class KnownObject:
    """One object of a standard: where it is, which attributes may be read and written, what the standard fixes."""

    tag: str
    obis: str
    class_id: int
    meaning: str
    version: int = 0
    readable: frozenset[int] = frozenset()
    writable: frozenset[int] = frozenset()
    scale: tuple[int, str] | None = None
    fixed: Mapping[int, str] | None = None

    @property
    def by_channel(self) -> bool:
        """Whether there is one for each device behind the meter."""
        return "x" in self.obis

    @property
    def period(self) -> timedelta | None:
        """The capture period of a profile, where the standard fixes it."""
        seconds = (self.fixed or {}).get(4, "") if self.class_id == 7 else ""
        return timedelta(seconds=int(seconds)) if seconds.isdecimal() and int(seconds) else None

    @property
    def columns(self) -> tuple[tuple[str, int], ...]:
        """Tags and attributes of a profile's columns, where the standard fixes them."""
        text = (self.fixed or {}).get(3, "") if self.class_id == 7 else ""
        pairs = (part.partition(",") for part in text.split("|") if part)
        return tuple((tag.strip(), int(attribute)) for tag, _, attribute in pairs)

    def name(self, channel: int | None = None) -> Obis:
        """Its logical name.

        Raises:
            CompanionError: it is one of a channel and none was said, or the other way round.
        """
        if self.by_channel != (channel is not None) or (channel is not None and channel not in CHANNELS):
            raise CompanionError(
                f"{self.tag} is {self.obis}, and the channel given is {channel}.",
                hint="Name a channel from 1 to 6 where the code has an x, and none elsewhere.",
            )
        return Obis.of(self.obis.replace("x", str(channel)))


@dataclass(frozen=True, slots=True)
class Quirk:
    """What the firmware of a maker, or of some of its models, does in its own way."""

    makers: tuple[str, ...]
    models: tuple[str, ...] = ()
    manner: Mapping[str, Any] | None = None
    scales: Mapping[str, int] | None = None

    def is_of(self, device_name: str) -> bool:
        """Whether a meter with this logical device name has it."""
        maker, model = device_name[:_LOGICAL_NAME_DIGITS], device_name[_LOGICAL_NAME_DIGITS:]
        return maker in self.makers and (not self.models or model.startswith(self.models))


@dataclass(frozen=True, slots=True)
class Companion:
    """A companion standard, or how one meter keeps to it."""

    name: str
    title: str
    family: str
    manner: Manner
    objects: Mapping[str, KnownObject]
    quirks: tuple[Quirk, ...] = ()

    def object(self, tag: str) -> KnownObject:
        """The object of this tag.

        Raises:
            CompanionError: the standard has none.
        """
        found = self.objects.get(tag)
        if found is None:
            raise CompanionError(f"{self.title} has no {tag}.", hint=f"It has {', '.join(sorted(self.objects))}.")
        return found

    def for_device(self, device_name: str) -> Companion:
        """The standard as the meter with this logical device name keeps to it."""
        manner, objects = self.manner, dict(self.objects)
        for quirk in (each for each in self.quirks if each.is_of(device_name)):
            manner = replace(manner, **(quirk.manner or {}))
            for tag, exponent in (quirk.scales or {}).items():
                unit = (objects[tag].scale or (0, ""))[1]
                objects[tag] = replace(objects[tag], scale=(exponent, unit))
        return replace(self, manner=manner, objects=objects, quirks=())

    def read(self, tag: str, attribute: int = 2, *, channel: int | None = None) -> Query[Data]:
        """Read one attribute of an object.

        Raises:
            CompanionError: there is no such object, or the standard lets nobody read the attribute.
        """
        reference = self.reference(tag, attribute, channel=channel)
        return read(reference.obis, reference.class_id, attribute)

    def reference(self, tag: str, attribute: int = 2, *, channel: int | None = None) -> AttributeRef:
        """The attribute of an object, for requests that name several.

        Raises:
            CompanionError: as above.
        """
        found = self.object(tag)
        if attribute not in found.readable | {1}:
            raise CompanionError(
                f"Attribute {attribute} of {tag} is not for reading in {self.title}.",
                hint=f"Readable are {sorted(found.readable)}.",
            )
        return AttributeRef(found.class_id, found.name(channel), attribute)

    def read_each(self, references: Sequence[AttributeRef]) -> list[Query[tuple[Data | DataAccessResult, ...]]]:
        """Read many attributes in requests no longer than the meter bears."""
        size = self.manner.list_size
        return [read_many(references[at : at + size]) for at in range(0, len(references), size)]


@cache
def companions() -> Mapping[str, Companion]:
    """All companion standards, by name."""
    folder = resources.files("openami.ami.dlms").joinpath("profiles")
    texts = {
        entry.name.removesuffix(".toml"): entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    }
    tables = {name: tomllib.loads(text) for name, text in texts.items()}
    return {name: _companion(name, tables) for name in sorted(tables)}


def companion(name: str) -> Companion:
    """The companion standard of this name.

    Raises:
        CompanionError: there is none.
    """
    found = companions().get(name)
    if found is None:
        raise CompanionError(f"There is no companion standard {name!r}.", hint=f"There are {', '.join(companions())}.")
    return found


def _companion(name: str, tables: Mapping[str, dict[str, Any]]) -> Companion:
    table = tables[name]
    base = _companion(table["based_on"], tables) if "based_on" in table else None
    manner = _manner(base.manner if base else Manner(), table.get("manner", {}), name)
    own = {tag: _object(tag, each) for tag, each in table.get("objects", {}).items()}
    return Companion(
        name,
        table["title"],
        table.get("family", base.family if base else name),
        manner,
        {**(base.objects if base else {}), **own},
        (*(base.quirks if base else ()), *(_quirk(each) for each in table.get("quirk", ()))),
    )


def _manner(base: Manner, table: dict[str, Any], name: str) -> Manner:
    known = {each.name for each in fields(Manner)}
    if unknown := set(table) - known:
        raise CompanionError(f"The profile {name} says {sorted(unknown)}.", hint=f"Known are {sorted(known)}.")
    if table.get("time", "deviation") not in get_args(TimePolicy):
        raise CompanionError(f"The profile {name} reads stamps by {table['time']!r}.", hint=f"{get_args(TimePolicy)}")
    return replace(base, **table)


def _object(tag: str, table: dict[str, Any]) -> KnownObject:
    exponent_unit = table.get("scale")
    return KnownObject(
        tag,
        table["obis"],
        table["class"],
        table["is"],
        table.get("version", 0),
        frozenset(table.get("read", ())),
        frozenset(table.get("write", ())),
        (exponent_unit[0], exponent_unit[1]) if exponent_unit else None,
        {int(number): value for number, value in table["fixed"].items()} if "fixed" in table else None,
    )


def _quirk(table: dict[str, Any]) -> Quirk:
    return Quirk(tuple(table["makers"]), tuple(table.get("models", ())), table.get("manner"), table.get("scales"))
