"""What was collected, in the words of the field seam: readings, events, discovered meters."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.ami.headend.model import Kind, Stream
from openami.ami.headend.rules import status_qualities
from openami.ami.headend.vocabulary import announced, interval_type, of_name, register_type
from openami.shared.contract import field

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy import Row

    from openami.ami.headend.model import Collected, LoadProfile, LoggedEvent, Meter, RegisterValue

SERIAL: Final = "SerialNumber"
DIAL_CODES: Final = {
    Kind.ELECTRICITY: "1-0:1.8.0",
    Kind.GAS: "7-0:3.0.0",
    Kind.WATER: "8-0:1.0.0",
    Kind.HEAT: "6-0:1.0.0",
}
_BY_ENERGY: Final = {Kind.ELECTRICITY, Kind.HEAT}
# status byte of EN 13757-3 table 23: battery low, permanent and temporary error
_MBUS_QUALITIES: Final = {
    0x04: field.QualityCode(1, 1, 1),
    0x08: field.QualityCode(1, 1, 0),
    0x10: field.QualityCode(1, 5, 258),
}
_MISSING_KEY: Final = 0x200
_SHORT_KEY: Final = 0x100
# The same event read twice has the same id: whoever de-duplicates by it sees one event.
_EVENTS: Final = uuid.UUID("5f0c1f4e-7a52-4d1c-9c5e-4f2f6f9d8b11")


def identity(serial: str, mrid: str | None) -> field.Identity:
    """A meter as the seam names it: by serial number, and by the mRID that MDUS gave it."""
    return field.Identity.named(serial, SERIAL, mrid=mrid)


def point(name: str | None) -> field.Identity | None:
    """The usage point as the seam names it."""
    return None if name is None else field.Identity.named(name)


def meter_reading(meter: Meter, collected: Collected, *, source: str) -> field.MeterReading | None:
    """Everything measured in a session; None if there is nothing to tell."""
    profile = collected.profile
    reported = collected.read_at.replace(microsecond=0)  # as whole as a meter's own stamps: neighbours share it
    blocks: tuple[field.IntervalBlock, ...] = ()
    if profile is not None and len(profile.rows) + len(profile.missing_ends_s):
        blocks = interval_blocks(profile, reported, source=source)
    # what a dial shows after the removal is of no use to anybody: its last reading is the fitter's
    hung = [each for each in collected.registers if meter.removed_at is None or each.at <= meter.removed_at]
    readings = tuple(register_reading(value, reported, source=source) for value in hung)
    if not blocks and not readings:
        return None
    return field.MeterReading(
        meter=identity(meter.serial, meter.mrid),
        usage_point=point(meter.usage_point),
        blocks=blocks,
        readings=readings,
        events=wrong_clock(meter, collected),
    )


def wrong_clock(meter: Meter, collected: Collected) -> tuple[field.EndDeviceEvent, ...]:
    """How far ahead of ours the clock was that stamped what was read, if it was so wrong that it had to be set."""
    if not collected.clock_set or collected.clock_drift_s is None:
        return ()
    words = of_name("clock.sync_needed")
    return (
        field.EndDeviceEvent(
            mrid=str(uuid.uuid5(_EVENTS, f"{meter.serial}|{words.name}|{collected.read_at}")),
            created=collected.read_at,
            severity=words.severity,
            device=identity(meter.serial, meter.mrid),
            details=(field.EventDetail("value", str(round(collected.clock_drift_s))), field.EventDetail("unit", "s")),
            code=words.code,
            usage_point=point(meter.usage_point),
        ),
    )


def interval_blocks(profile: LoadProfile, reported: datetime, *, source: str) -> tuple[field.IntervalBlock, ...]:
    """A load profile as a block for each of its columns.

    DLMS stamps ends, the seam counts from starts; missing intervals stand in line.
    """
    interval_s = profile.interval_s
    ends, values, keys = _in_line(profile)
    distinct, index = keys[:1], np.zeros(len(keys), np.intp)
    if (keys != distinct).any():
        distinct, index = np.unique(keys, return_inverse=True)
    missing = keys == _MISSING_KEY
    starts = (ends - 1) // interval_s * interval_s
    quality_index = (index + 1).astype(np.uint16)
    qualities = [_qualities(int(key)) for key in distinct]
    return tuple(
        field.IntervalBlock.of(
            interval_type(column.obis, interval_s),
            starts,
            interval_s,
            values[:, number],
            scale=column.scaler,
            missing=missing,
            qualities=qualities,
            quality_index=quality_index,
            reported=reported,
            source=source,
        )
        for number, column in enumerate(profile.columns)
    )


def _in_line(profile: LoadProfile) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ends, values by column and keys of qualities, those of missing intervals among them, in the order of time."""
    rows, gaps = profile.rows, profile.missing_ends_s
    short = (rows.ends_s % profile.interval_s != 0) * np.int64(_SHORT_KEY)
    keys = rows.status.astype(np.int64) | short
    if not len(gaps):  # the rows themselves are in order
        return rows.ends_s, rows.values, keys
    ends = np.concatenate([rows.ends_s, gaps])
    order = np.argsort(ends, kind="stable")
    values = np.concatenate([rows.values, np.zeros((len(gaps), rows.values.shape[1]), np.int64)])
    return ends[order], values[order], np.concatenate([keys, np.full(len(gaps), _MISSING_KEY)])[order]


