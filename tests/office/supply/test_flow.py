"""Move-out and move-in within a month: two contracts, three readings, two bills that add up to the meter."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from openami.office.supply.model import Contract
from openami.shared.spans import days

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

APRIL_2 = datetime(2026, 4, 2, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "past_last", "inside"),
    [
        ((2026, 1, 1), None, ((2026, 3, 1), (2026, 4, 1))),
        ((2026, 3, 10), None, ((2026, 3, 10), (2026, 4, 1))),
        ((2026, 1, 1), (2026, 3, 10), ((2026, 3, 1), (2026, 3, 10))),
        ((2026, 4, 1), None, None),
        ((2026, 1, 1), (2026, 3, 1), None),
    ],
)
def test_a_contract_covers_its_part_of_a_month(
    first: tuple[int, int, int], past_last: tuple[int, int, int] | None, inside: Any
) -> None:
    contract = Contract("C", "K", "P", "electricity", "t", date(*first), date(*past_last) if past_last else None)
    part = contract.days_in(date(2026, 3, 1), date(2026, 4, 1))
    assert part == (tuple(date(*day) for day in inside) if inside else None)


@pytest.mark.postgres
async def test_who_moves_in_takes_over_where_the_other_left(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    for day in days(date(2026, 3, 1), date(2026, 4, 1)):
        await middle.send(middle.upload((home["profile"], middle.day_items(day, 100))), pump=False)
    await middle.pump()
    middle.clock.advance_to(datetime(2026, 3, 11, 8, tzinfo=UTC))
    left = await desk.post("/api/move-outs", contract=home["contract"], day="2026-03-11")
    came = await desk.post(
        "/api/move-ins",
        point_of_delivery=home["point"],
        customer={"id": "K2", "name": "Second", "address": "Kade 1"},
        contract={"start": "2026-03-11"},
    )
    assert len(left["orders"]) == 1
    assert came["orders"] == []  # the final reading of one is the first of the other
    middle.clock.advance_to(APRIL_2)
    await desk.post("/api/reading-orders", month="2026-03")
    await middle.confirm()
    documents = [order.meter_reading_document for order in middle.orders()]
    reasons = {each.scheduled_meter_reading_date: each.meter_reading_reason_code for each in documents}
    assert reasons == {date(2026, 2, 28): "01", date(2026, 3, 10): "03", date(2026, 3, 31): "01"}
    values = {date(2026, 2, 28): "0", date(2026, 3, 10): "48", date(2026, 3, 31): "148.6"}
    results = [
        middle.result(order, values[order.meter_reading_document.scheduled_meter_reading_date])
        for order in middle.orders()
    ]
    await middle.send(middle.results(*results))
    run = await desk.bill("2026-03")
    assert [item["findings"] for item in run["items"]] == [[], []]
    first, second = sorted(await desk.get("/api/bills"), key=lambda bill: str(bill["first_day"]))
    assert (first["customer"], first["last_day"], first["measured_milli"]) == ("K1", "2026-03-10", 48_000)
    assert (second["customer"], second["first_day"], second["measured_milli"]) == ("K2", "2026-03-11", 100_600)


@pytest.mark.postgres
async def test_a_move_in_to_an_empty_home_orders_its_first_reading(desk: Desk, middle: Middle) -> None:
    home = await desk.home()
    await desk.post("/api/move-outs", contract=home["contract"], day="2026-03-05")
    came = await desk.post(
        "/api/move-ins",
        point_of_delivery=home["point"],
        customer={"id": "K2", "name": "Second"},
        contract={"start": "2026-03-20"},
    )
    assert len(came["orders"]) == 1
    order = middle.orders()[-1].meter_reading_document
    assert (order.meter_reading_reason_code, order.scheduled_meter_reading_date) == ("06", date(2026, 3, 20))


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/api/move-outs", {"contract": "nobody"}, "UnknownContractError"),
        ("/api/move-outs", {"contract": "871685900000000001", "day": "2026-02-28"}, "ContractConflictError"),
        ("/api/move-ins", {"point_of_delivery": "P9", "customer": {"id": "K", "name": "N"}}, "BadFieldError"),
        ("/api/move-ins", {"point_of_delivery": "871685900000000001"}, "BadFieldError"),
        (
            "/api/move-ins",
            {"point_of_delivery": "871685900000000001", "customer": {"id": "K", "name": "N"}},
            "ContractConflictError",
        ),
        (
            "/api/move-ins",
            {"point_of_delivery": "871685900000000001", "customer": {"id": "K9"}},
            "BadFieldError",
        ),
    ],
)
async def test_misuse_is_explained(desk: Desk, path: str, body: dict[str, Any], error: str) -> None:
    await desk.home()
    answer = await desk.post(path, expect=422, **body)
    assert answer["error"] == error
    assert answer["hint"]


@pytest.mark.postgres
async def test_a_contract_number_is_given_once(desk: Desk) -> None:
    first = await desk.home(1, contract={"id": "C-1"})
    assert first["contract"] == "C-1"
    await desk.post("/api/devices/receive", devices=[{"serial": "E0002"}])
    customer = {"id": "K2", "name": "Second"}
    place = {"device": "E0002", "point_of_delivery": "P2", "customer": customer, "contract": {"id": "C-1"}}
    answer = await desk.post("/api/installations", expect=422, installations=[place])
    assert answer["error"] == "ContractConflictError"
    assert "C-1" in answer["found"]
    assert (await desk.get("/api/devices/E0002"))["installations"] == []


@pytest.mark.postgres
async def test_times_and_numbers_beyond_all_calendars_are_refused(desk: Desk) -> None:
    home = await desk.home()
    for path, body in (
        ("move-ins", {"point_of_delivery": home["point"], "contract": {"start": "0001-01-01"}}),
        ("move-outs", {"contract": home["contract"], "day": "9999-12-31"}),
        ("reading-orders", {"month": "0000-01"}),
        ("billing-runs", {"month": "9999-12"}),
        ("reading-orders", {"month": "٢٠٢٦-٠٣"}),
        ("readings", {"device": "E0001", "day": "9999-12-31"}),
        ("installations", {"device": "E0001", "installed_at": "0001-01-01T00:00:00+14:00"}),
        ("cases/close", {"case": "9" * 40, "why": "seen"}),
        ("disconnections", {"device": "E0001", "reason": "safety", "planned_at": "9999-12-31T23:59:59-12:00"}),
    ):
        answer = await desk.post(f"/api/{path}", expect=422, **body | {"customer": {"id": "K9", "name": "N"}})
        assert answer["error"] == "BadFieldError", path
        assert answer["hint"]
    for query, status in (
        ("first=9999-12-31", 200),
        ("first=2026-03-02&past_last=2026-03-01", 422),
        ("past_last=never", 422),
    ):
        page = await desk.get(f"/api/devices/E0001/series?{query}", expect=status)
        assert page["days"] == [] if status == 200 else page["error"] == "BadFieldError"
