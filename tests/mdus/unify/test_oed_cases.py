"""Upload cases of another energy platform (OED, MPL-2.0, read in place): cumulative, descending, repeated, reset.

Its readings that rise are dial values to us, which it drops the first of and we keep. Where it lets a user say that a
dial may be reset, and then takes the value after the fall for the use of that day, we leave the day open: a reset is a
fact in the registry. Where it refuses a whole file for one bad line, we refuse the line. Where it keeps readings of any
length, we keep those that lie on the grid of their channel, and refuse the others: to spread them is not ours to do.
A dial says what passed since it was last read, so that we need no start of it, and keep days that it drops for one.

Of its 39 cases 103 has no counterpart: it sends a list of two meters and names one of them in the request as well.
Ours are registered by the back office, one message a meter, or from the very file of readings (`--register`): nothing
beside it names a meter that could contradict it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.mdus.unify import ChannelDescription, Directory, patterns_of, unify
from openami.mdus.unify.adapters.delimited import Delimited
from openami.mdus.unify.adapters.mapping import BadMappingError, parse_mapping
from openami.shared.contract import field as cim
from openami.shared.quality import EMPTY
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from openami.mdus.series.model import ChannelDays

CASES = Path(__file__).parents[4] / "shared" / "fixtures" / "vee" / "oed_pipeline"
READINGS = CASES.with_name("oed_readings")
FORMAT = "%Y-%m-%d %H:%M:%S"
DAY_S = 86_400
pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the collection of ../shared/fixtures is not here")


OF_METER = ("pipe70", "pipe80", "pipe90")  # an uploaded meter, not the upload, says that it is a dial


def mapping(columns: list[str], *, cumulative: bool, end_only: bool) -> str:
    by_end = cumulative or end_only
    time = 'time = "end"\n' if by_end else 'time = "start"\n' + ('until = "end"\n' if "end" in columns else "")
    return (
        f'name = "oed"\nheader = {json.dumps(columns)}\n[[series]]\nmeter = [["meter", "SerialNumber"]]\n'
        f'value = "value"\nunit = "KWH"\nformat = "{FORMAT}"\n{time}'
        + ('kind = "dial"\n' if cumulative else f'interval_s = 86400\nstamp = "{"end" if by_end else "start"}"\n')
    )


def channel(*, cumulative: bool, interval_s: int = DAY_S, zone: str = "UTC", scale: int = 0) -> ChannelDescription:
    return ChannelDescription(
        channel=1, device="1", names=(("SerialNumber", "M"),), patterns=patterns_of("1-0:1.29.0", interval_s),
        unit="Wh", scale=scale, interval_s=interval_s, zone=zone, differenced=cumulative,
        span=Span(datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)),
    )  # fmt: skip


def kept(case: dict[str, Any]) -> tuple[dict[str, int], int]:
    """Watt-hours by local day after all files of a case, and how many parts were refused."""
    asked = {name: value for step in case["parameters"] for name, value in step.items()}
    if case["id"] in OF_METER:
        asked["cumulative"] = "true"
    cumulative, end_only = asked.get("cumulative") == "true", asked.get("endOnly") == "true"
    columns = ["value", *([] if end_only else ["start"]), "end", "meter"]
    lines = [
        f"{line},M"
        for name in case["files"]
        if "Meter" not in name
        for line in (CASES / name).read_text().splitlines()
        if line
    ]
    text = "\n".join([",".join(columns), *lines])
    form = mapping(columns, cumulative=cumulative, end_only=end_only)
    days, refusals = unified(form, text, channel(cumulative=cumulative))
    values = {
        str(datetime.fromordinal(int(day)).date()): int(group.values[row, 0])
        for group in days
        for row, day in enumerate(group.day.tolist())
        if group.quality[row, 0] != EMPTY
    }
    return values, len(refusals)


def unified(form: str, text: str, to: ChannelDescription) -> tuple[Sequence[ChannelDays], list[str]]:
    """What a file comes to on its one channel, and the reasons of what was refused."""
    batches = list(Delimited(parse_mapping(form)).read(io.BytesIO(text.encode())))
    payload = cim.MeterReadings(tuple(one for batch in batches for one in batch.payload.readings))
    found = unify(payload, Directory([to]), received_at=datetime(2026, 1, 1, tzinfo=UTC))
    told = [one.reason for batch in batches for one in batch.refusals]
    return found.days, told + [one.reason for one in found.refusals]


def expected(case: dict[str, Any]) -> dict[str, int]:
    rows = csv.reader((CASES / case["expected_file"][-1]).read_text().splitlines())
    return {start[:10]: round(float(value) * 1000) for value, start, _ in rows}


@pytest.fixture(scope="module")
def cases() -> dict[str, dict[str, Any]]:
    """All cases by id."""
    return {case["id"]: case for case in json.loads((CASES / "cases.json").read_text())}


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("2", id="descending"),
        pytest.param("3", id="cumulative"),
        pytest.param("4", id="cumulative and descending"),
        pytest.param("21", id="each reading three times"),
        pytest.param("23", id="ends only"),
        pytest.param("25", id="cumulative, ends only, descending"),
        pytest.param("50", id="two files, the second around the first"),
        pytest.param("60", id="three files of a dial"),
        pytest.param("75", id="descending, as the meter says"),
        pytest.param("80", id="cumulative, as the meter says"),
        pytest.param("130", id="plain"),
    ],
)
def test_readings_come_out_as_the_other_platform_keeps_them(cases: dict[str, Any], number: str) -> None:
    values, refused = kept(cases[f"pipe{number}"])
    own = expected(cases[f"pipe{number}"])
    assert {day: value for day, value in values.items() if day in own} == own
    assert set(values) - set(own) <= {"2021-06-01"}, "ends alone tell us the first day too"
    assert refused <= 1


@pytest.mark.parametrize("number", ["5", "8", "90"])
def test_the_day_in_which_a_dial_falls_is_refused_and_the_others_are_kept(cases: dict[str, Any], number: str) -> None:
    case = cases[f"pipe{number}"]
    values, refused = kept(case)
    assert (values, refused) == ({day: kwh for day, kwh in expected(case).items() if day != "2021-06-04"}, 1)


def test_a_dial_that_falls_between_two_files_is_refused_for_that_day(cases: dict[str, Any]) -> None:
    case = cases["pipe52"]
    values, refused = kept(case)
    assert (values, refused) == ({day: kwh for day, kwh in expected(case).items() if day != "2021-06-06"}, 1)


@pytest.mark.parametrize("number", ["7", "70"])
def test_a_fall_that_nobody_declared_refuses_its_day_only_where_the_other_platform_refuses_the_file(
    cases: dict[str, Any], number: str
) -> None:
    case = cases[f"pipe{number}"]
    assert expected(case) == {}
    assert kept(case) == ({"2021-06-02": 48_000, "2021-06-03": 72_000, "2021-06-05": 120_000}, 1)


@pytest.mark.parametrize(
    ("number", "days", "refused"),
    [
        pytest.param("26", [1, 3, 4, 5], 1, id="a start that is no time"),
        pytest.param("27", [1, 3, 4, 5], 1, id="an end that is no time"),
        pytest.param("30", [1, 2, 3, 5], 1, id="a number that is none, after one with an exponent"),
    ],
)
def test_bad_lines_are_refused_and_the_rest_of_the_file_is_kept(
    cases: dict[str, Any], number: str, days: list[int], refused: int
) -> None:
    values, told = kept(cases[f"pipe{number}"])
    assert (list(values), told) == ([f"2021-06-{day:02}" for day in days], refused)
    assert expected(cases[f"pipe{number}"]) == {}


def test_an_interval_without_length_is_refused_and_the_others_are_kept(cases: dict[str, Any]) -> None:
    case = cases["pipe34"]
    assert kept(case) == (expected(case), 1)


def test_a_dial_that_is_no_number_leaves_its_day_and_the_next_open(cases: dict[str, Any]) -> None:
    case = cases["pipe29"]
    assert expected(case) == {}
    assert kept(case) == ({"2021-06-02": 48_100, "2021-06-03": 71_900}, 1)


def test_dials_need_no_start_and_keep_the_days_that_the_other_platform_drops_for_theirs(cases: dict[str, Any]) -> None:
    case = cases["pipe31"]
    values, refused = kept(case)
    assert (values, refused) == (expected(case) | {"2021-06-02": 48_000, "2021-06-04": 96_000}, 0)


@pytest.mark.parametrize("number", ["14", "15", "16", "18", "73"])
def test_readings_off_the_grid_are_refused_and_those_on_it_are_as_the_other_platform_keeps_them(
    cases: dict[str, Any], number: str
) -> None:
    case = cases[f"pipe{number}"]
    values, refused = kept(case)
    rows = csv.reader((CASES / case["expected_file"][-1]).read_text().splitlines())
    own = {start[:10]: round(float(value) * 1000) for value, start, _ in rows if start.endswith(" 00:00:00")}
    assert (values, refused) == (own, 1)


@pytest.mark.parametrize("number", ["10", "12"])
def test_days_from_noon_to_noon_are_no_days_of_the_channel(cases: dict[str, Any], number: str) -> None:
    assert kept(cases[f"pipe{number}"]) == ({}, 1)


# What happens when the clocks change. The other platform keeps local times, without their hour that there are twice:
# we keep all that was measured, by instant.


def in_chicago(case: dict[str, Any], interval_s: int) -> tuple[dict[datetime, int], list[str]]:
    """Watt-hours by the start of their interval, and what was refused."""
    lines = [f"{line},M" for line in (CASES / case["files"][-1]).read_text().splitlines() if line]
    columns = ["value", "start", "end", "meter"]
    form = (
        mapping(columns, cumulative=False, end_only=False)
        .replace(FORMAT, f"{FORMAT}%z")
        .replace(f"interval_s = {DAY_S}", f"interval_s = {interval_s}")
    )
    to = channel(cumulative=False, interval_s=interval_s, zone="America/Chicago")
    days, refusals = unified(form, "\n".join([",".join(columns), *lines]), to)
    values = {}
    for group in days:
        for row, day in enumerate(group.day.tolist()):
            begin = datetime.fromordinal(int(day)).replace(tzinfo=ZoneInfo("America/Chicago")).astimezone(UTC)
            for slot in (group.quality[row] != EMPTY).nonzero()[0].tolist():
                values[begin + timedelta(seconds=interval_s * slot)] = int(group.values[row, slot])
    return values, refusals


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_day_of_23_hours_is_a_day(cases: dict[str, Any]) -> None:
    values, refused = in_chicago(cases["pipe111"], DAY_S)
    assert refused == []
    assert values == {
        utc("2022-03-12T00:00-06:00"): 1_440_000,
        utc("2022-03-13T00:00-06:00"): 2_760_000,
        utc("2022-03-14T00:00-05:00"): 4_320_000,
    }


def test_quarter_hours_go_on_over_the_hour_that_is_left_out(cases: dict[str, Any]) -> None:
    values, refused = in_chicago(cases["pipe112"], 900)
    begin = utc("2022-03-13T01:30-06:00")
    assert (values, refused) == ({begin + timedelta(minutes=15 * i): 15_000 * (i + 1) for i in range(3)}, [])


@pytest.mark.parametrize(("number", "interval_s", "first"), [("116", 3600, "00:00"), ("118", 900, "01:30")])
def test_the_hour_that_there_is_twice_is_kept_twice(
    cases: dict[str, Any], number: str, interval_s: int, first: str
) -> None:
    case = cases[f"pipe{number}"]
    values, refused = in_chicago(case, interval_s)
    own = [round(float(line.split(",")[0]) * 1000) for line in (CASES / case["files"][-1]).read_text().splitlines()]
    begin = utc(f"2022-11-06T{first}-05:00")
    assert refused == []
    assert values == {begin + timedelta(seconds=interval_s * i): value for i, value in enumerate(own)}


def test_intervals_of_which_no_day_is_made_cannot_be_mapped() -> None:
    """Cases 113, 114, 121 and 122 have readings of 23 minutes."""
    columns = ["value", "start", "end", "meter"]
    form = mapping(columns, cumulative=False, end_only=False).replace(f"interval_s = {DAY_S}", "interval_s = 1380")
    with pytest.raises(BadMappingError, match=r"Intervals of 1380 s, .* make up no day"):
        parse_mapping(form)


def quarter_hours(name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Kilowatt-hours of 75 days (days x 3 x 32), each value exact, and where there is one."""
    header, *rows = gzip.decompress((READINGS / name).read_bytes()).decode().splitlines()
    assert header == "reading,start time,end time"
    columns = ["value", "start", "end", "meter"]
    form = mapping(columns, cumulative=False, end_only=False).replace(f"interval_s = {DAY_S}", "interval_s = 900")
    text = "\n".join([",".join(columns), *(f"{row},M" for row in rows)])
    days, refusals = unified(form, text, channel(cumulative=False, interval_s=900, scale=-12))
    (group,) = days
    kwh, known = np.zeros((75, 96)), np.zeros((75, 96), np.bool_)
    day = group.day - datetime(2022, 8, 18, tzinfo=UTC).toordinal()
    kwh[day], known[day] = group.values / 1e15, group.quality != EMPTY
    assert (refusals, int(known.sum())) == ([], len(rows))
    return kwh.reshape(75, 3, 32), known.reshape(75, 3, 32)


