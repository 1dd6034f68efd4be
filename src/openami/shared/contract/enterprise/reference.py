"""Writes the reference of the services: `python -m openami.shared.contract.enterprise.reference DIRECTORY`.

One Markdown page per operation (facts, fields, codes, example, states), an index with the conformance table, and the
code lists. Everything comes from catalogue, schema files and code tables; a test fails while the pages are not current.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.catalogue import Operation, Side, catalogue
from openami.shared.contract.enterprise.codes import CodeTable, code_tables
from openami.shared.contract.enterprise.examples import example_document
from openami.shared.contract.enterprise.schemas import schema_files
from openami.shared.contract.enterprise.shapes import HEADER_TYPE, Member, Shape, Shapes, Simple, shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX, CODES, COMMON = "README.md", "codes.md", "common.md"
GENERATED = "<!-- generated from catalogue, schemas and code tables; do not edit -->\n"
SIDE_NAMES = {Side.MDUS: "MDUS", Side.OFFICE: "back office"}
# types with a section of their own on the common page
COMMON_TYPES = {HEADER_TYPE: "MessageHeader", "Log": "Log"}
EXTENSIONS = (
    "A message without SOAP envelope is accepted like one in an envelope.",
    "Connection categories 3 and 4 (limit the load, end the limit): no operation of SAP is known for them.",
    "Operational states of a device: the codes are ours.",
    "Periods of the times of use in the calculation request: MDUS needs no tariff calendar of its own.",
    "Elements and attributes that the schema does not know are kept with the message and never sent.",
)


@dataclass(frozen=True)
class Reference:
    """The pages for the schema files and code tables in use: ours, with those of a customer in their place."""

    overlay: Path | None = None
    tables: Path | None = None

    @cached_property
    def _shapes(self) -> Shapes:
        return shapes(self.overlay)

    @cached_property
    def _tables(self) -> Mapping[str, CodeTable]:
        return code_tables(self.tables)

    @cached_property
    def _own(self) -> frozenset[str]:
        """Schema files of the customer."""
        files = schema_files(self.overlay)
        return frozenset(name for name in files.names if files.path(name) != schema_files().path(name))

    def _certainty(self, operation: Operation) -> str:
        return "yours" if operation.schema in self._own else "exact" if operation.exact else "inferred"

    def pages(self) -> dict[str, str]:
        """Every page by file name."""
        found = {INDEX: self._index(), CODES: self._codes(), COMMON: self._common()}
        for operation in catalogue().operations:
            found[page_of(operation)] = self._page(operation)
        return found

    def _index(self) -> str:
        count = Counter(self._certainty(operation) for operation in catalogue().operations)
        yours = [f"- **yours** ({count['yours']}): the shape is that of a schema file of yours."] if self._own else []
        lines = [
            "# Enterprise services",
            "",
            GENERATED,
            f"The {count.total()} operations between SAP (or the back office of OpenAMI) and MDUS: SOAP 1.1,",
            "document/literal, one message in the body. All but the two queries are one-way; the answer is a message",
            "of its own, which refers to the request by `ReferenceUUID`. See [header, log and faults](common.md) and",
            "the [codes](codes.md).",
            "",
            "## Conformance",
            "",
            f"- **exact** ({count['exact']}): the shape is that of SAP's interface definition.",
            f"- **inferred** ({count['inferred']}): the name is known or follows the naming rules, the shape is ours",
            "  until the real schema is known; `openami services use-schema` puts it in place.",
            *yours,
            "- **extension**: what the contract does not have and we accept or offer in addition:",
            *(f"    - {extension}" for extension in EXTENSIONS),
            "",
        ]
        for name in catalogue().objects:
            lines += [
                f"## {name}",
                "",
                "| # | operation | offered by | answered by | shape | meaning |",
                "|---|---|---|---|---|---|",
            ]
            for operation in catalogue().operations:
                if operation.business_object == name:
                    lines.append(self._index_row(operation))
            lines.append("")
        return "\n".join(lines)

    def _index_row(self, operation: Operation) -> str:
        confirmation = catalogue().confirmation_of(operation)
        answer = "the same call" if operation.synchronous else "" if confirmation is None else _link(confirmation)
        side, shape = SIDE_NAMES[operation.receiver], self._certainty(operation)
        return f"| {operation.number} | {_link(operation)} | {side} | {answer} | {shape} | {operation.meaning} |"

    def _page(self, operation: Operation) -> str:
        about = catalogue().objects[operation.business_object]
        lines = [f"# {operation.name}", "", GENERATED, f"{operation.meaning}.", "", *self._facts(operation), ""]
        for root in operation.roots:
            lines += [f"## Fields of `{root}`", "", *self._fields(self._shapes.roots[root]), ""]
        for root in operation.roots:
            lines += [
                f"## Example of `{root}`",
                "",
                "```xml",
                example_document(root, overlay=self.overlay).strip(),
                "```",
                "",
            ]
        lines += [f"## {about.name}", "", f"States: {about.states}.", "", *(f"- {rule}" for rule in about.rules), ""]
        return "\n".join(lines)

    def _facts(self, operation: Operation) -> list[str]:
        answered = catalogue().confirmation_of(operation)
        asked = catalogue().requests.get(operation.request)
        rows = [
            ("Number", str(operation.number)),
            ("Business object", operation.business_object),
            ("Offered by", SIDE_NAMES[operation.receiver]),
            ("Called by", SIDE_NAMES[operation.receiver.other]),
            ("Root element", " and ".join(f"`{root}`" for root in operation.roots)),
            ("Namespace of the root", "`http://sap.com/xi/SAPGlobal20/Global`; all other elements have none"),
            ("Mode", "synchronous" if operation.synchronous else "one-way"),
            ("Shape", f"{self._certainty(operation)}, `{operation.schema}`"),
        ]
        if answered is not None:
            rows.append(("Answered by", _link(answered)))
        if asked is not None:
            rows.append(("Answers", _link(asked)))
        return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]

    def _fields(self, shape: Shape) -> list[str]:
        return ["| field | occurs | type | codes |", "|---|---|---|---|", *self._rows(shape, "")]

    def _rows(self, shape: Shape, path: str) -> list[str]:
        rows = []
        for member in (*shape.attributes, *shape.elements):
            mark = "@" if member in shape.attributes else ""
            place = f"{path}{mark}{member.xml_name}"
            content = member.content
            if isinstance(content, Shape) and content.type_name in COMMON_TYPES:
                anchor = COMMON_TYPES[content.type_name].lower()
                rows.append(
                    f"| `{place}` | {_occurs(member)} | [{COMMON_TYPES[content.type_name]}]({COMMON}#{anchor}) | |"
                )
                continue
            rows.append(f"| `{place}` | {_occurs(member)} | {_type(content)} | {self._code_link(place)} |")
            if isinstance(content, Shape):
                rows += self._rows(content, f"{place}/")
        return rows

    def _code_link(self, place: str) -> str:
        table = self._table_of(place.replace("@", ""))
        return "" if table is None else f"[{table.replace('_', ' ')}]({CODES}#{table.replace('_', '-')})"

    def _table_of(self, place: str) -> str | None:
        for name, table in self._tables.items():
            if any(f"/{place}".endswith(f"/{element}") for element in table.elements):
                return name
        return None

    def _codes(self) -> str:
        lines = [
            "# Codes",
            "",
            GENERATED,
            "Each table is a file of the product that a customer's file of the same name replaces. Basis: *seen* in",
            "documentation or in use, *inferred*, or *ours* (a default where SAP leaves the code to customizing).",
            "",
        ]
        for name, table in self._tables.items():
            extra = list(dict.fromkeys(key for code in table.codes for key in code.values))
            head = ["code", "name", "meaning", "basis", *extra]
            lines += [
                f"## {name.replace('_', '-')}",
                "",
                f"{table.title}, in {', '.join(f'`{e}`' for e in table.elements)}.",
                "",
            ]
            lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
            for code in table.codes:
                values = [
                    code.code,
                    code.name,
                    code.meaning,
                    code.basis,
                    *(str(code.values.get(key, "")) for key in extra),
                ]
                lines.append(f"| {' | '.join(values)} |")
            lines.append("")
        return "\n".join(lines)

    def _common(self) -> str:
        lines = ["# Header, log and faults", "", GENERATED]
        any_confirmation = self._shapes.roots["UtilitiesDeviceERPSmartMeterCreateConfirmation"]
        for member in any_confirmation.elements:
            if isinstance(member.content, Shape) and member.content.type_name in COMMON_TYPES:
                lines += [f"## {member.xml_name}", "", *self._fields(member.content), ""]
        lines += [
            "A message is known by its UUID in any case (or, without one, by its ID); one with neither is refused. A",
            "repeated message is answered with the stored confirmation. Result codes and severities are in the",
            "[codes](codes.md).",
            "",
            "## Faults",
            "",
            "Bytes in which no message is recognised are answered with a SOAP fault and HTTP 500; its detail is a",
            "`StandardMessageFault` (namespace `http://sap.com/xi/SAPGlobal/Global`). A message that breaks its schema",
            "gets a negative confirmation that names the element.",
            "",
        ]
        return "\n".join(lines)


def page_of(operation: Operation) -> str:
    """The file name of an operation's page."""
    return f"{operation.name}.md"


