from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from openami.shared.contract.enterprise.codes import BadCodeTable, UnknownCode, code_tables
from openami.shared.contract.enterprise.shapes import Member, Shape, Simple, shapes

if TYPE_CHECKING:
    from pathlib import Path

TABLES = code_tables()


def _members(shape: Shape, path: str) -> list[tuple[str, Member]]:
    found = []
    for member in (*shape.attributes, *shape.elements):
        place = f"{path}/{member.xml_name}"
        found.append((place, member))
        if isinstance(member.content, Shape):
            found += _members(member.content, place)
    return found


PLACES = [place for root, shape in shapes().roots.items() for place in _members(shape, root)]


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_code_fits_into_the_elements_that_carry_it(name: str) -> None:
    table = TABLES[name]
    for element in table.elements:
        contents = [member.content for place, member in PLACES if place.endswith(f"/{element}")]
        assert contents, f"no message has {element}"
        for content in contents:
            assert isinstance(content, Simple)
            for code in table.codes:
                assert content.minimum_length <= len(code.code) <= (content.maximum_length or 99), (element, code)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_code_has_a_name_of_its_own_a_meaning_and_a_basis(name: str) -> None:
    codes = TABLES[name].codes
    assert codes
    assert len({code.name for code in codes}) == len(codes)
    for code in codes:
        assert code.meaning
        assert code.basis in {"seen", "inferred", "ours"}
        assert TABLES[name].of(code.code) is code
        assert TABLES[name].named(code.name) is code


def test_numbers_may_be_padded_and_letters_small() -> None:
    assert TABLES["reading_reasons"].of("1").name == "periodic"
    assert TABLES["reading_reasons"].of("01").name == "periodic"
    assert TABLES["recurrences"].of("0015").values["interval_s"] == 900
    assert TABLES["units"].of(" kwh ").values["power"] == 3


def test_an_unknown_code_is_named_with_its_table() -> None:
    with pytest.raises(UnknownCode, match="Meter reading reason '77'"):
        TABLES["reading_reasons"].of("77")
    with pytest.raises(UnknownCode):
        TABLES["units"].named("furlong")


def test_every_time_zone_is_one() -> None:
    for code in TABLES["time_zones"].codes:
        ZoneInfo(str(code.values["zone"]))


def test_event_types_have_known_categories_and_severities() -> None:
    for code in TABLES["event_types"].codes:
        TABLES["event_categories"].of(str(code.values["category"]))
        TABLES["event_severities"].of(str(code.values["severity"]))


def test_a_customers_table_replaces_ours_whole(tmp_path: Path) -> None:
    (tmp_path / "divisions.toml").write_text(
        'title = "Division"\nelements = ["UtilitiesDivisionCategoryCode"]\n'
        'codes = [{ code = "E", name = "electricity", meaning = "Strom" }]\n'
    )
    own = code_tables(tmp_path)
    assert own["divisions"].of("e").meaning == "Strom"
    assert own["divisions"].of("E").basis == "ours"
    assert own["units"].of("KWH") == TABLES["units"].of("KWH")
    with pytest.raises(UnknownCode):
        own["divisions"].of("1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("divisions", "not toml"),
        ("divisions", 'title = "x"'),
        ("divisions", 'title = "x"\nelements = []\ncodes = [{ code = "1" }]'),
        (
            "divisions",
            'title="x"\nelements=[]\ncodes=[{code="1",name="a",meaning="a"},{code="01",name="b",meaning="b"}]',
        ),
        ("colours", 'title = "x"\nelements = []\ncodes = []'),
    ],
)
def test_a_bad_table_is_refused_with_its_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / f"{name}.toml").write_text(text)
    with pytest.raises(BadCodeTable, match=name):
        code_tables(tmp_path)
