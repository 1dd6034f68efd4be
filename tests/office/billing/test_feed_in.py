"""What a home gives to the grid: counted by a register of its own, and paid for by what that register says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openami.office.billing.compute import calculate
from openami.office.billing.document import Utility, bill_document
from openami.office.billing.page import render
from openami.office.billing.prices import check_change, with_changes
from openami.office.billing.rules import Policy, check
from openami.office.billing.tariff import (
    Bucket,
    Demand,
    PriceChange,
    TariffError,
    Tier,
    Window,
    parse_tariff,
    shipped_tariffs,
)
from openami.office.devices.model import Direction
from openami.office.readings.model import ItemStatus
from openami.shared.contract.enterprise.messages.reading_result import (
    SmartMeterMeterReadingDocumentERPResultCreateRequest,
)
from openami.shared.contract.enterprise.messages.register import UtilitiesDeviceERPSmartMeterRegisterCreateRequest
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest,
)
from openami.shared.spans import Span, days, local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.office.conftest import Desk, Middle

    from openami.office.billing.model import BillInput, MeterSlice

    Make = Callable[..., BillInput]
    MakeSlice = Callable[..., MeterSlice]

ZONE = "Europe/Amsterdam"
MARCH = Span(local_midnight(ZONE, date(2026, 3, 1)), local_midnight(ZONE, date(2026, 4, 1)))
HALF_HOURS = 31 * 48 - 2
TARIFF = shipped_tariffs()["home-electricity"]


@pytest.fixture
def both_ways(make_input: Make, make_slice: MakeSlice) -> BillInput:
    """A month of 100 Wh drawn and 300 Wh fed in, half hour by half hour."""
    fed_in = replace(make_slice(MARCH, 300, opening_milli=7_000), register_id="3", profile_id="4")
    return make_input(slices=[make_slice(MARCH, 100), replace(fed_in, direction=Direction.FED_IN)])


def test_the_credit_is_the_register_times_the_price(both_ways: BillInput) -> None:
    bill = calculate(both_ways)
    (credit,) = [line for line in bill.lines if line.kind == "feed_in"]
    evidence = next(meter for meter in bill.meters if meter.direction is Direction.FED_IN)
    assert evidence.opening is not None
    assert evidence.register_difference_milli == HALF_HOURS * 300 == bill.fed_in_milli
    assert credit.quantity == Decimal(HALF_HOURS * 300).scaleb(-3)
    assert credit.amount == -(credit.quantity * Decimal("0.0625")).quantize(Decimal("0.01"))
    assert bill.net == sum((line.amount for line in bill.lines), Decimal(0))


def test_what_is_fed_in_is_in_nothing_else(both_ways: BillInput, make_input: Make) -> None:
    tariff = replace(TARIFF, demand=(Demand("peak", "Peak", Decimal(1)),))
    with_feed_in, without = (
        calculate(replace(source, tariff=tariff)) for source in (both_ways, make_input(values=100))
    )
    assert [line for line in with_feed_in.lines if line.kind != "feed_in"] == list(without.lines)
    assert (with_feed_in.measured_milli, with_feed_in.days) == (without.measured_milli, without.days)
    assert (without.fed_in_milli, with_feed_in.inputs_sha256 == without.inputs_sha256) == (0, False)


def test_hours_and_tiers_price_it_as_they_price_what_is_drawn(both_ways: BillInput) -> None:
    noon = Bucket("noon", "At noon", (Tier(Decimal("0.01")),), (Window(start_minute=720, end_minute=780),))
    rest = Bucket("rest", "Else", (Tier(Decimal("0.08"), Decimal(100)), Tier(Decimal("0.05"))))
    bill = calculate(replace(both_ways, tariff=replace(TARIFF, feed_in=(noon, rest))))
    lines = [(line.id, line.quantity, line.price) for line in bill.lines if line.kind == "feed_in"]
    left = Decimal(HALF_HOURS * 300 - 31 * 2 * 300).scaleb(-3) - 100
    assert lines == [
        ("noon", Decimal("18.600"), Decimal("-0.01")),
        ("rest", Decimal(100), Decimal("-0.08")),
        ("rest", left, Decimal("-0.05")),
    ]


def test_its_price_may_change_within_the_month(both_ways: BillInput) -> None:
    half = PriceChange(date(2026, 3, 16), {"feed_in/feed-in": Decimal("0.03")})
    check_change(TARIFF, half)
    bill = calculate(replace(both_ways, tariff=with_changes(TARIFF, [half])))
    before, after = [line for line in bill.lines if line.kind == "feed_in"]
    assert (before.quantity, before.price) == (Decimal(15 * 48 * 300).scaleb(-3), Decimal("-0.0625"))
    assert (after.quantity, after.price) == (Decimal((16 * 48 - 2) * 300).scaleb(-3), Decimal("-0.03"))
    assert after.name == "Fed into the grid, 16 March to 31 March"


def test_the_gate_looks_at_both_directions(both_ways: BillInput) -> None:
    drawn, fed_in = both_ways.slices
    assert check(both_ways, Policy()) == ()
    assert fed_in.closing is not None
    moved = replace(fed_in, closing=replace(fed_in.closing, value_milli=fed_in.closing.value_milli + 1))
    (finding,) = check(replace(both_ways, slices=(drawn, moved)), Policy())
    assert (finding.rule, "E1, fed in" in finding.text) == ("B06", True)
    unread = replace(fed_in, opening=None, closing=None)
    assert {each.rule for each in check(replace(both_ways, slices=(drawn, unread)), Policy())} == {"B05"}


def test_the_page_shows_both_registers_and_who_owes_whom(both_ways: BillInput) -> None:
    drawn, fed_in = both_ways.slices
    guessed = fed_in.status.copy()
    guessed[:4] = ItemStatus.ESTIMATED
    source = replace(both_ways, slices=(drawn, replace(fed_in, status=guessed)))
    issued = date(2026, 4, 2)
    bill = calculate(source)
    page = render(bill_document(bill, "B-1", issued, issued, Utility()) | {"state": "posted"})
    assert "Fed into the grid" in page
    assert "445.8 kWh fed in" in page
    assert "1.2 kWh fed in between" in page
    assert "Your meter</h2>" in page, "one meter with two registers"
    assert "To pay by" in page
    generous = replace(TARIFF, feed_in=(Bucket("all", "All", (Tier(Decimal(9)),)),))
    paid_out = calculate(replace(source, tariff=generous))
    page = render(bill_document(paid_out, "B-2", issued, issued, Utility()) | {"state": "posted"})
    assert paid_out.total < 0
    assert "Credited to your account" in page
    assert "Pay to" not in page


def test_only_electricity_is_fed_in_and_every_hour_has_one_price() -> None:
    flat = 'id = "f"\nname = "F"\ndivision = "gas"\nunit = "m3"\n[[bucket]]\nid = "a"\nname = "A"\nprice = "1"\n'
    paid = '[[feed_in]]\nid = "f"\nname = "Fed in"\nprice = "0.05"\n'
    with pytest.raises(TariffError, match="no meter counts gas that is fed in"):
        parse_tariff(flat + paid)
    electricity = flat.replace("gas", "electricity").replace("m3", "kWh")
    assert parse_tariff(electricity + paid).feed_in[0].tiers[0].price == Decimal("0.05")
    with pytest.raises(TariffError, match="the last feed_in"):
        parse_tariff(electricity + paid + 'when = [{ from = "07:00", to = "23:00" }]')
    with pytest.raises(TariffError, match="do not have an id each"):
        parse_tariff(electricity + paid.replace('0.05"', '0.05"\nwhen = [{ weekdays = "mon" }]') + paid)


# what the office does with a device of both directions


async def test_it_is_announced_with_two_registers_and_two_profiles(desk: Desk, middle: Middle) -> None:
    await desk.home(exports=True)
    (created,) = middle.of(UtilitiesDeviceERPSmartMeterRegisterCreateRequest)
    told = {
        register.utilities_object_identification_system_code_text: register.utilties_measurement_task_category_code
        for register in created.utilities_device.register
    }
    assert told == {"1-0:1.8.0": "5", "1-0:1.29.0": "4", "1-0:2.8.0": "5", "1-0:2.29.0": "4"}
    assert len(middle.of(UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest)) == 2
    assert await desk.post("/api/replications") == {"devices": 1, "profiles": 2}


@pytest.mark.parametrize("device", [{"exports": "yes"}, {"exports": True, "kind": "gas"}])
async def test_a_receipt_of_an_impossible_device_says_why(desk: Desk, device: dict[str, Any]) -> None:
    answer = await desk.post("/api/devices/receive", expect=422, devices=[{"serial": "E9"} | device])
    assert (answer["error"], "exports" in answer["found"] + answer["hint"]) == ("BadFieldError", True)


async def test_a_month_of_both_directions_becomes_one_bill(desk: Desk, middle: Middle) -> None:
    home = await desk.home(exports=True)
    await _upload(middle, {home["profile"]: 100, home["feed_in_profile"]: 300})
    await _read_month(desk, middle, home, closing={"register": "1148.600", "feed_in_register": "445.800"})
    run = await desk.bill("2026-03")
    assert run["items"][0]["findings"] == []
    (bill,) = await desk.get("/api/bills")
    assert (bill["measured_milli"], bill["fed_in_milli"], bill["meters"]) == (148_600, 445_800, ["E0001"])
    document = (await desk.get(f"/api/bills/{bill['id']}"))["document"]
    (credit,) = [line for line in document["lines"] if line["kind"] == "feed_in"]
    assert (credit["quantity"], credit["amount"]) == ("445.800", "-27.86")
    assert (await desk.get(f"/api/bills/{bill['id']}/recompute"))["same"] is True


async def test_an_export_register_that_disagrees_withholds_the_bill(desk: Desk, middle: Middle) -> None:
    home = await desk.home(exports=True)
    await _upload(middle, {home["profile"]: 100, home["feed_in_profile"]: 300})
    await _read_month(desk, middle, home, closing={"register": "1148.600", "feed_in_register": "445.801"})
    (item,) = (await desk.bill("2026-03"))["items"]
    assert item["state"] == "withheld"
    assert ["E0001, fed in" in finding["text"] for finding in item["findings"]] == [True]


async def test_the_fitter_reads_both_registers_of_both_meters(desk: Desk, middle: Middle) -> None:
    await desk.home(exports=True)
    await desk.post("/api/devices/receive", devices=[{"serial": "NEW", "exports": True}])
    swap: dict[str, Any] = {"old": "E0001", "new": "NEW", "at": "2026-03-16T10:00:00+01:00"}
    await desk.post("/api/replacements", **swap, final_reading="12", final_feed_in="34", start_feed_in="0.5")
    told = [
        str(each.meter_reading_document.result.meter_reading_result_value)
        for each in middle.of(SmartMeterMeterReadingDocumentERPResultCreateRequest)
    ]
    assert told == ["12.000", "34.000", "0.500"]
    assert middle.orders() == [], "nothing is left to be read"


async def test_a_register_that_the_fitter_did_not_read_is_ordered(desk: Desk, middle: Middle) -> None:
    home = await desk.home(exports=True)
    await desk.post("/api/devices/receive", devices=[{"serial": "NEW"}])
    swap: dict[str, Any] = {"old": "E0001", "new": "NEW", "at": "2026-03-16T10:00:00+01:00"}
    await desk.post("/api/replacements", **swap, final_reading="12", ends_feed_in=True)
    tasks = [order.meter_reading_document.utilties_measurement_task for order in middle.orders()]
    assert [task.utilities_measurement_task_id for task in tasks] == [home["feed_in_register"]]


async def test_feed_in_ends_only_where_somebody_says_so(desk: Desk, middle: Middle) -> None:
    home = await desk.home(exports=True)
    await desk.post("/api/devices/receive", devices=[{"serial": "ONE"}, {"serial": "BOTH", "exports": True}])
    await middle.confirm()
    swap: dict[str, Any] = {"old": "E0001", "at": "2026-03-16T10:00:00+01:00", "final_reading": "12"}
    refused = await desk.post("/api/replacements", expect=422, **swap, new="ONE")
    assert refused["error"] == "DeviceConflictError"
    assert refused["found"] == "E0001 counts what is fed in, ONE does not."
    assert "ends_feed_in" in refused["hint"]
    unclear = await desk.post("/api/replacements", expect=422, **swap, new="ONE", ends_feed_in="no")
    assert (unclear["error"], unclear["hint"]) == ("BadFieldError", "Give true or false.")
    assert (await desk.get("/api/devices/E0001"))["installations"][0]["end"] is None, "it hangs where it hung"
    await desk.post("/api/replacements", **swap, new="BOTH")
    assert (await desk.get("/api/devices/BOTH"))["installations"][0]["point_id"] == home["point"]


async def test_a_device_of_both_directions_may_begin_where_nothing_was_fed_in(desk: Desk) -> None:
    home = await desk.home()
    await desk.post("/api/devices/receive", devices=[{"serial": "BOTH", "exports": True}])
    await desk.post("/api/replacements", old="E0001", new="BOTH", at="2026-03-16T10:00:00+01:00", final_reading="12")
    assert (await desk.get("/api/devices/BOTH"))["installations"][0]["point_id"] == home["point"]


async def _upload(middle: Middle, wh_of_profile: dict[str, int]) -> None:
    for day in days(date(2026, 3, 1), date(2026, 4, 1)):
        for profile, wh in wh_of_profile.items():
            await middle.send(middle.upload((profile, middle.day_items(day, wh))), pump=False)
    await middle.pump()


async def _read_month(desk: Desk, middle: Middle, home: dict[str, Any], closing: dict[str, str]) -> None:
    middle.clock.advance_to(datetime(2026, 4, 2, 6, tzinfo=UTC))
    await desk.post("/api/reading-orders", month="2026-03")
    await middle.confirm()
    opening = {"register": "1000.000", "feed_in_register": "0.000"}
    name_of = {home[name]: name for name in opening}
    results = []
    for order in middle.orders():
        document = order.meter_reading_document
        name = name_of[document.utilties_measurement_task.utilities_measurement_task_id]
        begins = document.scheduled_meter_reading_date == date(2026, 2, 28)
        results.append(middle.result(order, (opening if begins else closing)[name]))
    assert len(results) == 4
    await middle.send(middle.results(*results))
