"""What a name stands for: terms, days, layers, parts of parts; and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from openami.mdus.virtual.model import BadDefinitionError, Definition, Definitions, Purpose, Run, Term, terms_of
from openami.mdus.virtual.views import text_of

MARCH_1 = date(2026, 3, 1)


def of(name: str, terms: str, first: date = MARCH_1, past_last: date = date.max, **more: Any) -> Definition:
    return Definition(
        name=name, first=first, past_last=past_last, terms=terms_of(terms), author="ann", reason="billing",
        recorded_at=datetime(2026, 3, 1, tzinfo=UTC), **more,
    )  # fmt: skip


def test_terms_are_read_as_people_write_them() -> None:
    assert terms_of("17 + 18 - 0.5*feeder.solar") == (
        Term(17, Fraction(1)),
        Term(18, Fraction(1)),
        Term("feeder.solar", Fraction(-1, 2)),
    )
    assert terms_of("-17") == (Term(17, Fraction(-1)),)
    assert terms_of("1.02*17") == (Term(17, Fraction(51, 50)),)
    assert terms_of("  ") == ()


@pytest.mark.parametrize(
    "text", ["17+18-0.5*feeder.solar", "1.02*17", "40*17-0.000123456789*18", "0.9876543210123456789*17", "-120*17"]
)
def test_terms_are_written_as_they_were_read(text: str) -> None:
    assert text_of(of("a", text)) == text


@pytest.mark.parametrize("text", ["17 18", "17++18", "x*17", "17+", "17+Feeder", "*17", "17/2"])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(BadDefinitionError, match="is no term"):
        terms_of(text)


def test_later_definitions_cover_earlier_ones_on_their_days() -> None:
    known = Definitions(
        [of("a", "1+2"), of("a", "1+3", date(2026, 3, 10)), of("a", "", date(2026, 3, 20), date(2026, 3, 22))]
    )
    days = range(MARCH_1.toordinal(), date(2026, 3, 25).toordinal())
    runs = known.runs("a", days)
    assert [(one.days.start - days.start, one.days.stop - days.start, sorted(one.factors)) for one in runs] == [
        (0, 9, [1, 2]),
        (9, 19, [1, 3]),
        (21, 24, [1, 3]),
    ]
    assert known.runs("a", range(100, 200)) == []


def test_parts_of_parts_add_up_and_cancel_out() -> None:
    known = Definitions([of("solar", "3+4"), of("net", "2*1-solar+4")])
    day = MARCH_1.toordinal()
    assert known.factors("net", day) == {1: Fraction(2), 3: Fraction(-1)}
    assert known.with_member(3, day) == ["net", "solar"]
    assert known.with_member(4, day) == ["solar"], "what cancels out is no part"
    assert known.runs("net", range(day, day + 1)) == [Run(range(day, day + 1), {1: Fraction(2), 3: Fraction(-1)})]


def test_a_term_has_the_channels_of_its_name_times_its_factor() -> None:
    known = Definitions([of("solar", "3+0.5*4"), of("net", "40*1-1.02*solar")])
    day = MARCH_1.toordinal()
    first, second = known.of("net")[0].terms
    assert known.of_term(first, day) == {1: Fraction(40)}
    assert known.of_term(second, day) == {3: Fraction(-51, 50), 4: Fraction(-51, 100)}
    assert known.of_term(Term("nobody", Fraction(1)), day) is None
    later = known.plus(of("net", "2"))
    assert later.factors("net", day) == {2: Fraction(1)}
    assert known.factors("net", day) != later.factors("net", day)


def test_a_part_that_stands_for_nothing_leaves_nothing() -> None:
    known = Definitions([of("solar", "3", MARCH_1, date(2026, 3, 5)), of("net", "1-solar")])
    assert known.factors("net", date(2026, 3, 5).toordinal()) is None


def test_undoing_brings_back_each_layer_on_its_days() -> None:
    """What was defined last covered the end of one definition, a gap, and another one."""
    later = datetime(2026, 4, 1, tzinfo=UTC)
    first, second = date(2026, 3, 10), date(2026, 3, 20)
    last = replace(of("a", "9", date(2026, 3, 5), date(2026, 3, 25)), recorded_at=later)
    known = Definitions([of("a", "1", MARCH_1, first), of("a", "2", second, purpose=Purpose.CHECK, of=7), last])
    back = known.undone("a", "bob", "mistaken", later)
    assert [(one.first.day, one.past_last.day, [term.member for term in one.terms], one.of) for one in back] == [
        (5, 10, [1], None),
        (10, 20, [], None),
        (20, 25, [2], 7),
    ]
    for one in back:
        known = known.plus(one)
    days = range(MARCH_1.toordinal(), date(2026, 3, 30).toordinal())
    before = Definitions(known.of("a")[:2])
    assert [known.factors("a", day) for day in days] == [before.factors("a", day) for day in days]
    with pytest.raises(BadDefinitionError, match="Nobody defined 'b'"):
        known.undone("b", "bob", "mistaken", later)


def test_names_are_found_by_what_they_are_compared_with() -> None:
    known = Definitions([of("a", "1", purpose=Purpose.CHECK, of=7), of("b", "2", purpose=Purpose.CHILDREN, of=8)])
    assert known.compared_with([7]) == ["a"]
    assert known.compared_with([7, 8, 9]) == ["a", "b"]


def test_who_is_compared_with_a_sum_is_found_by_its_members_and_their_days() -> None:
    known = Definitions(
        [
            of("solar", "3"),
            of("behind", "1-solar", purpose=Purpose.CHILDREN, of=7),
            of("check", "2", MARCH_1, date(2026, 3, 5), purpose=Purpose.CHECK, of=8),
            of("street", "1+2+3"),
        ]
    )
    first, later = MARCH_1.toordinal(), date(2026, 3, 5).toordinal()
    assert known.comparing([(3, first)]) == [(7, first)], "a member of a part is a member"
    assert known.comparing([(2, first), (1, later), (2, later)]) == [(7, later), (8, first)]
    assert known.comparing([(9, first)]) == []


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (of("a", "b"), "would contain itself"),
        (of("a", "a"), "would contain itself"),
        (of("c", "nobody"), "Nobody defined"),
        (of("Feeder 7", "1"), "is no name"),
        (of("c", "1", MARCH_1, MARCH_1), "ends before it begins"),
    ],
    ids=["a circle", "itself", "an unknown part", "a bad name", "no days"],
)
def test_what_cannot_be_is_refused(new: Definition, words: str) -> None:
    known = Definitions([of("a", "1"), of("b", "a+2")])
    with pytest.raises(BadDefinitionError, match=words):
        known.refuse(new)


def test_a_circle_is_refused_even_on_other_days() -> None:
    known = Definitions([of("a", "1"), of("b", "a", MARCH_1, date(2026, 3, 2)), of("b", "1", date(2026, 3, 2))])
    with pytest.raises(BadDefinitionError, match="would contain itself"):
        known.refuse(of("a", "b", date(2026, 6, 1)))
