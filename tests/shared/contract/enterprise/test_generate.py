from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openami.shared.contract.enterprise.decode import class_of
from openami.shared.contract.enterprise.generate import FOLDER, generated
from openami.shared.contract.enterprise.shapes import Shape, python_name, shapes

if TYPE_CHECKING:
    from pathlib import Path

FILES = generated()


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: path.name)
def test_the_generated_module_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path], "run python -m openami.shared.contract.enterprise.generate"
    assert len(FILES[path].splitlines()) < 500


def test_no_module_is_left_over() -> None:
    assert {path for path in FOLDER.glob("*.py") if path.name != "__init__.py"} == set(FILES)


@pytest.mark.parametrize(
    ("xml_name", "name"),
    [
        ("ID", "id"),
        ("UUID", "uuid"),
        ("UTCValidityStartDateTime", "utc_validity_start_date_time"),
        ("UtiltiesDevice", "utilties_device"),
        ("WebURI", "web_uri"),
        ("ProductUniqueItemID", "product_unique_item_id"),
        ("unitCode", "unit_code"),
    ],
)
def test_names_are_the_xml_names_in_snake_case(xml_name: str, name: str) -> None:
    assert python_name(xml_name) == name


def _all_shapes() -> list[Shape]:
    found: dict[int, Shape] = {}

    def visit(shape: Shape) -> None:
        if id(shape) not in found:
            found[id(shape)] = shape
            for member in (*shape.attributes, *shape.elements):
                if isinstance(member.content, Shape):
                    visit(member.content)

    for root in shapes().roots.values():
        visit(root)
    return list(found.values())


def test_every_shape_has_a_class_with_exactly_its_members() -> None:
    for shape in _all_shapes():
        names = {member.name for member in (*shape.attributes, *shape.elements)} | ({"value"} if shape.text else set())
        assert len(names) == len(shape.attributes) + len(shape.elements) + (shape.text is not None)
        assert set(class_of(shape).__dataclass_fields__) - {"extras"} == names, shape.class_path


def test_attribute_names_come_back_to_their_xml_names() -> None:
    for shape in _all_shapes():
        for member in (*shape.attributes, *shape.elements):
            assert member.name == "items" or member.name == python_name(member.xml_name)
