"""Writes the message classes from the schema files: `python -m openami.shared.contract.enterprise.generate`.

One module per schema file, in the layout of our formatter. Run it after a schema file has changed; a test fails while
the modules are not current.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from openami.shared.contract.enterprise.catalogue import Side, catalogue
from openami.shared.contract.enterprise.shapes import Member, Shape, Shapes, Simple, shapes

FOLDER = Path(__file__).parent / "messages"
LINE_LENGTH = 120
PACKAGE = "openami.shared.contract.enterprise"
DECORATOR = "@dataclass(frozen=True, slots=True, kw_only=True)"
STANDARD_IMPORTS = {"import datetime as dt": r"\bdt\.", "from decimal import Decimal": r"\bDecimal\b"}
TYPES = {
    "date": "dt.date",
    "time": "dt.time",
    "dateTime": "dt.datetime",
    "boolean": "bool",
    "decimal": "Decimal",
    "int": "int",
    "integer": "int",
    "float": "float",
    "base64Binary": "bytes",
}


def python_type(simple: Simple) -> str:
    """The Python type of a text, as written in the generated modules."""
    return TYPES.get(simple.base, "str")


def base_class(shape: Shape) -> str:
    """The class of `model` that a message derives from; empty for the parts of a message."""
    item = shape.item
    if item is not None and isinstance(item.content, Shape):
        return f"{'BulkConfirmation' if shape.has_log else 'Bulk'}[{item.content.class_path}]"
    if shape.headed:
        return "Confirmation" if shape.has_log else "HeadedMessage"
    if "." in shape.class_path or not _is_root(shape):
        return ""
    return "Response" if shape.has_log else "Message"


def _is_root(shape: Shape) -> bool:
    return any(shape is root for root in shapes().roots.values())


def _rule(content: Simple | Shape) -> str:
    """What a reader must know about a text beyond its Python type."""
    text = content if isinstance(content, Simple) else content.text
    if text is None:
        return ""
    if text.base == "dateTime":
        return "UTC" if text.utc else "local, without zone"
    if text.total_digits is not None:
        return f"{text.total_digits} digits, {text.fraction_digits} of them decimals"
    if text.maximum_length is None:
        return ""
    exactly = text.minimum_length == text.maximum_length
    digits = " digits" if r"\d+" in text.patterns else ""
    return f"{'exactly' if exactly else 'max'} {text.maximum_length}{digits}"


def _field(member: Member) -> str:
    kind = python_type(member.content) if isinstance(member.content, Simple) else _class_name(member.content)
    if member.many:
        annotation = f"tuple[{kind}, ...]" + (" = ()" if member.minimum == 0 else "")
    else:
        annotation = kind if member.minimum else f"{kind} | None = None"
    line, rule = f"{member.name}: {annotation}", _rule(member.content)
    return f"{line}  # {rule}" if rule else line


def _head(shape: Shape, indent: str) -> list[str]:
    name, base = _class_name(shape), base_class(shape)
    line = f"{indent}class {name}({base}):" if base else f"{indent}class {name}:"
    if len(line) > LINE_LENGTH:
        return [f"{indent}{DECORATOR}", f"{indent}class {name}(", f"{indent}    {base}", f"{indent}):"]
    return [f"{indent}{DECORATOR}", line]


def _docstring(shape: Shape, indent: str) -> list[str]:
    for root, candidate in shapes().roots.items():
        if candidate is shape:
            operation = catalogue().by_root[root]
            direction = (
                "SAP to MDUS" if (operation.receiver is Side.MDUS) is (root == operation.request) else "MDUS to SAP"
            )
            return [
                f'{indent}"""{operation.meaning}.',
                "",
                f"{indent}Operation {operation.number}, {direction}.",
                f'{indent}"""',
            ]
    if shape.headed:
        return [f'{indent}"""Item of a bulk message."""']
    return [f'{indent}"""Part `{_class_name(shape)}`."""']


def _class_name(shape: Shape) -> str:
    return shape.class_path.rsplit(".", 1)[-1]


def _is_nested(part: Shape, shape: Shape) -> bool:
    return part.class_path.startswith(f"{shape.class_path}.")


