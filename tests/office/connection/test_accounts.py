"""Debts, payments and credits of a contract, and the home that changes hands in the dark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.office.connection.test_flow import _cut_off, _last, _switched

from openami.office.connection.store import add_open_item, add_payment, balances, owed, settle_oldest, unsettled

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

    from openami.shared.database import Database

pytestmark = pytest.mark.postgres
DAY = timedelta(days=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_what_is_paid_settles_the_oldest(desk: Desk, database: Database) -> None:
    contract = (await desk.home())["contract"]
    for items, paid, settled, left in (
        (["100"], "99.99", [], "0.01"),
        (["100"], "100.00", ["100"], "0"),
        (["50", "30"], "80", ["50", "30"], "0"),
        (["50", "30"], "60", ["50"], "20"),  # oldest first; the rest waits for more
        (["100", "-100"], "0.01", ["-100", "100"], "-0.01"),  # a bill that was taken back
        (["100", "-100", "90"], "90", ["-100", "100", "90"], "0"),  # and the right one, paid to the cent
        (["-40", "30"], "0.01", ["-40", "30"], "-10.01"),  # a credit pays as money does
    ):
        async with database.begin() as transaction, transaction.begin_nested() as undone:
            for place, amount in enumerate(items):
                item = {"amount": Decimal(amount), "currency": "EUR", "origin": f"bill {place}"}
                await add_open_item(transaction, contract_id=contract, due=NOON + place * DAY, **item)
            await add_payment(transaction, contract, Decimal(paid), NOON)
            found = await settle_oldest(transaction, contract, NOON)
            assert [item.amount for item in found] == [Decimal(amount) for amount in settled]
            assert await owed(transaction, contract) == Decimal(left)
            assert (await balances(transaction)) == {contract: Decimal(left)}
            assert len(await unsettled(transaction, contract)) == len(items) - len(settled)
            assert await settle_oldest(transaction, contract, NOON) == []
            await undone.rollback()


async def test_only_what_is_due_can_be_overdue(desk: Desk, database: Database) -> None:
    contract = (await desk.home())["contract"]
    async with database.begin() as transaction:
        for amount, due in (("50", NOON), ("30", NOON + DAY)):
            await add_open_item(
                transaction, contract_id=contract, amount=Decimal(amount), currency="EUR", due=due, origin="bill"
            )
        assert await owed(transaction, contract, due=NOON - DAY) == 0
        assert await owed(transaction, contract, due=NOON) == 50
        assert await owed(transaction, contract, due=NOON + DAY) == await owed(transaction, contract) == 80
        await add_payment(transaction, contract, Decimal(20), NOON)  # a part: no item is settled by it
        assert await settle_oldest(transaction, contract, NOON) == []
        assert await owed(transaction, contract, due=NOON) == 30
        await add_payment(transaction, contract, Decimal(60), NOON)  # both, of which one is not due yet
        assert len(await settle_oldest(transaction, contract, NOON)) == 2
        assert await owed(transaction, contract, due=NOON) == await owed(transaction, contract) == 0
        assert await owed(transaction, "nobody") == 0


async def test_money_that_was_paid_too_early_waits_for_the_next_debt(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    paid = await desk.post("/api/payments", contract=home["contract"], amount="80.00")
    assert paid["settled"] == []
    (customer,) = await desk.get("/api/customers")
    assert customer["contracts"][0]["owed"] == "-80.00"
    refused = await desk.post("/api/disconnections", expect=422, device="E0001", amount_due="70.00")
    assert refused["error"] == "NothingOverdueError"
    await desk.post("/api/disconnections", device="E0001", amount_due="80.01")


async def test_who_moves_into_a_dark_home_finds_it_dark_and_has_it_lit(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await _cut_off(desk, middle)
    await desk.post("/api/move-outs", contract=home["contract"], day="2026-03-02")
    newcomer = {"id": "K2", "name": "Second"}
    await desk.post(
        "/api/move-ins", point_of_delivery=home["point"], customer=newcomer, contract={"start": "2026-03-02"}
    )
    middle.clock.advance_to(NOON + DAY)
    connected = {one["id"]: one["contracts"][0]["connected"] for one in await desk.get("/api/customers")}
    assert connected == {"K1": False, "K2": False}
    again = await desk.post("/api/disconnections", expect=422, device="E0001", reason="customer request")
    assert again["error"] == "ConnectionConflictError"
    late = await desk.post("/api/payments", contract=home["contract"], amount="120.00")
    assert (late["settled"], late["reconnection"]) == (["120.00 EUR carried over"], None), "it is no longer their home"
    await desk.post("/api/reconnections", device="E0001")
    await middle.send(_switched(middle, _last(middle)))
    assert all(one["contracts"][0]["connected"] for one in await desk.get("/api/customers"))


async def test_the_debt_of_the_one_before_does_not_light_the_home_of_the_next(desk: Desk, middle: Middle) -> None:
    """Both were cut off in their time: what the first pays at last is not for the second."""
    home = await desk.home()
    await desk.post("/api/payments", contract=home["contract"], amount="1.00")
    await desk.post("/api/move-outs", contract=home["contract"], day="2026-03-02")
    newcomer = {"id": "K2", "name": "Second"}
    await desk.post(
        "/api/move-ins", point_of_delivery=home["point"], customer=newcomer, contract={"start": "2026-03-02"}
    )
    middle.clock.advance_to(NOON + DAY)
    await _cut_off(desk, middle)
    first = await desk.post("/api/payments", contract=home["contract"], amount="5.00")
    assert first["reconnection"] is None
    second = await desk.post("/api/payments", device="E0001", amount="120.00")
    assert second["reconnection"] is not None


async def test_an_amount_that_is_no_money_is_refused(desk: Desk) -> None:
    await desk.home()
    for amount in ("0", "-5", "0.001", "10000000000", "1e40", 5.5, "NaN", True, ""):
        for path, field in (("payments", "amount"), ("disconnections", "amount_due")):
            body: dict[str, Any] = {"device": "E0001", field: amount}
            answer = await desk.post(f"/api/{path}", expect=422, **body)
            assert answer["error"] == "BadFieldError", amount
            assert field in answer["found"]
    assert (await desk.get("/api/customers"))[0]["contracts"][0]["owed"] == "0.00"
