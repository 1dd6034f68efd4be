"""The schema files: found, read, and compiled for validation.

An overlay folder may hold files of the same names (`inferred/calculation.xsd`, `common.xsd`); they replace ours, for a
customer who has the real ones or whose fields are longer.
"""

from __future__ import annotations

import posixpath
import threading
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

from lxml import etree

from openami.shared.contract.enterprise.errors import SchemaProblem

GLOBAL = "http://sap.com/xi/SAPGlobal20/Global"
XS = "{http://www.w3.org/2001/XMLSchema}"
FOLDER = Path(__file__).parent / "schemas"
SHARED_FILE = "common.xsd"


class SchemaFiles:
    """The schema files of the contract, with an optional overlay."""

    def __init__(self, overlay: Path | None = None) -> None:
        self.overlay = overlay
        self.names = tuple(sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.xsd")))
        self._trees: dict[str, etree._Element] = {}
        # of each thread its own: lxml keeps the errors of the last validation in the validator
        self._threads = threading.local()

    def path(self, name: str) -> Path:
        """Where the file of this name is: in the overlay if it is there, else with the product."""
        if self.overlay is not None and (self.overlay / name).is_file():
            return self.overlay / name
        return FOLDER / name

    def tree(self, name: str) -> etree._Element:
        """The parsed file; it must have the contract's target namespace."""
        if name not in self._trees:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
            try:
                root = etree.parse(str(self.path(name)), parser).getroot()
            except (OSError, etree.XMLSyntaxError) as problem:
                raise SchemaProblem(f"Schema file {self.path(name)} cannot be read: {problem}.") from problem
            if root.tag != f"{XS}schema" or root.get("targetNamespace") != GLOBAL:
                raise SchemaProblem(f"Schema file {self.path(name)} is not a schema of namespace {GLOBAL}.")
            self._trees[name] = root
        return self._trees[name]

    def closure(self, *names: str) -> tuple[str, ...]:
        """These files and all they include, each once, included ones first."""
        found: list[str] = []

        def visit(name: str) -> None:
            if name in found:
                return
            for include in self.tree(name).iter(f"{XS}include"):
                visit(posixpath.normpath(posixpath.join(posixpath.dirname(name), include.get("schemaLocation", ""))))
            found.append(name)

        for name in names:
            visit(name)
        return tuple(dict.fromkeys(found))

    def merged(self, *names: str) -> etree._Element:
        """One self-contained schema document with all that these files define and include."""
        merged = etree.fromstring(f'<xs:schema xmlns:xs="{XS[1:-1]}" xmlns="{GLOBAL}" targetNamespace="{GLOBAL}"/>')
        for name in self.closure(*names):
            merged.extend(
                deepcopy(node) for node in self.tree(name) if node.tag not in {f"{XS}include", f"{XS}annotation"}
            )
        return merged

    def validator(self, name: str) -> etree.XMLSchema:
        """This thread's compiled validator of one file."""
        compiled: dict[str, etree.XMLSchema] = self._threads.__dict__
        if name not in compiled:
            try:
                compiled[name] = etree.XMLSchema(self.merged(name))
            except etree.XMLSchemaParseError as problem:
                raise SchemaProblem(f"Schema file {self.path(name)} is not a valid schema: {problem}.") from problem
        return compiled[name]


def schema_files(overlay: Path | None = None) -> SchemaFiles:
    """The schema files with this overlay, read once a process."""
    return _schema_files(overlay)


@lru_cache(maxsize=8)
def _schema_files(overlay: Path | None) -> SchemaFiles:
    return SchemaFiles(overlay)
