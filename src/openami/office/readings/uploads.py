"""Interval uploads: new values and replacements are placed into days, versioned, and confirmed per profile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from openami.office.codes import item_statuses
from openami.office.devices.store import occupant, registers_by_profile, registers_of
from openami.office.readings.errors import UnknownProfile
from openami.office.readings.profile_store import NewDay, add_days, lock_profiles, newest_days
from openami.office.readings.series import DayBlock, Items, by_day, columns, columns_of_many, merged, stamp_of
from openami.office.services.letters import answer
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.errors import Refusal
from openami.shared.contract.enterprise.headers import id_key, message_key
from openami.shared.contract.enterprise.intervals import columns_of
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPItemChangeRequest as ChangeItem,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Register
    from openami.shared.contract.enterprise.messages.common import Log
    from openami.shared.contract.enterprise.messages.inferred_time_series import (
        UtilitiesTimeSeriesERPItemBulkNotification as NotifiedBulk,
    )
    from openami.shared.contract.enterprise.messages.time_series import (
        UtilitiesTimeSeriesERPItemBulkChangeRequest as ChangeBulk,
    )
    from openami.shared.contract.enterprise.messages.time_series import (
        UtilitiesTimeSeriesERPItemBulkCreateRequest as CreateBulk,
    )
    from openami.shared.contract.enterprise.messages.time_series import (
        UtilitiesTimeSeriesERPItemCreateRequest as CreateItem,
    )

PROFILE_ID_WIDTH = 18


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The values of one item of an upload on one local day."""

    item: int
    profile_id: str
    interval_s: int
    day: date
    values: Items
    stamp: int
    message_id: str


async def on_upload(office: Office, transaction: AsyncConnection, message: CreateBulk | ChangeBulk) -> None:
    """Interval values of many profiles; each profile is taken or refused by itself.

    What differs becomes a new version of the day, what does not changes nothing. Where two messages name the same
    interval the one that the middle made later counts, whichever arrives first.
    """
    items: Sequence[CreateItem | ChangeItem] = message.items
    channels = await registers_by_profile(transaction, [item.utilities_time_series.id or "" for item in items])
    found = _values(office, items, channels)
    answers: list[Log] = []
    parts: list[Part] = []
    for number, (item, values) in enumerate(zip(items, found, strict=True)):
        if isinstance(values, Refusal):
            answers.append(logs.failed(values))
            continue
        parts += _parts(office, number, item, channels[_profile_id(item)], values)
        answers.append(logs.success(f"{len(values.starts)} values."))
    await _keep(office, transaction, parts)
    await answer(office, transaction, message, answers, business_key=next(iter(channels), ""))


async def on_notified_upload(office: Office, transaction: AsyncConnection, message: NotifiedBulk) -> None:
    """Interval values by point of delivery and OBIS code: told, not asked, so that a refusal is only noted.

    Raises:
        UnknownProfile: no channel of the point measures the quantity.
    """
    statuses = item_statuses(office.codes)
    parts: list[Part] = []
    for number, item in enumerate(message.items):
        role = item.utilities_time_series.utilities_measurement_task_assignment_role
        point = role.utilities_point_of_delivery_external_identification.utilities_point_of_delivery_party_id
        obis = role.utilities_object_identification_system_code_text
        channel = await _channel_at(transaction, point, obis)
        assert channel.profile_id is not None
        values = columns(columns_of(item), channel.interval_s, channel.unit, statuses)
        stamp = stamp_of(item.message_header.creation_date_time, replaces=False)
        message_id = message_key(item.message_header)
        parts += [
            Part(number, channel.profile_id, channel.interval_s, day, part, stamp, message_id)
            for day, part in by_day(values, office.settings.zone)
        ]
    await _keep(office, transaction, parts)


async def _channel_at(transaction: AsyncConnection, point: str, obis: str) -> Register:
    """The interval channel of a quantity at a point of delivery now."""
    place = await occupant(transaction, point)
    tasks = await registers_of(transaction, [place.device_id]) if place else []
    found = next((one for one in tasks if one.profile_id and one.obis == obis), None)
    if found is None:
        raise UnknownProfile(f"No interval channel measures {obis} at {point}.", hint="Install a device there first.")
    return found


def _profile_id(item: CreateItem | ChangeItem) -> str:
    return id_key(item.utilities_time_series.id or "").rjust(PROFILE_ID_WIDTH, "0")


def _values(
    office: Office, items: Sequence[CreateItem | ChangeItem], channels: Mapping[str, Register]
) -> list[Items | Refusal]:
    """The values of each series, or why it is refused; series of one kind are looked at together."""
    statuses = item_statuses(office.codes)
    found: dict[int, Items | Refusal] = {}
    alike: dict[tuple[int, str, int], list[int]] = {}
    for number, item in enumerate(items):
        channel = channels.get(_profile_id(item))
        if channel is None:
            name = item.utilities_time_series.id
            found[number] = UnknownProfile(f"No interval channel feeds the profile {name}.", hint="Assign it first.")
        else:
            alike.setdefault((channel.interval_s, channel.unit, columns_of(item).decimals), []).append(number)
    for (interval_s, unit, _), numbers in alike.items():
        sent = [columns_of(items[number]) for number in numbers]
        found |= zip(numbers, columns_of_many(sent, interval_s, unit, statuses), strict=True)
    return [found[number] for number in range(len(items))]


def _parts(office: Office, number: int, item: CreateItem | ChangeItem, channel: Register, values: Items) -> list[Part]:
    stamp = stamp_of(item.message_header.creation_date_time, replaces=isinstance(item, ChangeItem))
    message_id = message_key(item.message_header)
    return [
        Part(number, _profile_id(item), channel.interval_s, day, part, stamp, message_id)
        for day, part in by_day(values, office.settings.zone)
    ]


async def _keep(office: Office, transaction: AsyncConnection, parts: Sequence[Part]) -> None:
    """Put all values into their days: one lock, one query, one insert for the whole message."""
    if not parts:
        return
    profile_ids = {part.profile_id for part in parts}
    await lock_profiles(transaction, profile_ids)
    days = [part.day for part in parts]
    known = await newest_days(transaction, profile_ids, min(days), max(days) + timedelta(days=1))
    blocks = dict(known)
    origin: dict[tuple[str, date], str] = {}
    zone_name = office.settings.zone
    for part in parts:
        key = (part.profile_id, part.day)
        block = blocks.get(key) or DayBlock.empty(zone_name, part.day, part.interval_s)
        if (changed := merged(block, part.values, zone_name, part.stamp)) is not None:
            blocks[key] = changed
            origin[key] = part.message_id
    new = [NewDay(key[0], _one_step(known.get(key), blocks[key]), message) for key, message in origin.items()]
    await add_days(transaction, new, recorded_at=office.clock.now())


def _one_step(known: DayBlock | None, block: DayBlock) -> DayBlock:
    """A day that a message touches more than once is one new version all the same."""
    before = known.version if known else 0
    return replace(block, version=min(block.version, before + 1))
