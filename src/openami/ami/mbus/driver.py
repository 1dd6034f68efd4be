"""Drivers: what a meter model sends beside the standard, as data files of the folder `drivers`, one a model.

In: who speaks, and the bytes that EN 13757-3 leaves to the manufacturer. Out: records like any others. A file says for
which meters it is, where their own bytes are, which values lie at which places, and which compact frames they send;
and it carries telegrams with what must be read in them, so that it tests itself.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from openami.ami.mbus.driver_values import Place, read_place
from openami.ami.mbus.errors import BadDriverError, ScrambledError
from openami.ami.mbus.records import interpret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from openami.ami.mbus.header import Header
    from openami.ami.mbus.records import RawRecord, Record

PRIOS_GOOD: Final = 0x4B  # the first byte of a payload that was unscrambled with its key
MODELS_MAX: Final = 4096
"""Models that are remembered: what a telegram says of itself may be anything, and must not fill the memory."""
_PRIOS_HEAD: Final = 4  # bytes between the CI field and the scrambled ones


@dataclass(frozen=True, slots=True)
class Walk:
    """Values behind tags: where the first tag is, and how many bytes follow which tag."""

    start: int
    sizes: dict[int, int]

    def parts(self, data: bytes) -> dict[int | None, bytes]:
        """The bytes behind each tag, up to the first tag that is not known."""
        found: dict[int | None, bytes] = {}
        position = self.start
        while position < len(data) and data[position] in self.sizes:
            tag, position = data[position], position + 1
            size = self.sizes[tag]
            if position + size > len(data):
                break
            found.setdefault(tag, data[position : position + size])
            position += size
        return found


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes of the manufacturer: where they are found, and what lies in them."""

    places: tuple[Place, ...]
    information: frozenset[int] = frozenset()
    behind_records: bool = False
    begins: bytes = b""
    """What the bytes begin with, where a first byte says what follows."""
    record: bytes = b""
    bare: bool = False
    envelope: int | None = None
    prios_keys: tuple[int, ...] = ()
    walk: Walk | None = None

    def read(self, data: bytes) -> list[Record]:
        """The values that are there; a place outside the data has none."""
        parts: dict[int | None, bytes] = {None: data}
        if self.walk is not None:
            parts |= self.walk.parts(data)
        found = (read_place(place, parts.get(place.tag, b"")) for place in self.places)
        return [record for record in found if record is not None]


@dataclass(frozen=True, slots=True)
class Example:
    """A telegram of the driver's own tests: its bytes, its key, and readings as (quantity, value, unit)."""

    octets: bytes
    key: bytes | None
    readings: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Driver:
    """One meter model, or a family that speaks alike."""

    name: str
    title: str
    meters: tuple[tuple[str, ...], ...]
    payloads: tuple[Payload, ...] = ()
    formats: tuple[tuple[bytes, ...], ...] = ()
    examples: tuple[Example, ...] = field(default=(), compare=False)

    def speaks_for(self, manufacturer: str, version: int, medium: int) -> bool:
        """Whether a meter is one of these; `*` in the file stands for any version or medium."""
        code = (manufacturer, f"{version:02X}", f"{medium:02X}")
        return any(all(part in ("*", own) for part, own in zip(meter, code, strict=True)) for meter in self.meters)


_added: list[Driver] = []  # from folders of the installation; they come before the ones that we ship


def drivers() -> tuple[Driver, ...]:
    """All drivers: those of the installation first, then ours, by name."""
    return (*_added, *_shipped())


def add_drivers(folder: Path) -> list[Driver]:
    """Take the drivers in a folder, so that a new meter model needs no release of ours.

    Raises:
        BadDriverError: a file is no driver; it names the file and what is wrong, and none is taken.
    """
    found = _drivers_in(folder)
    known = {driver.name for driver in found}
    _added[:] = [*found, *(driver for driver in _added if driver.name not in known)]
    _payloads_for.cache_clear()
    return found


@cache
def _shipped() -> tuple[Driver, ...]:
    return tuple(_drivers_in(resources.files("openami.ami.mbus").joinpath("drivers")))


def _drivers_in(folder: Traversable) -> list[Driver]:
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return [parse_driver(entry.name.removesuffix(".toml"), entry.read_text(encoding="utf-8")) for entry in files]