def _link(operation: Operation) -> str:
    return f"[{operation.name}]({page_of(operation)})"


def _occurs(member: Member) -> str:
    return f"{member.minimum}..{'*' if member.maximum is None else member.maximum}"


def _type(content: Simple | Shape) -> str:
    text = content if isinstance(content, Simple) else content.text
    if text is None:
        return ""
    if text.base == "dateTime":
        return "date and time, UTC, ends in Z" if text.utc else "date and time, local, without zone"
    if text.total_digits is not None:
        return f"decimal, {text.total_digits} digits, {text.fraction_digits} of them decimals"
    names = {"token": "token", "string": "text", "boolean": "true or false", "date": "date", "time": "time, hh:mm:ss"}
    name = names.get(text.base, text.base)
    if text.maximum_length is None:
        return name
    exactly = "exactly" if text.minimum_length == text.maximum_length else "at most"
    kind = "digits" if r"\d+" in text.patterns else "characters"
    return f"{name}, {exactly} {text.maximum_length} {kind}"


def write(directory: Path) -> list[Path]:
    """Write the pages that changed and take away those of no operation; returns what was written."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    wanted = Reference().pages()
    for name, text in wanted.items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    for path in directory.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    return written


if __name__ == "__main__":
    for changed in write(Path(sys.argv[1])):
        sys.stdout.write(f"wrote {changed}\n")
