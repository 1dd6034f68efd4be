"""A customer's real schema takes the place of an inferred one, or of one whose fields are too short."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.contract.enterprise.codec import codec, decode, use_overlay
from openami.shared.contract.enterprise.confirm import confirmation_for
from openami.shared.contract.enterprise.errors import InvalidMessage, MissingElement, SchemaProblem
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.intervals import decode_intervals, with_columns
from openami.shared.contract.enterprise.item_columns import ItemColumns
from openami.shared.contract.enterprise.item_reading import read_in_columns
from openami.shared.contract.enterprise.overlay import Change, use_schema
from openami.shared.contract.enterprise.parse import message_element
from openami.shared.contract.enterprise.schemas import FOLDER
from openami.shared.contract.enterprise.shapes import shapes
from openami.shared.contract.enterprise.wsdl import operation_wsdl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = dt.datetime(2026, 3, 20, 6, tzinfo=dt.UTC)
NAME = "inferred/measurement_task.xsd"
ROOT = "SmartMeterUtilitiesMeasurementTaskERPChangeRequest"
SOURCE = (FOLDER / NAME).read_text(encoding="utf-8")


@pytest.fixture
def used() -> Iterator[Callable[[Path], None]]:
    """Makes an overlay that of the process, for this test."""
    yield use_overlay
    use_overlay(None)


def schema(folder: Path, text: str) -> Path:
    path = folder / "mine.xsd"
    path.write_text(text, encoding="utf-8")
    return path


def test_longer_codes_are_accepted_after_the_shared_types_were_replaced(tmp_path: Path) -> None:
    text = (FOLDER / "common.xsd").read_text(encoding="utf-8")
    start = text.index('name="UtilitiesObjectIdentificationSystemCodeText"')
    longer = text[:start] + text[start:].replace('value="15"', 'value="25"', 1)
    changes = use_schema(schema(tmp_path, longer), "common.xsd", tmp_path / "overlay")
    assert {change.what for change in changes} == {"has other rules"}
    assert {change.path.rsplit("/", 1)[-1] for change in changes} == {"UtilitiesObjectIdentificationSystemCodeText"}
    root = "SmartMeterMeterReadingDocumentERPCreateRequest"
    body = codec().encode(example(root)).replace(b"1-0:1.8.0", b"1-0:1.8.0*255_AND_MORE_25")
    with pytest.raises(InvalidMessage, match="maximum length of '15'"):
        decode(body)
    assert codec(tmp_path / "overlay").decode(body)


def test_what_a_real_schema_adds_is_valid_there_and_kept(tmp_path: Path) -> None:
    added = SOURCE.replace(
        '<xs:element name="UtilitiesTimeOfUseCode" type="UtilitiesTimeOfUseCode" minOccurs="0"/>',
        '<xs:element name="UtilitiesTimeOfUseCode" type="UtilitiesTimeOfUseCode" minOccurs="0"/>'
        '<xs:element name="SeasonCode" type="UtilitiesTimeOfUseCode" minOccurs="0"/>',
    )
    changes = use_schema(schema(tmp_path, added), NAME, tmp_path / "overlay")
    assert Change(ROOT, "UtilitiesMeasurementTask/Specifications/SeasonCode", "added") in changes
    other = codec(tmp_path / "overlay")
    body = other.encode(example(ROOT)).replace(
        b"</UtilitiesTimeOfUseCode>", b"</UtilitiesTimeOfUseCode><SeasonCode>S</SeasonCode>"
    )
    message = other.decode(body)
    assert message == example(ROOT)
    assert [extra.path for extra in message.extras] == ["UtilitiesMeasurementTask/Specifications[1]/SeasonCode"]
    with pytest.raises(InvalidMessage, match="SeasonCode"):
        other.decode(body.replace(b"<SeasonCode>S<", b"<SeasonCode>12345678901<"))
    operation = catalogue().of(ROOT)
    assert b"SeasonCode" in operation_wsdl(operation, "http://x", overlay=tmp_path / "overlay")
    assert b"SeasonCode" not in operation_wsdl(operation, "http://x")


def test_what_a_real_schema_does_not_have_is_missing_by_name(tmp_path: Path) -> None:
    less = SOURCE.replace(
        '<xs:element name="StartDate" type="Date"/>', '<xs:element name="StartDate" type="Date" minOccurs="0"/>'
    )
    changes = use_schema(schema(tmp_path, less), NAME, tmp_path / "overlay")
    assert Change(ROOT, "UtilitiesMeasurementTask/Specifications/StartDate", "occurs 0..1") in changes
    other = codec(tmp_path / "overlay")
    body = other.encode(example(ROOT)).replace(b"<StartDate>2026-03-01</StartDate>", b"")
    with pytest.raises(MissingElement, match="Specifications/StartDate"):
        other.decode(body)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no xml", "cannot be read"),
        (SOURCE.replace("SAPGlobal20", "Other"), "not a schema of namespace"),
        (SOURCE.replace(f'<xs:element name="{ROOT}"', '<xs:element name="Other"'), "does not define"),
        (SOURCE.replace('type="DeviceAssignmentTypeCode"', 'type="Nothing"'), "not defined"),
        (SOURCE.replace("xs:token", "xs:nonsense"), "not a valid schema"),
    ],
)
def test_a_schema_that_cannot_be_used_changes_nothing(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(SchemaProblem, match=reason):
        use_schema(schema(tmp_path, text), NAME, tmp_path / "overlay")
    assert not (tmp_path / "overlay").exists()


def test_only_files_of_the_contract_are_replaced(tmp_path: Path) -> None:
    with pytest.raises(SchemaProblem, match="no schema file of the contract"):
        use_schema(schema(tmp_path, SOURCE), "inferred/prices.xsd", tmp_path / "overlay")


@pytest.mark.parametrize("name", sorted(set(shapes().root_files.values())))
def test_the_same_schema_changes_nothing(tmp_path: Path, name: str) -> None:
    assert use_schema(FOLDER / name, name, tmp_path / "overlay") == ()


TASK = f"{ROOT}/UtilitiesMeasurementTask"
BULK = "SmartMeterUtilitiesMeasurementTaskERPBulkChangeRequest"
ANYWHERE = "*/UtilitiesMeasurementTask/Specifications"


def wanting(more: str) -> str:
    """Our schema with something mandatory after the time of use."""
    element = '<xs:element name="UtilitiesTimeOfUseCode" type="UtilitiesTimeOfUseCode" minOccurs="0"/>'
    assert SOURCE.count(element) == 1
    return SOURCE.replace(element, element + more)


def constants(overlay: Path, table: str) -> None:
    overlay.mkdir(parents=True, exist_ok=True)
    (overlay / "constants.toml").write_text(table, encoding="utf-8")


SEASON = '<xs:element name="SeasonCode" type="UtilitiesTimeOfUseCode"/>'
PLANT = (
    '<xs:element name="Plant"><xs:complexType><xs:sequence><xs:element name="Code" type="xs:token"/>'
    '<xs:element name="Note" type="xs:token" minOccurs="0"/></xs:sequence>'
    '<xs:attribute name="kind" type="xs:token" use="required"/></xs:complexType></xs:element>'
)


@pytest.mark.parametrize(
    ("more", "places"),
    [(SEASON, ["SeasonCode"]), (PLANT, ["Plant/@kind", "Plant/Code"]), (SEASON + PLANT, ["SeasonCode", "Plant/Code"])],
)
def test_what_a_schema_wants_and_nobody_has_is_named(tmp_path: Path, more: str, places: list[str]) -> None:
    overlay = tmp_path / "overlay"
    with pytest.raises(SchemaProblem, match="has no value for") as caught:
        use_schema(schema(tmp_path, wanting(more)), NAME, overlay)
    for place in places:
        assert f"{TASK}/Specifications/{place}" in str(caught.value)
    assert "constants.toml" in str(caught.value)
    assert "Note" not in str(caught.value), "it may be left out"
    assert not overlay.exists()


def test_constants_are_sent_where_the_schema_wants_them(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    constants(
        overlay,
        f"""[constants]
