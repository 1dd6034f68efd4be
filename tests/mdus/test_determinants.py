"""What a bill is made from: the parts that need no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from openami.mdus.determinants import _advance
from openami.mdus.series import Channel
from openami.shared.spans import Span

MARCH = Span(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=30))
REGISTER = Channel(101, "UTC", 0, modulus=100_000_000, rating_w=10_000)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(1_000, 2_000, 1_000), (99_950_000, 32_000, 82_000), (45_210_000, 12_000, None)],
    ids=["forwards", "W12: over the last digit", "W13: a reset"],
)
def test_v24_how_far_a_register_went(start: int, end: int, expected: int | None) -> None:
    assert _advance(REGISTER, MARCH, start, end) == expected


def test_a_net_register_may_run_backwards() -> None:
    net = Channel(101, "UTC", 0, net=True)
    assert _advance(net, MARCH, 2_000, 1_500) == -500
