from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from openami.office.billing.compute import calculate
from openami.office.billing.document import Utility, bill_document
from openami.office.billing.page import render
from openami.office.billing.rules import GATE, Policy, check
from openami.office.readings.model import ItemStatus, RegisterReading
from openami.shared.spans import Span, local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.office.billing.model import BillInput, MeterSlice

    Make = Callable[..., BillInput]
    MakeSlice = Callable[..., MeterSlice]

ZONE = "Europe/Amsterdam"
MARCH = Span(local_midnight(ZONE, date(2026, 3, 1)), local_midnight(ZONE, date(2026, 4, 1)))
SWAP = datetime(2026, 3, 16, 10, 17, tzinfo=UTC)


def _rules(source: BillInput, policy: Policy | None = None) -> list[str]:
    return [finding.rule for finding in check(source, policy or Policy())]


def _with_status(piece: MeterSlice, status: ItemStatus, count: int) -> MeterSlice:
    changed = piece.status.copy()
    changed[100 : 100 + count] = status
    return replace(piece, status=changed)


def test_rule_ids_are_unique_and_every_rule_has_a_sentence() -> None:
    assert len({rule.id for rule in GATE}) == len(GATE)
    assert all(rule.sentence.endswith(".") for rule in GATE)


def test_a_complete_month_passes(make_input: Make) -> None:
    assert _rules(make_input()) == []


def test_b01_no_meter(make_input: Make) -> None:
    assert _rules(make_input(slices=[])) == ["B01"]


def test_b01_a_hole_between_meters(make_input: Make, make_slice: MakeSlice) -> None:
    parts = [
        make_slice(Span(MARCH.start, SWAP), serial="OLD"),
        make_slice(Span(SWAP + timedelta(hours=5), MARCH.end), serial="NEW"),
    ]
    assert _rules(make_input(slices=parts)) == ["B01"]
    assert _rules(make_input(slices=parts), Policy(unmetered_max=timedelta(hours=6))) == []


def test_b01_a_meter_that_left_early(make_input: Make, make_slice: MakeSlice) -> None:
    assert _rules(make_input(slices=[make_slice(Span(MARCH.start, SWAP))])) == ["B01"]


def test_b02_intervals_that_have_not_arrived(make_input: Make, make_slice: MakeSlice) -> None:
    piece = _with_status(make_slice(MARCH), ItemStatus.EMPTY, 3)
    found = check(make_input(slices=[piece]), Policy())
    assert [finding.rule for finding in found] == ["B02"]
    assert "3 of 1486 intervals" in found[0].text


@pytest.mark.parametrize("status", [ItemStatus.MISSING, ItemStatus.IMPLAUSIBLE])
def test_b03_intervals_without_a_billable_value(make_input: Make, make_slice: MakeSlice, status: ItemStatus) -> None:
    assert _rules(make_input(slices=[_with_status(make_slice(MARCH), status, 1)])) == ["B03"]


def test_b04_too_much_is_estimated(make_input: Make, make_slice: MakeSlice) -> None:
    source = make_input(slices=[_with_status(make_slice(MARCH), ItemStatus.ESTIMATED, 149)])
    assert _rules(source, Policy(estimated_share_max=Decimal("0.1"))) == ["B04"]
    assert _rules(source, Policy(estimated_share_max=Decimal("0.11"))) == []


@pytest.mark.parametrize("side", ["opening", "closing"])
def test_b05_a_register_reading_is_missing(make_input: Make, make_slice: MakeSlice, side: str) -> None:
    source = make_input(slices=[replace(make_slice(MARCH), **{side: None})])  # type: ignore[arg-type]
    found = check(source, Policy())
    assert [finding.rule for finding in found] == ["B05"]
    assert side in found[0].text


@pytest.mark.parametrize(
    ("after_start", "before_end", "rules"),
    [
        (timedelta(days=3), timedelta(days=3), []),  # as late as an order may be fulfilled
        (timedelta(days=3, minutes=30), timedelta(0), ["B05"]),
        (timedelta(0), timedelta(days=3, minutes=30), ["B05"]),
        (timedelta(days=16), timedelta(days=10), ["B05", "B05"]),
    ],
)
def test_b05_a_reading_far_from_the_edge_leaves_days_unproven(
    make_input: Make, make_slice: MakeSlice, after_start: timedelta, before_end: timedelta, rules: list[str]
) -> None:
    opening, closing = MARCH.start + after_start, MARCH.end - before_end
    intervals = (closing - opening) // timedelta(minutes=30)
    piece = replace(
        make_slice(MARCH),
        opening=RegisterReading(opening, 1_000_000),
        closing=RegisterReading(closing, 1_000_000 + intervals * 100),
    )
    found = check(make_input(slices=[piece]), Policy())
    assert [finding.rule for finding in found] == rules
    assert all("the nearest is of" in finding.text for finding in found)