def _own_members(shape: Shape) -> list[Member]:
    """The members that the class itself declares, attributes first."""
    inherited = {"message_header", "items", "log"} if base_class(shape) else set()
    return [member for member in (*shape.attributes, *shape.elements) if member.name not in inherited]


def _class(shape: Shape, depth: int = 0) -> list[str]:
    indent, inner = "    " * depth, "    " * (depth + 1)
    lines = [*_head(shape, indent), *_docstring(shape, inner), ""]
    for member in _own_members(shape):
        if isinstance(member.content, Shape) and _is_nested(member.content, shape):
            lines += [*_class(member.content, depth + 1), ""]
    if shape.text is not None:
        rule = _rule(shape.text)
        lines.append(f"{inner}value: {python_type(shape.text)}" + (f"  # {rule}" if rule else ""))
    lines += [f"{inner}{_field(member)}" for member in _own_members(shape)]
    while lines[-1] == "":
        lines.pop()
    return lines


def _references(shape: Shape) -> set[Shape]:
    """The classes that the annotations of a class and of the classes nested in it name."""
    found: set[Shape] = set()
    for member in _own_members(shape):
        if isinstance(member.content, Shape):
            nested = _is_nested(member.content, shape)
            found |= _references(member.content) if nested else {member.content}
    return found


def _imports(own: list[Shape], module: str) -> list[str]:
    """Import lines; everything but base classes is needed by type checkers only."""
    text = "\n".join("\n".join(_class(shape)) for shape in own)
    bases = sorted({base_class(shape).split("[")[0] for shape in own} - {""})
    items = {shape.item.content for shape in own if shape.item is not None and isinstance(shape.item.content, Shape)}
    lines = ["from dataclasses import dataclass"]
    standard = [line for line, use in STANDARD_IMPORTS.items() if re.search(use, text)]
    typed = _module_imports(set().union(*map(_references, own)), module, "    ")
    if standard or typed:
        lines.append("from typing import TYPE_CHECKING")
    lines += ["", *_module_imports(items, module)]
    if bases:
        lines.append(_import_line(f"{PACKAGE}.model", bases))
    if standard or typed:
        lines += [*([""] if lines[-1] else []), "if TYPE_CHECKING:", *(f"    {line}" for line in standard)]
        lines += [*([""] if standard and typed else []), *typed]
    return lines


def _module_imports(parts: set[Shape], module: str, indent: str = "") -> list[str]:
    names: dict[str, list[str]] = {}
    for part in sorted(parts, key=lambda part: part.class_path):
        if part.module != module:
            names.setdefault(part.module, []).append(part.class_path)
    return [_import_line(f"{PACKAGE}.messages.{name}", names[name], indent) for name in sorted(names)]


def _import_line(module: str, names: list[str], indent: str = "") -> str:
    line = f"{indent}from {module} import {', '.join(names)}"
    if len(line) <= LINE_LENGTH:
        return line
    inner = "".join(f"{indent}    {name},\n" for name in names)
    return f"{indent}from {module} import (\n{inner}{indent})"


def module_text(module: str, of: Shapes) -> str:
    """The source of one generated module."""
    own = [shape for shape in of.named() if shape.module == module]
    title = module.replace("_", " ").capitalize()
    lines = [
        f"# Generated by generate.py from schemas/{_file_of(module)}: do not edit.",
        f'"""{title} messages."""',
        "",
        "from __future__ import annotations",
        "",
        *_imports(own, module),
    ]
    for shape in own:
        lines += ["", "", *_class(shape)]
    return "\n".join(lines) + "\n"


def _file_of(module: str) -> str:
    prefix, _, rest = module.partition("inferred_")
    return f"inferred/{rest}.xsd" if not prefix and rest else f"{module}.xsd"


def generated() -> dict[Path, str]:
    """Every generated file with its content."""
    of = shapes()
    modules = sorted({shape.module for shape in of.named()})
    return {FOLDER / f"{module}.py": module_text(module, of) for module in modules}


def main() -> int:
    """Write the modules; prints what changed."""
    for path, text in generated().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
