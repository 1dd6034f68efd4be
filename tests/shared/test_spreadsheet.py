"""Rows as a table for a spreadsheet: nothing lost, numbers as numbers, nothing that a spreadsheet would execute."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.shared.spreadsheet import FORMULA_BEGINS, as_csv


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_each_field_has_a_column_in_the_order_in_which_it_was_met() -> None:
    text = as_csv([{"b": 1, "a": "x"}, {"a": "y", "c": date(2026, 3, 29)}])
    assert text == "b,a,c\r\n1,x,\r\n,y,2026-03-29\r\n"


def test_fields_of_fields_have_columns_of_their_own() -> None:
    (row,) = read(as_csv([{"id": "7", "details": {"log": "standard", "at": {"day": 1}}, "none": {}}]))
    assert row == {"id": "7", "details.log": "standard", "details.at.day": "1"}


def test_lists_of_words_stand_beside_one_another_and_others_as_json() -> None:
    (row,) = read(as_csv([{"meters": ["A", "B"], "steps": [{"state": "sent", "note": "früh"}], "empty": []}]))
    assert row == {"meters": "A B", "steps": '[{"state": "sent", "note": "früh"}]', "empty": ""}


@pytest.mark.parametrize(
    ("value", "cell"),
    [(255313, "255.313"), (0, "0.000"), (-1, "-0.001"), (None, ""), (9007199254740993, "9007199254740.993")],
)
def test_thousandths_become_the_number_itself(value: int | None, cell: str) -> None:
    (row,) = read(as_csv([{"measured_milli": value, "unit": "kWh"}]))
    assert row[next(name for name in row if name.startswith("measured"))] == cell


@pytest.mark.parametrize("text", ["=1+1", "+31 30", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-", "-NaN", "+Infinity"])
def test_no_text_begins_a_formula(text: str) -> None:
    (row,) = read(as_csv([{"name": text, "list": [text], "in": {"side": text}}]))
    assert set(row.values()) == {f"'{text}"}


@pytest.mark.parametrize("number", ["-12.30", "+5", "-1E+3", -7, Decimal("-0.25")])
def test_numbers_stay_numbers_whatever_their_sign(number: object) -> None:
    (row,) = read(as_csv([{"total": number}]))
    assert row == {"total": str(number)}


@given(st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.text()}), min_size=1))
def test_every_text_comes_back_as_it_was(rows: list[dict[str, str]]) -> None:
    found = read(as_csv(rows))
    assert len(found) == len(rows)
    for given_row, row in zip(rows, found, strict=True):
        for name, text in given_row.items():
            assert row[name].removeprefix("'" if text.startswith(FORMULA_BEGINS) else "") == text


def test_of_no_rows_nothing_is_said() -> None:
    assert as_csv([]).strip() == ""