"{ANYWHERE}/SeasonCode" = "S<1>"
"{ANYWHERE}/Plant/@kind" = "a&b"
"{ANYWHERE}/Plant/Code" = "1000"
""",
    )
    changes = use_schema(schema(tmp_path, wanting(SEASON + PLANT)), NAME, overlay)
    assert Change(ROOT, "UtilitiesMeasurementTask/Specifications/SeasonCode", "added") in changes
    other = codec(overlay)
    written = b'<SeasonCode>S&lt;1&gt;</SeasonCode><Plant kind="a&amp;b"><Code>1000</Code></Plant>'
    for root in (ROOT, BULK):
        message: Any = example(root)
        body = other.encode(message)
        assert body.count(written) == body.count(b"<Specifications>") > 0
        assert other.decode(body) == message
        assert written not in codec().encode(message)
        with pytest.raises(InvalidMessage, match="SeasonCode"):
            other.decode(codec().encode(message))


def test_a_constant_stands_for_a_value_that_is_not_there(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    constants(overlay, f'[constants]\n"{ANYWHERE}/UtilitiesTimeOfUseCode" = "HT"\n')
    stricter = SOURCE.replace(
        'name="UtilitiesTimeOfUseCode" type="UtilitiesTimeOfUseCode" minOccurs="0"',
        'name="UtilitiesTimeOfUseCode" type="UtilitiesTimeOfUseCode"',
    )
    use_schema(schema(tmp_path, stricter), NAME, overlay)
    full: Any = example(ROOT)
    task = full.utilities_measurement_task
    own = [dataclasses.replace(one, utilities_time_of_use_code=None) for one in task.specifications]
    without = dataclasses.replace(
        full, utilities_measurement_task=dataclasses.replace(task, specifications=(*task.specifications, *own))
    )
    element, default = b"<UtilitiesTimeOfUseCode>", b"<UtilitiesTimeOfUseCode>HT</UtilitiesTimeOfUseCode>"
    body = codec(overlay).encode(without)
    assert body.count(element) == 2 * len(own)
    assert body.count(default) == len(own), "where there is a value, it is sent"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (f'[constants]\n"{ANYWHERE}/SeasonCode" = "{"S" * 11}"', "not valid"),
        (f'[constants]\n"{ANYWHERE}/SeasonCode" = 1', "in quotes"),
        ('constants = "S"', "cannot be read"),
        ("[other]", "cannot be read"),
        ("no toml", "cannot be read"),
    ],
)
def test_constants_that_cannot_be_sent_are_said(tmp_path: Path, table: str, reason: str) -> None:
    overlay = tmp_path / "overlay"
    constants(overlay, table)
    with pytest.raises(SchemaProblem, match=reason):
        use_schema(schema(tmp_path, wanting(SEASON)), NAME, overlay)
    assert not (overlay / NAME).exists()


UPLOAD = "UtilitiesTimeSeriesERPItemBulkCreateRequest"
RESULTS = "MeterReadingDocumentERPResultBulkCreateRequest"


def test_items_of_series_carry_constants_in_columns_too(tmp_path: Path, used: Callable[[Path], None]) -> None:
    overlay = tmp_path / "overlay"
    text = (FOLDER / "time_series.xsd").read_text(encoding="utf-8")
    status = text.index('<xs:element name="ItemStatus"')
    wanted = text[:status] + '<xs:element name="Grade" type="xs:token"/>' + text[status:]
    with pytest.raises(SchemaProblem, match="UtilitiesTimeSeries/Item/Grade"):
        use_schema(schema(tmp_path, wanted), "time_series.xsd", overlay)
    constants(overlay, '[constants]\n"*/Item/Grade" = "A"\n')
    use_schema(schema(tmp_path, wanted), "time_series.xsd", overlay)
    used(overlay)
    message: Any = example(UPLOAD)
    body = codec().encode(message)
    grades = body.count(b"<Grade>A</Grade>")
    assert grades == body.count(b"<Item>") > 0
    rest, columns = decode_intervals(body)
    in_columns = codec().encode(with_columns(rest, columns))
    assert in_columns.count(b"</UTCValidityEndDateTime><Grade>A</Grade><ItemStatus>") == grades
    assert decode(in_columns) == message
    places = [extra.path for item in rest.items for extra in item.extras]
    assert len(places) == grades
    assert places[0] == "UtilitiesTimeSeries/Item[1]/Grade"


def test_items_in_columns_and_their_confirmations_carry_constants(tmp_path: Path, used: Callable[[Path], None]) -> None:
    overlay = tmp_path / "overlay"
    text = (FOLDER / "reading_result.xsd").read_text(encoding="utf-8")
    result, log = ('<xs:element name="Result">', '<xs:element name="Log" type="Log"/>')
    assert result in text
    assert log in text
    grade = '<xs:element name="Grade" type="xs:token"/>'
    wanted = text.replace(result, grade + result).replace(log, grade + log)
    constants(overlay, '[constants]\n"*/Grade" = "A"\n')
    use_schema(schema(tmp_path, wanted), "reading_result.xsd", overlay)
    used(overlay)
    body = codec().encode(example(RESULTS))
    element = message_element(body)
    message: Any = read_in_columns(element, *codec().shape_of(element), len(body))
    assert isinstance(message.items, ItemColumns)
    assert codec().encode(message) == body
    assert body.count(b"<Grade>A</Grade><Result>") == len(message.items) > 0
    log_of = logs.Logs([logs.success("Good.")], np.zeros(len(message.items), np.int32))
    answer: Any = confirmation_for(message, log_of, created=NOW)
    assert isinstance(answer.items, ItemColumns)
    assert codec().encode(answer).count(b"<Grade>A</Grade><Log>") == len(message.items) + 1