def own_records(
    header: Header, data: bytes, *, information: int | None = None, head: bytes = b"", behind_records: bool = False
) -> list[Record] | None:
    """What drivers read in bytes that are the manufacturer's from their first one; None if there is no driver for them.

    The bytes follow the CI field `information`, or a DIF 0Fh (`behind_records`), or they are a whole application layer
    that EN 13757-3 does not read. `head` is what the link layer says of the sender.

    Raises:
        ScrambledError: no key of the driver opens them.
    """
    for payload in _payloads_for(header.manufacturer, header.version, header.medium):
        if information is not None and payload.envelope == information and data and len(data) > data[0] + 1:
            skip = data[0] + 1
            return own_records(header, data[skip + 1 :], information=data[skip], head=head)
        wanted = information in payload.information if information is not None else payload.bare
        if (payload.behind_records if behind_records else wanted) and data.startswith(payload.begins):
            plain = _unscrambled(payload, data, head, information or 0) if payload.prios_keys else data
            return payload.read(plain)
    return None


def meaning_of(header: Header, raws: Iterable[RawRecord]) -> list[Record]:
    """What records mean; those whose data are the manufacturer's give the values that a driver reads in them."""
    payloads = _payloads_for(header.manufacturer, header.version, header.medium)
    if not payloads:
        return [interpret(raw) for raw in raws]
    records: list[Record] = []
    for raw in raws:
        payload = next((each for each in payloads if each.record == raw.dib + raw.vib), None)
        records += [interpret(raw)] if payload is None else payload.read(raw.data)
    return records


def known_formats() -> Iterator[tuple[bytes, ...]]:
    """The data and value information of full frames whose compact forms meters send."""
    for driver in drivers():
        yield from driver.formats


@lru_cache(maxsize=MODELS_MAX)
def _payloads_for(manufacturer: str, version: int, medium: int) -> tuple[Payload, ...]:
    """What the drivers of a model find in its telegrams: looked up once a model, not once a telegram."""
    spoken = (driver for driver in drivers() if driver.speaks_for(manufacturer, version, medium))
    return tuple(payload for driver in spoken for payload in driver.payloads)


def _unscrambled(payload: Payload, data: bytes, head: bytes, information: int) -> bytes:
    """PRIOS: a feedback shift register of 32 bits, started with a key of the maker, the address and the first bytes."""
    start = head[:4], head[4:8], bytes([information]) + data[:3]
    for key in payload.prios_keys:
        state = key
        for word in start:
            state ^= int.from_bytes(word, "big")
        plain = bytearray()
        for octet in data[_PRIOS_HEAD:]:
            for _ in range(8):
                bit = (state >> 1 ^ state >> 2 ^ state >> 11 ^ state >> 31) & 1
                state = (state << 1 | bit) & 0xFFFFFFFF
            plain.append(octet ^ state & 0xFF)
        if plain[:1] == bytes([PRIOS_GOOD]):
            return bytes(plain)
    raise ScrambledError("None of the maker's keys opens the telegram.", hint="It is damaged, or of another model.")


def parse_driver(name: str, text: str) -> Driver:
    """The driver that a file says.

    Raises:
        BadDriverError: it is no TOML, or something is missing, too much or no number.
    """
    try:
        return _driver(name, tomllib.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadDriverError(
            f"The driver {name} cannot be read: {what}.", hint="See docs/guides/telegrams.md."
        ) from error


def _driver(name: str, table: dict[str, Any]) -> Driver:
    return Driver(
        name,
        table["title"],
        tuple(tuple(meter.split()) for meter in table["meters"]),
        tuple(_payload(each) for each in table.get("payload", ())),
        tuple(tuple(bytes.fromhex(part) for part in each.split()) for each in table.get("formats", ())),
        tuple(_example(each) for each in table.get("telegram", ())),
    )


def _payload(table: dict[str, Any]) -> Payload:
    walk = table.get("walk")
    return Payload(
        tuple(place for each in table["field"] for place in Place.all_of(each)),
        frozenset(int(each, 16) for each in table.get("information", ())),
        table.get("behind_records", False),
        bytes.fromhex(table.get("begins", "")),
        bytes.fromhex(table.get("record", "")),
        table.get("bare", False),
        int(table["envelope"], 16) if "envelope" in table else None,
        tuple(_prios_key(each) for each in table.get("prios_keys", ())),
        Walk(walk["start"], {int(tag, 16): size for tag, size in walk["sizes"].items()}) if walk else None,
    )


def _prios_key(text: str) -> int:
    """Keys are written as eight bytes, whose halves are combined."""
    octets = bytes.fromhex(text)
    return int.from_bytes(octets[:4], "big") ^ int.from_bytes(octets[4:], "big")


def _example(table: dict[str, Any]) -> Example:
    key = table.get("key")
    return Example(
        bytes.fromhex(table["octets"]),
        bytes.fromhex(key) if key else None,
        tuple((quantity, value, unit) for quantity, value, unit in table["readings"]),
    )
