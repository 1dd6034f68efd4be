"""The drawing of a load curve: where bars stand, what colour they have, what they say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.shared.quality import Origin, Verdict, label, quality
from openami.web.curve import HEIGHT, KINDS, WIDTH, amount, ceiling, draw, kind_of, totals
from openami.web.window import View, Window

if TYPE_CHECKING:
    from decimal import Decimal

ZONE = "Europe/Amsterdam"
SPRING = date(2026, 3, 29)
"""The day of 23 hours."""


def series(start: datetime, values: list[int], qualities: list[str] | None = None, **changed: Any) -> dict[str, Any]:
    step = timedelta(seconds=changed.get("interval_s", 1800))
    return {
        "unit": "Wh",
        "scale": 0,
        "interval_s": 1800,
        "times": [(start + index * step).isoformat().replace("+00:00", "Z") for index in range(len(values))],
        "values": values,
        "qualities": qualities or ["measured, passed"] * len(values),
    } | changed


def day_window(day: date = date(2026, 3, 2)) -> Window:
    return Window(View.DAY, day, ZONE)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("measured, passed", "measured"),
        ("measured, not validated", "measured"),
        ("measured, failed", "failed"),
        ("derived, passed", "measured"),
        ("estimated (E03), not validated", "estimated"),
        ("edited, accepted by a person", "edited"),
        ("substituted, passed", "edited"),
        ("missing", "missing"),
        ("empty", "empty"),
    ],
)
def test_a_quality_has_a_colour(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_every_quality_that_there_is_has_a_colour() -> None:
    for origin in Origin:
        for verdict in Verdict:
            assert kind_of(label(quality(origin, verdict))) in KINDS


def test_bars_stand_where_their_intervals_are_and_are_as_high_as_their_power() -> None:
    window = day_window()
    curve = draw(series(window.span.start, [100, 400]), window, "/devices/1")
    first, second = (column.bars[0] for column in curve.columns)
    assert (first.x, second.x) == (0.0, round(WIDTH / 48, 2))
    assert curve.unit == "kW"
    assert curve.upward[-1].label == "0.8"  # 400 Wh in half an hour are 0.8 kW
    assert (second.y, second.height) == (0.0, HEIGHT)
    assert first.height == pytest.approx(HEIGHT / 4)
    assert curve.columns[0].title.startswith("Mon 2 Mar 00:00")
    assert curve.columns[0].title.endswith("0.100 kWh, measured, passed")


def test_an_interval_without_value_is_a_band_and_never_a_zero() -> None:
    window = day_window()
    curve = draw(series(window.span.start, [0, 7], ["missing", "estimated (E01), passed"]), window, "")
    (band,), (bar,) = (column.bars for column in curve.columns)
    assert (band.kind, band.height) == ("missing", HEIGHT)
    assert bar.kind == "estimated"
    assert curve.columns[0].title.endswith(": missing")
    assert curve.legend == (("estimated", "estimated", "0.007 kWh"), ("missing", "missing", "1 interval"))


def test_a_month_is_a_stacked_bar_a_day_that_leads_to_the_day() -> None:
    window = Window(View.MONTH, date(2026, 3, 14), ZONE)
    given_series = series(window.span.start, [10] * 96, ["measured, passed"] * 50 + ["estimated (E03), passed"] * 46)
    curve = draw(given_series, window, "/devices/1")
    assert len(curve.columns) == 2
    assert curve.columns[0].href == "/devices/1?view=day&day=2026-03-01#curve"
    assert [bar.kind for bar in curve.columns[1].bars] == ["measured", "estimated"]
    measured, estimated = curve.columns[1].bars
    assert estimated.y + estimated.height == pytest.approx(measured.y, abs=0.02)
    assert "0.020 kWh measured, 0.460 kWh estimated" in curve.columns[1].title
    assert curve.unit == "kWh a day"


def test_the_short_day_has_23_hours_and_labels_where_they_belong() -> None:
    window = day_window(SPRING)
    curve = draw(series(window.span.start, [1] * 46), window, "")
    last = curve.columns[-1]
    assert last.x + last.width == pytest.approx(WIDTH, abs=0.1)
    assert [tick.label for tick in curve.across] == [f"{hour:02}:00" for hour in range(0, 24, 3)]
    assert curve.across[1].at == pytest.approx(100 * 2 / 23)  # 03:00 is two hours after midnight


def test_gas_is_drawn_in_litres_an_hour_and_cubic_metres_a_day() -> None:
    window = day_window()
    gas = series(window.span.start, [250], unit="m3", scale=-3, interval_s=3600)
    curve = draw(gas, window, "")
    assert (curve.unit, curve.upward[-1].label) == ("l/h", "400")
    assert curve.legend == (("measured", "measured", "0.250 m³"),)
    assert draw(gas, Window(View.MONTH, window.day, ZONE), "").unit == "m³ a day"


def test_nothing_to_draw_is_an_empty_drawing() -> None:
    curve = draw(series(datetime(2026, 3, 1, tzinfo=UTC), []), day_window(), "")
    assert (curve.columns, curve.legend) == ((), ())


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False))
def test_an_axis_ends_above_what_it_shows_and_not_far_above(highest: Decimal) -> None:
    top = ceiling(highest)
    assert top >= highest
    assert top > 0
    assert highest == 0 or top <= highest * 10


@settings(deadline=None)  # drawing hundreds of bars takes what the machine leaves
@given(st.lists(st.tuples(st.integers(-5, 10**6), st.sampled_from(["measured, passed", "missing", "edited, passed"]))))
def test_bars_stay_in_their_box_and_totals_lose_nothing(rows: list[tuple[int, str]]) -> None:
    window = Window(View.WEEK, date(2026, 3, 7), ZONE)
    rows = rows[: 7 * 48]
    shown = series(window.span.start, [value for value, _ in rows], [text for _, text in rows])
    for column in draw(shown, window, "").columns:
        for bar in column.bars:
            assert bar.y >= -0.02
            assert bar.y + bar.height <= HEIGHT + 0.02
            assert -0.01 <= bar.x <= WIDTH
    assert sum(entry["value"] for entry in totals(shown).values()) == sum(value for value, _ in rows)
    assert sum(entry["intervals"] for entry in totals(shown).values()) == len(rows)


@pytest.mark.parametrize(
    ("value", "unit", "scale", "text"),
    [(1234567, "Wh", 0, "1\u202f234.567 kWh"), (2169052, "m3", -3, "2\u202f169.052 m³"), (5, "A", 0, "5 A")],
)
def test_amounts_are_exact(value: int, unit: str, scale: int, text: str) -> None:
    assert amount(value, unit, scale) == text