def test_b05_one_reading_cannot_prove_a_period(make_input: Make, make_slice: MakeSlice) -> None:
    span = Span(MARCH.start, MARCH.start + timedelta(days=2))
    only = RegisterReading(span.start + timedelta(days=1), 1_000_000)
    piece = replace(make_slice(span), opening=only, closing=only)
    found = check(make_input(slices=[piece], past_last=date(2026, 3, 3)), Policy())
    assert [finding.rule for finding in found] == ["B05"], "the register moved by nothing, and so did no interval"
    assert "the only one" in found[0].text


@pytest.mark.parametrize("off_by", [-1, 1])
def test_b06_one_watt_hour_is_too_much(make_input: Make, make_slice: MakeSlice, off_by: int) -> None:
    piece = make_slice(MARCH)
    assert piece.closing is not None
    closing = replace(piece.closing, value_milli=piece.closing.value_milli + off_by)
    assert _rules(make_input(slices=[replace(piece, closing=closing)])) == ["B06"]


def _turned(piece: MeterSlice, opening_milli: int, range_milli: int = 10**9) -> MeterSlice:
    """The register stood here at first, and went on from zero after its last number."""
    assert piece.opening is not None
    assert piece.closing is not None
    closing = (opening_milli + int(piece.values_milli.sum())) % 10**9
    return replace(
        piece,
        range_milli=range_milli,
        opening=replace(piece.opening, value_milli=opening_milli),
        closing=replace(piece.closing, value_milli=closing),
    )


def test_b06_a_register_that_turned_over_is_compared_by_what_passed(make_input: Make, make_slice: MakeSlice) -> None:
    piece = _turned(make_slice(MARCH), 10**9 - 1_000)
    assert piece.register_difference_milli == int(piece.values_milli.sum())
    assert _rules(make_input(slices=[piece])) == []
    (meter,) = calculate(make_input(slices=[piece])).meters
    assert meter.register_difference_milli == meter.interval_sum_milli == 148_600
    document = bill_document(calculate(make_input(slices=[piece])), "7", date(2026, 4, 1), date(2026, 4, 15), Utility())
    assert "began again at zero" in render(document | {"state": "posted"})


def test_a_register_that_was_read_once_has_not_moved_by_anything_known(make_slice: MakeSlice) -> None:
    for side in ({"opening": None}, {"closing": None}):
        assert replace(make_slice(MARCH), **side).register_difference_milli is None  # type: ignore[arg-type]


def test_b06_a_register_of_unknown_digits_or_one_that_fell_a_little_is_not_proven(
    make_input: Make, make_slice: MakeSlice
) -> None:
    unknown = _turned(make_slice(MARCH), 10**9 - 1_000, range_milli=0)
    assert _rules(make_input(slices=[unknown])) == ["B06"]
    fallen = replace(
        make_slice(MARCH),
        range_milli=10**9,
        closing=RegisterReading(MARCH.end, 999_000),
        opening=RegisterReading(MARCH.start, 10**6),
    )
    found = check(make_input(slices=[fallen]), Policy())
    assert "the register moved by -1.000" in found[0].text


def test_b06_a_reading_inside_an_interval_proves_nothing(make_input: Make, make_slice: MakeSlice) -> None:
    piece = replace(make_slice(MARCH), closing=RegisterReading(MARCH.end - timedelta(minutes=7), 1_148_600))
    assert _rules(make_input(slices=[piece])) == ["B06"]


def test_b06_a_reading_at_an_earlier_boundary_is_compared_with_its_intervals(
    make_input: Make, make_slice: MakeSlice
) -> None:
    piece = replace(make_slice(MARCH), closing=RegisterReading(MARCH.end - timedelta(minutes=30), 1_148_500))
    assert _rules(make_input(slices=[piece])) == []


def test_b06_a_reading_before_the_meter_came_proves_nothing(make_input: Make, make_slice: MakeSlice) -> None:
    piece = make_slice(MARCH)
    early = replace(piece, opening=RegisterReading(MARCH.start - timedelta(hours=1), 999_800))
    assert _rules(make_input(slices=[early])) == ["B06"]


def test_a_swap_inside_an_interval_is_proven_meter_by_meter(make_input: Make, make_slice: MakeSlice) -> None:
    source = make_input(
        slices=[
            make_slice(Span(MARCH.start, SWAP), serial="OLD"),
            make_slice(Span(SWAP, MARCH.end), serial="NEW", opening_milli=0),
        ]
    )
    assert _rules(source) == []
