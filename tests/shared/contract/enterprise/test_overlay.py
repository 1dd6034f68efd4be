"""A customer's real schema takes the place of an inferred one, or of one whose fields are too short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.contract.enterprise.codec import codec, decode
from openami.shared.contract.enterprise.errors import InvalidMessage, MissingElement, SchemaProblem
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.overlay import Change, use_schema
from openami.shared.contract.enterprise.schemas import FOLDER
from openami.shared.contract.enterprise.shapes import shapes
from openami.shared.contract.enterprise.wsdl import operation_wsdl

if TYPE_CHECKING:
    from pathlib import Path

NAME = "inferred/measurement_task.xsd"
ROOT = "SmartMeterUtilitiesMeasurementTaskERPChangeRequest"
SOURCE = (FOLDER / NAME).read_text(encoding="utf-8")


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
