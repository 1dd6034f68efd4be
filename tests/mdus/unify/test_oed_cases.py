"""Upload cases of another energy platform (OED, MPL-2.0, read in place): cumulative, descending, repeated, reset.

Its readings that rise are dial values to us, which it drops the first of and we keep. Where it lets a user say that a
dial may be reset, and then takes the value after the fall for the use of that day, we leave the day open: a reset is a
fact in the registry.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from openami.mdus.unify import ChannelDescription, Directory, patterns_of, unify
from openami.mdus.unify.adapters.delimited import Delimited
from openami.mdus.unify.adapters.mapping import parse_mapping
from openami.shared.contract import field as cim
from openami.shared.quality import EMPTY
from openami.shared.spans import Span

CASES = Path(__file__).parents[4] / "shared" / "fixtures" / "vee" / "oed_pipeline"
FORMAT = "%Y-%m-%d %H:%M:%S"
pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the collection of ../shared/fixtures is not here")


def mapping(columns: list[str], *, cumulative: bool, end_only: bool) -> str:
    by_end = cumulative or end_only
    return (
        f'name = "oed"\nheader = {json.dumps(columns)}\n[[series]]\nmeter = [["meter", "SerialNumber"]]\n'
        f'value = "value"\nunit = "KWH"\ntime = "{"end" if by_end else "start"}"\nformat = "{FORMAT}"\n'
        + ('kind = "dial"\n' if cumulative else f'interval_s = 86400\nstamp = "{"end" if by_end else "start"}"\n')
    )


def channel(*, cumulative: bool) -> ChannelDescription:
    return ChannelDescription(
        channel=1, device="1", names=(("SerialNumber", "M"),), patterns=patterns_of("1-0:1.29.0", 86_400), unit="Wh",
        scale=0, interval_s=86_400, zone="UTC", differenced=cumulative,
        span=Span(datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)),
    )  # fmt: skip


def kept(case: dict[str, Any]) -> tuple[dict[str, int], int]:
    """Watt-hours by local day after all files of a case, and how many parts were refused."""
    asked = case["parameters"][0]
    cumulative, end_only = asked.get("cumulative") == "true", asked.get("endOnly") == "true"
    columns = ["value", *([] if end_only else ["start"]), "end", "meter"]
    lines = [f"{line},M" for name in case["files"] for line in (CASES / name).read_text().splitlines() if line]
    text = "\n".join([",".join(columns), *lines])
    adapter = Delimited(parse_mapping(mapping(columns, cumulative=cumulative, end_only=end_only)))
    batches = list(adapter.read(io.BytesIO(text.encode())))
    payload = cim.MeterReadings(tuple(one for batch in batches for one in batch.payload.readings))
    found = unify(payload, Directory([channel(cumulative=cumulative)]), received_at=datetime(2026, 1, 1, tzinfo=UTC))
    values = {
        str(datetime.fromordinal(int(day)).date()): int(group.values[row, 0])
        for group in found.days
        for row, day in enumerate(group.day.tolist())
        if group.quality[row, 0] != EMPTY
    }
    return values, len(found.refusals) + sum(len(batch.refusals) for batch in batches)


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
        pytest.param("130", id="plain"),
    ],
)
def test_readings_come_out_as_the_other_platform_keeps_them(cases: dict[str, Any], number: str) -> None:
    values, refused = kept(cases[f"pipe{number}"])
    own = expected(cases[f"pipe{number}"])
    assert {day: value for day, value in values.items() if day in own} == own
    assert set(values) - set(own) <= {"2021-06-01"}, "ends alone tell us the first day too"
    assert refused <= 1


@pytest.mark.parametrize("number", ["5", "8"])
def test_the_day_in_which_a_dial_falls_is_refused_and_the_others_are_kept(cases: dict[str, Any], number: str) -> None:
    case = cases[f"pipe{number}"]
    values, refused = kept(case)
    assert (values, refused) == ({day: kwh for day, kwh in expected(case).items() if day != "2021-06-04"}, 1)
