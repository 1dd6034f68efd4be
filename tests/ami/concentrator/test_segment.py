"""A segment is slow and loses frames, the same ones for the same seed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.concentrator.segment import PERFECT, REPEATS, Line, Segment

losses = st.floats(0, 0.9)


def test_a_perfect_line_takes_no_time_and_loses_nothing():
    segment = Segment(PERFECT)
    assert {segment.carry(bytes(100)) for _ in range(50)} == {(True, 0.0)}
    assert (segment.frames, segment.repeated, segment.lost) == (50, 0, 0)


@pytest.mark.parametrize(("octets", "took_s"), [(0, 0.05), (300, 1.05), (3000, 10.05)])
def test_a_frame_takes_its_delay_and_its_bits(octets: int, took_s: float):
    arrived, busy_s = Segment(Line(2400, 0.05)).carry(bytes(octets))
    assert arrived
    assert busy_s == pytest.approx(took_s)


@given(losses, st.integers(0, 2**32))
def test_a_seed_decides_what_gets_lost(loss: float, seed: int):
    one, same = Segment(Line(loss=loss), seed), Segment(Line(loss=loss), seed)
    assert [one.carry(b"x") for _ in range(30)] == [same.carry(b"x") for _ in range(30)]
    assert (one.lost, one.repeated) == (same.lost, same.repeated)


def test_repeats_make_a_bad_line_a_good_one_and_take_their_time():
    segment = Segment(Line(latency_s=1, loss=0.3), 7)
    carried = [segment.carry(b"x") for _ in range(2000)]
    lost = sum(not arrived for arrived, _ in carried)
    assert lost == segment.lost
    assert 0.3**4 * 2000 * 0.4 < lost < 0.3**4 * 2000 * 2
    assert sum(took_s for _, took_s in carried) == 2000 + segment.repeated
    assert {took_s for arrived, took_s in carried if not arrived} == {1 + REPEATS}


def test_a_dead_line_carries_nothing():
    assert Segment(Line(loss=1.0)).carry(b"x") == (False, 0.0)
