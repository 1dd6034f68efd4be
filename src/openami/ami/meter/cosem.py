"""An electricity meter as a COSEM logical device: the object model that the DLMS server asks."""

from __future__ import annotations

import hmac
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.dlms import data as d
from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.enums import ActionResult, DataAccessResult, Mechanism
from openami.ami.dlms.errors import (
    AccessDeniedError,
    ActionRefusedError,
    SecurityFailureError,
    TypeMismatchError,
)
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile_encode import NumberColumn, StampColumn
from openami.ami.dlms.profile_times import utc_s_to_stamps
from openami.ami.dlms.security.rotation import transferred_keys
from openami.ami.dlms.selection import CLOCK_COLUMN, CaptureObject
from openami.ami.dlms.times import STATUS_DAYLIGHT_SAVING, CosemDateTime
from openami.ami.meter import buffers, clock, profiles
from openami.ami.meter.breaker import MODE_COUNT, Trigger
from openami.ami.meter.electricity import EXPORT, INTERVAL_EXPORT
from openami.ami.meter.facts import ASSOCIATION_FAILURES, BREAKER_FAILURE
from openami.ami.meter.objects import (
    BILLING_PROFILE,
    INVOCATION_COUNTER,
    POWER_FAILURES,
    SECURITY_SETUP,
    further_objects,
    further_parts,
    further_profiles,
    further_writers,
)
from openami.ami.meter.settings import Flag
from openami.ami.meter.times import instant_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import tzinfo

    from numpy.typing import NDArray

    from openami.ami.dlms.data import Data
    from openami.ami.dlms.references import Selection
    from openami.ami.dlms.security import Keys
    from openami.ami.meter.buffers import Column
    from openami.ami.meter.model import Meter
    from openami.ami.meter.parts import Method, Part

PUBLIC_CLIENT: Final = 16
MANAGEMENT_CLIENT: Final = 1
FAILURES_LOGGED_AFTER: Final = 3
UNIT_WH: Final = 30
SHIFT_MAX_S: Final = 900
KEY_OCTETS: Final = 16
CLOCK_FIRST_S, CLOCK_LAST_S = 946_684_800, 4_102_444_800
"""A meter's clock runs from 2000 to 2099."""

CLOCK: Final = Obis.of("0-0:1.0.0")
SERIAL: Final = Obis.of("0-0:96.1.0")
DEVICE_NAME: Final = Obis.of("0-0:42.0.0")
ENERGY: Final = Obis.of("1-0:1.8.0")
INTERVAL_ENERGY: Final = Obis.of("1-0:1.29.0")
PROFILE_STATUS: Final = Obis.of("0-0:96.10.1")
LOAD_PROFILE: Final = Obis.of("1-0:99.1.0")
DAILY_PROFILE: Final = Obis.of("1-0:98.2.0")
EVENT_LOGS: Final = tuple(Obis.of(f"0-0:99.98.{log}") for log in range(profiles.LOGS))
EVENT_CODES: Final = tuple(Obis.of(f"0-0:96.11.{log}") for log in range(profiles.LOGS))
BREAKER: Final = Obis.of("0-0:96.3.10")
ASSOCIATION: Final = Obis.of("0-0:40.0.0")

DATA, REGISTER, PROFILE, CLOCK_CLASS, ASSOCIATION_CLASS, DISCONNECT = 1, 3, 7, 8, 15, 70

_PUBLIC: Final = frozenset({CLOCK, SERIAL, DEVICE_NAME, ASSOCIATION, INVOCATION_COUNTER})


