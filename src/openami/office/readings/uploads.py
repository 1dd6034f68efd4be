"""Interval uploads: new values and replacements are placed into days, versioned, and confirmed per profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.office.devices.store import registers_by_profile
from openami.office.readings.errors import UnknownProfile
from openami.office.readings.profile_store import add_days, current_days, lock_profiles
from openami.office.readings.series import DayBlock, by_day, columns, merged, stamp_of
from openami.office.services.letters import answer
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.errors import Refusal
from openami.shared.contract.enterprise.headers import id_key, message_key
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPItemChangeRequest as ChangeItem,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.context import Office
    from openami.office.devices.model import Register
    from openami.shared.contract.enterprise.messages.common import Log
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


async def on_upload(office: Office, transaction: AsyncConnection, message: CreateBulk | ChangeBulk) -> None:
    """Interval values of many profiles; each profile is taken or refused by itself.

    What differs becomes a new version of the day, what does not changes nothing. Where two messages name the same
    interval the one that the middle made later counts, whichever arrives first.
    """
    channels = await registers_by_profile(transaction, [item.utilities_time_series.id or "" for item in message.items])
    await lock_profiles(transaction, channels)
    taken = [await _take(office, transaction, item, channels) for item in message.items]
    await answer(office, transaction, message, taken, business_key=next(iter(channels), ""))


async def _take(
    office: Office, transaction: AsyncConnection, item: CreateItem | ChangeItem, channels: Mapping[str, Register]
) -> Log:
    series = item.utilities_time_series
    profile_id = id_key(series.id or "").rjust(PROFILE_ID_WIDTH, "0")
    try:
        channel = channels.get(profile_id)
        if channel is None:
            raise UnknownProfile(f"No interval channel feeds the profile {series.id}.", hint="Assign it first.")
        values = columns(series.item, channel.interval_s, channel.unit)
    except Refusal as reason:
        return logs.failed(reason)
    zone_name = office.settings.zone
    stamp = stamp_of(item.message_header.creation_date_time, replaces=isinstance(item, ChangeItem))
    changed_days, new = 0, []
    for day, part in by_day(values, zone_name):
        found = await current_days(transaction, profile_id, day, day.fromordinal(day.toordinal() + 1))
        block = found[0] if found else DayBlock.empty(zone_name, day, channel.interval_s)
        if (changed := merged(block, part, zone_name, stamp)) is not None:
            new.append((profile_id, changed))
            changed_days += changed.version != block.version
    await add_days(transaction, new, message_id=message_key(item.message_header), recorded_at=office.clock.now())
    return logs.success(f"{len(series.item)} values, {changed_days} days changed.")
