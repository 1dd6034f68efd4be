"""Changes of prices: stated from a day on, corrected until they are billed, withdrawn until they begin, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openami.office.billing.handlers import BillConflictError
from openami.office.billing.model import json_value
from openami.office.billing.price_store import (
    add_change,
    billed_beyond,
    changes_of,
    stated_changes,
    take_prices,
    withdraw_changes,
)
from openami.office.billing.prices import check_change, prices_of, with_changes
from openami.office.billing.tariff import PriceChange, tariff_named
from openami.office.commands import BadFieldError, Command, record

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.billing.tariff import Tariff
    from openami.office.context import Office


async def change_prices(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Charge other prices from a day on; a second change of a day replaces the prices that it names.

    Raises:
        BadFieldError: the prices are no JSON object of decimal numbers.
        BillConflictError: days from then on are billed already.
        TariffError: the tariff has no such price.
        UnknownTariffError: there is no such tariff.
    """
    tariff = tariff_named(office.tariffs, command.text("tariff"))
    change = PriceChange(command.date("from", None), _prices(command))
    await take_prices(transaction)
    before = with_changes(tariff, (await changes_of(transaction, tariff.id))[0])
    check_change(before, change)
    count, first = await billed_beyond(transaction, tariff.id, change.valid_from)
    if count:
        raise BillConflictError(
            f"Days from {change.valid_from} on are on {count} bill{'s' if count > 1 else ''} of tariff {tariff.id}, "
            f"the first is {first}.",
            hint="Void them first (POST /api/bills/void), or give a day that is not billed yet.",
        )
    now, why = office.clock.now(), str(command.body.get("why", ""))
    await add_change(transaction, tariff.id, change, actor=command.actor, reason=why, stated_at=now)
    known = prices_of(before, change.valid_from)
    old = {name: known[name].value for name in change.prices}
    await record(office, transaction, command, tariff.id, before=json_value(old), after=json_value(change))
    return {"tariff": tariff.id, "from": change.valid_from, "before": old, "prices": change.prices}


async def withdraw_prices(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Take back the prices of a day that has not come.

    Raises:
        BillConflictError: they are in force, or no price changes on that day.
    """
    tariff = tariff_named(office.tariffs, command.text("tariff"))
    day = command.date("from", None)
    await take_prices(transaction)
    if day <= office.today():
        raise BillConflictError(
            f"The prices from {day} are in force.", hint="State the right ones from a day that is not billed yet."
        )
    if not await withdraw_changes(transaction, tariff.id, day, office.clock.now()):
        raise BillConflictError(f"No price of tariff {tariff.id} changes on {day}.", hint="See GET /api/tariffs.")
    await record(office, transaction, command, tariff.id, before=day)
    return {"tariff": tariff.id, "withdrawn": day}


async def tariff_list(office: Office, transaction: AsyncConnection) -> list[dict[str, Any]]:
    """All tariffs: the prices of today, those to come, and everything that was ever stated."""
    stated = json_value(await stated_changes(transaction))
    today = office.today()
    listed = []
    for tariff in office.tariffs.values():
        changed = with_changes(tariff, (await changes_of(transaction, tariff.id))[0])
        listed.append(
            {
                "id": tariff.id,
                "name": tariff.name,
                "division": tariff.division.value,
                "today": today.isoformat(),
                "prices": _shown(changed, today),
                "changes": [change for change in stated if change["tariff_id"] == tariff.id],
            }
        )
    return listed


def _shown(tariff: Tariff, today: date) -> list[dict[str, Any]]:
    """The prices of today, each with those that it will have."""
    later = [change.valid_from for change in tariff.changes if change.valid_from > today]
    to_come = {day: prices_of(tariff, day) for day in later}
    shown = []
    for name, price in prices_of(tariff, today).items():
        values = [price.value, *(prices[name].value for prices in to_come.values())]
        changing = [
            {"from": day.isoformat(), "value": format(value, "f")}
            for day, before, value in zip(to_come, values, values[1:], strict=False)
            if value != before
        ]
        shown.append({"name": name, **json_value(price), "to_come": changing})
    return shown


def _prices(command: Command) -> dict[str, Decimal]:
    stated = command.body.get("prices")
    if not isinstance(stated, dict):
        raise BadFieldError(f"The field 'prices' is {stated!r}.", hint='Give {"energy/day": "0.27"}.')
    each = command.part(stated)
    prices = {name: each.amount(name) for name in stated}
    return {name: price for name, price in prices.items() if price is not None}
