"""Writes the whole contract to a folder, for an integrator's tools or for an SAP team.

wsdl/mdus.wsdl, wsdl/office.wsdl     everything that a side offers
wsdl/<operation>.wsdl                each operation alone, under SAP's name
xsd/                                 the schema files, as they include one another
examples/<root element>.xml          a valid example of every message
reference/                           the pages of the reference, for people

Schemas (`overlay`) and code tables (`tables`) of a customer stand in the place of ours in all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.catalogue import Side, catalogue
from openami.shared.contract.enterprise.examples import example_document
from openami.shared.contract.enterprise.fault import FILE as FAULT_FILE
from openami.shared.contract.enterprise.reference import Reference
from openami.shared.contract.enterprise.schemas import schema_files
from openami.shared.contract.enterprise.wsdl import operation_wsdl, side_wsdl

if TYPE_CHECKING:
    from pathlib import Path

ADDRESSES = {
    Side.MDUS: "https://mdus.example.org/services",
    Side.OFFICE: "https://office.example.org/services",
}


def export(
    directory: Path,
    *,
    addresses: dict[Side, str] | None = None,
    overlay: Path | None = None,
    tables: Path | None = None,
) -> list[Path]:
    """Write WSDLs, schemas, examples and reference; returns the files. `addresses` go into the WSDLs."""
    where = ADDRESSES | (addresses or {})
    files: dict[str, bytes] = {
        f"wsdl/{side.value}.wsdl": side_wsdl(side, where[side], overlay=overlay) for side in Side
    }
    for operation in catalogue().operations:
        document = operation_wsdl(operation, where[operation.receiver], overlay=overlay)
        files[f"wsdl/{operation.name}.wsdl"] = document
        for root in operation.roots:
            files[f"examples/{root}.xml"] = example_document(root, overlay=overlay).encode()
    schemas = schema_files(overlay)
    for name in schemas.names:
        files[f"xsd/{name}"] = schemas.path(name).read_bytes()
    files["xsd/fault.xsd"] = FAULT_FILE.read_bytes()
    for name, text in Reference(overlay, tables).pages().items():
        files[f"reference/{name}"] = text.encode()
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return [directory / name for name in files]
