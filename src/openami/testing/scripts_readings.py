"""Scripts of readings, series and quantities (processes 3 to 6, 15)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from openami.shared.contract.enterprise.confirm import bulk
from openami.shared.contract.enterprise.messages import inferred_time_series, reading_result, time_series
from openami.shared.spans import local_day, zone
from openami.testing import requests
from openami.testing.home import ZONE
from openami.testing.processes import expect, pairs, process
from openami.testing.scripts_master_data import initialized

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from openami.shared.spans import Span
    from openami.testing.home import Home
    from openami.testing.processes import Stage

ORDER: Final = "SmartMeterMeterReadingDocumentERP"
RESULT: Final = "MeterReadingDocumentERPResult"
KNOWN: Final = "SmartMeterMeterReadingDocumentERPResult"
SERIES: Final = "UtilitiesTimeSeries"
Result = reading_result.MeterReadingDocumentERPResultCreateRequest


def today(stage: Stage) -> date:
    """The local date of the stage."""
    return stage.sap.clock.now().astimezone(zone(ZONE)).date()


@process(
    "3",
    "discrete meter reading",
    *pairs(f"{ORDER}Create"),
    *pairs(f"{ORDER}BulkCreate"),
    f"{RESULT}CreateRequest_In",
    f"{RESULT}CreateConfirmation_Out",
    f"{RESULT}BulkCreateRequest_In",
    f"{RESULT}BulkCreateConfirmation_Out",
)
async def reading(stage: Stage) -> None:
    """One order alone, two in bulk with a wrong one beside them; confirmed at once, answered after the day."""
    home, other, third = stage.homes(), stage.homes(), stage.homes()
    await initialized(stage, home, other, third)
    day = today(stage)
    single = requests.reading_ordered(home, day)
    second, last = requests.reading_ordered(other, day), requests.reading_ordered(third, day)
    wrong = requests.reading_ordered(home, day, reason="77")
    whole = bulk([second, wrong, last], stage.sap.head())
    await stage.sap.send(single, whole)
    await stage.sap.confirmed(single)
    await stage.sap.confirmed(second)
    await stage.sap.confirmed(wrong, ok=False)
    answer = await stage.sap.confirmation(whole)
    expect(answer.log.business_document_processing_result_code == "4", "a bulk that is partly successful")
    await stage.field.wait(timedelta(days=1))
    await stage.field.deliver(home, day, register_wh=1_234_567)
    found = await stage.sap.hears(Result, _answers(single))
    value = found.meter_reading_document.result.meter_reading_result_value
    expect(value == Decimal("1234.567"), f"the value of the register, not {value}")
    await stage.field.deliver_all((other, third), day, register_wh=2_000_000)
    for order in (second, last):
        await stage.sap.hears(Result, _answers(order))


@process("3", "cancelled reading orders", *pairs(f"{ORDER}Cancellation"), *pairs(f"{ORDER}BulkCancellation"))
async def cancelled_orders(stage: Stage) -> None:
    """Orders are withdrawn while nothing has come; a repeated withdrawal is harmless, a late one refused."""
    home, other, done = stage.homes(), stage.homes(), stage.homes()
    await initialized(stage, home, other, done)
    day = today(stage)
    orders = [requests.reading_ordered(one, day) for one in (home, other, done)]
    for order in orders:
        await stage.sap.send(order)
        await stage.sap.confirmed(order)
    numbers = [order.meter_reading_document.id for order in orders]
    single = requests.reading_cancelled(home, numbers[0])
    await stage.sap.send(single)
    await stage.sap.confirmed(single)
    await stage.field.wait(timedelta(days=1))
    await stage.field.deliver(done, day, register_wh=500_000)
    await stage.sap.hears(Result, _answers(orders[2]))
    item, late = requests.reading_cancelled(other, numbers[1]), requests.reading_cancelled(done, numbers[2])
    await stage.sap.send(bulk([item, late], stage.sap.head()))
    await stage.sap.confirmed(item)
    await stage.sap.confirmed(late, ok=False)
    heard = {one.meter_reading_document.id for one in stage.sap.items(Result)}
    expect(not heard & set(numbers[:2]), "no result of a cancelled order")


@process(
    "3",
    "readings known to SAP",
    *pairs(f"{KNOWN}Create"),
    *pairs(f"{KNOWN}BulkCreate"),
    *pairs(f"{KNOWN}Change"),
    *pairs(f"{KNOWN}BulkChange"),
)
async def known_readings(stage: Stage) -> None:
    """Installation reading, readings of a person, and corrections of them."""
    home, other = stage.homes(), stage.homes()
    await initialized(stage, home, other)
    day = home.since.astimezone(zone(ZONE)).date() + timedelta(days=1)
    single, item = requests.reading_known(home, day, "10"), requests.reading_known(other, day, "20")
    await stage.sap.send(single, bulk([item], stage.sap.head()))
    await stage.sap.confirmed(single)
    await stage.sap.confirmed(item)
    corrections = [
        requests.reading_known(home, day, "11", corrects=single.meter_reading_document.id),
        requests.reading_known(other, day, "21", corrects=item.meter_reading_document.id),
    ]
    nobody = requests.reading_known(stage.homes(), day, "1")
    await stage.sap.send(corrections[0], bulk([corrections[1]], stage.sap.head()), nobody)
    for one in corrections:
        await stage.sap.confirmed(one)
    await stage.field.wait(timedelta(hours=3))
    await stage.sap.confirmed(nobody, ok=False)


@process(
    "4", "on-demand reading", *pairs(f"{ORDER}Create"), f"{RESULT}CreateRequest_In", f"{RESULT}CreateConfirmation_Out"
)
async def on_demand(stage: Stage) -> None:
    """Data source 1: the device is read now."""
    home = stage.homes()
    await initialized(stage, home)
    order = requests.reading_ordered(home, today(stage), reason="10", source="1")
    await stage.sap.send(order)
    await stage.sap.confirmed(order)
    await stage.field.wait(timedelta(minutes=1))
    await stage.field.read(home, stage.sap.clock.now(), 42_000)
    found = await stage.sap.hears(Result, _answers(order))
    value = found.meter_reading_document.result.meter_reading_result_value
    expect(value == Decimal(42), f"the value that was read, not {value}")


@process(
    "5",
    "interval upload",
    *(f"{SERIES}ERPItemBulk{kind}Request_In" for kind in ("Create", "Change")),
    *(f"{SERIES}ERPItemBulk{kind}Confirmation_Out" for kind in ("Create", "Change")),
)
async def interval_upload(stage: Stage) -> None:
    """A day is uploaded once; a corrected value follows as a change."""
    home = stage.homes()
    await initialized(stage, home)
    day = today(stage)
    await stage.field.wait(timedelta(days=1))
    await stage.field.deliver(home, day, wh=100)
    created = await stage.sap.hears(time_series.UtilitiesTimeSeriesERPItemCreateRequest, _profile(home))
    span = local_day(ZONE, day)
    expect(len(created.utilities_time_series.item) == span.duration_s // home.interval_s, "a whole day")
    await stage.field.deliver(home, day, wh=150)
    changed = await stage.sap.hears(time_series.UtilitiesTimeSeriesERPItemChangeRequest, _profile(home))
    expect({_wh(one) for one in changed.utilities_time_series.item} == {150}, "the replaced values")


@process(
    "5",
    "interval upload by point of delivery",
    f"{SERIES}ERPItemBulkNotification_In",
    needs="uploads_by_point",
)
async def upload_by_point(stage: Stage) -> None:
    """The series is named by OBIS code and point of delivery, nothing is confirmed."""
    home = stage.homes()
    await initialized(stage, home)
    day = today(stage)
    await stage.field.wait(timedelta(days=1))
    await stage.field.deliver(home, day, wh=70)
    kind = inferred_time_series.UtilitiesTimeSeriesERPItemNotification
    found: Any = await stage.sap.hears(kind, lambda one: _point(one) == home.point)
    expect({_wh(one) for one in found.utilities_time_series.item} == {70}, "the values of the day")


@process(
    "5",
    "series stored in MDUS",
    f"{SERIES}ItemByIDQueryResponse_Out",
    *pairs(f"{SERIES}BundleItemCreate"),
)
async def stored_remotely(stage: Stage) -> None:
    """Values stay in MDUS: nothing is uploaded, a query shows them; SAP may send values of its own."""
    home, silent = stage.homes(), stage.homes()
    home.stored_remotely = silent.stored_remotely = True
    await initialized(stage, home)
    day = today(stage)
    await stage.field.wait(timedelta(days=1))
    await stage.field.deliver(home, day, wh=120)
    span = local_day(ZONE, day)
    start = span.start.astimezone(zone(ZONE)).replace(tzinfo=None)
    answer = await stage.sap.ask(requests.item_query(home, start, start + timedelta(hours=6)))
    items = answer.utilities_time_series.item
    expect(len(items) == 6 * 3600 // home.interval_s, "six hours of items")
    expect({_wh(one) for one in items} == {120}, "the values of the AMS")
    expect(items[0].utc_validity_start_date_time == span.start.replace(tzinfo=None), "times in UTC")
    created = stage.sap.items(time_series.UtilitiesTimeSeriesERPItemCreateRequest)
    expect(not [one for one in created if _profile(home)(one)], "no upload of a series that stays in MDUS")
    own, nobody = requests.values(home, span.end, [200] * 4), requests.values(silent, span.end, [1])
    whole = bulk([own], stage.sap.head())
    await stage.sap.send(whole, bulk([nobody], stage.sap.head()))
    await stage.sap.confirmed(own)
    shown = await stage.sap.ask(
        requests.item_query(home, start + timedelta(days=1), start + timedelta(days=1, hours=2))
    )
    expect({_wh(one) for one in shown.utilities_time_series.item} == {200}, "the values of SAP")
    await stage.field.wait(timedelta(hours=3))
    await stage.sap.confirmed(nobody, ok=False)
    unknown = await stage.sap.ask(requests.item_query(silent, start, None))
    expect(unknown.log.business_document_processing_result_code == "5", "a series that nobody knows is refused")


@process(
    "6",
    "usage calculation",
    *pairs(f"{SERIES}CalculationERPBulkCreate"),
    *pairs(f"{SERIES}CalculationERPCancellationBulk"),
)
async def calculation(stage: Stage) -> None:
    """Quantities by time of use of a series that stays in MDUS: by the hours of the table, by periods sent along."""
    home = stage.homes()
    home.stored_remotely = True
    await initialized(stage, home)
    day = today(stage)
    span = local_day(ZONE, day)
    noon = span.start + timedelta(hours=12)
    by_code = requests.calculation(home, day, day, times_of_use=("PEAK", "OFFPEAK"))
    periods = [("AM", span.start, noon), ("PM", noon, span.end)]
    by_period = requests.calculation(home, day, day, periods=periods)
    total = requests.calculation(home, day, day)
    whole = bulk([by_code, by_period, total], stage.sap.head())
    await stage.sap.send(whole)
    await stage.field.wait(timedelta(days=1))
    await stage.field.deliver(home, day, wh=100)
    await stage.field.wait(timedelta(hours=2))
    answer = await stage.sap.confirmation(whole)
    energy = [_results(one) for one in answer.items]
    all_day = Decimal(span.duration_s // home.interval_s) / 10
    expect(sum(energy[0].values()) == all_day, f"both times of use add up to {all_day}, not {energy[0]}")
    expect(energy[1]["AM"] == Decimal(12 * 3600 // home.interval_s) / 10, "the morning")
    expect(energy[2] == {"": all_day}, f"the sum of the day, not {energy[2]}")
    later = requests.calculation(home, day + timedelta(days=1), day + timedelta(days=1))
    waiting = bulk([later], stage.sap.head())
    await stage.sap.send(waiting)
    number = later.utilities_time_series_calculation.id
    cancel = requests.calculation_cancelled(home, number)
    await stage.sap.send(bulk([cancel], stage.sap.head()))
    await stage.sap.confirmed(cancel)
    await stage.sap.confirmed(later, ok=False)


@process(
    "6",
    "quantities by both routes",
    *(f"{SERIES}ERPItemBulk{kind}Request_In" for kind in ("Create", "Change")),
    *pairs(f"{SERIES}CalculationERPBulkCreate"),
)
async def both_routes(stage: Stage) -> None:
    """A series that is uploaded is calculated too, before and after a correction: both give the same quantities."""
    home = stage.homes()
    await initialized(stage, home)
    first = today(stage)
    last = first + timedelta(days=1)
    days = [local_day(ZONE, day) for day in (first, last)]
    split = days[0].start + timedelta(hours=7, minutes=30)
    await stage.field.wait(timedelta(days=2))
    for day, wh in ((first, 101), (last, 37)):
        await stage.field.deliver(home, day, wh=wh)
    kinds = (time_series.UtilitiesTimeSeriesERPItemCreateRequest, time_series.UtilitiesTimeSeriesERPItemChangeRequest)
    await stage.sap.hears(kinds[0], lambda one: _profile(home)(one) and _covers(one, days[1]))
    for corrected in (False, True):
        if corrected:
            await stage.field.deliver(home, first, wh=149)
            await stage.sap.hears(kinds[1], _profile(home))
        periods = [("A", days[0].start, split), ("B", split, days[1].end)]
        by_period = requests.calculation(home, first, last, periods=periods)
        by_code = requests.calculation(home, first, last, times_of_use=("PEAK", "OFFPEAK"))
        whole = bulk([by_period, by_code, requests.calculation(home, first, last)], stage.sap.head())
        await stage.sap.send(whole)
        answer = await stage.sap.confirmation(whole)
        calculated = [_results(one) for one in answer.items]
        uploaded = _uploaded([one for kind in kinds for one in stage.sap.items(kind) if _profile(home)(one)])
        for code, start, end in periods:
            sent = sum((value for at, value in uploaded.items() if start <= at < end), Decimal(0))
            expect(calculated[0][code] == sent, f"{sent} in period {code}, as uploaded, not {calculated[0][code]}")
        total = sum(uploaded.values(), Decimal(0))
        for one in calculated:
            expect(sum(one.values()) == total, f"{total} in all, as uploaded, not {one}")


@process("15", "move-out and move-in", *pairs(f"{ORDER}BulkCreate"))
async def moving(stage: Stage) -> None:
    """Final reading (03) and first reading (06) of one day; the supplier switch is the same seen from here."""
    home = stage.homes()
    await initialized(stage, home)
    day = today(stage)
    out, into = (requests.reading_ordered(home, day + timedelta(days=n), reason=r) for n, r in ((0, "03"), (1, "06")))
    await stage.sap.send(bulk([out, into], stage.sap.head()))
    await stage.sap.confirmed(out)
    await stage.sap.confirmed(into)
    await stage.field.wait(timedelta(days=1, hours=1))
    await stage.field.deliver(home, day, register_wh=3_000_000)
    for order in (out, into):
        found = await stage.sap.hears(Result, _answers(order))
        value = found.meter_reading_document.result.meter_reading_result_value
        expect(value == Decimal(3000), f"the same dial for who goes and who comes, not {value}")


def _answers(order: Any) -> Any:  # noqa: ANN401 - any order
    number = order.meter_reading_document.id
    return lambda one: (one.meter_reading_document.id or "").lstrip("0") == number.lstrip("0")


def _profile(home: Home) -> Any:  # noqa: ANN401 - a condition
    return lambda one: one.utilities_time_series.id.lstrip("0") == home.profile.lstrip("0")


def _covers(one: Any, span: Span) -> bool:  # noqa: ANN401 - a message
    return any(item.utc_validity_end_date_time == span.end for item in one.utilities_time_series.item)


def _uploaded(messages: Sequence[Any]) -> dict[datetime, Decimal]:
    """What SAP has of a series after these uploads, in the order in which MDUS made them: the last value counts."""
    ordered = sorted(messages, key=lambda one: one.message_header.creation_date_time)
    return {
        item.utc_validity_start_date_time: item.quantity.value
        for message in ordered
        for item in message.utilities_time_series.item
    }


def _point(one: Any) -> str:  # noqa: ANN401 - a message
    role = one.utilities_time_series.utilities_measurement_task_assignment_role
    return str(role.utilities_point_of_delivery_external_identification.utilities_point_of_delivery_party_id)


def _wh(item: Any) -> int:  # noqa: ANN401 - an item
    return int(item.quantity.value.scaleb(3))


def _results(item: Any) -> dict[str, Decimal]:  # noqa: ANN401 - a confirmation
    found = item.utilities_time_series_calculation.result
    return {one.utilities_time_of_use_code or "": one.quantity.value for one in found}
