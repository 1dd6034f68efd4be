from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from openami.office.billing.compute import calculate
from openami.office.billing.document import Utility, bill_document, reversal_document, seal
from openami.office.billing.page import render
from openami.office.billing.tariff import shipped_tariffs
from openami.office.readings.model import ItemStatus
from openami.shared.spans import Span, local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.office.billing.model import BillInput, MeterSlice

MARCH = Span(*(local_midnight("Europe/Amsterdam", date(2026, month, 1)) for month in (3, 4)))
VOID = {"meta", "line", "rect", "br"}


class _Balanced(HTMLParser):
    """Notes every tag that is closed in the wrong order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def document(make_input: Callable[..., BillInput], make_slice: Callable[..., MeterSlice]) -> dict[str, Any]:
    piece = make_slice(MARCH, 137)
    status = piece.status.copy()
    status[48 * 13 : 48 * 14] = ItemStatus.ESTIMATED
    bill = calculate(make_input(slices=[replace(piece, status=status)]))
    return bill_document(bill, "B-1", date(2026, 4, 2), date(2026, 4, 16), Utility()) | {"state": "posted"}


def _text(page: str) -> str:
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    return " ".join(" ".join(parser.text).split())


def test_the_page_shows_what_the_document_says(document: dict[str, Any]) -> None:
    text = _text(render(document))
    for shown in ("B-1", "A. Jansen", "871685900000000001", "1 March 2026 to 31 March 2026", "16 April 2026"):
        assert shown in text
    assert f"€ {Decimal(document['total']):,.2f}" in text
    for line in document["lines"]:
        assert line["name"] in text
        assert f"€ {Decimal(line['amount']):,.2f}" in text


def test_the_page_says_what_was_estimated(document: dict[str, Any]) -> None:
    text = _text(render(document))
    assert "6.576 kWh between 14 Mar 2026, 00:00 and 15 Mar 2026, 00:00" in text
    assert "What was estimated" in text


def test_a_fully_measured_bill_says_nothing_of_estimates(make_input: Callable[..., BillInput]) -> None:
    bill = calculate(make_input())
    page = render(bill_document(bill, "B-2", date(2026, 4, 2), date(2026, 4, 16), Utility()) | {"state": "posted"})
    assert "estimated</span>" not in page
    assert "What was estimated" not in page


def test_the_page_needs_nothing_from_elsewhere(document: dict[str, Any]) -> None:
    page = render(document)
    for outside in ("http://", "https://", "<script", "<link", "url("):
        assert outside not in page


def test_the_page_has_one_bar_a_day(document: dict[str, Any]) -> None:
    page = render(document)
    assert page.count("<g><title>") == 31
    assert page.count('<rect class="e"') == 1


def test_names_are_escaped(document: dict[str, Any]) -> None:
    party = document["party"] | {"name": "<b>Bobby & Co"}
    assert "&lt;b&gt;Bobby &amp; Co" in render(document | {"party": party})


@pytest.mark.parametrize("tariff", ["home-gas", "home-water"])
def test_gas_and_water_have_cubic_metres(make_input: Callable[..., BillInput], tariff: str) -> None:
    bill = calculate(make_input(shipped_tariffs()[tariff], interval_s=3600))
    text = _text(
        render(bill_document(bill, "B-3", date(2026, 4, 2), date(2026, 4, 16), Utility()) | {"state": "posted"})
    )
    assert "m³ measured" in text


def test_a_pending_bill_says_so(document: dict[str, Any]) -> None:
    assert 'class="state pending"' in render(document | {"state": "pending"})


def test_a_reversal_takes_back_every_amount(document: dict[str, Any]) -> None:
    back = reversal_document(document, "B-4", date(2026, 4, 20), "late data")
    assert Decimal(back["total"]) + Decimal(document["total"]) == 0
    assert sum(Decimal(line["amount"]) for line in back["lines"]) == Decimal(back["net"])
    assert "takes back bill B-1" in _text(render(back))


def test_a_seal_covers_every_value(document: dict[str, Any]) -> None:
    assert seal(document) == seal(json.loads(json.dumps(document)))
    assert seal(document) != seal(document | {"total": "0.01"})
