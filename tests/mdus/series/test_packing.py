from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from openami.mdus.series import ChannelDays
from openami.mdus.series.packing import (
    TRAILER,
    TornRowError,
    array_literal,
    batch_of,
    copy_block,
    keys_of,
    layouts,
    records,
    unpack,
)

ROWS, SLOTS = 5, 4
VALUES = st.one_of(st.integers(-(2**15), 2**15 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1))
BATCHES = st.builds(
    ChannelDays.of,
    npst.arrays(np.int64, ROWS, elements=st.integers(0, 2**62)),
    npst.arrays(np.int64, ROWS, elements=st.integers(700_000, 760_000)),
    npst.arrays(np.int64, (ROWS, SLOTS), elements=VALUES),
    npst.arrays(np.uint8, (ROWS, SLOTS)),
    npst.arrays(np.uint8, (ROWS, SLOTS), elements=st.sampled_from([0, 0, 0, 1, 16])),
)


@settings(deadline=None, max_examples=50)
@given(BATCHES, st.binary(max_size=9))
def test_what_is_packed_is_unpacked(batch: ChannelDays, constant: bytes) -> None:
    """Each block of COPY, cut into its columns the way PostgreSQL does, gives the rows back."""
    found = 0
    for (rows, _width, uniform, flagged), block in zip(
        layouts(batch), copy_block(batch, batch.version + 1, [constant]), strict=True
    ):
        joined = b""
        for fields in cut(block, len(rows)):
            channel, day, version, count, days, quality, flags, given_constant = fields
            assert given_constant == constant
            joined += channel + day + version + days + quality + flags
        again = batch_of(int.from_bytes(count, "big"), len(days), len(quality), len(flags), joined)
        expected = batch.rows(rows)
        for name in ("channel", "day", "values", "quality", "flags"):
            np.testing.assert_array_equal(getattr(again, name), getattr(expected, name))
        assert (again.version == 1).all()
        assert uniform == bool((expected.quality == expected.quality[:, :1]).all(axis=1).all())
        assert flagged == bool(expected.flags.any())
        one = unpack(SLOTS, days, quality, flags)
        np.testing.assert_array_equal(one[0], expected.values[-1])
        np.testing.assert_array_equal(one[1], expected.quality[-1])
        np.testing.assert_array_equal(one[2], expected.flags[-1])
        found += len(rows)
    assert found == ROWS


def cut(block: bytes, rows: int) -> list[list[bytes]]:
    """Rows of binary COPY as lists of fields."""
    result, position = [], 0
    for _ in range(rows):
        (count,) = (int.from_bytes(block[position : position + 2], "big"),)
        position += 2
        fields = []
        for _ in range(count):
            length = int.from_bytes(block[position : position + 4], "big", signed=True)
            fields.append(block[position + 4 : position + 4 + length])
            position += 4 + length
        result.append(fields)
    assert position == len(block)
    return result


@settings(deadline=None)
@given(st.integers(1, 100), *(st.integers(0, 200) for _ in range(3)), st.integers(0, 4), st.integers(0, 9))
def test_torn_records_are_refused_or_read(
    count: int, values: int, quality: int, flags: int, rows: int, torn: int
) -> None:
    size = 16 + values + quality + flags
    try:
        batch = batch_of(count, values, quality, flags, bytes(rows * size + torn))
    except TornRowError as error:
        assert f"packed days of {count} intervals" in str(error) or torn  # noqa: PT017 - either is right
    else:
        assert torn == 0
        assert batch.values.shape == (rows, count)


def test_records_have_what_the_query_adds_to_each() -> None:
    key = (7).to_bytes(8, "big") + (1).to_bytes(4, "big") + (2).to_bytes(4, "big")
    row = key + b"\x05\x00" + b"\x12" + (9).to_bytes(8, "big")
    found = records(row * 2, (2, 1, 0), ("source", ">i8"))
    assert [one.tolist() for one in keys_of(found)] == [[7, 7], [730121, 730121], [2, 2]]
    assert found["values"].tolist() == [[5, 0], [5, 0]]
    assert found["source"].tolist() == [9, 9]
    with pytest.raises(TornRowError, match="55 bytes are no whole number of packed days of 27 bytes"):
        records(row * 2 + b"\x00", (2, 1, 0), ("source", ">i8"))


def test_an_empty_batch_packs_to_nothing() -> None:
    empty = ChannelDays.empty(np.empty(0, np.int64), np.empty(0, np.int64), 96)
    assert list(copy_block(empty, empty.version, [])) == []
    assert TRAILER == b"\xff\xff"


def test_a_torn_row_of_a_history_is_refused() -> None:
    with pytest.raises(TornRowError, match="1 packed days of 4 intervals have 9, 1 and 0 bytes"):
        unpack(4, bytes(9), b"\x00", b"")


@settings(deadline=None)
@given(npst.arrays(np.int64, st.integers(0, 20)))
def test_arrays_are_written_as_postgresql_reads_them(cells: np.ndarray) -> None:
    assert [int(word) for word in array_literal(cells).strip("{}").split(",") if word] == cells.tolist()
