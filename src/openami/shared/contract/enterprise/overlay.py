"""Puts a customer's own schema in the place of one of ours.

The overlay folder is what codec, WSDL and export take as `overlay`. A replaced schema must still define every message
of the file that it replaces; `use_schema` tells what it changes.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openami.shared.contract.enterprise.codec import Codec
from openami.shared.contract.enterprise.constants import FILE as CONSTANTS
from openami.shared.contract.enterprise.constants import Constants, without_value
from openami.shared.contract.enterprise.errors import InvalidMessage, SchemaProblem
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.schemas import SHARED_FILE, SchemaFiles
from openami.shared.contract.enterprise.shapes import Shape, Shapes, Simple, shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

_NUMBER = re.compile(r"\[[0-9]+\]")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference to the schema that the product ships: what, and where in which message."""

    root: str
    path: str
    what: str


def use_schema(schema: Path, name: str, overlay: Path) -> tuple[Change, ...]:
    """Take `schema` for the file `name` (such as `inferred/calculation.xsd`) and return what it changes.

    Nothing is written if it cannot be used: raises SchemaProblem if it is no schema of the contract's namespace, does
    not compile, lacks a message, or wants what neither our values nor the overlay's constants have.
    """
    names = SchemaFiles().names
    if name not in names:
        raise SchemaProblem(f"{name} is no schema file of the contract.", hint=f"Choose one of {', '.join(names)}.")
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "overlay"
        if overlay.is_dir():
            shutil.copytree(overlay, trial)
        target = trial / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(schema, target)
        changes = _changes(SchemaFiles(trial), name)
        _check_constants(trial, sorted({change.root for change in changes}), overlay / CONSTANTS)
    (overlay / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(schema, overlay / name)
    return changes


def _check_constants(trial: Path, roots: Sequence[str], table: Path) -> None:
    """Every message can be sent: what the schemas want and our values do not have is in the table, and valid."""
    ours, theirs, constants = shapes().roots, Shapes(SchemaFiles(trial)).roots, Constants.read(trial)
    lacking = [place for root in roots for place in without_value(ours[root], theirs[root], root, constants)]
    if lacking:
        raise SchemaProblem(
            f"The schema wants what OpenAMI has no value for: {', '.join(lacking)}.",
            hint=f'Write a constant for each into {table}, under [constants]: "{lacking[0]}" = "text".',
        )
    trial_codec = Codec(trial)
    for root in roots:
        try:
            trial_codec.encode(example(root))
        except InvalidMessage as problem:
            place = f"{root}/{_NUMBER.sub('', problem.element)}"
            if constants.of(place) is not None:
                raise SchemaProblem(f"The constant for {place} is not valid: {problem.reason}.") from problem


def _changes(files: SchemaFiles, name: str) -> tuple[Change, ...]:
    ours, theirs = shapes(), Shapes(files)
    own = [root for root, file_name in ours.root_files.items() if file_name == name]
    missing = [root for root in own if root not in theirs.roots]
    if missing:
        raise SchemaProblem(f"The schema does not define {', '.join(missing)}.", hint="All messages must stay.")
    affected = files.names if name == SHARED_FILE else [name]
    for each in affected:
        files.validator(each)
    changes: list[Change] = []
    for root in sorted(ours.roots if name == SHARED_FILE else own):
        _compare(root, "", ours.roots[root], theirs.roots[root], changes)
    return tuple(changes)


def _compare(root: str, path: str, ours: Shape, theirs: Shape, changes: list[Change]) -> None:
    before = {member.xml_name: member for member in (*ours.attributes, *ours.elements)}
    after = {member.xml_name: member for member in (*theirs.attributes, *theirs.elements)}
    for name in dict.fromkeys((*before, *after)):
        place = f"{path}/{name}".lstrip("/")
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            changes.append(Change(root, place, "added" if old is None else "removed"))
            continue
        if (old.minimum, old.maximum) != (new.minimum, new.maximum):
            changes.append(Change(root, place, f"occurs {_occurs(new.minimum, new.maximum)}"))
        if isinstance(old.content, Shape) and isinstance(new.content, Shape):
            _compare(root, place, old.content, new.content, changes)
        elif isinstance(old.content, Simple) and isinstance(new.content, Simple):
            if _rules(old.content) != _rules(new.content):
                changes.append(Change(root, place, "has other rules"))
        else:
            changes.append(Change(root, place, "is of another kind"))


def _occurs(minimum: int, maximum: int | None) -> str:
    return f"{minimum}..{'*' if maximum is None else maximum}"


def _rules(simple: Simple) -> tuple[object, ...]:
    return (
        simple.base,
        simple.minimum_length,
        simple.maximum_length,
        simple.patterns,
        simple.total_digits,
        simple.fraction_digits,
    )
