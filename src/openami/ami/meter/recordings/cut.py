"""How the shipped recordings were cut: `python -m openami.ami.meter.recordings.cut FOLDER`.

FOLDER holds the source files named in SOURCES.md. Only complete weeks are taken; nothing is filled or scaled. Weeks of
a home that are not all there, that are copies of another day, or in which the home stood empty are left out.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TARGET: Final = Path(__file__).parent
WEEK: Final = timedelta(days=7)
_WEEK_S: Final = 7 * 86400
_WEEKS_PER_WINDOW: Final = 5  # longer than any month, so that a month does not repeat itself
_ZERO_SLOTS_MAX: Final = 48  # a home that used nothing for more than a day of a week stood empty
_HALF_HOUR_S: Final = 1800
_QUARTER_S: Final = 900
_SGSC_WINDOWS_MAX: Final = 7
_LCL_WINDOWS_MAX: Final = 8
_GAS_WINDOWS_MAX: Final = 10
_UCI_WEEKS: Final = (date(2007, 4, 15), date(2007, 5, 6), date(2007, 5, 13), date(2007, 5, 20))
_LITRES_PER_THERM: Final = 2832  # the counter counts 100 cubic feet for about one therm

Window = tuple[dict[str, object], "NDArray[np.int32]"]


def cut(source: Path, target: Path = TARGET) -> None:
    """Write `recordings.npz` and `recordings.json` from the source files."""
    windows = [
        *_half_hourly(
            source / "sgsc_smart_meter10_halfhourly.csv.gz",
            "SGSC",
            ("customer_id", "reading_datetime", "general_supply_kwh"),
            _SGSC_WINDOWS_MAX,
        ),
        *_half_hourly(
            source / "lcl_block62_halfhourly.csv.gz", "LCL", ("LCLid", "tstp", "energy_kWh"), _LCL_WINDOWS_MAX
        ),
        _uci(source / "uci_household_1min_2007-04-15_2007-05-27.csv.gz"),
        # Vancouver standard time for the electricity month, daylight saving time for the water month
        _register_minutes(source / "ampds2" / "Electricity_B1E-11.csv.gz", "Pt", "electricity", date(2014, 2, 25), -8),
        _register_minutes(source / "ampds2" / "Water_WHW-1.csv.gz", "counter", "water", date(2012, 4, 1), -7),
        *_gas(source / "opendsm" / "il-gas-hdd-only-hourly.csv.gz"),
    ]
    np.savez_compressed(
        target / "recordings.npz",
        allow_pickle=False,
        **{str(about["name"]): values.astype(np.uint16) for about, values in windows},
    )
    index = json.dumps([about for about, _ in windows], indent=1)
    (target / "recordings.json").write_text(index + "\n", encoding="utf-8")


def _half_hourly(path: Path, data_set: str, columns: tuple[str, str, str], windows_max: int) -> Iterator[Window]:
    """Windows of complete weeks of each home, spread over its recording."""
    homes: dict[str, dict[datetime, int]] = defaultdict(dict)
    for row in _rows(path):
        home, stamp, kwh = (row[column] for column in columns)
        homes[home][_local(stamp)] = round(Decimal(kwh) * 1000)
    for home, readings in homes.items():
        weeks = list(_complete_weeks(readings))
        count = len(weeks) // _WEEKS_PER_WINDOW
        for index in range(min(count, windows_max)):
            start = index * count // min(count, windows_max) * _WEEKS_PER_WINDOW
            chosen = weeks[start : start + _WEEKS_PER_WINDOW]
            about = _about(f"{data_set}-{home}-{index + 1}", data_set, "electricity", _HALF_HOUR_S, chosen)
            yield about, np.array([readings[stamp] for week in chosen for stamp in _stamps(week)], dtype=np.int32)


def _complete_weeks(readings: dict[datetime, int]) -> Iterator[date]:
    first = min(readings).date()
    monday = first + timedelta(days=-first.weekday() % 7)
    while _midnight(monday) < max(readings):
        values = [readings.get(stamp, -1) for stamp in _stamps(monday)]
        if min(values) >= 0 and values.count(0) <= _ZERO_SLOTS_MAX:
            yield monday
        monday += WEEK


def _uci(path: Path) -> Window:
    """Minute means of power become a register of whole watt-hours, read each quarter."""
    power = {_local(row["ts"]): round(Decimal(row["Global_active_power"]) * 1000) for row in _rows(path)}
    weeks = [
        np.array([power[_midnight(week) + timedelta(minutes=minute)] for minute in range(7 * 1440)], dtype=np.int64)
        for week in _UCI_WEEKS
    ]
    watt_minutes = np.concatenate([[0], np.cumsum(np.concatenate(weeks))])
    register_wh = watt_minutes // 60
    about = _about("UCI-household", "UCI", "electricity", _QUARTER_S, list(_UCI_WEEKS))
    return about, np.diff(register_wh[::15]).astype(np.int32)


def _register_minutes(path: Path, column: str, medium: str, first: date, utc_offset_h: int) -> Window:
    """A register read each minute, cut to four weeks of quarter-hours; only whole Wh or litres count."""
    start_s = int((_midnight(first) - timedelta(hours=utc_offset_h)).timestamp())
    register = {int(row["unix_ts"]): int(Decimal(row[column])) for row in _rows(path)}
    reads = np.array([register[start_s + n * _QUARTER_S] for n in range(4 * _WEEK_S // _QUARTER_S + 1)])
    about = _about(f"AMPds2-{medium}", "AMPds2", medium, _QUARTER_S, [first + n * WEEK for n in range(4)])
    return about, np.diff(reads).astype(np.int32)


def _gas(path: Path) -> Iterator[Window]:
    """Hourly therms become a register of whole litres."""
    rows = list(_rows(path))
    first = datetime.fromisoformat(rows[0]["start"]).replace(tzinfo=UTC)  # its standard time throughout
    hundredths = np.array([round(Decimal(row["value"]) * 100) for row in rows], dtype=np.int64)
    skip_days = -first.weekday() % 7
    register_litres = np.concatenate([[0], np.cumsum(hundredths)]) * _LITRES_PER_THERM // 100
    litres = np.diff(register_litres)[skip_days * 24 :]
    size = _WEEKS_PER_WINDOW * 7 * 24
    for index in range(_GAS_WINDOWS_MAX):
        monday = (first + timedelta(days=skip_days)).date() + index * _WEEKS_PER_WINDOW * WEEK
        weeks = [monday + n * WEEK for n in range(_WEEKS_PER_WINDOW)]
        about = _about(f"OEE-gas-{index + 1}", "OEE", "gas", 3600, weeks)
        yield about, litres[index * size : (index + 1) * size].astype(np.int32)


def _about(name: str, data_set: str, medium: str, slot_s: int, weeks: list[date]) -> dict[str, object]:
    return {
        "name": name,
        "data_set": data_set,
        "medium": medium,
        "slot_s": slot_s,
        "weeks": [week.isoformat() for week in weeks],
    }


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _local(stamp: str) -> datetime:
    """A local time of the source, carried as if it were UTC: only differences matter."""
    return datetime.fromisoformat(stamp[:19]).replace(tzinfo=UTC)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _stamps(monday: date) -> Iterator[datetime]:
    return (_midnight(monday) + timedelta(seconds=n * _HALF_HOUR_S) for n in range(_WEEK_S // _HALF_HOUR_S))


if __name__ == "__main__":
    cut(Path(sys.argv[1]))
