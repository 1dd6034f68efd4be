from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.shared import quality as q


@given(st.sampled_from(q.Origin), st.sampled_from(q.Verdict))
def test_a_quality_fits_a_byte_and_comes_apart_again(origin: q.Origin, verdict: q.Verdict) -> None:
    packed = q.quality(origin, verdict)
    assert 0 <= packed <= 255
    assert (q.origin_of(packed), q.verdict_of(packed)) == (origin, verdict)


def test_empty_is_not_missing() -> None:
    assert q.EMPTY != q.MISSING
    assert not q.has_value(np.array([q.EMPTY, q.MISSING], dtype=np.uint8)).any()


def test_only_the_methods_of_the_catalogue_are_estimates() -> None:
    packed = np.array([q.quality(origin) for origin in q.Origin], dtype=np.uint8)
    estimates = [origin.name for origin, is_one in zip(q.Origin, q.is_estimated(packed), strict=True) if is_one]
    assert estimates == [name for name in q.Origin.__members__ if name.startswith("E") and name[1:3].isdigit()]
    assert len(estimates) == 20


def test_the_numbers_of_the_estimates_follow_the_catalogue() -> None:
    for origin in q.Origin:
        if origin >= q.FIRST_ESTIMATE:
            assert int(origin.name[1:3]) == origin - q.FIRST_ESTIMATE + 1


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (q.EMPTY, "empty"),
        (q.VALID, "measured, passed"),
        (q.quality(q.Origin.E03_LIKE_DAY_AVERAGE, q.Verdict.WV), "estimated (E03), warned"),
        (q.quality(q.Origin.EDITED, q.Verdict.MA), "edited, accepted by a person"),
    ],
)
def test_a_person_can_read_it(packed: int, text: str) -> None:
    assert q.label(packed) == text
