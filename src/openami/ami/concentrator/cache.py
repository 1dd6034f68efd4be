"""What a concentrator has read of its meters by itself, and answers from when it cannot, or shall not, ask them.

It is a client of its meters like any other: it finds them on its segment, keeps password and keys of each, and reads
every hour what is new. It speaks for a meter only to who proves to know that password or those keys; it carries out
nothing. Sealed answers bear its own system title and counters of its own: with the same key, a meter and its
concentrator never use one nonce twice. What it has read outlives a restart.
"""

from __future__ import annotations

import hmac
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.device import serve
from openami.ami.dlms.enums import ActionResult, DataAccessResult, Mechanism
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn
from openami.ami.dlms.profile_times import utc_s_to_stamps
from openami.ami.dlms.protection import Protection
from openami.ami.dlms.security import Ciphering, Keys, Prover, SendCounter
from openami.ami.dlms.selection import capture_objects
from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.meter.buffers import ProfileTable
from openami.ami.meter.cosem import EVENT_LOGS, MANAGEMENT_CLIENT
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from openami.ami.dlms.data import Data
    from openami.ami.dlms.profile import Profile
    from openami.ami.dlms.references import Selection
    from openami.ami.dlms.selection import CaptureObject
    from openami.ami.dlms.wrapper import WrapperFrame
    from openami.ami.meter.buffers import Column

CLOCK: Final = Obis.of("0-0:1.0.0")
LOAD_PROFILE, DAILY_PROFILE = Obis.of("1-0:99.1.0"), Obis.of("1-0:98.2.0")
PROFILES: Final = (LOAD_PROFILE, DAILY_PROFILE)
LOGS: Final = EVENT_LOGS
KEPT_S: Final = 10 * 86400
STEP: Final = 1000
"""Counters are reserved in steps, so that not every answer costs a write; a restart skips at most one step."""
_RUNNING_LOW: Final = 64
_PROFILE_CLASS: Final = 7


class Mode(StrEnum):
    """How a concentrator deals with what is asked of its meters."""

    ROUTER = "router"
    STORE_AND_FORWARD = "store_and_forward"
    HYBRID = "hybrid"


@dataclass(slots=True)
class CachedProfile:
    """The rows of a profile that were read, oldest first: stamps in UTC seconds, and numbers by column."""

    captures: tuple[CaptureObject, ...]
    tags: tuple[d.Tag, ...]
    columns: NDArray[np.int64]

    @property
    def newest_s(self) -> int:
        """The stamp of the newest row; before all time if there is none."""
        return int(self.columns[0, -1]) if self.columns.shape[1] else 0

    def add(self, found: Profile) -> None:
        """Take over rows that are newer, and forget those of long ago."""
        if not len(found):
            return
        rows = np.stack([column.values for column in found.columns]).astype(np.int64)
        rows = rows[:, rows[0] > self.newest_s]
        self.columns = np.concatenate([self.columns, rows], axis=1)
        self.columns = self.columns[:, self.columns[0] > self.newest_s - KEPT_S]

    def replace(self, found: Profile) -> None:
        """Take over all rows there are: stamps of a log are as good as the meter's clock, and do not only rise."""
        rows = np.stack([column.values for column in found.columns]).astype(np.int64) if len(found) else None
        self.columns = self.columns[:, :0] if rows is None else rows[:, np.argsort(rows[0], kind="stable")]

    def rows(self, first_s: int, last_s: int, zone_name: str) -> list[Column]:
        """The rows in a span as columns."""
        stamps_s = self.columns[0]
        low, high = np.searchsorted(stamps_s, first_s), np.searchsorted(stamps_s, last_s, side="right")
        stamps = StampColumn(utc_s_to_stamps(stamps_s[low:high], zone=zone(zone_name)))
        numbers = zip(self.tags, self.columns[1:], strict=True)
        return [stamps, *(NumberColumn(tag, values[low:high]) for tag, values in numbers)]


