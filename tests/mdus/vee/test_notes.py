"""What is noted of intervals: carried on, cut where values were replaced, and told to the rules it is about."""

from __future__ import annotations

import numpy as np
import pytest

from openami.mdus.series import ChannelDays
from openami.mdus.vee import notes
from openami.mdus.vee.notes import Note
from openami.shared.quality import MEASURED

DRIFT = Note("V03", 1, 100, (2, 3, 4), (200, 200, 201))
LENGTH = Note("V08", 1, 100, (2, 3), (900, 900))


def days() -> ChannelDays:
    return ChannelDays.of(
        np.array([1, 2]), np.array([100, 100]), np.ones((2, 6), np.int64), np.full((2, 6), MEASURED, np.uint8)
    )


def taken(*slots: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mask = np.zeros((2, 6), np.bool_)
    mask[0, list(slots)] = True
    return mask


def test_a_new_note_carries_on_what_it_does_not_speak_of() -> None:
    (both,) = notes.over([Note("V03", 1, 100, (4, 5), (300, 301))], [DRIFT])
    assert (both.slots, both.values) == ((2, 3, 4, 5), (200, 200, 300, 301))
    assert notes.over([DRIFT], [Note("V03", 2, 100, (0,), (1,))]) == [DRIFT], "of another channel"


def test_what_was_said_of_a_value_goes_with_it() -> None:
    (left,) = notes.superseded([DRIFT, LENGTH], days(), taken(3, 4))
    assert (left.slots, left.values) == ((2,), (200,))
    assert notes.superseded([DRIFT], days(), taken(0, 1)) == []
    assert notes.untold([left], [DRIFT]) == []
    assert notes.untold([left], []) == [left]


def test_only_what_was_taken_is_noted() -> None:
    elsewhere = Note("V03", 9, 100, (0,), (1,))
    assert [one.slots for one in notes.only([DRIFT, elsewhere], days(), taken(4, 5))] == [(4,)]
    assert notes.only([DRIFT], days(), taken(0)) == []


def test_replaced_values_are_kept_slot_by_slot() -> None:
    kept = days()
    kept.values[0] = [10, 11, 12, 13, 14, 15]
    assert notes.of_replaced(kept, taken(1, 5)) == [Note("V07", 1, 100, (1, 5), (11, 15))]


@pytest.mark.parametrize(
    ("note", "name", "expected"),
    [
        (Note("V02", 1, 100, (0,), (90,)), "reader_synced", [False, True]),
        (DRIFT, "clock_drift_s", [201, 0]),
        (Note("V04", 1, 100, (0,), (8,)), "delivered_count", [8, 6]),
        (LENGTH, "declared_interval_s", [900, 1800]),
        (Note("V01", 1, 100, (0,), (1,), "B", "A"), "reported_device", ["B", ""]),
        (Note("V09", 1, 100, (0,), (1,), "varh", "Wh"), "unit", ["Wh", ""]),
        (Note("V10", 1, 100, (0,), (1,), "40", "1"), "declared_multiplier", ["40", ""]),
        (Note("V35", 1, 100, (0,), (77,)), "now_s", [77, 1 << 40]),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_rules_get_it_by_name(note: Note, name: str, expected: list[object]) -> None:
    facts = notes.as_facts(days(), 1800, np.zeros(2, np.int64), [note])
    assert facts[name].tolist() == expected
    assert np.flatnonzero(facts[f"{note.rule} slots"][0]).tolist() == list(note.slots)
