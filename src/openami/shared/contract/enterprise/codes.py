"""The code lists of the contract as tables that a customer edits; each ships with defaults.

The defaults are the TOML files in `tables/`. A customer's folder may hold files of the same names, which replace them
whole. What a code means to a program is in its `name` and its extra columns (a unit's power, a zone's name, ...).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openami.shared.contract.enterprise.errors import Refusal
from openami.shared.contract.enterprise.headers import id_key

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "tables"
_KNOWN_COLUMNS = {"code", "name", "meaning", "basis"}


class UnknownCode(Refusal):
    """A code that its table does not have."""

    number = "OAMI030"
    category = "DCE.VME"

    def __init__(self, table: str, code: str) -> None:
        super().__init__(f"{table} {code!r} is not known.", hint="Add it to the table, or send a code that is there.")
        self.table = table
        self.code = code


class BadCodeTable(Refusal):
    """A code table that cannot be used."""

    number = "OAMI031"


@dataclass(frozen=True, slots=True)
class Code:
    """One code; `basis` is seen, inferred or ours, `values` are the extra columns of its table."""

    code: str
    name: str
    meaning: str
    basis: str
    values: Mapping[str, str | int | bool]


@dataclass(frozen=True)
class CodeTable:
    """The codes of one kind; `elements` are the XML elements and attributes that carry them."""

    title: str
    elements: tuple[str, ...]
    codes: tuple[Code, ...]

    @cached_property
    def _by_code(self) -> dict[str, Code]:
        return {id_key(code.code.upper()): code for code in self.codes}

    @cached_property
    def _by_name(self) -> dict[str, Code]:
        return {code.name: code for code in self.codes}

    def of(self, code: str) -> Code:
        """The code as sent; numbers may be padded. Raises UnknownCode."""
        found = self._by_code.get(id_key(code.strip().upper()))
        if found is None:
            raise UnknownCode(self.title, code)
        return found

    def named(self, name: str) -> Code:
        """The code for what a program means; raises UnknownCode."""
        found = self._by_name.get(name)
        if found is None:
            raise UnknownCode(self.title, name)
        return found


def code_tables(folder: Path | None = None) -> Mapping[str, CodeTable]:
    """All tables by file name (`units`, `time_zones`, ...), with those of a customer's folder in place of ours."""
    return _code_tables(folder)


@lru_cache(maxsize=8)
def _code_tables(folder: Path | None) -> dict[str, CodeTable]:
    tables = {path.stem: _read(path) for path in sorted(FOLDER.glob("*.toml"))}
    if folder is not None:
        own = {path.stem: _read(path) for path in sorted(folder.glob("*.toml"))}
        unknown = sorted(set(own) - set(tables))
        if unknown:
            raise BadCodeTable(f"There is no code table {', '.join(unknown)}.", hint=f"Tables: {', '.join(tables)}.")
        tables |= own
    return tables


def _read(path: Path) -> CodeTable:
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        codes = tuple(_code(entry) for entry in content["codes"])
        table = CodeTable(title=content["title"], elements=tuple(content["elements"]), codes=codes)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise BadCodeTable(f"Code table {path} cannot be read: {problem!r}.") from problem
    if len({id_key(code.code.upper()) for code in codes}) != len(codes):
        raise BadCodeTable(f"Code table {path} has a code twice.")
    return table


def _code(entry: dict[str, Any]) -> Code:
    extra = {key: value for key, value in entry.items() if key not in _KNOWN_COLUMNS}
    return Code(
        code=str(entry["code"]),
        name=str(entry["name"]),
        meaning=str(entry["meaning"]),
        basis=str(entry.get("basis", "ours")),
        values=extra,
    )