class ElectricityDevice:
    """The view that one client connection has of a meter, at the instant that the meter has lived to."""

    def __init__(
        self,
        meter: Meter,
        password: str,
        zone_name: str,
        now_s: Callable[[], int],
        *,
        keys: Keys | None = None,
        slaves: Sequence[Meter] = (),
        privileged: bool = False,
    ) -> None:
        self._meter = meter
        self._password = password.encode()
        self._zone = zone_name
        self._now_s = now_s
        self._client = MANAGEMENT_CLIENT if privileged else 0
        self._keys = keys
        status = CaptureObject(DATA, PROFILE_STATUS, 2)
        self._profiles = {
            LOAD_PROFILE: self._table(self._load_rows, status, *self._both_ways(INTERVAL_ENERGY, INTERVAL_EXPORT)),
            DAILY_PROFILE: self._table(self._daily_rows, *self._both_ways(ENERGY, EXPORT)),
        }
        for log in range(len(EVENT_LOGS)):
            self._profiles[EVENT_LOGS[log]] = self._table(
                self._log_rows_of(log), CaptureObject(DATA, EVENT_CODES[log], 2)
            )
        self._profiles |= further_profiles(meter, zone_name, now_s)
        self._objects = self._object_model() | further_objects(meter, zone_name, now_s)
        for obis in (BILLING_PROFILE, POWER_FAILURES):
            self._objects[obis] = (PROFILE, self._profiles[obis].attributes(0, profiles.EVENT_LOG_ENTRIES))
        self._writers = self._writable() | further_writers(meter, now_s)
        self._methods: dict[tuple[Obis, int], Method] = {}
        self._further: Callable[[], Part] | None = partial(further_parts, meter, zone_name, now_s, keys, slaves)
        """What a regular reading hardly ever asks for: made when it is needed."""

    # the four questions of the server

    def admit(self, client_sap: int, mechanism: Mechanism, password: bytes) -> bool:
        """The public client without, the management client with its password."""
        self._client = 0
        good = client_sap == PUBLIC_CLIENT and mechanism is Mechanism.NONE
        if client_sap == MANAGEMENT_CLIENT and mechanism is Mechanism.LOW:
            good = hmac.compare_digest(password, self._password)
            self._meter.failed_logins = 0 if good else self._meter.failed_logins + 1
            if self._meter.failed_logins == FAILURES_LOGGED_AFTER:
                self._meter.log(self._now_s(), ASSOCIATION_FAILURES)
        # the secret of high level security is proved afterwards, by the connection
        if client_sap == MANAGEMENT_CLIENT and mechanism is Mechanism.HIGH_GMAC:
            good = self._meter.settings.flag(Flag.HLS5_ON_P3)
        if good:
            self._client = client_sap
        return good

    def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None) -> Data | Encoded:
        """The value of an attribute, or of the selected part of it.

        Raises:
            AccessDeniedError: there is no such attribute, or not for this client.
        """
        attributes = self._attributes(class_id, obis)
        altered = self._meter.altered.get((obis, attribute))
        if altered is not None:
            return Encoded(altered)
        if attribute == 1:
            return d.octet_string(obis)
        if class_id == PROFILE and attribute == 2:
            return self._profiles[obis].buffer(selection)
        if selection is not None:
            raise AccessDeniedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        if attribute not in attributes:
            self._complete()
            attributes = self._attributes(class_id, obis)
        if attribute not in attributes:
            raise AccessDeniedError(DataAccessResult.READ_WRITE_DENIED)
        return attributes[attribute]()

    @property
    def attributes(self) -> Mapping[Obis, Collection[int]]:
        """All that can be read, by logical name."""
        self._complete()
        return {obis: {1, *attributes} for obis, (_, attributes) in self._objects.items()}

    def class_of(self, obis: Obis) -> int:
        """The class of an object that it has."""
        self._complete()
        return self._objects[obis][0]

    def set(self, class_id: int, obis: Obis, attribute: int, value: Data) -> None:
        """Write the clock, or the control mode of the breaker.

        Raises:
            AccessDeniedError: nothing else can be written.
        """
        self._complete()
        self._attributes(class_id, obis)
        if self._client != MANAGEMENT_CLIENT:
            raise AccessDeniedError(DataAccessResult.READ_WRITE_DENIED)
        writer = self._writers.get((obis, attribute))
        if writer is None:
            raise AccessDeniedError(DataAccessResult.READ_WRITE_DENIED)
        writer(value)

    def act(self, class_id: int, obis: Obis, method: int, parameter: Data | None) -> Data | None:
        """Move the breaker, or shift the clock.

        Raises:
            ActionRefusedError: there is no such method, or the mode has no such transition.
        """
        self._complete()
        self._attributes(class_id, obis)
        if self._client != MANAGEMENT_CLIENT:
            raise ActionRefusedError(ActionResult.READ_WRITE_DENIED)
        if (obis, method) in self._methods:
            return self._methods[obis, method](parameter)
        if obis == BREAKER and method in (1, 2):
            self._move_breaker(Trigger.REMOTE_DISCONNECT if method == 1 else Trigger.REMOTE_RECONNECT)
        elif (obis, method) == (CLOCK, 6) and parameter is not None and abs(parameter.integer()) <= SHIFT_MAX_S:
            self._set_clock(self._now_s() + self._meter.clock_offset_s + parameter.integer())
        elif (obis, method) == (SECURITY_SETUP, 2) and parameter is not None:
            self._change_keys(parameter)
        else:
            raise ActionRefusedError(ActionResult.OBJECT_UNAVAILABLE)
        return None

    def _change_keys(self, parameter: Data) -> None:
        """Global key transfer: keys wrapped by the master key hold from the next association on."""
        try:
            changed = transferred_keys(self._keys.key_encryption if self._keys else b"", parameter)
        except (SecurityFailureError, TypeMismatchError, ValueError) as error:
            raise ActionRefusedError(ActionResult.OTHER_REASON) from error
        if any(len(key) != KEY_OCTETS for key in changed.values()):
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        entries = [entry.elements() for entry in parameter.elements()]
        wrapped = {str(number.integer()): octets.octets().hex() for number, octets in entries}
        self._meter.change_keys(self._now_s(), wrapped)

    def _complete(self) -> None:
        """Take the further parts into the model; attributes of an object that is there already are added to it."""
        if self._further is None:
            return
        part, self._further = self._further(), None
        for obis, (class_id, attributes) in part.objects.items():
            known = self._objects.get(obis)
            self._objects[obis] = (class_id, attributes if known is None else attributes | known[1])
        self._profiles |= part.profiles
        self._writers = part.writers | self._writers
        self._methods |= part.methods

    # what they reach

    def _attributes(self, class_id: int, obis: Obis) -> dict[int, Callable[[], Data | Encoded]]:
        if obis not in self._objects:
            self._complete()
        found = self._objects.get(obis)
        if found is None or (self._client != MANAGEMENT_CLIENT and obis not in _PUBLIC):
            raise AccessDeniedError(DataAccessResult.OBJECT_UNDEFINED)
        if found[0] != class_id:
            raise AccessDeniedError(DataAccessResult.OBJECT_CLASS_INCONSISTENT)
        return found[1]

    def _object_model(self) -> dict[Obis, tuple[int, dict[int, Callable[[], Data | Encoded]]]]:
        meter = self._meter
        scaler_unit = d.structure(d.integer8(0), d.enum(UNIT_WH))
        interval_s = meter.device.interval_s
        return {
            CLOCK: (CLOCK_CLASS, self._clock_attributes()),
            SERIAL: (DATA, {2: lambda: d.octet_string(meter.serial.encode())}),
            DEVICE_NAME: (DATA, {2: lambda: d.octet_string(f"{meter.serial:0<16}".encode()[:16])}),
            ENERGY: (REGISTER, {2: self._register, 3: lambda: scaler_unit}),
            INTERVAL_ENERGY: (REGISTER, {2: self._last_interval, 3: lambda: scaler_unit}),
            PROFILE_STATUS: (DATA, {2: lambda: d.unsigned8(0)}),
            LOAD_PROFILE: (
                PROFILE,
                self._profiles[LOAD_PROFILE].attributes(interval_s, profiles.LOAD_PROFILE_DAYS * 86400 // interval_s),
            ),
            DAILY_PROFILE: (PROFILE, self._profiles[DAILY_PROFILE].attributes(86400, profiles.DAILY_PROFILE_DAYS)),
            **{log: (PROFILE, self._profiles[log].attributes(0, profiles.EVENT_LOG_ENTRIES)) for log in EVENT_LOGS},
            **{code: (DATA, {2: self._last_code_of(log)}) for log, code in enumerate(EVENT_CODES)},
            BREAKER: (
                DISCONNECT,
                {
                    2: lambda: d.boolean(meter.breaker.closed),
                    3: lambda: d.enum(meter.breaker.state),
                    4: lambda: d.enum(meter.breaker.mode),
                },
            ),
            ASSOCIATION: (ASSOCIATION_CLASS, {2: self._object_list, 8: lambda: d.enum(2)}),
        }

    def _clock_attributes(self) -> dict[int, Callable[[], Data | Encoded]]:
        def shown() -> CosemDateTime:
            return CosemDateTime.of(instant_of(self._now_s() + self._meter.clock_offset_s), zone=self._place())

        def time() -> Data:
            return d.octet_string(shown())

        def rule_of(attribute: int) -> Callable[[], Data]:
            def rule() -> Data:
                return clock.shown_rule(self._meter.settings, self._zone, attribute, shown().date.year)

            return rule

        rules = (clock.TIME_ZONE, clock.BEGIN, clock.END, clock.DEVIATION, clock.ENABLED)
        fields = {attribute: rule_of(attribute) for attribute in rules}
        return {2: time, 4: lambda: d.unsigned8(shown().status), 9: lambda: d.enum(1), **fields}

    def _place(self) -> tzinfo:
        return self._meter.place(self._zone)

    def _object_list(self) -> Data:
        self._complete()

        def element(obis: Obis, class_id: int, attributes: dict[int, Callable[[], Data | Encoded]]) -> Data:
            rights = [
                d.structure(d.integer8(number), d.enum(3 if (obis, number) in self._writers else 1), d.NULL)
                for number in (1, *attributes)
            ]
            own = {BREAKER: (1, 2), CLOCK: (6,), SECURITY_SETUP: (2,)}.get(obis, ())
            methods = (*own, *(number for owner, number in self._methods if owner == obis))
            calls = [d.structure(d.integer8(number), d.enum(1)) for number in methods]
            version = 1 if class_id in (PROFILE, ASSOCIATION_CLASS) else 0
            access = d.structure(d.array(rights), d.array(calls))
            return d.structure(d.unsigned16(class_id), d.unsigned8(version), d.octet_string(obis), access)

        return d.array(element(obis, class_id, attributes) for obis, (class_id, attributes) in self._objects.items())

    def _register(self) -> Data:
        return d.unsigned32(self._meter.device.shown(self._meter.register_at(self._now_s())))

    def _last_interval(self) -> Data:
        interval_s = self._meter.device.interval_s
        end_s = self._now_s() // interval_s * interval_s
        rows = profiles.load_rows(self._meter, self._now_s(), end_s, end_s)
        return d.unsigned32(int(rows.energy_wh[0]) if len(rows.energy_wh) else 0)

    def _last_code_of(self, log: int) -> Callable[[], Data]:
        def last_code() -> Data:
            rows = profiles.log_rows(self._meter.events, log)
            return d.unsigned8(rows[-1].code if rows else 0)

        return last_code

    def _table(self, rows: buffers.Rows, *columns: CaptureObject) -> buffers.ProfileTable:
        return buffers.ProfileTable((CLOCK_COLUMN, *columns), rows, self._place)

    def _stamps(self, seconds: NDArray[np.int64]) -> StampColumn:
        return StampColumn(utc_s_to_stamps(seconds, zone=self._place()))

    def _both_ways(self, *registers: Obis) -> list[CaptureObject]:
        """Columns for import and, if it is counted, export."""
        return [CaptureObject(REGISTER, obis, 2) for obis in registers[: 1 + self._meter.device.exports]]

    def _load_rows(self, first_s: int, last_s: int) -> list[Column]:
        rows = profiles.load_rows(self._meter, self._now_s(), first_s, last_s)
        stamps = self._stamps(rows.ends_s)
        summer = stamps.stamps[:, -1] & STATUS_DAYLIGHT_SAVING > 0
        status = rows.status | np.where(summer, np.uint8(profiles.STATUS_DAYLIGHT_SAVING), np.uint8(0))
        return [
            stamps,
            NumberColumn(d.Tag.UNSIGNED8, status.astype(np.int64)),
            *self._numbers(rows.energy_wh, rows.exported_wh),
        ]

    def _daily_rows(self, first_s: int, last_s: int) -> list[Column]:
        midnights_s, *registers = profiles.daily_rows(self._meter, self._zone, self._now_s(), first_s, last_s)
        shown = [each % 10**self._meter.device.digits for each in registers]
        return [self._stamps(midnights_s), *self._numbers(*shown)]

    def _numbers(self, *both_ways: NDArray[np.int64]) -> list[Column]:
        return [NumberColumn(d.Tag.UNSIGNED32, each) for each in both_ways[: 1 + self._meter.device.exports]]

    def _log_rows_of(self, log: int) -> buffers.Rows:
        def rows(first_s: int, last_s: int) -> list[Column]:
            found = [event for event in profiles.log_rows(self._meter.events, log) if first_s <= event.at_s <= last_s]
            at_s = np.array([event.at_s for event in found], np.int64)
            codes = np.array([event.code for event in found], np.int64)
            return [self._stamps(at_s), NumberColumn(d.Tag.UNSIGNED8, codes)]

        return rows

    # what they change

    def _move_breaker(self, trigger: Trigger) -> None:
        if not self._meter.trigger(self._now_s(), trigger):
            already = self._meter.breaker.closed == (trigger is Trigger.REMOTE_RECONNECT)
            if not already or self._meter.breaker.mode == 0:
                self._meter.log(self._now_s(), BREAKER_FAILURE)
                raise ActionRefusedError(ActionResult.OTHER_REASON)

    def _writable(self) -> dict[tuple[Obis, int], Callable[[Data], None]]:
        def set_clock(value: Data) -> None:
            self._set_clock(seconds_of(value.instant(zone=self._place())))

        def mode(value: Data) -> None:
            if value.integer() not in range(MODE_COUNT):
                raise AccessDeniedError(DataAccessResult.OTHER_REASON)
            self._meter.set_mode(self._now_s(), value.integer())

        return {(CLOCK, 2): set_clock, (BREAKER, 4): mode}

    def _set_clock(self, shown_s: int) -> None:
        if not CLOCK_FIRST_S <= shown_s < CLOCK_LAST_S:
            raise AccessDeniedError(DataAccessResult.OTHER_REASON)
        self._meter.set_clock(self._now_s(), shown_s - self._now_s())
