"""Questions that are answered in the same call: what a series holds, and whether a device is on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.registry.errors import PeriodError, UnknownDeviceError
from openami.mdus.registry.ids import bare
from openami.mdus.registry.store import load_devices
from openami.mdus.services import device_state
from openami.mdus.services.codes import ItemStatus, item_status
from openami.mdus.services.desk import log_of
from openami.mdus.services.remote import whole_span
from openami.shared.capabilities import NotCapableError
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.messages.common import Quantity
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterOperationalStateByIDQuery as StateQuery,
)
from openami.shared.contract.enterprise.messages.inferred_device import (
    UtilitiesDeviceERPSmartMeterOperationalStateByIDResponse as StateResponse,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesItemByIDQuery as ItemQuery,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesItemByIDResponse as ItemResponse,
)
from openami.shared.errors import OpenAmiError
from openami.shared.quality import has_value
from openami.shared.spans import Span, local_date, zone

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.services.codes import EnterpriseCodes
    from openami.mdus.services.remote import ProfileValues, RemoteSeries
    from openami.shared.capabilities import Capabilities
    from openami.shared.clock import Clock

ITEMS_MAX: Final = 40_000
"""A year of quarter-hours; who wants more asks in parts."""


@dataclass(frozen=True, slots=True)
class Queries:
    """The desk for synchronous questions."""

    clock: Clock
    codes: EnterpriseCodes
    zone: str
    remote: RemoteSeries
    capabilities: Capabilities
    silent_after: timedelta = timedelta(hours=48)
    """A device of which nothing was heard for so long counts as not reachable."""

    async def items(self, tx: AsyncConnection, query: ItemQuery) -> ItemResponse:
        """The values of a series; times are UTC, with the distance of the wanted zone beside them."""
        try:
            return await self._items(tx, query)
        except OpenAmiError as reason:
            return ItemResponse(log=log_of(reason))

    async def state(self, tx: AsyncConnection, query: StateQuery) -> StateResponse:
        """The state of a device, as far as it has told."""
        number = query.utilities_device_selection_by_id.utilities_device_id
        device = (await load_devices(tx, [number])).get(bare(number))
        if device is None:
            reason = UnknownDeviceError(f"Device {number} is not known.", hint="Send its create request first.")
            return StateResponse(log=log_of(reason))
        try:
            self.capabilities.check(device.subject_on(local_date(self.zone, self.clock.now())), "state")
        except NotCapableError as forbidden:
            return StateResponse(log=log_of(forbidden))
        name, at = await device_state.operational_state(tx, device, self.clock.now(), self.silent_after)
        code = self.codes.registry.tables["operational_states"].named(name).code
        content = StateResponse.UtilitiesDevice
        return StateResponse(
            utilities_device=content(id=device.id, operational_state_code=code, operational_state_date_time=at),
            log=logs.success(),
        )

    async def _items(self, tx: AsyncConnection, query: ItemQuery) -> ItemResponse:
        wanted = query.utilities_time_series_item_selection_by_id
        zone_name = self.codes.zone(wanted.utilities_time_series_item_time_zone_code, self.zone)
        profile = await self.remote.profile(tx, wanted.utilities_time_series_id)
        period = wanted.utilities_time_series_item_validity_period
        span = self._span(whole_span(profile), period.start_date_time, period.end_date_time, zone_name)
        if span is None:
            return ItemResponse(log=logs.success("No measurement task is assigned in this period."))
        values = await self.remote.read(tx, profile, span)
        if len(values) > ITEMS_MAX:
            raise PeriodError(
                f"The period has {len(values)} intervals, at most {ITEMS_MAX} are told at once.",
                hint="Ask for shorter periods.",
            )
        items = self._told(values, zone_name)
        if not items:
            return ItemResponse(log=logs.success("Nothing is known of this period."))
        content = ItemResponse.UtilitiesTimeSeries
        told = content(id=profile.id, measure_unit_code=values.unit_code, item=items)
        return ItemResponse(utilities_time_series=told, log=logs.success())

    def _span(self, whole: Span | None, start: datetime | None, end: datetime | None, zone_name: str) -> Span | None:
        """The wanted period; without bounds from the first assignment on, and until now."""
        if whole is None:
            return None
        first = _instant(start, zone_name) if start else whole.start
        last = _instant(end, zone_name) if end else min(whole.end, self.clock.now())
        if start and end and last < first:
            raise PeriodError(f"The period ends at {end} before it begins at {start}.", hint="Turn the two around.")
        return whole.overlap(Span(first, max(first, last)))

    def _told(self, values: ProfileValues, zone_name: str) -> tuple[ItemResponse.UtilitiesTimeSeries.Item, ...]:
        """The items, without those of which nothing is known."""
        content = ItemResponse.UtilitiesTimeSeries.Item
        table = self.codes.registry.tables["item_statuses"]
        statuses: dict[int, tuple[ItemResponse.UtilitiesTimeSeries.Item.Status, ...]] = {}
        for packed in np.unique(values.quality).tolist():
            status = item_status(packed)
            if status is not None:
                code = table.named(status.value)
                statuses[packed] = (content.Status(code=code.code, name=code.meaning[:30]),)
        present = has_value(values.quality)
        here = zone(zone_name)
        items = []
        # one element an interval is what the contract wants
        for start_s, value, packed, there in zip(
            values.start_s.tolist(), values.values.tolist(), values.quality.tolist(), present.tolist(), strict=True
        ):
            if packed not in statuses:
                continue
            start = datetime.fromtimestamp(start_s, UTC)
            end = start + timedelta(seconds=values.interval_s)
            amount = Decimal(value).scaleb(values.exponent)
            items.append(
                content(
                    quantity=Quantity(value=amount, unit_code=values.unit_code) if there else None,
                    utc_validity_start_date_time=start.replace(tzinfo=None),
                    utc_validity_end_date_time=end.replace(tzinfo=None),
                    utc_start_date_time_time_zone_difference_value=_hours(start.astimezone(here)),
                    utc_end_date_time_time_zone_difference_value=_hours(end.astimezone(here)),
                    status=statuses[packed],
                )
            )
        return tuple(items)


def status_code(codes: EnterpriseCodes, status: ItemStatus) -> str:
    """The code of a status in the table."""
    return codes.registry.tables["item_statuses"].named(status.value).code


def _instant(local: datetime, zone_name: str) -> datetime:
    return local.replace(tzinfo=zone(zone_name)).astimezone(UTC)


def _hours(local: datetime) -> Decimal:
    offset = local.utcoffset() or timedelta()
    return (Decimal(int(offset.total_seconds())) / 3600).quantize(Decimal("0.01"))
