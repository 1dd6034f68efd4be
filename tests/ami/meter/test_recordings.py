"""The shipped recordings, and the exact cumulative function over them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.meter.recordings import Loads, Recording, UnknownRecordingError, library, load
from openami.ami.meter.recordings.cut import cut
from openami.ami.meter.times import seconds_of

ZONE = "Europe/Amsterdam"
ANCHOR_S = seconds_of(datetime(2026, 2, 22, 23, tzinfo=UTC))  # Monday 23 February, 00:00 in standard time
WEEK_S = 7 * 86400

NAMES = sorted(library())
ALL = Loads([load(name) for name in NAMES], ZONE)


def test_every_recording_is_whole_weeks_of_real_use():
    assert {recording.medium for recording in library().values()} == {"electricity", "gas", "water"}
    for recording in library().values():
        assert recording.period_s % WEEK_S == 0
        assert recording.values.min() >= 0
        assert recording.values.sum() > 0


def test_the_data_files_stay_small_and_say_where_they_come_from():
    folder = Path(str(load.__code__.co_filename)).parent
    assert sum(path.stat().st_size for path in folder.glob("recordings.*")) < 1_500_000
    sources = (folder / "SOURCES.md").read_text()
    for data_set in {recording.data_set for recording in library().values()}:
        assert data_set in sources
    assert "Smart-Grid Smart-City Customer Trial Data, Commonwealth of Australia, CC BY 3.0 AU" in sources


def test_the_files_are_what_the_script_makes(fixtures: Path, tmp_path: Path):
    cut(fixtures / "intervals", tmp_path)
    with np.load(tmp_path / "recordings.npz") as arrays:
        assert sorted(arrays.files) == NAMES
        for name in NAMES:
            np.testing.assert_array_equal(arrays[name], load(name).values)


def test_known_values_at_known_times():
    first = load("SGSC-10006414-1")
    loads = Loads([first], ZONE)
    assert loads.between(0, ANCHOR_S, ANCHOR_S + 1800) == first.values[0]
    assert loads.between(0, ANCHOR_S, ANCHOR_S + first.period_s) == first.values.sum()
    assert loads.between(0, ANCHOR_S - 1800, ANCHOR_S) == first.values[-1]
    sunday_first = load("UCI-household")
    loads = Loads([sunday_first], ZONE)
    assert loads.between(0, ANCHOR_S + 6 * 86400, ANCHOR_S + 6 * 86400 + 900) == sunday_first.values[0]


@given(
    st.integers(0, len(NAMES) - 1),
    st.lists(st.integers(ANCHOR_S - 10 * WEEK_S, ANCHOR_S + 10 * WEEK_S), min_size=2, max_size=9),
)
def test_use_never_runs_backwards_and_adds_up(home: int, instants: list[int]):
    at_s = np.array(sorted(instants), np.int64)
    used = ALL.cumulative(home, at_s)
    steps = np.diff(used)
    assert (steps >= 0).all()
    assert steps.sum() == ALL.between(home, int(at_s[0]), int(at_s[-1]))


@given(st.integers(0, len(NAMES) - 1), st.integers(ANCHOR_S - 3 * WEEK_S, ANCHOR_S + 7 * WEEK_S))
def test_many_homes_at_once_are_each_home_alone(home: int, at_s: int):
    alone = Loads([load(NAMES[home])], ZONE)
    assert ALL.cumulative(home, at_s) == alone.cumulative(0, at_s)
    period_s = load(NAMES[home]).period_s
    assert ALL.between(home, at_s, at_s + 86400) == ALL.between(home, at_s + period_s, at_s + period_s + 86400)


def test_another_month_of_the_same_home_keeps_weekdays():
    loads = Loads([load("UCI-household"), load("UCI-household", rotate_weeks=1)], ZONE)
    days_s = np.arange(ANCHOR_S, ANCHOR_S + 8 * WEEK_S, 86400)
    np.testing.assert_array_equal(np.diff(loads.cumulative(1, days_s)), np.diff(loads.cumulative(0, days_s + WEEK_S)))
    assert load("UCI-household", rotate_weeks=2) == load("UCI-household").rotated(1).rotated(1)


def test_an_unknown_name_is_refused():
    with pytest.raises(UnknownRecordingError, match="AMPds2"):
        load("nobody")


def test_use_inside_a_slot_grows_evenly_in_whole_units():
    slot = Recording("made", "made", "electricity", 1800, 0, np.tile(np.array([5], np.int64), 336))
    loads = Loads([slot], ZONE)
    grown = [loads.between(0, ANCHOR_S, ANCHOR_S + second) for second in (0, 359, 360, 719, 720, 1799, 1800)]
    assert grown == [0, 0, 1, 1, 2, 4, 5]
