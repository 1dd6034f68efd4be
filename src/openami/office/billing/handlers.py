"""Billing runs: each contract passes the gate and gets its bill, or is withheld with the reasons. And corrections."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

import structlog

from openami.office.billing.collect import collect
from openami.office.billing.compute import calculate
from openami.office.billing.document import Utility, bill_document, reversal_document, seal
from openami.office.billing.model import BillState, Party, json_value
from openami.office.billing.rules import check
from openami.office.billing.store import (
    ItemState,
    KeptBill,
    RunItem,
    add_bill,
    add_run,
    bill_by_id,
    change_bill,
    finish_item,
    next_item,
    open_items_count,
    valid_bill,
)
from openami.office.commands import Command, record
from openami.office.connection.store import add_open_item, settle_oldest
from openami.office.readings.orders import days_of_month, month_of
from openami.office.supply.store import contracts_during, find_contract
from openami.office.tables import bill_numbers, draw
from openami.shared.database import after_commit
from openami.shared.errors import OpenAmiError
from openami.shared.service import Work
from openami.shared.spans import local_midnight

if TYPE_CHECKING:
    from decimal import Decimal

    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.office.billing.model import Bill
    from openami.office.context import Office
    from openami.office.supply.model import Contract

log = structlog.get_logger()

BILL_ID_WIDTH: Final = 9
LOOK_AGAIN_S: Final = 0.5


class BillConflictError(OpenAmiError):
    """A bill is not in a state in which this can be done."""


class RecomputationError(OpenAmiError):
    """A bill that is worked out again does not come out the same."""


class BillingRuns:
    """Works through the items of billing runs, one transaction each, and says how many are left."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._wake = asyncio.Event()

    async def start(self, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
        """Open a run over all contracts of a month that have no bill for it yet.

        Raises:
            BillConflictError: the month is not over.
        """
        office = self._office
        year, month = month_of(command)
        first, past_last = days_of_month(year, month)
        if office.clock.now() < local_midnight(office.settings.zone, past_last):
            raise BillConflictError(f"{year}-{month:02} is not over.", hint="Bill a month after its last day.")
        contracts = [
            contract.id
            for contract in await contracts_during(transaction, first, past_last)
            if await _unbilled(transaction, contract, first, past_last)
        ]
        run_id = await add_run(
            transaction,
            first_day=first,
            past_last_day=past_last,
            actor=command.actor,
            as_of=office.clock.now(),
            contract_ids=contracts,
        )
        await record(office, transaction, command, f"billing run {run_id}", after={"contracts": len(contracts)})
        after_commit(transaction, self._wake)
        return {"run": run_id, "month": f"{year}-{month:02}", "contracts": len(contracts)}

    async def run(self) -> None:
        """Work for ever: at once after a run was opened, else by looking again."""
        while True:
            self._wake.clear()
            if not await self.work_one():
                try:
                    await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_S)
                except TimeoutError:
                    continue

    async def work_one(self) -> bool:
        """Do the next item; false if there is none."""
        async with self._office.database.begin() as transaction:
            item = await next_item(transaction)
            if item is None:
                return False
            try:
                async with transaction.begin_nested():
                    await bill_contract(self._office, transaction, item)
            except Exception as error:  # one contract must not stop the others; the run's report shows it
                log.exception("billing.failed", contract=item.contract_id)
                await finish_item(
                    transaction,
                    item,
                    state=ItemState.FAILED,
                    findings=[{"rule": type(error).__name__, "text": str(error)}],
                    done_at=self._office.clock.now(),
                )
            return True

    async def pending(self) -> Work:
        """How many contracts wait for their bill."""
        async with self._office.database.engine.connect() as connection:
            return Work("billing", await open_items_count(connection))


async def bill_contract(office: Office, transaction: AsyncConnection, item: RunItem) -> None:
    """One contract of a run: bill it, or withhold it with the findings of the gate."""
    contract = await find_contract(transaction, item.contract_id, item.first_day)
    days = contract.days_in(item.first_day, item.past_last_day)
    assert days is not None
    existing = await valid_bill(transaction, contract.id, days[0])
    if existing is not None:
        await finish_item(transaction, item, state=ItemState.BILLED, bill_id=existing.id, done_at=office.clock.now())
        return
    source = await collect(office, transaction, contract, *days, item.as_of)
    findings = check(source, office.settings.policy)
    if findings:
        await finish_item(
            transaction,
            item,
            state=ItemState.WITHHELD,
            findings=json_value(findings),
            done_at=office.clock.now(),
        )
        log.info("billing.withheld", contract=contract.id, rules=sorted({finding.rule for finding in findings}))
        return
    bill_id = await _post(office, transaction, contract, calculate(source))
    await finish_item(transaction, item, state=ItemState.BILLED, bill_id=bill_id, done_at=office.clock.now())


