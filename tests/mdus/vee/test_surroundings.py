"""What only what stands around a channel can tell: other channels of its device, check meters, and what was loaded."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import text

from openami.mdus.series import Channel, ChannelDays, Provenance, RegisterReadings, Series
from openami.mdus.series.calendar import Calendar
from openami.mdus.vee import reference_data
from openami.mdus.vee.explain import recompute
from openami.mdus.vee.review import Review
from openami.mdus.vee.store import findings_of
from openami.mdus.virtual import store as virtual
from openami.mdus.virtual.model import Definition, Purpose, terms_of
from openami.shared.quality import EMPTY, MEASURED, Origin, Verdict, origins, verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.mdus.vee.handlers import Vee
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

ZONE = "Europe/Amsterdam"
CALENDAR = Calendar(ZONE, 1800)
SINCE = datetime(2026, 2, 28, 23, tzinfo=UTC)
FIRST = date(2026, 3, 2)
AT = datetime(2026, 4, 20, tzinfo=UTC)
SHAPE = np.array([100] * 34 + [400] * 10 + [100] * 4, np.int64)
REACTIVE, VOLTAGE, CURRENT, LOW, HIGH = 11, 12, 13, 201, 202
OBIS = {1: "1-0:1.29.0", 101: "1-0:1.8.0", REACTIVE: "1-0:3.29.0", VOLTAGE: "1-0:32.27.0", CURRENT: "1-0:31.27.0"} | {
    LOW: "1-0:1.8.1", HIGH: "1-0:1.8.2",
}  # fmt: skip
UNITS = {REACTIVE: ("varh", 0), VOLTAGE: ("V", -1), CURRENT: ("A", -2)}


@pytest.fixture
async def device(mdus: Database) -> Database:
    """Home 1 with a whole device: energy, reactive energy, voltage, current, and registers of two tariffs."""
    rows = [
        {
            "channel": number, "device_key": "1", "device": "1", "task": str(number), "task_key": str(number),
            "obis": obis, "unit": UNITS.get(number, ("Wh", 0))[0], "scale": UNITS.get(number, ("Wh", 0))[1],
            "interval_s": 1800 if number in {1, *UNITS} else 0, "zone": ZONE, "start_at": SINCE,
            "end_at": datetime(9999, 12, 31, tzinfo=UTC), "step": 1,
        }
        for number, obis in OBIS.items()
    ]  # fmt: skip
    async with mdus.begin() as tx:
        names = ", ".join(rows[0])
        given = ", ".join(f":{name}" for name in rows[0])
        await tx.execute(text(f"INSERT INTO channel ({names}) OVERRIDING SYSTEM VALUE VALUES ({given})"), rows)
        await Series().declare(
            tx,
            [
                *(
                    Channel(one, ZONE, 1800, unit=unit, scale=scale, since=SINCE)
                    for one, (unit, scale) in UNITS.items()
                ),
                *(Channel(one, ZONE, 0) for one in (LOW, HIGH)),
            ],
        )
    return mdus


async def bring(db: Database, vee: Vee, channel: int, day: date, values: NDArray[np.int64]) -> None:
    """A day of a channel; of values below 0 nothing has come."""
    quality = np.where(values < 0, EMPTY, MEASURED).astype(np.uint8)[None]
    row = np.where(values < 0, 0, values)[None]
    async with db.begin() as tx:
        batch = ChannelDays.of(np.array([channel]), np.array([day.toordinal()]), row, quality)
        await vee.accept(tx, batch, Provenance(AT, "unify", "delivery", "d"))


async def read(db: Database, readings: list[tuple[int, date, int]]) -> None:
    """Register readings at the beginning of local days."""
    async with db.begin() as tx:
        rows = [(one, CALENDAR.start_s(day.toordinal()), value, MEASURED) for one, day, value in readings]
        await Series().merge_registers(tx, RegisterReadings.of(rows), Provenance(AT, "unify", "d", "d"))


async def brought(db: Database, kind: str, lines: str) -> None:
    async with db.begin() as tx:
        await reference_data.keep(tx, reference_data.parse(kind, lines), "ann", AT)


async def define(db: Database, name: str, terms: str, purpose: Purpose, of: int | None) -> None:
    async with db.begin() as tx:
        new = Definition(
            name=name, first=FIRST, terms=terms_of(terms), purpose=purpose, of=of, author="ann", reason="test",
            recorded_at=AT,
        )  # fmt: skip
        await virtual.define(tx, new)


async def reviewed(db: Database, vee: Vee, day: date = FIRST) -> dict[str, tuple[Verdict, Any]]:
    async with db.begin() as tx:
        await vee.review_days(tx, [(1, day)], AT)
        found = await findings_of(tx, 1, day, day + timedelta(days=1))
        proofs = await recompute(Series(), tx, 1, day)
    assert all(one.equal for one in proofs)
    return {one.rule: (one.verdict, one.inputs) for _, _, one in found}


async def estimated(db: Database, vee: Vee, day: date = FIRST) -> ChannelDays:
    async with db.begin() as tx:
        await vee.estimate_days(tx, [(1, day)], AT)
        (kept,) = await Series().days(tx, [1], range(day.toordinal(), day.toordinal() + 1))
        proofs = await recompute(Series(), tx, 1, day)
    assert all(one.equal for one in proofs)
    return kept


async def test_v28_the_other_channels_of_a_device_are_missed(device: Database, vee: Vee) -> None:
    await bring(device, vee, 1, FIRST, SHAPE)
    await bring(device, vee, REACTIVE, FIRST, SHAPE // 4)
    assert (await reviewed(device, vee))["V28"] == (Verdict.PV, {"expected": 3, "present": 1})
    for channel, value in ((VOLTAGE, 2_300), (CURRENT, 100)):
        await bring(device, vee, channel, FIRST, np.full(48, value))
    await bring(device, vee, 1, FIRST + timedelta(days=1), SHAPE)
    for channel in UNITS:
        await bring(device, vee, channel, FIRST + timedelta(days=1), np.full(48, 30))
    assert "V28" not in await reviewed(device, vee, FIRST + timedelta(days=1))


async def test_v30_reactive_energy_without_active(device: Database, vee: Vee) -> None:
    active = SHAPE.copy()
    active[3] = 0
    reactive = np.full(48, 10)
    await bring(device, vee, 1, FIRST, active)
    await bring(device, vee, REACTIVE, FIRST, reactive)
    async with device.begin() as tx:
        await vee.review_days(tx, [(1, FIRST)], AT)
        found = await findings_of(tx, 1, FIRST, FIRST + timedelta(days=1))
    assert [one.slots for _, _, one in found if one.rule == "V30"] == [(3,)]


async def test_what_comes_late_has_the_other_channels_of_its_device_reviewed(device: Database, vee: Vee) -> None:
    async def morning() -> set[str]:
        while True:
            async with device.begin() as tx:
                if not await review.act(tx, FIRST, AT):
                    return {one.rule for _, _, one in await findings_of(tx, 1, FIRST, FIRST + timedelta(days=1))}

    review = Review(vee)
    async with device.begin() as tx:
        await review.start(tx, datetime(2026, 3, 9, tzinfo=UTC))
    active = np.where(np.arange(48) == 3, 0, SHAPE)
    await bring(device, vee, 1, FIRST, active)
    assert "V30" not in await morning()
    await bring(device, vee, REACTIVE, FIRST, np.full(48, 10))
    assert "V30" in await morning(), "reactive energy that came later fits no active energy"
    async with device.begin() as tx:
        assert await Series().days(tx, [VOLTAGE, CURRENT], range(FIRST.toordinal(), 1_000_000)) == [], "nothing came"


async def test_v34_a_child_that_is_corrected_has_its_parent_reviewed(device: Database, vee: Vee) -> None:
    async def morning() -> set[str]:
        while True:
            async with device.begin() as tx:
                if not await review.act(tx, FIRST, AT):
                    return {one.rule for _, _, one in await findings_of(tx, 1, FIRST, FIRST + timedelta(days=1))}

    await define(device, "behind.1", "2", Purpose.CHILDREN, 1)
    review = Review(vee)
    async with device.begin() as tx:
        await review.start(tx, datetime(2026, 3, 9, tzinfo=UTC))
    for channel in (1, 2):
        await bring(device, vee, channel, FIRST, SHAPE)
    assert "V34" not in await morning()
    await bring(device, vee, 2, FIRST, SHAPE // 2)
    assert "V34" in await morning(), "half of it is lost now"
    await bring(device, vee, 2, FIRST, SHAPE)
    assert "V34" not in await morning(), "and found again"


@pytest.mark.parametrize(
    ("volts", "amperes", "fires"),
    [(2_300, 1_000, False), (0, 1_000, False), (1_500, 1_000, True), (2_300, 13_000, True)],
    ids=["as it should be", "no voltage measured", "a phase is weak", "more than the fuse"],
)
async def test_v32_voltage_and_current(device: Database, vee: Vee, volts: int, amperes: int, fires: bool) -> None:
    await bring(device, vee, 1, FIRST, SHAPE)
    await bring(device, vee, VOLTAGE, FIRST, np.full(48, volts))
    await bring(device, vee, CURRENT, FIRST, np.full(48, amperes))
    found = await reviewed(device, vee)
    assert ("V32" in found) is fires
    if fires:
        assert found["V32"] == (Verdict.WV, {"mean_v2": volts**2, "mean_i2": amperes**2 // 100})


async def test_v25_a_register_that_advanced_thrice_as_far_as_the_week_before(device: Database, vee: Vee) -> None:
    day = FIRST + timedelta(days=14)
    await bring(device, vee, 1, day, SHAPE)
    end = day + timedelta(days=1)
    weeks = [(101, end - timedelta(days=14), 0), (101, end - timedelta(days=7), 100), (101, end, 400)]
    await read(device, weeks)
    found = await reviewed(device, vee, day)
    assert found["V25"] == (Verdict.PV, {"usage": 300}), "noted, not judged"


async def test_v31_and_e09_a_check_meter(device: Database, vee: Vee) -> None:
    await define(device, "check.1", "2", Purpose.CHECK, 1)
    await bring(device, vee, 2, FIRST, SHAPE)
    main = SHAPE.copy()
    main[40] += 200
    await bring(device, vee, 1, FIRST, main)
    found = await reviewed(device, vee)
    assert found["V31"] == (Verdict.WV, {"main": int(main.sum()), "check": int(SHAPE.sum())})
    day = FIRST + timedelta(days=1)
    gap = SHAPE.copy()
    gap[20:36] = -1
    await bring(device, vee, 2, day, SHAPE + 1)
    await bring(device, vee, 1, day, gap)
    kept = await estimated(device, vee, day)
    assert set(origins(kept.quality)[0, 20:36].tolist()) == {Origin.E09_CHECK_METER}
    assert (kept.values[0, 20:36] == SHAPE[20:36] + 1).all()


async def test_v34_more_comes_out_than_goes_in(device: Database, vee: Vee) -> None:
    await define(device, "behind.1", "2 + 3", Purpose.CHILDREN, 1)
    await bring(device, vee, 1, FIRST, SHAPE)
    for child in (2, 3):
        await bring(device, vee, child, FIRST, SHAPE)
    total = int(SHAPE.sum())
    assert (await reviewed(device, vee))["V34"] == (Verdict.PV, {"parent": total, "loss": -total})


async def test_e03_a_holiday_takes_the_sunday_before(device: Database, vee: Vee) -> None:
    holiday = FIRST + timedelta(days=7)  # a Monday
    for number in range(7):
        await bring(device, vee, 1, FIRST + timedelta(days=number), SHAPE + number)
    await brought(device, "holiday", f"day,zone\n{holiday},\n")
    kept = await estimated(device, vee, holiday)
    assert (kept.values[0] == SHAPE + 6).all(), "as Sunday was, though Monday was there"


async def test_e06_a_day_as_cold_as_this_one(device: Database, vee: Vee) -> None:
    lines = ["day,zone,celsius", *(f"{FIRST + timedelta(days=n)},{ZONE},{n - 0.5}" for n in range(4))]
    await brought(device, "temperature", "\n".join(lines))
    async with device.begin() as tx:
        await Series().declare(tx, [Channel(1, ZONE, 1800, kind="gas", unit="m3", scale=-3, since=SINCE)])
    for number in range(4):
        await bring(device, vee, 1, FIRST + timedelta(days=number), SHAPE + number)
    day = FIRST + timedelta(days=4)
    await brought(device, "temperature", f"day,zone,celsius\n{day},,0.4\n")
    kept = await estimated(device, vee, day)
    assert set(origins(kept.quality)[0].tolist()) == {Origin.E06_PROXY_DAY}
    assert (kept.values[0] == SHAPE + 1).all(), "days of -0.5, 0.5 and 1.5 degrees are within two kelvin, 2.5 is not"


async def test_e07_a_customer_without_history_takes_the_profile_of_the_class(device: Database, vee: Vee) -> None:
    """W55 by a day: shape 0.21 of 3650 a year, of a customer who uses 4380."""
    shape = " ".join(["21"] * 48)
    await brought(device, "profile", f"class,day,interval_s,values\nresidential,{FIRST},1800,{shape}\n")
    await brought(device, "annual_use", "channel,since,use\n1,2026-01-01,4380000\n")
    kept = await estimated(device, vee)
    assert set(origins(kept.quality)[0].tolist()) == {Origin.E07_PROFILE}
    assert int(kept.values.sum()) == pytest.approx(4_380_000 / 365, abs=48)


async def test_e12_each_tariff_by_its_own_register(device: Database, vee: Vee) -> None:
    for back in (7, 14):
        await bring(device, vee, 1, FIRST + timedelta(days=21 - back), SHAPE)
    day = FIRST + timedelta(days=21)
    gap = SHAPE.copy()
    gap[10:40] = -1
    await bring(device, vee, 1, day, gap)
    await brought(device, "tariff", "class,since,windows\n,2026-01-01,2=mon-fri 07:00-21:00\n")
    end = day + timedelta(days=1)
    await read(device, [(LOW, day, 0), (LOW, end, 3_000), (HIGH, day, 0), (HIGH, end, 9_000)])
    kept = await estimated(device, vee, day)
    high = slice(14, 42)
    assert int(kept.values[0, high].sum()) == 9_000
    assert int(kept.values[0].sum()) == 12_000
    assert set(verdicts(kept.quality)[0].tolist()) <= {Verdict.PV, Verdict.WV}


async def test_what_is_loaded_later_changes_no_earlier_run(device: Database, vee: Vee) -> None:
    holiday = FIRST + timedelta(days=7)
    for number in range(7):
        await bring(device, vee, 1, FIRST + timedelta(days=number), SHAPE + number)
    before = await estimated(device, vee, holiday)
    await brought(device, "holiday", f"day,zone\n{holiday},\n")
    await define(device, "check.1", "2", Purpose.CHECK, 1)
    async with device.begin() as tx:
        assert all(one.equal for one in await recompute(Series(), tx, 1, holiday))
    after = await estimated(device, vee, holiday)
    assert (before.values[0] != after.values[0]).any()


@pytest.mark.parametrize(
    ("kind", "lines", "words"),
    [
        ("weather", "", "is no kind"),
        ("holiday", "day\n2026-01-01\n", "The header is"),
        ("holiday", "day,zone\n2026-13-01,\n", "Line 2 cannot be read"),
        ("temperature", "day,zone,celsius\n2026-01-01,,cold\n", "Line 2"),
        ("annual_use", "channel,since,use\n1,2026-01-01,1.5\n", "Line 2"),
        ("tariff", "class,since,windows\n,2026-01-01,peak=mon 1-2\n", "Line 2"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(kind: str, lines: str, words: str) -> None:
    with pytest.raises(reference_data.BadReferenceError, match=words):
        reference_data.parse(kind, lines)


def test_a_plan_comes_out_as_it_went_in() -> None:
    (plan,) = reference_data.parse("tariff", "class,since,windows\nresidential,2026-01-01,2=mon-fri 07:00-23:00\n")
    (window,) = reference_data.windows_in(plan.values)
    assert (plan.key, window.bucket, window.from_s, window.to_s) == ("residential", 2, 25_200, 82_800)
    assert window.weekdays == frozenset(range(5))
