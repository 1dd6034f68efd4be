"""What NREL's rate engine bills (ten cases, BSD-3-Clause), worked out of our determinants: energies, tiers and peaks.

Without counterpart: `uk_energy_bills_chellow.jsonl` is what a parser makes of the text of suppliers' EDI invoices, and
no product here reads invoices; credits of net metering that pass from month to month, what a year's end pays for them,
and the least charge of a year are prices that no tariff here has. `urdb_rate_539f6a23ec4f024411ec8beb` has no bill.
"""

from __future__ import annotations

import gzip
import json
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from openami.mdus.series import Calendar, ChannelDays, ChannelSpan
from openami.mdus.series.determinants import Window, bucket_slots, bucket_totals, combine, rolling_demand, tiers
from openami.shared.quality import EMPTY, VALID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BILLS = Path(__file__).parents[4] / "shared" / "fixtures" / "tariffs-bills"
PROFILES = BILLS / "ssc_utilityrate5" / "profiles"
CASES = [*sorted(BILLS.glob("ssc_utilityrate5/*.json")), *BILLS.glob("urdb/*.expected.json")]
pytestmark = pytest.mark.skipif(not CASES, reason="the collection of ../shared/fixtures is not here")
KWH, DAY_S, DAILY_KWH = 1_000_000_000, 86_400, 2
YEAR = 2018
"""It begins on a Monday and has no leap day, as the engine's year."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month of one channel, and when each rate holds."""

    number: int
    span: ChannelSpan
    inputs: dict[str, Any]

    @property
    def days(self) -> NDArray[np.int64]:
        first = date(YEAR, self.number, 1).toordinal()
        return np.arange(first, first + monthrange(YEAR, self.number)[1])

    def periods(self, rate: str) -> list[int]:
        return sorted({int(row[0]) for row in self.inputs[f"ur_{rate}_tou_mat"]})

    def buckets(self, rate: str) -> NDArray[np.int64]:
        """The place of the period that each interval is in, by day and slot."""
        places = {period: place for place, period in enumerate(self.periods(rate))}
        windows = [
            Window(places[int(period)], frozenset(weekdays), hour * 3600, (hour + 1) * 3600)
            for kind, weekdays in (("weekday", range(5)), ("weekend", range(5, 7)))
            for hour, period in enumerate(self.inputs[f"ur_{rate}_sched_{kind}"][self.number - 1])
        ]
        count = DAY_S // self.span.interval_s
        return bucket_slots(Calendar("UTC", self.span.interval_s), self.days, count, windows, otherwise=-1)

    def energies(self) -> list[int]:
        shape, zero = (len(self.days), -1), np.zeros(len(self.days), np.int64)
        values, quality, flags = self.span.values, self.span.quality, self.span.flags
        days = ChannelDays(zero, self.days, values.reshape(shape), quality.reshape(shape), flags.reshape(shape), zero)
        totals = bucket_totals(days, self.buckets("ec"), len(self.periods("ec"))).sum(axis=0)
        assert totals.sum() == self.span.values.sum(), "each interval is in one bucket"
        return [int(one) for one in totals]

    def peak_kw(self, mine: NDArray[np.bool_] | None = None) -> int:
        """In billionths, as energies are."""
        quality = self.span.quality if mine is None else np.where(mine.ravel(), self.span.quality, np.uint8(EMPTY))
        found = rolling_demand(replace(self.span, quality=quality), self.span.interval_s)
        return found.energy * (3600 // self.span.interval_s) if found else 0

    def peaks_kw(self) -> list[int]:
        buckets = self.buckets("dc")
        return [self.peak_kw(buckets == place) for place in range(len(self.periods("dc")))]

    def tiers(self, rows: list[list[float]], total: int, scale: int = KWH) -> list[int]:
        return tiers(total, [round(row[2] * scale) for row in rows[:-1]])

    def energy_charge(self, energies: list[int], price: int = 4) -> float:
        """Tiers are those of the month, and each period has its share of them."""
        total, charge = sum(energies), 0.0
        for period, energy in zip(self.periods("ec"), energies, strict=True):
            rows = [row for row in self.inputs["ur_ec_tou_mat"] if row[0] == period]
            daily = rows[0][3] == DAILY_KWH
            parts = self.tiers(rows, total, KWH * (len(self.days) if daily else 1))
            charge += sum(energy / total * part * row[price] / KWH for part, row in zip(parts, rows, strict=True))
        return charge

    def demand_charge(self) -> float:
        charge = 0.0
        for period, peak in zip(self.periods("dc"), self.peaks_kw(), strict=True):
            rows = [row for row in self.inputs["ur_dc_tou_mat"] if row[0] == period]
            charge += self.by_tier(rows, peak)
        return charge

    def by_tier(self, rows: list[list[float]], peak: int) -> float:
        return sum((part * row[3] / KWH for part, row in zip(self.tiers(rows, peak), rows, strict=True)), 0.0)

    def flat_demand_charge(self) -> float:
        rows = [row for row in self.inputs["ur_dc_flat_mat"] if row[0] == self.number - 1]
        return self.by_tier(rows, self.peak_kw())


def profile(path: str, count: int = 0) -> NDArray[np.int64]:
    """Energies of a year in billionths of a kilowatt-hour, from kilowatts; the engine repeats those of longer steps."""
    kw = np.array(gzip.decompress((PROFILES / Path(path).name).read_bytes()).split()[1:], np.float64)
    kw = np.repeat(kw, max(count // len(kw), 1))
    return np.round(kw * KWH * 8760 / len(kw)).astype(np.int64)


def months(values: NDArray[np.int64], inputs: dict[str, Any]) -> Iterator[Month]:
    interval_s = 365 * DAY_S // len(values)
    at = 0
    for number in range(1, 13):
        count = monthrange(YEAR, number)[1] * DAY_S // interval_s
        starts = (date(YEAR, number, 1) - date(1970, 1, 1)).days * DAY_S + np.arange(count) * interval_s
        quality, flags = np.full(count, VALID, np.uint8), np.zeros(count, np.uint8)
        yield Month(number, ChannelSpan(0, interval_s, starts, values[at : at + count], quality, flags), inputs)
        at += count


def about(expected: float, tolerance: float = 1e-5) -> Any:
    """What is expected is rounded to millionths."""
    return pytest.approx(expected, rel=1e-9, abs=tolerance)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.split(".")[0])
def test_what_is_consumed(path: Path) -> None:
    case = json.loads(path.read_text())
    inputs = case.get("inputs") or case["ur_inputs"]
    out = case["outputs_by_nrel_pysam_7_1_1"]
    total = 0.0
    for month in months(profile(case["files"]["load"] if "files" in case else case["load"]), inputs):
        at = month.number - 1
        charges = [month.energy_charge(month.energies())]
        assert month.span.values.sum() / KWH == about(out["year1_monthly_load"][at])
        assert month.peak_kw() / KWH == about(out["year1_monthly_peak_wo_system"][at])
        assert charges[0] == about(out["year1_monthly_ec_charge_without_system"][at])
        if inputs["ur_dc_enable"]:
            charges += [month.demand_charge(), month.flat_demand_charge()]
            assert charges[1] == about(out["year1_monthly_dc_tou_without_system"][at])
            assert charges[2] == about(out["year1_monthly_dc_fixed_without_system"][at])
        bill = sum(charges) + inputs.get("ur_monthly_fixed_charge", 0)
        assert bill == about(out["year1_monthly_utility_bill_wo_sys"][at], 3e-5)
        total += bill
    assert total == about(out["utility_bill_wo_sys_year1"], 1e-4)


@pytest.mark.parametrize("path", CASES[:-1], ids=lambda path: path.stem)
def test_what_is_taken_and_fed_in_beside_a_roof(path: Path) -> None:
    """Net is a virtual channel: consumption less generation."""
    case = json.loads(path.read_text())
    inputs, out = case["inputs"], case["outputs_by_nrel_pysam_7_1_1"]
    generated = profile(case["files"]["gen"])
    consumed = profile(case["files"]["load"], len(generated))
    excess = 0
    for load, roof in zip(months(consumed, inputs), months(generated, inputs), strict=True):
        at = load.number - 1
        net = replace(load, span=combine([(1, load.span), (-1, roof.span)]))
        charge = out["year1_monthly_ec_charge_with_system"][at]
        if inputs["ur_metering_option"] == 0:  # net over the month
            excess = max(0, excess - sum(net.energies()))
            assert excess / KWH == about(out["year1_monthly_cumulative_excess_generation"][at])
        elif inputs["ur_metering_option"] == 2:  # net over each interval
            taken = replace(net, span=replace(net.span, values=np.maximum(net.span.values, 0)))
            assert taken.energy_charge(taken.energies()) == about(charge)
        elif inputs["ur_metering_option"] == 4:  # two meters
            fed, used = (replace(roof, span=replace(roof.span, values=np.maximum(sign * roof.span.values, 0)))
                         for sign in (1, -1))  # fmt: skip
            gross = [sum(pair) for pair in zip(load.energies(), used.energies(), strict=True)]
            sold = fed.energy_charge(fed.energies(), price=5)
            assert sold == about(out["year1_two_meter_sales"][at])
            assert load.energy_charge(gross) == about(out["year1_monthly_ec_charge_gross_with_system"][at])
            assert load.energy_charge(gross) - sold == about(charge)
            continue
        assert net.peak_kw() / KWH == about(out["year1_monthly_peak_w_system"][at])