@dataclass(slots=True)
class CachedMeter:
    """One meter that was found on the segment."""

    serial: str
    password: bytes
    found_s: int
    read_s: int = 0
    """When it was read last; 0 before the first time."""
    failures: int = 0
    """How often in a row it could not be read."""
    values: dict[tuple[int, Obis, int], Encoded] = field(default_factory=dict)
    profiles: dict[Obis, CachedProfile] = field(default_factory=dict)
    sent: SendCounter = field(default_factory=lambda: SendCounter(1, 1))
    """What sealed answers count with, under the meter's key and the concentrator's title."""

    @property
    def running_low(self) -> bool:
        """Whether a step of counters must be reserved before the next sealed answer."""
        return self.sent.remaining < _RUNNING_LOW

    def packed(self) -> dict[str, dict[str, str]]:
        """What was read, as it is stored: values by class, logical name and attribute, and the rows of profiles."""
        return {
            "values": {
                f"{class_id} {obis} {part}": each.raw.hex() for (class_id, obis, part), each in self.values.items()
            },
            "rows": {
                str(obis): b64encode(zlib.compress(each.columns.astype("<i8").tobytes())).decode()
                for obis, each in self.profiles.items()
            },
        }

    def unpack(self, packed: Mapping[str, Mapping[str, str]]) -> None:
        """Take back what was stored."""
        for key, octets in packed["values"].items():
            class_id, name, part = key.split(" ")
            self.values[int(class_id), Obis.of(name), int(part)] = Encoded(bytes.fromhex(octets))
        for name, text in packed["rows"].items():
            obis = Obis.of(name)
            profile = empty_profile(self.values[_PROFILE_CLASS, obis, 3].data())
            numbers = np.frombuffer(zlib.decompress(b64decode(text)), "<i8").astype(np.int64)
            profile.columns = numbers.reshape(len(profile.captures), -1)
            self.profiles[obis] = profile


class CachedDevice:
    """A logical device that answers what was read; the time it shows is that of the reading."""

    def __init__(self, meter: CachedMeter, zone_name: str, *, ciphered: bool = False) -> None:
        self._meter = meter
        self._zone_name = zone_name
        self._ciphered = ciphered
        self._admitted = False

    def admit(self, client_sap: int, mechanism: Mechanism, password: bytes) -> bool:
        """Whoever knows the password of the meter, or will prove its keys to the connection."""
        known = mechanism is Mechanism.LOW and hmac.compare_digest(password, self._meter.password)
        proves = self._ciphered and mechanism is Mechanism.HIGH_GMAC
        self._admitted = client_sap == MANAGEMENT_CLIENT and (known or proves)
        return self._admitted

    def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None) -> Data | Encoded:
        """What was read.

        Raises:
            AccessDeniedError: it never was; the meter itself may know it.
        """
        if not self._admitted:
            raise AccessDeniedError(DataAccessResult.READ_WRITE_DENIED)
        if attribute == 1:
            return d.octet_string(obis)
        profile = self._meter.profiles.get(obis)
        if class_id == _PROFILE_CLASS and attribute == 2 and profile is not None:
            return self._table(profile).buffer(selection)
        value = self._meter.values.get((class_id, obis, attribute))
        if value is None or selection is not None:
            raise AccessDeniedError(DataAccessResult.TEMPORARY_FAILURE)
        return value

    def set(self, _class_id: int, _obis: Obis, _attribute: int, _value: Data) -> None:
        """Nothing can be written here: try again when the meter can be reached.

        Raises:
            AccessDeniedError: always.
        """
        raise AccessDeniedError(DataAccessResult.TEMPORARY_FAILURE)

    def act(self, _class_id: int, _obis: Obis, _method: int, _parameter: Data | None) -> Data | None:
        """Nothing can be done here.

        Raises:
            ActionRefusedError: always.
        """
        raise ActionRefusedError(ActionResult.TEMPORARY_FAILURE)

    def _table(self, profile: CachedProfile) -> ProfileTable:
        def rows(first_s: int, last_s: int) -> list[Column]:
            return profile.rows(first_s, last_s, self._zone_name)

        return ProfileTable(profile.captures, rows, lambda: zone(self._zone_name))


class CachedSession:
    """One client's association with what is known of a meter, under the title of who answers; sealed with its keys."""

    def __init__(self, meter: CachedMeter, zone_name: str, keys: Keys | None = None, title: bytes = b"") -> None:
        self._device = CachedDevice(meter, zone_name, ciphered=keys is not None)
        if keys is None:
            self._connection = ServerConnection(WrapperFraming.server(), protection=Protection(title))
            return
        ciphering = Ciphering(title, keys, sent=meter.sent)
        prover = Prover.of(ciphering, Mechanism.HIGH_GMAC)
        self._connection = ServerConnection(WrapperFraming.server(), protection=ciphering, prover=prover)

    def serve(self, frame: WrapperFrame) -> bytes:
        """What is answered to a frame.

        Raises:
            RemoteProtocolError: the stream is lost.
        """
        return serve(self._connection, self._device, frame.encode())


def empty_profile(captures: Data) -> CachedProfile:
    """A profile of which only the columns are known."""
    columns = tuple(capture_objects(captures))
    tags = tuple(d.Tag.UNSIGNED8 if each.class_id == 1 else d.Tag.UNSIGNED32 for each in columns[1:])
    return CachedProfile(columns, tags, np.empty((len(columns), 0), np.int64))
