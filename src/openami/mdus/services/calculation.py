"""Usage calculation (UC6): quantities by time of use of values that stay in the middle, confirmed when they are whole.

SAP accepts one confirmation a request, and it carries the quantities: an order waits for what has not arrived, until
its deadline. A bulk message is answered by one bulk confirmation when all its orders are through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.registry.errors import PeriodError, RegistryError
from openami.mdus.registry.ids import bare
from openami.mdus.services import calculation_rules as rules
from openami.mdus.services import calculation_store as store
from openami.mdus.services import translate
from openami.mdus.services.calculation_store import Calculation, CalculationState
from openami.mdus.services.desk import not_yet
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.headers import message_key
from openami.shared.contract.enterprise.messages.common import MessageHeader, Quantity
from openami.shared.contract.enterprise.messages.inferred_calculation import (
    UtilitiesTimeSeriesCalculationERPBulkCreateConfirmation as BulkConfirmation,
)
from openami.shared.contract.enterprise.messages.inferred_calculation import (
    UtilitiesTimeSeriesCalculationERPCreateConfirmation as Confirmation,
)
from openami.shared.errors import OpenAmiError
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.services.codes import EnterpriseCodes
    from openami.mdus.services.desk import Desk, Verdict
    from openami.mdus.services.remote import ProfileValues, RemoteSeries
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import Log
    from openami.shared.contract.enterprise.messages.inferred_calculation import (
        UtilitiesTimeSeriesCalculationERPBulkCreateRequest as BulkRequest,
    )
    from openami.shared.contract.enterprise.messages.inferred_calculation import (
        UtilitiesTimeSeriesCalculationERPCancellationRequest as Cancellation,
    )
    from openami.shared.contract.enterprise.messages.inferred_calculation import (
        UtilitiesTimeSeriesCalculationERPCreateRequest as Request,
    )

LOOK_AGAIN: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class IncompleteError(RegistryError):
    """Values of the period never came."""

    number = "4003"
    category = "PRE.CVE"


class UnknownCalculationError(RegistryError):
    """A cancellation of an order that is not known."""

    number = "4004"
    category = "PRE.IDE"


class CalculationCancelledError(RegistryError):
    """The back office has withdrawn the order."""

    number = "4005"


class CalculationReplacedError(CalculationCancelledError):
    """A newer order for the same series and period has taken the place of this one."""

    number = "4006"


@dataclass(frozen=True, slots=True)
class Calculations:
    """The desk for billing quantities."""

    desk: Desk
    clock: Clock
    codes: EnterpriseCodes
    zone: str
    remote: RemoteSeries
    patience: timedelta = timedelta(days=5)
    """How long after the end of its period an order waits for values, estimates among them."""

    async def order(self, tx: AsyncConnection, message: BulkRequest) -> None:
        """Take the orders of one message; those whose values are there are calculated at once."""
        bulk = message_key(message.message_header)
        rows = [await self._taken(tx, bulk, position, item, message) for position, item in enumerate(message.items)]
        await store.save(tx, rows)
        for row in rows:
            if row.state is CalculationState.WAITING:
                await self._replace_others(tx, row)
        await self._look(tx, [row for row in await store.of_bulk(tx, bulk) if row.state is CalculationState.WAITING])
        await self._confirm_if_through(tx, [bulk])

    async def cancel(self, tx: AsyncConnection, items: Sequence[Cancellation]) -> list[Verdict]:
        """Withdraw orders; one that was confirmed is only marked, its quantities are not to be used."""
        verdicts: list[Verdict] = []
        bulks = []
        for item in items:
            number = item.utilities_time_series_calculation.id
            known = await store.of_number(tx, number)
            if not known:
                verdicts.append(not_yet(UnknownCalculationError(f"Calculation {number} is not known.")))
                continue
            await store.save(tx, [_refused(known[-1], CalculationCancelledError("Cancelled by the back office."))])
            bulks.append(known[-1].bulk)
            verdicts.append(None)
        await self._confirm_if_through(tx, bulks)
        return verdicts

    async def act(self, tx: AsyncConnection) -> int:
        """Look at the orders whose time has come; returns how many."""
        rows = await store.due(tx, self.clock.now())
        await self._look(tx, rows)
        await self._confirm_if_through(tx, [row.bulk for row in rows])
        return len(rows)

    async def next_due(self, tx: AsyncConnection) -> datetime | None:
        """When an order has to be looked at next."""
        return await store.next_look(tx)

    async def _taken(
        self, tx: AsyncConnection, bulk: str, position: int, item: Request, message: BulkRequest
    ) -> Calculation:
        sent = item.utilities_time_series_calculation
        now = self.clock.now()
        empty = Calculation(
            bulk=bulk,
            position=position,
            number=sent.id,
            profile=sent.utilities_time_series_id,
            bulk_head=_head(message.message_header),
            item_head=_head(item.message_header),
            order={},
            start_at=now,
            end_at=now,
            received_at=now,
            look_at=now,
            deadline=now,
        )
        try:
            zone_name = self.codes.zone(sent.time_zone_code, self.zone)
            span = translate.span_of(sent.start_date, sent.start_time, sent.end_date, sent.end_time, zone_name)
            if not span.duration_s:
                raise PeriodError(f"The period of {sent.start_date} is empty.", hint="Send an end after the start.")
            order = self._order(item, zone_name)
            profile = await self.remote.profile(tx, sent.utilities_time_series_id)
            self._shift(order["unit"], profile.unit_code)
        except OpenAmiError as reason:
            return _refused(empty, reason)
        look_at = max(now, span.end)
        deadline = max(now, span.end) + self.patience
        return replace(empty, order=order, start_at=span.start, end_at=span.end, look_at=look_at, deadline=deadline)

    def _order(self, item: Request, zone_name: str) -> dict[str, Any]:
        """Rule, unit and buckets in the words of the tables."""
        sent = item.utilities_time_series_calculation
        rule = self.codes.registry.of("calculation_rules", sent.calculation_rule_code or "SUM").name
        self.codes.registry.unit(sent.measure_unit_code)
        periods = [
            [
                one.utilities_time_of_use_code,
                one.utc_validity_start_date_time.isoformat(),
                one.utc_validity_end_date_time.isoformat(),
            ]
            for one in sent.time_of_use_period
        ]
        codes = list(dict.fromkeys(sent.utilities_time_of_use_code))
        if not periods:
            for code in codes:
                self.codes.registry.of("times_of_use", code)
        return {
            "profile": sent.utilities_time_series_id,
            "rule": rule,
            "unit": sent.measure_unit_code,
            "zone": zone_name,
            "codes": codes,
            "periods": periods,
        }

    async def _replace_others(self, tx: AsyncConnection, row: Calculation) -> None:
        """A new order for the same series and period takes the place of one that still waits (UC6)."""
        others = [
            one
            for one in await store.waiting_of(tx, row.profile)
            if (one.bulk, one.position) != (row.bulk, row.position)
            and bare(one.number) != bare(row.number)
            and Span(one.start_at, one.end_at).overlap(Span(row.start_at, row.end_at))
            and one.received_at <= row.received_at
            and one.bulk != row.bulk
        ]
        await store.save(
            tx, [_refused(one, CalculationReplacedError(f"Replaced by calculation {row.number}.")) for one in others]
        )
        await self._confirm_if_through(tx, [one.bulk for one in others])

    async def _look(self, tx: AsyncConnection, rows: Sequence[Calculation]) -> None:
        now = self.clock.now()
        after = []
        for row in rows:
            if row.end_at > now:
                after.append(replace(row, look_at=row.end_at))
                continue
            try:
                after.append(await self._calculated(tx, row, now))
            except OpenAmiError as reason:
                after.append(_refused(row, reason))
        await store.save(tx, after)

    async def _calculated(self, tx: AsyncConnection, row: Calculation, now: datetime) -> Calculation:
        profile = await self.remote.profile(tx, row.profile)
        span = Span(row.start_at, row.end_at)
        values = await self.remote.read(tx, profile, span)
        missing = rules.missing_intervals(values, span)
        if missing and now < row.deadline:
            return replace(row, look_at=min(now + LOOK_AGAIN, row.deadline))
        if missing:
            raise IncompleteError(
                f"{missing} intervals between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC have no "
                "value.",
                hint="Estimate or enter them, then order again.",
            )
        masks = self._masks(row, values)
        shift = self._shift(row.order["unit"], profile.unit_code or values.unit_code)
        found = rules.totals(values, row.order["rule"], masks, shift)
        results = [{"code": one.code, "quantity": str(one.quantity), "status": one.status.value} for one in found]
        return replace(row, state=CalculationState.DONE, results=results)

    def _masks(self, row: Calculation, values: ProfileValues) -> dict[str, Any]:
        if row.order["periods"]:
            periods = [
                (code, datetime.fromisoformat(start), datetime.fromisoformat(end))
                for code, start, end in row.order["periods"]
            ]
            return rules.masks_of_periods(values, periods)
        if row.order["codes"]:
            table = self.codes.registry.tables["times_of_use"]
            return rules.masks_of_codes(values, [table.of(one) for one in row.order["codes"]], row.order["zone"])
        return {"": np.ones(len(values), np.bool_)}

    def _shift(self, wanted: str, profile_unit: str) -> int:
        """Power of ten from the profile's unit to the wanted one."""
        if not profile_unit:
            return 0
        own, other = self.codes.registry.unit(profile_unit), self.codes.registry.unit(wanted)
        if own.unit != other.unit:
            raise rules.UnitMismatchError(f"The profile is in {profile_unit}, the order in {wanted}.")
        return own.power - other.power

    async def _confirm_if_through(self, tx: AsyncConnection, bulks: Sequence[str]) -> None:
        for bulk in dict.fromkeys(bulks):
            rows = await store.of_bulk(tx, bulk)
            if any(row.state is CalculationState.WAITING or row.confirmed_at for row in rows):
                continue
            await store.mark_confirmed(tx, bulk, self.clock.now())
            items = tuple(self._confirmation(row) for row in rows)
            answer = BulkConfirmation(
                message_header=self.desk.header(reply_to=_header(rows[0].bulk_head)),
                items=items,
                log=logs.overall([one.log for one in items]),
            )
            await self.desk.send(tx, answer, f"calculation {rows[0].number}")

    def _confirmation(self, row: Calculation) -> Confirmation:
        content = Confirmation.UtilitiesTimeSeriesCalculation
        table = self.codes.registry.tables["item_statuses"]
        results = tuple(
            content.Result(
                utilities_time_of_use_code=one["code"] or None,
                quantity=Quantity(value=Decimal(one["quantity"]), unit_code=row.order["unit"]),
                utilities_time_series_item_type_code=table.named(one["status"]).code,
            )
            for one in (row.results if row.state is CalculationState.DONE and row.results else ())
        )
        return Confirmation(
            message_header=self.desk.header(reply_to=_header(row.item_head)),
            utilities_time_series_calculation=content(
                id=row.number, utilities_time_series_id=row.order.get("profile", row.profile), result=results
            ),
            log=_log(row),
        )


def _log(row: Calculation) -> Log:
    if row.state is CalculationState.DONE:
        return logs.success()
    reason = row.reason or {}
    return logs.failed(
        logs.item(
            reason.get("note", row.state.value),
            severity=logs.Severity.ERROR,
            type_id=reason.get("number", OpenAmiError.number),
            category=reason.get("category", OpenAmiError.category),
        )
    )


def _refused(row: Calculation, reason: OpenAmiError) -> Calculation:
    return row.refused(
        str(reason),
        number=reason.number,
        category=reason.category,
        state=CalculationState.CANCELLED if isinstance(reason, CalculationCancelledError) else CalculationState.REFUSED,
    )


def _head(header: MessageHeader) -> dict[str, Any]:
    return {"uuid": header.uuid, "id": header.id, "sender": header.sender_business_system_id}


def _header(head: dict[str, Any]) -> MessageHeader:
    """As much of a request's header as its answer refers to."""
    return MessageHeader(
        uuid=head["uuid"], id=head["id"], sender_business_system_id=head["sender"], creation_date_time=_EPOCH
    )
