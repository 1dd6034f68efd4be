"""Gathers all that a bill is made from, as it is known now, or exactly as an earlier bill saw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.office.billing.model import BillInput, MeterSlice, Party
from openami.office.billing.price_store import changes_of, hold_prices
from openami.office.billing.prices import with_changes
from openami.office.billing.tariff import tariff_named
from openami.office.devices.model import Category, Direction, task_of
from openami.office.devices.store import devices_by_id, installations_during, registers_of
from openami.office.localtime import interval_starts
from openami.office.readings.profile_store import current_days
from openami.office.readings.rules import register_range_milli
from openami.office.readings.series import days_of, on_grid
from openami.office.readings.store import readings_of
from openami.office.supply.store import customers_by_id
from openami.shared.spans import Span, local_midnight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.billing.tariff import Tariff
    from openami.office.context import Office
    from openami.office.devices.model import Device, Installation, Register
    from openami.office.readings.model import RegisterReading
    from openami.office.supply.model import Contract

READINGS = "readings"
"""The key under which a bill notes the highest reading number that it could see."""
PRICES = "prices"
"""The key under which it notes the number of the last change of prices that it could see."""


async def collect(
    office: Office,
    transaction: AsyncConnection,
    contract: Contract,
    first_day: date,
    past_last_day: date,
    as_of: datetime,
    *,
    versions: Mapping[str, Mapping[str, int]] | None = None,
) -> BillInput:
    """The input of a contract's bill; `versions` (of an earlier bill) asks for exactly the data which that bill saw."""
    zone_name = office.settings.zone
    period = Span(local_midnight(zone_name, first_day), local_midnight(zone_name, past_last_day))
    places = await installations_during(transaction, period, point_ids=[contract.point_id])
    tasks = await registers_of(transaction, {place.device_id for place in places})
    devices = await devices_by_id(transaction, {place.device_id for place in places})
    tariff, prices = await _tariff(office, transaction, contract, past_last_day, versions)
    pieces: list[MeterSlice] = []
    seen: dict[str, dict[str, int]] = {PRICES: prices}
    for place, register, channel in _counting(tariff, places, tasks):
        piece, used = await _piece(office, transaction, place, period, register, channel, devices, versions)
        pieces.append(piece)
        if channel.profile_id is not None:
            seen[channel.profile_id] = used
        seen.setdefault(READINGS, {}).update(await _last_reading(transaction, register, versions))
    return BillInput(
        party=await _party(transaction, contract),
        tariff=tariff,
        zone_name=zone_name,
        first_day=first_day,
        past_last_day=past_last_day,
        slices=tuple(pieces),
        as_of=as_of,
        metered_from=_metered_from(office, contract, first_day, places),
        versions=seen,
    )


async def _piece(
    office: Office,
    transaction: AsyncConnection,
    place: Installation,
    period: Span,
    register: Register,
    channel: Register,
    devices: Mapping[str, Device],
    versions: Mapping[str, Mapping[str, int]] | None,
) -> tuple[MeterSlice, dict[str, int]]:
    zone_name = office.settings.zone
    span = Span(max(place.start, period.start), min(place.end or period.end, period.end))
    starts = interval_starts(span, channel.interval_s)
    days = days_of(starts, zone_name)
    assert channel.profile_id is not None
    blocks = []
    if days is not None:
        named = None if versions is None else versions.get(channel.profile_id, {})
        blocks = await current_days(transaction, channel.profile_id, *days, versions=named)
    values, status = on_grid(blocks, starts, zone_name)
    up_to_id = 0 if versions is None else versions.get(READINGS, {}).get(register.id, 0)
    known = [reading.value() for reading in await readings_of(transaction, [register.id], up_to_id=up_to_id)]
    piece = MeterSlice(
        device_id=place.device_id,
        serial=devices[place.device_id].serial,
        register_id=register.id,
        profile_id=channel.profile_id,
        interval_s=channel.interval_s,
        span=span,
        starts=starts,
        values_milli=values,
        status=status,
        direction=register.direction,
        opening=opening_of(known, span),
        closing=closing_of(known, span),
        range_milli=int(register_range_milli(np.int64(register.whole_digits))),
    )
    return piece, {block.day.isoformat(): block.version for block in blocks}


def opening_of(readings: Sequence[RegisterReading], span: Span) -> RegisterReading | None:
    """The reading with which a meter's part of the period begins: the first one not before it."""
    inside = [reading for reading in readings if span.start <= reading.at < span.end]
    return min(inside, key=lambda reading: reading.at, default=None)


def closing_of(readings: Sequence[RegisterReading], span: Span) -> RegisterReading | None:
    """The reading with which a meter's part of the period ends: the last one not after it."""
    inside = [reading for reading in readings if span.start < reading.at <= span.end]
    return max(inside, key=lambda reading: reading.at, default=None)


async def _last_reading(
    transaction: AsyncConnection, register: Register, versions: Mapping[str, Mapping[str, int]] | None
) -> dict[str, int]:
    if versions is not None:
        return {register.id: versions.get(READINGS, {}).get(register.id, 0)}
    known = await readings_of(transaction, [register.id])
    return {register.id: max((reading.id for reading in known), default=0)}


async def _tariff(
    office: Office,
    transaction: AsyncConnection,
    contract: Contract,
    past_last_day: date,
    versions: Mapping[str, Mapping[str, int]] | None,
) -> tuple[Tariff, dict[str, int]]:
    """The tariff with the changes of its prices up to the end of the bill; of an earlier bill, those that it saw."""
    tariff = tariff_named(office.tariffs, contract.tariff_id)
    up_to_id = None if versions is None else versions.get(PRICES, {}).get(tariff.id, 0)
    await hold_prices(transaction)
    changes, last = await changes_of(transaction, tariff.id, before=past_last_day, up_to_id=up_to_id)
    return with_changes(tariff, changes), {tariff.id: last}


async def _party(transaction: AsyncConnection, contract: Contract) -> Party:
    customer = (await customers_by_id(transaction, [contract.customer_id]))[contract.customer_id]
    return Party(
        contract_id=contract.id,
        customer_id=customer.id,
        name=customer.name,
        address=customer.address,
        point_of_delivery=contract.point_id,
    )


def _metered_from(
    office: Office, contract: Contract, first_day: date, places: Sequence[Installation]
) -> datetime | None:
    """On the first day of a contract a new connection may begin at any hour."""
    if first_day != contract.first_day or not places or office.local_date(places[0].start) != first_day:
        return None
    return places[0].start


def _counting(
    tariff: Tariff, places: Sequence[Installation], tasks: Sequence[Register]
) -> Iterator[tuple[Installation, Register, Register]]:
    """Register and interval channel of each device; those of the other direction where the tariff pays for it."""
    for place in places:
        mine = [task for task in tasks if task.device_id == place.device_id]
        for direction in Direction:
            if any(task.direction is direction for task in mine) and (direction is Direction.DRAWN or tariff.feed_in):
                yield (
                    place,
                    task_of(mine, Category.REGISTER, direction),
                    task_of(mine, Category.INTERVAL, direction),
                )