def _qualities(key: int) -> tuple[field.QualityCode, ...]:
    if key == _MISSING_KEY:
        return (field.KNOWN_MISSING_BY_AMS,)
    return status_qualities(key & 0xFF, short=bool(key & _SHORT_KEY))


def register_reading(value: RegisterValue, reported: datetime, *, source: str) -> field.Reading:
    """A dial value in the multiplier of its reading type."""
    code = register_type(value.obis, daily=value.daily)
    return field.Reading(
        reading_type=code,
        at=value.at,
        value=value.value.scaleb(-code.multiplier),
        qualities=status_qualities(value.status),
        reason=value.reason,
        reported=reported,
        source=source,
    )


def dial_reading(kind: Kind, telegram: Row[Any], *, source: str) -> field.Reading | None:
    """A one-way meter's dial value in m3 or Wh; a telegram that reports a fault of its meter says so.

    None if the telegram tells nothing that a meter of this kind measures.
    """
    amount = telegram.energy_wh if kind in _BY_ENERGY else telegram.volume_litres
    if amount is None:
        return None
    code = register_type(DIAL_CODES[kind])
    exponent = 0 if kind in _BY_ENERGY else -3
    flags = tuple(quality for bit, quality in _MBUS_QUALITIES.items() if telegram.status & bit)
    return field.Reading(
        reading_type=code,
        at=telegram.measured_at,
        value=Decimal(amount).scaleb(exponent - code.multiplier),
        qualities=flags or (field.VALID_BY_DEVICE,),
        reported=telegram.received_at,
        source=source,
    )


def logged(meter: Meter, events: Iterable[LoggedEvent], received: datetime) -> list[field.EndDeviceEvent]:
    """Rows of a meter's logs as events; rows that only accompany another tell nothing."""
    found = ((each, announced(each)) for each in events)
    return [
        field.EndDeviceEvent(
            mrid=str(uuid.uuid5(_EVENTS, f"{meter.serial}|{each.stream}|{each.at}|{each.code}|{each.position}")),
            created=each.at,
            severity=words.severity,
            device=identity(meter.serial, meter.mrid),
            details=_details(each, words.name, words.detail, received),
            code=words.code,
            usage_point=point(meter.usage_point),
        )
        for each, words in found
        if words.name is not None
    ]


def _details(event: LoggedEvent, name: str | None, detail: str, received: datetime) -> tuple[field.EventDetail, ...]:
    log = "standard" if event.stream is Stream.STANDARD_LOG else event.stream.name.removesuffix("_LOG").lower()
    facts = [("rawCode", str(event.code)), ("log", log), ("receivedDateTime", f"{received:%Y-%m-%dT%H:%M:%SZ}")]
    if detail:
        facts.append(("cover" if name in {"tamper.cover_open", "tamper.cover_closed"} else "detail", detail))
    return tuple(field.EventDetail(key, value) for key, value in facts)


def own_event(
    name: str,
    *,
    serial: str,
    mrid: str | None,
    usage_point: str | None,
    at: datetime,
    control_mrid: str,
    tracking: tuple[str | None, str | None],
    reason: str | None = None,
    facts: Sequence[tuple[str, str]] = (),
) -> field.EndDeviceEvent:
    """An event that the head-end itself raises about an order: proven done, armed, or failed."""
    words = of_name(name)
    issuer, number = tracking
    return field.EndDeviceEvent(
        mrid=str(uuid.uuid5(_EVENTS, f"{control_mrid}|{serial}|{name}")),
        created=at,
        issuer_id=issuer,
        issuer_tracking_id=number,
        reason=reason,
        severity=words.severity,
        device=identity(serial, mrid),
        details=tuple(field.EventDetail(key, value) for key, value in (("controlMRID", control_mrid), *facts)),
        code=words.code,
        usage_point=point(usage_point),
    )


def discovered(serial: str, mrid: str | None, *, amr_system: str, at: datetime) -> field.MeterConfig:
    """The news that a provisioned meter has answered for the first time."""
    meter = field.Meter(
        mrid=mrid,
        amr_system=amr_system,
        serial_number=serial,
        configuration=field.ConfigurationEvent(effective=at, type="discovered", reason="first successful session"),
        names=(field.Name.of(serial, SERIAL),),
        status=field.Status(at=at, value="discovered"),
    )
    return field.MeterConfig(meters=(meter,))