@pytest.fixture(scope="module")
def kwh_of_quarters() -> NDArray[np.float64]:
    """The readings without holes, one after another."""
    kwh, known = quarter_hours("readings_ri_15_days_75.csv.gz")
    assert known.all()
    return kwh.ravel()


def sums(name: str) -> list[float | None]:
    """What the other platform has worked out of the same readings."""
    _, *rows = gzip.decompress((READINGS / f"expected_{name}.csv.gz").read_bytes()).decode().splitlines()
    return [None if row.startswith("null,") else float(row.split(",")[0]) for row in rows]


TABLES = sorted(READINGS.glob("expected_*[0-9f].csv.gz"))  # all but that of readings with holes
BEGIN, END = datetime(2022, 8, 18, tzinfo=UTC), datetime(2022, 11, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def asked_for(name: str) -> tuple[datetime, timedelta, datetime]:
    """The span of a table, in whole steps, and its step: of lines the other platform chooses it by the whole days."""
    asked = re.match(r"expected_(\w+?)_ri.*_st_(.*)_et_(.*?)(?:_bd_(\d+))?\.csv", name)
    assert asked, name
    kind, begin, end, step = asked.groups()
    first = BEGIN if begin == "-inf" else datetime.strptime(begin + "Z", "%Y-%m-%dT%H-%M-%S%z")
    last = END if end == "inf" else datetime.strptime(end + "Z", "%Y-%m-%dT%H-%M-%S%z")
    first, last = BEGIN + -(-(first - BEGIN) // timedelta(1)) * timedelta(1), last.replace(hour=0, minute=0, second=0)
    days = last - first
    if kind == "bar":
        return last - days // timedelta(int(step)) * timedelta(int(step)), timedelta(int(step)), last
    return first, QUARTER if days.days <= 14 else timedelta(hours=1) if days.days <= 60 else timedelta(1), last


def test_all_tables_are_asked_for() -> None:
    assert len(TABLES) == 14


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name[9:-7])
def test_quarter_hours_add_up_as_on_the_other_platform(table: Path, kwh_of_quarters: NDArray[np.float64]) -> None:
    first, step, last = asked_for(table.name)
    of_steps = kwh_of_quarters[(first - BEGIN) // QUARTER : (last - BEGIN) // QUARTER].reshape(-1, step // QUARTER)
    hours = 1 if "bar" in table.name else step / timedelta(hours=1)  # lines are of power, bars of energy
    _, *rows = gzip.decompress(table.read_bytes()).decode().splitlines()
    values, starts, ends = zip(*(row.split(",") for row in rows), strict=True) if rows else ((), (), ())
    assert of_steps.sum(axis=1) / hours == pytest.approx([float(value) for value in values], rel=1e-12)
    assert list(starts) == [f"{first + i * step:{FORMAT}}" for i in range(len(of_steps))]
    assert list(ends) == [f"{first + (i + 1) * step:{FORMAT}}" for i in range(len(of_steps))]


def test_parts_of_days_with_holes_have_the_powers_of_the_other_platform_and_no_others() -> None:
    kwh, known = quarter_hours("readings_ri_15_days_75_holes.csv.gz")
    powers = (kwh.sum(axis=2) / 8).ravel()
    there = known.all(axis=2).ravel()
    own = sums("3d_hp_8_ri_15_mu_kWh_gu_kWh_st_2022-08-18T00-00-00_et_2022-11-01T00-00-00_holes")
    assert [one is not None for one in own] == there.tolist()
    assert [one for one in own if one is not None] == pytest.approx(powers[there], rel=1e-12)
