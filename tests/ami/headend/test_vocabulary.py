from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from openami.ami.headend import vocabulary
from openami.ami.headend.model import LoggedEvent, Stream
from openami.shared.contract.field.codes import ReadingTypeCode
from openami.shared.contract.field.tables import event_table

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("obis", "interval_s", "code"),
    [
        ("1-0:1.29.0.255", 900, "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"),
        ("1-0:1.29.0", 1800, "0.0.5.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"),
        ("1-0:2.29.0.255", 3600, "0.0.7.4.19.1.12.0.0.0.0.0.0.0.0.3.72.0"),
    ],
)
def test_load_profile_columns_have_reading_types(obis: str, interval_s: int, code: str) -> None:
    assert str(vocabulary.interval_type(obis, interval_s)) == code


def test_registers_have_reading_types_now_and_daily() -> None:
    assert str(vocabulary.register_type("1-0:1.8.0.255")) == "0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
    assert str(vocabulary.register_type("1-0:1.8.0", daily=True)) == "11.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
    assert str(vocabulary.register_type("7-0:3.0.0")) == "0.0.0.1.1.7.58.0.0.0.0.0.0.0.0.0.42.0"
    assert str(vocabulary.register_type("8-0:1.0.0")) == "0.0.0.1.1.9.58.0.0.0.0.0.0.0.0.0.42.0"


def test_a_quantity_without_a_type_says_which_and_where_to_add_it() -> None:
    with pytest.raises(vocabulary.NoReadingTypeError, match=r"1-0:99\.9\.9 as intervals of 77 s.*reading_types"):
        vocabulary.interval_type("1-0:99.9.9", 77)


def test_values_move_to_the_multiplier_of_the_type_without_loss() -> None:
    kwh = ReadingTypeCode(multiplier=3)
    assert vocabulary.scaled(412, 0, kwh) == Decimal("0.412")
    assert vocabulary.scaled(412, 3, kwh) == Decimal(412)
    assert vocabulary.scaled(123456789, -3, ReadingTypeCode()) == Decimal("123456.789")


@pytest.mark.parametrize(
    ("code", "name", "detail"),
    [(40, "tamper.cover_open", "terminal"), (1, "power.off", ""), (62, "switch.disconnected", "remote")],
)
def test_log_codes_have_event_names(code: int, name: str, detail: str) -> None:
    found = vocabulary.announced(LoggedEvent(Stream.STANDARD_LOG, MIDNIGHT, code))
    assert (found.name, found.detail) == (name, detail)
    assert str(found.code) == event_table()[name].code


def test_an_unknown_code_travels_as_itself() -> None:
    found = vocabulary.announced(LoggedEvent(Stream.FRAUD_LOG, MIDNIGHT, 233))
    assert (found.name, found.code) == ("unknown", vocabulary.UNKNOWN_EVENT)


def test_a_row_that_tells_nothing_of_its_own_has_no_name() -> None:
    assert vocabulary.announced(LoggedEvent(Stream.STANDARD_LOG, MIDNIGHT, 4)).name is None


def test_every_event_of_the_table_is_known_to_the_contract() -> None:
    names = {name for name, _ in vocabulary._events().values() if name}
    assert names <= set(event_table())
