"""The dotted codes and their tables."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.shared.contract.field import errors, tables
from openami.shared.contract.field.codes import ControlCode, EventCode, QualityCode, ReadingTypeCode
from openami.shared.contract.field.controls import control_code, control_name
from openami.shared.contract.field.envelope import Level, Result
from openami.shared.contract.field.events import event_code, event_name, event_severity

QUARTER_HOUR = "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
NUMBERS = st.integers(0, 999_999_999)


@given(st.lists(NUMBERS, min_size=18, max_size=18), st.integers(-12, 12))
def test_a_reading_type_comes_back_from_its_text(numbers: list[int], multiplier: int) -> None:
    numbers[15] = multiplier
    code = ReadingTypeCode(*numbers)
    assert ReadingTypeCode.parse(str(code)) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.2.3",
        QUARTER_HOUR + ".0",  # nineteen
        "-1.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0",  # only the multiplier may be negative
        "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.9999999999",
        "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.\u0663",  # an Arabic digit is a digit to Python, not to the standard
        "?",
    ],
)
def test_what_is_not_eighteen_integers_is_refused(text: str) -> None:
    with pytest.raises(errors.BadReadingTypeError, match="eighteen"):
        ReadingTypeCode.parse(text)


def test_numbers_outside_every_table_are_kept() -> None:
    code = ReadingTypeCode.parse("0.22.79.9.1.2.164.0.0.0.0.0.0.0.0.3.999.0")
    assert (code.measurement_kind, code.interval_s, code.unit_symbol) == (164, None, "unit-999")


def test_what_a_code_says_of_itself() -> None:
    code = ReadingTypeCode.parse(QUARTER_HOUR)
    assert (code.interval_s, code.unit_symbol, code.multiplier, code.is_dial) == (900, "Wh", 3, False)
    assert ReadingTypeCode.parse("0.0.0.1.1.7.58.0.0.0.0.0.0.0.0.0.42.0").is_dial


def test_patterns_match_any_of_their_alternatives() -> None:
    pattern = "0.0.*.4|6.1.1|2.12.0.0.0.0.*.0.0.0.*.72.0"
    assert ReadingTypeCode.parse(QUARTER_HOUR).matches(pattern)
    assert ReadingTypeCode.parse("0.0.7.6.1.2.12.0.0.0.0.3.0.0.0.-3.72.0").matches(pattern)
    assert not ReadingTypeCode.parse("0.0.7.6.19.2.12.0.0.0.0.3.0.0.0.0.72.0").matches(pattern)
    assert not ReadingTypeCode.parse("0.0.7.6.1.12.12.0.0.0.0.3.0.0.0.0.72.0").matches(pattern)  # 12 is not 1 then 2


def test_every_code_matches_itself_as_a_pattern() -> None:
    for row in tables.reading_type_table().values():
        assert ReadingTypeCode.parse(row.code).matches(row.code)


@pytest.mark.parametrize("pattern", ["1.2", QUARTER_HOUR.replace("72", "7?"), QUARTER_HOUR.replace("72", "")])
def test_a_bad_pattern_is_a_mistake_of_ours_and_told(pattern: str) -> None:
    with pytest.raises(errors.BadReadingTypeError, match="pattern"):
        ReadingTypeCode().matches(pattern)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_short_codes_come_back_from_their_text(a: int, b: int, c: int, d: int) -> None:
    assert QualityCode.parse(str(QualityCode(a, b, c))) == QualityCode(a, b, c)
    assert EventCode.parse(str(EventCode(a, b, c, d))) == EventCode(a, b, c, d)
    assert ControlCode.parse(str(ControlCode(a, b, c, d))) == ControlCode(a, b, c, d)


@pytest.mark.parametrize(
    ("cls", "text", "error"),
    [
        (QualityCode, "1.0", errors.BadQualityCodeError),
        (QualityCode, "a.b.c", errors.BadQualityCodeError),
        (EventCode, "3.26.0", errors.BadEventCodeError),
        (EventCode, "3.26.0.-1", errors.BadEventCodeError),
        (ControlCode, "?", errors.BadControlCodeError),
    ],
)
def test_each_code_has_its_own_refusal(
    cls: type[QualityCode | EventCode | ControlCode], text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        cls.parse(text)


def test_our_events_and_their_codes_are_one_to_one() -> None:
    for name in tables.event_table():
        assert event_name(event_code(name)) == name
        assert event_severity(name) in {"info", "warning", "alarm", "critical"}
    assert max(Counter(row.code for row in tables.event_table().values()).values()) == 1


def test_codes_of_other_meter_families_have_our_names() -> None:
    assert event_name(EventCode.parse("6.20.1.185")) == "power.off"
    assert event_name(EventCode.parse("3.26.17.216")) == "power.on"
    assert event_name(EventCode.parse("9.9.9.9")) is None


def test_our_orders_and_their_codes_are_one_to_one() -> None:
    for name in tables.control_table():
        assert control_name(control_code(name)) == name
    assert control_name(ControlCode.parse("2.31.0.18")) == "connect"  # the form for groups
    assert control_name(ControlCode(0, 0, 0, 0)) is None


def test_every_row_of_every_table_is_usable_and_carries_its_evidence() -> None:
    for reading_type in tables.reading_type_table().values():
        code = ReadingTypeCode.parse(reading_type.code)
        assert not code.unit_symbol.startswith("unit-")
        assert reading_type.mark
    for alias in tables.event_alias_table().items():
        EventCode.parse(alias[0])
    for error in tables.error_table().values():
        assert error.level in Level.__members__
        assert error.result in Result.__members__
        assert error.mark
    for quality in tables.quality_table().values():
        assert quality.mark
        assert quality.state in {"", "VALID", "SUSPECT", "INVALID", "MISSING", "EDITED", "ESTIMATED", "DERIVED",
                                 "PROJECTED", "EXCLUDED"}  # fmt: skip


def test_every_exception_answers_with_a_code_of_the_table() -> None:
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Exception)]
    own = [cls for cls in classes if issubclass(cls, errors.FieldContractError)]
    assert len(own) > 15
    assert {cls.code for cls in own} <= set(tables.error_table())
