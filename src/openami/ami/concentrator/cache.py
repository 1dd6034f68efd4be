"""What a concentrator has read of its meters by itself, and answers from when it cannot, or shall not, ask them.

It is a client of its meters like any other: it finds them on its segment, keeps the password of each, and reads every
hour what is new. It speaks for a meter only to who proves to know that password; it carries out nothing. Kept in
memory: after a restart the meters, who hold sixty days, are read anew.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.dlms import data as d
from openami.ami.dlms.device import serve
from openami.ami.dlms.enums import ActionResult, DataAccessResult, Mechanism
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn
from openami.ami.dlms.profile_times import utc_s_to_stamps
from openami.ami.dlms.selection import capture_objects
from openami.ami.dlms.server import ServerConnection
from openami.ami.dlms.wrapper import WrapperFraming
from openami.ami.meter.buffers import ProfileTable
from openami.ami.meter.cosem import MANAGEMENT_CLIENT
from openami.shared.spans import zone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.ami.dlms.axdr import Encoded
    from openami.ami.dlms.data import Data
    from openami.ami.dlms.profile import Profile
    from openami.ami.dlms.references import Selection
    from openami.ami.dlms.selection import CaptureObject
    from openami.ami.dlms.wrapper import WrapperFrame
    from openami.ami.meter.buffers import Column

CLOCK: Final = Obis.of("0-0:1.0.0")
LOAD_PROFILE, DAILY_PROFILE = Obis.of("1-0:99.1.0"), Obis.of("1-0:98.2.0")
PROFILES: Final = (LOAD_PROFILE, DAILY_PROFILE)
KEPT_S: Final = 10 * 86400
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


class CachedDevice:
    """A logical device that answers what was read; the time it shows is that of the reading."""

    def __init__(self, meter: CachedMeter, zone_name: str) -> None:
        self._meter = meter
        self._zone_name = zone_name
        self._admitted = False

    def admit(self, client_sap: int, mechanism: Mechanism, password: bytes) -> bool:
        """Whoever knows the password of the meter."""
        known = hmac.compare_digest(password, self._meter.password)
        self._admitted = client_sap == MANAGEMENT_CLIENT and mechanism is Mechanism.LOW and known
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
    """One client's association with what is known of one meter."""

    def __init__(self, meter: CachedMeter, zone_name: str) -> None:
        self._device = CachedDevice(meter, zone_name)
        self._connection = ServerConnection(WrapperFraming.server())

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
