"""Lines of a stylesheet as columns: every text as it stands."""

from __future__ import annotations

import pyarrow as pa
import pytest

from openami.shared.contract.enterprise.tabbed import read_tabbed


def test_texts_stay_as_they_are_whatever_they_look_like() -> None:
    table = read_tabbed(b'00017\t"quoted\tNULL\n\t1e3\t-\n', ("a", "b", "c"))
    assert table.to_pydict() == {"a": ["00017", ""], "b": ['"quoted', "1e3"], "c": ["NULL", "-"]}


@pytest.mark.parametrize("text", [b"", b"one\ttwo\n", b"one\ttwo\tthree\tfour\n"])
def test_what_is_no_table_of_these_columns_is_refused(text: bytes) -> None:
    with pytest.raises(pa.ArrowInvalid):
        read_tabbed(text, ("a", "b", "c"))
