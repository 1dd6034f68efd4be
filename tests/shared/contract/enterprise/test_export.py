"""What an integrator gets works without us: schemas compile from the files, examples validate, WSDLs load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree
from typer.testing import CliRunner

from openami.cli import app
from openami.shared.contract.enterprise.catalogue import Side, catalogue
from openami.shared.contract.enterprise.codec import decode
from openami.shared.contract.enterprise.codes import FOLDER as TABLES
from openami.shared.contract.enterprise.export import export
from openami.shared.contract.enterprise.overlay import use_schema
from openami.shared.contract.enterprise.schemas import FOLDER


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("export")
    export(found, addresses={Side.MDUS: "http://mdus.local/x"})
    return found


def test_every_root_has_an_example_that_validates_against_the_exported_schema(folder: Path) -> None:
    for operation in catalogue().operations:
        schema = etree.XMLSchema(etree.parse(str(folder / "xsd" / operation.schema)))
        for root in operation.roots:
            document = etree.parse(str(folder / "examples" / f"{root}.xml"))
            schema.assertValid(document)
            assert etree.QName(document.getroot()).localname == root


def test_every_example_is_understood(folder: Path) -> None:
    examples = list((folder / "examples").iterdir())
    assert len(examples) == 89
    for path in examples:
        assert type(decode(path.read_bytes())).__name__ in path.stem


def test_every_wsdl_loads_and_has_its_address(folder: Path) -> None:
    names = {path.stem for path in (folder / "wsdl").iterdir()}
    assert names == {"mdus", "office"} | {operation.name for operation in catalogue().operations}
    for side, address in ((Side.MDUS, "http://mdus.local/x"), (Side.OFFICE, "https://office.example.org/services")):
        client: Any = zeep.Client(str(folder / "wsdl" / f"{side.value}.wsdl"))  # type: ignore[no-untyped-call]
        assert client.service._binding_options["address"] == address
        assert len(client.service._binding._operations) == len(catalogue().received_by(side))


def test_all_schema_files_are_there(folder: Path) -> None:
    expected = {path.relative_to(FOLDER) for path in FOLDER.rglob("*.xsd")} | {Path("fault.xsd")}
    assert {path.relative_to(folder / "xsd") for path in (folder / "xsd").rglob("*.xsd")} == expected


def test_a_customers_schema_is_exported_in_place_of_ours(tmp_path: Path) -> None:
    own = (FOLDER / "location.xsd").read_text(encoding="utf-8").replace("Where a device", "Our own: where it")
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "location.xsd").write_text(own, encoding="utf-8")
    files = export(tmp_path / "out", overlay=tmp_path / "overlay")
    assert "Our own" in (tmp_path / "out" / "xsd" / "location.xsd").read_text(encoding="utf-8")
    assert all(path.is_file() for path in files)


SEASONS = """<xs:element name="UtilitiesTimeOfUseCode" type="UtilitiesTimeOfUseCode" minOccurs="0"/>
<xs:element name="SeasonCode" type="UtilitiesTimeOfUseCode"/>"""
TASK = "SmartMeterUtilitiesMeasurementTaskERPChangeRequest"


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of an installation whose customer has brought a schema with a mandatory field of its own."""
    folder = tmp_path_factory.mktemp("customer")
    name = "inferred/measurement_task.xsd"
    own = (FOLDER / name).read_text(encoding="utf-8").replace(SEASONS.splitlines()[0], SEASONS)
    (folder / "mine.xsd").write_text(own, encoding="utf-8")
    (folder / "contract/schemas").mkdir(parents=True)
    (folder / "contract/schemas/constants.toml").write_text('[constants]\n"*/SeasonCode" = "S"\n', encoding="utf-8")
    use_schema(folder / "mine.xsd", name, folder / "contract/schemas")
    units = (TABLES / "units.toml").read_text(encoding="utf-8").replace('code = "KWH"', 'code = "K3"')
    (folder / "contract/tables").mkdir()
    (folder / "contract/tables/units.toml").write_text(units, encoding="utf-8")
    done = CliRunner().invoke(
        app, ["services", "export", str(folder / "out"), "--data-dir", str(folder), "--mdus", "http://mdus.local/x"]
    )
    assert done.exit_code == 0, done.output
    assert "schemas/inferred/measurement_task.xsd" in done.output
    assert "tables/units.toml" in done.output
    return folder / "out"


def test_every_example_of_a_customer_validates_against_the_schema_in_use(customers: Path) -> None:
    for operation in catalogue().operations:
        schema = etree.XMLSchema(etree.parse(str(customers / "xsd" / operation.schema)))
        for root in operation.roots:
            schema.assertValid(etree.parse(str(customers / "examples" / f"{root}.xml")))
    assert "<SeasonCode>" in (customers / "examples" / f"{TASK}.xml").read_text(encoding="utf-8")


def test_the_reference_of_a_customer_shows_what_is_in_use(customers: Path) -> None:
    page = (customers / "reference" / f"{TASK}_Out.md").read_text(encoding="utf-8")
    assert "Specifications/SeasonCode`" in page
    assert "| Shape | yours, `inferred/measurement_task.xsd` |" in page
    assert "| K3 |" in (customers / "reference/codes.md").read_text(encoding="utf-8")
    client: Any = zeep.Client(str(customers / "wsdl/mdus.wsdl"))  # type: ignore[no-untyped-call]
    assert client.service._binding_options["address"] == "http://mdus.local/x"


def test_the_shipped_reference_is_exported_as_it_is_in_the_docs(folder: Path) -> None:
    shipped = Path(__file__).parents[4] / "docs" / "reference" / "services"
    for path in (folder / "reference").iterdir():
        assert path.read_text(encoding="utf-8") == (shipped / path.name).read_text(encoding="utf-8")