async def void(office: Office, transaction: AsyncConnection, command: Command) -> dict[str, Any]:
    """Take a posted bill back: a reversal is added, the bill is marked, the next run bills the contract again.

    Raises:
        BillConflictError: there is no such bill, or it is not posted.
    """
    bill = await _posted(transaction, command.text("bill"))
    reason = command.text("why")
    now = office.clock.now()
    reversal_id = await draw(transaction, bill_numbers, BILL_ID_WIDTH)
    document = reversal_document(bill.document, reversal_id, office.today(), reason)
    await add_bill(
        transaction,
        KeptBill(
            id=reversal_id,
            contract_id=bill.contract_id,
            first_day=bill.first_day,
            past_last_day=bill.past_last_day,
            state=BillState.POSTED,
            total=-bill.total,
            currency=bill.currency,
            document=document,
            seal=seal(document),
            reverses=bill.id,
            created_at=now,
            posted_at=now,
            voided_at=None,
        ),
    )
    await change_bill(transaction, bill.id, state=BillState.VOIDED, voided_at=now)
    await _owe(office, transaction, bill.contract_id, -bill.total, bill.currency, f"reversal {reversal_id}")
    await record(office, transaction, command, bill.id, before=BillState.POSTED, after=BillState.VOIDED)
    return {"bill": bill.id, "reversal": reversal_id, "total": format(-bill.total, "f")}


async def recompute(office: Office, transaction: AsyncConnection, bill_id: str) -> dict[str, Any]:
    """Work a bill out again from exactly the data that it saw, and compare the documents.

    Raises:
        BillConflictError: there is no such bill, or it is a reversal.
        RecomputationError: the result differs.
    """
    bill = await bill_by_id(transaction, bill_id)
    if bill is None or bill.reverses is not None:
        raise BillConflictError(f"There is no bill {bill_id!r} to work out again.", hint="See GET /api/bills.")
    contract = await find_contract(transaction, bill.contract_id, bill.first_day)
    kept = bill.document
    source = await collect(
        office,
        transaction,
        contract,
        bill.first_day,
        bill.past_last_day,
        datetime.fromisoformat(kept["as_of"]),
        versions=kept["versions"],
    )
    source = replace(source, party=Party(**kept["party"]))  # names change; the bill was sent to the old one
    issued, due = date.fromisoformat(kept["issued"]), date.fromisoformat(kept["due"])
    again = bill_document(calculate(source), bill.id, issued, due, Utility(**kept["utility"]))
    if seal(again) != bill.seal:
        different = sorted(name for name in kept if kept[name] != again.get(name))
        raise RecomputationError(
            f"Bill {bill.id} comes out different in {', '.join(different)}.",
            hint="Compare the tariff and the installations with those of that day.",
        )
    return {"bill": bill.id, "seal": bill.seal, "same": True}


async def _post(office: Office, transaction: AsyncConnection, contract: Contract, bill: Bill) -> str:
    now = office.clock.now()
    bill_id = await draw(transaction, bill_numbers, BILL_ID_WIDTH)
    due = office.local_date(now + office.settings.payment_term)
    document = bill_document(bill, bill_id, office.today(), due, office.settings.utility)
    pending = KeptBill(
        id=bill_id,
        contract_id=contract.id,
        first_day=bill.first_day,
        past_last_day=bill.past_last_day,
        state=BillState.PENDING,
        total=bill.total,
        currency=bill.currency,
        document=document,
        seal=seal(document),
        reverses=None,
        created_at=now,
        posted_at=None,
        voided_at=None,
    )
    await add_bill(transaction, pending)
    await _owe(office, transaction, contract.id, bill.total, bill.currency, f"bill {bill_id}")
    await change_bill(transaction, bill_id, state=BillState.POSTED, posted_at=now)
    return bill_id


async def _owe(
    office: Office, transaction: AsyncConnection, contract_id: str, amount: Decimal, currency: str, origin: str
) -> None:
    now = office.clock.now()
    due = office.local_date(now + office.settings.payment_term)
    at = datetime.combine(due, time(), tzinfo=UTC)
    await add_open_item(transaction, contract_id=contract_id, amount=amount, currency=currency, due=at, origin=origin)
    await settle_oldest(transaction, contract_id, now)


async def _posted(transaction: AsyncConnection, bill_id: str) -> KeptBill:
    bill = await bill_by_id(transaction, bill_id, lock=True)
    if bill is None or bill.state is not BillState.POSTED or bill.reverses is not None:
        raise BillConflictError(
            f"Bill {bill_id!r} is {'unknown' if bill is None else bill.state}.",
            hint="Only a posted bill can be voided.",
        )
    return bill


async def _unbilled(transaction: AsyncConnection, contract: Contract, first: date, past_last: date) -> bool:
    days = contract.days_in(first, past_last)
    return days is not None and await valid_bill(transaction, contract.id, days[0]) is None
