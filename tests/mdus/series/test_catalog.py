"""Which files and row groups can have what is wanted: never one too few."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openami.mdus.series.catalog import Bounds

numbers = st.integers(1, 30)
pairs = st.tuples(numbers, numbers).map(sorted)


@given(st.lists(st.tuples(pairs, pairs), max_size=8), st.lists(numbers, min_size=1, max_size=5, unique=True), pairs)
def test_touching_is_what_a_look_at_every_one_finds(
    boxes: list[tuple[list[int], list[int]]], channels: list[int], days: list[int]
) -> None:
    bounds = Bounds.of([(low, high, first, last) for (low, high), (first, last) in boxes])
    wanted = range(days[0], days[1])
    expected = [
        at
        for at, ((low, high), (first, last)) in enumerate(boxes)
        if any(low <= one <= high for one in channels) and any(first <= day <= last for day in wanted)
    ]
    assert bounds.touching(np.array(sorted(channels)), wanted).tolist() == expected


def test_no_files_touch_nothing() -> None:
    assert not len(Bounds.of([]).touching(np.array([1]), range(1, 9)))
