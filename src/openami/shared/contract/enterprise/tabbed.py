"""What a stylesheet writes of repeated elements, a line each and a tab between texts, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.csv

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_tabbed(text: bytes, names: Sequence[str]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """A table of texts, one column a name, nothing quoted and nothing taken for missing.

    Raises:
        pyarrow.ArrowInvalid: there is no line, or one has another number of texts.
    """
    return pyarrow.csv.read_csv(
        cast("Any", pa.py_buffer(text)),
        pyarrow.csv.ReadOptions(column_names=list(names)),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, newlines_in_values=False),
        pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
    )
