"""A month from uploads and reading orders to the bill, against a scripted middle."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.messages.reading_order import (
    SmartMeterMeterReadingDocumentERPBulkCreateRequest,
)
from openami.shared.contract.enterprise.messages.reading_result import (
    MeterReadingDocumentERPResultBulkCreateConfirmation,
)
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPItemBulkChangeConfirmation,
    UtilitiesTimeSeriesERPItemBulkCreateConfirmation,
)
from openami.shared.spans import days

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

pytestmark = pytest.mark.postgres
MARCH = days(date(2026, 3, 1), date(2026, 4, 1))
APRIL_2 = datetime(2026, 4, 2, 6, tzinfo=UTC)
MARCH_WH = (31 * 48 - 2) * 100


async def _upload_march(middle: Middle, home: dict[str, Any], wh: int = 100, **options: Any) -> None:
    for day in MARCH:
        await middle.send(middle.upload((home["profile"], middle.day_items(day, wh, **options))), pump=False)
    await middle.pump()


async def _read_month(desk: Desk, middle: Middle, opening: str = "1000.000", closing: str = "1148.600") -> None:
    middle.clock.advance_to(APRIL_2)
    before = len(middle.orders())
    await desk.post("/api/reading-orders", month="2026-03")
    await middle.confirm()
    values = {date(2026, 2, 28): opening, date(2026, 3, 31): closing}
    results = [
        middle.result(order, values[order.meter_reading_document.scheduled_meter_reading_date])
        for order in middle.orders()[before:]
    ]
    await middle.send(middle.results(*results))


async def test_a_measured_month_becomes_a_posted_bill(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await _upload_march(middle, home)
    await _read_month(desk, middle)
    run = await desk.bill("2026-03")
    assert [item["state"] for item in run["items"]] == ["billed"]
    (bill,) = await desk.get("/api/bills")
    assert bill["state"] == "posted"
    assert (bill["measured_milli"], bill["estimated_milli"]) == (MARCH_WH, 0)
    whole = await desk.get(f"/api/bills/{bill['id']}")
    document = whole["document"]
    assert document["meters"][0]["register_difference_milli"] == MARCH_WH
    assert Decimal(document["total"]) == Decimal(document["net"]) + Decimal(document["vat"])
    page = await desk.get(f"/api/bills/{bill['id']}.html")
    assert "Customer 1" in page
    assert "1 March 2026 to 31 March 2026" in page
    assert (await desk.get(f"/api/bills/{bill['id']}/recompute"))["same"] is True
    assert Decimal((await desk.get("/api/customers"))[0]["contracts"][0]["owed"]) == Decimal(document["total"])


async def test_a_register_that_turns_over_in_the_month_is_billed_by_what_passed(desk: Desk, middle: Middle) -> None:
    home = await desk.home(start_reading="999900.000")
    await _upload_march(middle, home)
    await _read_month(desk, middle, opening="999950.000", closing="98.600")
    run = await desk.bill("2026-03")
    assert [(item["state"], item["findings"]) for item in run["items"]] == [("billed", [])]
    (bill,) = await desk.get("/api/bills")
    document = (await desk.get(f"/api/bills/{bill['id']}"))["document"]
    assert document["meters"][0]["register_difference_milli"] == MARCH_WH
    assert (await desk.get(f"/api/bills/{bill['id']}/recompute"))["same"] is True


async def test_month_end_orders_are_one_bulk_and_not_repeated(desk: Desk, middle: Middle) -> None:
    await desk.home(1)
    await desk.home(2)
    middle.clock.advance_to(APRIL_2)
    first = await desk.post("/api/reading-orders", month="2026-03")
    (bulk,) = middle.of(SmartMeterMeterReadingDocumentERPBulkCreateRequest)
    assert len(bulk.items) == len(first["orders"]) == 4
    dates = {item.meter_reading_document.scheduled_meter_reading_date for item in bulk.items}
    assert dates == {date(2026, 2, 28), date(2026, 3, 31)}
    again = await desk.post("/api/reading-orders", month="2026-03")
    assert again == {"month": "2026-03", "orders": [], "known": 4}


async def test_results_before_the_confirmation_and_repeated_results(desk: Desk, middle: Middle) -> None:
    await desk.home()
    middle.clock.advance_to(APRIL_2)
    await desk.post("/api/reading-orders", month="2026-03")
    opening, _ = middle.orders()
    result = middle.results(middle.result(opening, "1000"))
    again = middle.results(middle.result(opening, "1000"))
    await middle.send(result, again)
    await middle.confirm()
    orders = {order["id"]: order["state"] for order in await desk.get("/api/orders")}
    assert orders[opening.meter_reading_document.id] == "fulfilled"
    assert sorted(orders.values()) == ["accepted", "fulfilled"]
    answers = middle.of(MeterReadingDocumentERPResultBulkCreateConfirmation)
    assert [logs.is_success(answer.log) for answer in answers] == [True, True]
    page = await desk.get("/api/devices/E0001")
    assert len(page["readings"]) == 1


async def test_a_refused_order_is_shown(desk: Desk, middle: Middle) -> None:
    await desk.home()
    middle.clock.advance_to(APRIL_2)
    await desk.post("/api/reading-orders", month="2026-03")
    await middle.confirm(logs.failed("the register is not valid on that day"))
    orders = await desk.get("/api/orders")
    assert {order["state"] for order in orders} == {"rejected"}
    assert "not valid" in orders[0]["note"]


@pytest.mark.parametrize(
    ("value", "options", "reason"),
    [
        ("999.999", {}, "P02"),
        ("9999999", {}, "P01"),
        ("99999", {}, "P03"),
        ("1100.0001", {}, "three decimals"),
        ("1100", {"task": "42"}, "names 42"),
        ("1100", {"day": date(2026, 4, 20)}, "P04"),
    ],
)
async def test_an_implausible_result_is_refused_with_the_rule(
    desk: Desk, middle: Middle, value: str, options: dict[str, Any], reason: str
) -> None:
    await desk.home(start_reading="1000")
    middle.clock.advance_to(APRIL_2)
    await desk.post("/api/reading-orders", month="2026-03")
    closing = middle.orders()[-1]
    await middle.send(middle.results(middle.result(closing, value, **options)))
    (answer,) = middle.of(MeterReadingDocumentERPResultBulkCreateConfirmation)
    assert not logs.is_success(answer.items[0].log)
    assert reason in logs.notes(answer.items[0].log)


async def test_a_result_for_no_order_and_an_unsolicited_one(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    unknown = middle.result(None, "5", task=home["register"])
    lost = middle.result(None, "5", task="77")
    channel = middle.result(None, "5", task=home["channel"])
    await middle.send(middle.results(unknown, lost, channel))
    (answer,) = middle.of(MeterReadingDocumentERPResultBulkCreateConfirmation)
    assert [logs.is_success(item.log) for item in answer.items] == [True, False, False]
    assert answer.log.business_document_processing_result_code == "4"


async def test_estimated_intervals_are_billed_and_shown_apart(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await _upload_march(middle, home)
    gap = middle.day_items(date(2026, 3, 14), 90, status="02")
    await middle.send(middle.upload((home["profile"], gap), change=True))
    await _read_month(desk, middle, closing="1148.120")
    await desk.bill("2026-03")
    (bill,) = await desk.get("/api/bills")
    assert (bill["measured_milli"], bill["estimated_milli"]) == (MARCH_WH - 4800, 4320)
    assert "What was estimated" in await desk.get(f"/api/bills/{bill['id']}.html")


async def test_without_data_the_contract_is_withheld_with_reasons_and_billed_later(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await _upload_march(middle, home)
    missing = middle.day_items(date(2026, 3, 20), 0, status="99")
    await middle.send(middle.upload((home["profile"], missing), change=True))
    middle.clock.advance_to(APRIL_2)
    run = await desk.bill("2026-03")
    (item,) = run["items"]
    assert item["state"] == "withheld"
    assert {finding["rule"] for finding in item["findings"]} == {"B03", "B05"}
    await middle.send(middle.upload((home["profile"], middle.day_items(date(2026, 3, 20), 100)), change=True))
    await _read_month(desk, middle)
    run = await desk.bill("2026-03")
    assert run["items"][0]["state"] == "billed"


async def test_one_watt_hour_between_register_and_intervals_withholds_the_bill(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await _upload_march(middle, home)
    await _read_month(desk, middle, closing="1148.601")
    run = await desk.bill("2026-03")
    assert [finding["rule"] for finding in run["items"][0]["findings"]] == ["B06"]
    assert await desk.get("/api/bills") == []


async def test_a_month_is_billed_once(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await _upload_march(middle, home)
    await _read_month(desk, middle)
    await desk.bill("2026-03")
    run = await desk.bill("2026-03")
    assert run["items"] == []
    assert len(await desk.get("/api/bills")) == 1


async def test_a_month_that_is_not_over_is_not_billed(desk: Desk) -> None:
    await desk.home()
    answer = await desk.post("/api/billing-runs", expect=422, month="2026-03")
    assert answer["error"] == "BillConflictError"
    assert (await desk.post("/api/billing-runs", expect=422, month="March"))["error"] == "BadFieldError"


async def test_a_swap_in_the_month_is_one_bill_with_two_meters(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await desk.post("/api/devices/receive", devices=[{"serial": "NEW"}])
    for day in days(date(2026, 3, 1), date(2026, 3, 16)):
        await middle.send(middle.upload((home["profile"], middle.day_items(day, 100))))
    swap = datetime(2026, 3, 16, 9, 17, tzinfo=UTC)
    middle.clock.advance_to(swap)
    # the old meter's last half hour holds 57 Wh, the new one's first 43 Wh: both begin at 10:00
    last = (
        middle.day_items(date(2026, 3, 16), 100, hours=(0, 10))
        + middle.day_items(date(2026, 3, 16), 57, hours=(10, 11))[:1]
    )
    await middle.send(middle.upload((home["profile"], last)))
    await desk.post(
        "/api/replacements", old="E0001", new="NEW", at=swap.isoformat(), final_reading="1074.057", start_reading="0"
    )
    page = await desk.get("/api/devices/NEW")
    profile = next(task["profile_id"] for task in page["registers"] if task["profile_id"])
    rest = (
        middle.day_items(date(2026, 3, 16), 43, hours=(10, 11))[:1]
        + middle.day_items(date(2026, 3, 16), 100, hours=(10, 24))[1:]
    )
    await middle.send(middle.upload((profile, rest)))
    for day in days(date(2026, 3, 17), date(2026, 4, 1)):
        await middle.send(middle.upload((profile, middle.day_items(day, 100))))
    await _read_month(desk, middle, closing="74.543")
    run = await desk.bill("2026-03")
    assert run["items"][0]["findings"] == []
    (bill,) = await desk.get("/api/bills")
    assert bill["meters"] == ["E0001", "NEW"]
    assert bill["measured_milli"] == MARCH_WH
    assert (await desk.get(f"/api/bills/{bill['id']}/recompute"))["same"] is True


async def test_late_data_after_the_bill_do_not_change_it_and_a_correction_is_added(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await _upload_march(middle, home)
    await middle.send(
        middle.upload((home["profile"], middle.day_items(date(2026, 3, 14), 100, status="02")), change=True)
    )
    await _read_month(desk, middle)
    await desk.bill("2026-03")
    (first,) = await desk.get("/api/bills")
    middle.clock.advance(timedelta(days=3))
    await middle.send(middle.upload((home["profile"], middle.day_items(date(2026, 3, 14), 100)), change=True))
    assert (await desk.get(f"/api/bills/{first['id']}/recompute"))["same"] is True
    await desk.post("/api/bills/void", bill=first["id"], why="the meter was read after all")
    await desk.bill("2026-03")
    voided, reversal, corrected = await desk.get("/api/bills")
    assert (voided["state"], reversal["reverses"], corrected["state"]) == ("voided", first["id"], "posted")
    assert Decimal(voided["total"]) + Decimal(reversal["total"]) == 0
    assert (first["estimated_milli"], corrected["estimated_milli"]) == (4800, 0)
    again = await desk.post("/api/bills/void", expect=422, bill=first["id"], why="twice")
    assert again["error"] == "BillConflictError"


async def test_nobody_owes_a_voided_bill_and_what_was_paid_for_it_pays_the_next(desk: Desk, middle: Middle) -> None:
    async def owed() -> Decimal:
        return Decimal((await desk.get("/api/customers"))[0]["contracts"][0]["owed"])

    home = await desk.home()
    await _upload_march(middle, home)
    await _read_month(desk, middle)
    await desk.bill("2026-03")
    (first,) = await desk.get("/api/bills")
    middle.clock.advance(timedelta(days=13))  # nearly due: its reversal would be due two weeks later
    billed = await desk.post("/api/move-outs", expect=422, contract=home["contract"], day="2026-03-31")
    assert (billed["error"], first["id"] in billed["found"]) == ("ContractConflictError", True)
    await desk.post("/api/bills/void", bill=first["id"], why="wrong")
    assert await owed() == 0
    middle.clock.advance(timedelta(days=3))
    calm = await desk.post("/api/disconnections", expect=422, device="E0001")
    assert calm["error"] == "NothingOverdueError"
    await desk.bill("2026-03")
    total = Decimal(first["total"])
    assert await owed() == total
    paid = await desk.post("/api/payments", contract=home["contract"], amount=str(total))
    assert len(paid["settled"]) == 1
    await desk.post("/api/bills/void", bill=(await desk.get("/api/bills"))[-1]["id"], why="wrong again")
    assert await owed() == -total
    await desk.bill("2026-03")
    assert await owed() == 0
    middle.clock.advance(timedelta(days=30))
    calm = await desk.post("/api/disconnections", expect=422, device="E0001")
    assert calm["error"] == "NothingOverdueError"


async def test_after_the_void_a_contract_ends_in_the_month_and_is_billed_to_its_last_day(
    desk: Desk, middle: Middle
) -> None:
    home = await desk.home()
    await _upload_march(middle, home)
    await _read_month(desk, middle)
    await desk.bill("2026-03")
    (whole,) = await desk.get("/api/bills")
    await desk.post("/api/bills/void", bill=whole["id"], why="moved out, said too late")
    await desk.post("/api/move-outs", contract=home["contract"], day="2026-03-16")
    (order,) = middle.orders()[2:]
    await middle.send(middle.results(middle.result(order, "1072.000")))
    run = await desk.bill("2026-03")
    assert run["items"][0]["findings"] == []
    last = (await desk.get("/api/bills"))[-1]
    assert (last["first_day"], last["last_day"], last["measured_milli"]) == ("2026-03-01", "2026-03-15", 15 * 4800)
    assert (await desk.get(f"/api/bills/{last['id']}/recompute"))["same"] is True


async def test_gas_and_water_are_billed_from_hourly_volumes(desk: Desk, middle: Middle) -> None:
    homes = [await desk.home(1, kind="gas"), await desk.home(2, kind="water")]
    for home in homes:
        await _upload_march(middle, home, 120, interval_s=3600, unit="M3")
    middle.clock.advance_to(APRIL_2)
    await _read_month(desk, middle, closing="1089.160")
    await desk.bill("2026-03")
    gas, water = sorted(await desk.get("/api/bills"), key=lambda bill: str(bill["division"]))
    assert (gas["division"], gas["measured_milli"]) == ("gas", 743 * 120)
    assert (water["division"], water["unit"]) == ("water", "m3")
    document = (await desk.get(f"/api/bills/{gas['id']}"))["document"]
    assert document["lines"][0]["unit"] == "kWh"
    assert Decimal(document["lines"][0]["quantity"]) == (
        Decimal("89.160") * Decimal("0.9664") * Decimal("9.7694")
    ).quantize(Decimal("0.001"))


async def test_uploads_are_confirmed_profile_by_profile(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    good = middle.day_items(date(2026, 3, 1), 100)
    bad_grid = middle.day_items(date(2026, 3, 1), 100, interval_s=900)
    bad_unit = middle.day_items(date(2026, 3, 1), 100, unit="M3")
    bad_status = middle.day_items(date(2026, 3, 1), 100, status="ZZ")
    await middle.send(
        middle.upload(
            (home["profile"], good),
            ("999", good),
            (home["profile"], bad_grid),
            (home["profile"], bad_unit),
            (home["profile"].lstrip("0"), bad_status),
        )
    )
    (answer,) = middle.of(UtilitiesTimeSeriesERPItemBulkCreateConfirmation)
    assert [logs.is_success(item.log) for item in answer.items] == [True, False, False, False, False]
    notes = " ".join(logs.notes(item.log) for item in answer.items)
    for number in ("OAMI111", "OAMI112", "OAMI113", "OAMI114"):
        assert number in notes
    await middle.send(middle.upload((home["profile"], good), change=True))
    (changed,) = middle.of(UtilitiesTimeSeriesERPItemBulkChangeConfirmation)
    assert logs.is_success(changed.log)
    assert (await desk.get("/api/status"))["interval_days"] == 1


async def test_a_replacement_that_overtakes_the_creation_stands(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    created = middle.upload((home["profile"], middle.day_items(date(2026, 3, 1), 100)))
    middle.clock.advance(timedelta(minutes=1))
    changed = middle.upload(
        (home["profile"], middle.day_items(date(2026, 3, 1), 50, status="02", hours=(0, 12))), change=True
    )
    await middle.send(changed, created, created)
    series = await desk.get("/api/devices/E0001/series?first=2026-03-01&past_last=2026-03-02")
    assert series["days"][0]["values_milli"] == [50] * 24 + [100] * 24
    assert series["days"][0]["status"] == [2] * 24 + [1] * 24


async def test_the_installation_day_is_billed_from_the_hour_of_the_installation(desk: Desk, middle: Middle) -> None:
    home = await desk.home(at="2026-03-30T10:00:00+02:00", start_reading="0")
    await middle.send(
        middle.upload(
            (
                home["profile"],
                middle.day_items(date(2026, 3, 30), 100, hours=(10, 24)) + middle.day_items(date(2026, 3, 31), 100),
            )
        )
    )
    await _read_month(desk, middle, closing="7.600")
    run = await desk.bill("2026-03")
    assert run["items"][0]["findings"] == []
    (bill,) = await desk.get("/api/bills")
    assert bill["first_day"] == "2026-03-30"
    assert bill["measured_milli"] == (28 + 48) * 100
