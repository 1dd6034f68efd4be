"""The words of the pages: instants, numbers, states."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openami.web.pages.landscape import grouped
from openami.web.pages.messages import pretty
from openami.web.render import NONE, is_instant, json_safe, lasting, local_instant, milli, money, size, tag, thousands

ZONE = "Europe/Amsterdam"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NONE),
        ("", NONE),
        ("2026-03-28T23:30:00Z", "2026-03-29 00:30"),
        ("2026-03-29T01:00:00+00:00", "2026-03-29 03:00"),
        (datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC), "2026-07-01 14:00:05"),
        ("9999-12-31T00:00:00Z", NONE),
    ],
)
def test_instants_are_local(value: str | None, text: str) -> None:
    assert local_instant(value, ZONE) == text


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("processed", "good"),
        ("result confirmed", "good"),
        ("failing 3×", "bad"),  # noqa: RUF001 - a typographic times
        ("parked", "warn"),
        ("removed", "quiet"),
        ("what nobody thought of", "info"),
    ],
)
def test_states_are_coloured(state: str, kind: str) -> None:
    assert tag(state) == f'<span class="tag {kind}">{state}</span>'


def test_a_state_is_escaped() -> None:
    assert "<b>" not in tag("<b>")


def test_numbers_have_thin_spaces_and_stay_exact() -> None:
    assert thousands(1234567) == "1\u202f234\u202f567"
    assert thousands(None) == NONE
    assert milli(29204422, "KWH") == "29\u202f204.422 kWh"
    assert milli(None) == NONE
    assert money("-1234.50", "EUR") == "\u2212€\u00a01\u202f234.50"
    assert (size(900), size(2048)) == ("900 B", "2.0 kB")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, NONE), (0, "0 s"), (59.6, "1 min"), (3700, "1 h 1 min"), (43200, "12 h"), (90061, "1 d 1 h")],
)
def test_spans_are_told_in_their_two_largest_units(seconds: float | None, words: str) -> None:
    assert lasting(seconds).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("text", "answer"),
    [("2026-04-01T00:00:00+02:00", True), ("2026-04-01", False), ("OAE0000001", False), (7, False), ("", False)],
)
def test_an_instant_is_told_from_other_text(text: object, answer: bool) -> None:
    assert is_instant(text) is answer


def test_counters_are_grouped_by_subject() -> None:
    status = {
        "now": "2026-04-01T10:00:00Z",
        "devices": 3,
        "devices_registered": 2,
        "switch_orders_open": 1,
        "orders": {"result confirmed": 28, "next_due_at": "2026-04-01T10:00:00Z"},
        "silent": [],
        "lease": {"instance": "here", "held": True, "holder": "here"},
        "stages": [{"stage": "readings due", "waiting": 0}],
        "uploads": {},
        "concentrators": [{"transformer": "T01", "link_down": True}],
    }
    assert {row["label"]: [(item["name"], item["value"]) for item in row["items"]] for row in grouped(status)} == {
        "devices": [("", 3), ("registered", 2)],
        "switch orders": [("open", 1)],
        "orders": [("result confirmed", 28)],
        "silent": [("", 0)],
        "links to transformers": [("T01", "down")],
    }


def test_payloads_are_indented_when_they_are_xml_and_shown_as_they_are_when_not() -> None:
    assert pretty("<a><b>1</b></a>") == "<a>\n  <b>1</b>\n</a>\n"
    assert pretty("no <xml") == "no <xml"
    assert pretty("") == ""


def test_a_payload_cannot_read_files() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
    assert "&x;" in pretty(bomb)


def test_json_is_plain() -> None:
    instant = datetime(2026, 4, 1, tzinfo=UTC)
    assert json_safe({"at": instant, 1: (True, None, 2.5)}) == {"at": str(instant), "1": [True, None, 2.5]}
