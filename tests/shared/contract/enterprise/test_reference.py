"""The reference pages are current, link to what exists, and show examples that validate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openami.shared.contract.enterprise.catalogue import catalogue
from openami.shared.contract.enterprise.codec import codec, decode
from openami.shared.contract.enterprise.codes import code_tables
from openami.shared.contract.enterprise.reference import Reference, page_of, write

FOLDER = Path(__file__).parents[4] / "docs" / "reference" / "services"
PAGES = Reference().pages()


def test_every_page_is_current_and_none_is_left_over() -> None:
    hint = "run python -m openami.shared.contract.enterprise.reference docs/reference/services"
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(PAGES), hint
    for name, text in PAGES.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, hint


@pytest.mark.parametrize("operation", catalogue().operations, ids=lambda operation: operation.name)
def test_the_page_of_an_operation_shows_its_fields_and_valid_examples(operation: object) -> None:
    assert operation in catalogue().operations
    found = catalogue().of(getattr(operation, "name", ""))
    text = PAGES[page_of(found)]
    examples = re.findall(r"```xml\n(.*?)```", text, re.DOTALL)
    assert [codec().root_of(decode(example.encode())) for example in examples] == list(found.roots)
    for name in re.findall(r"^\s*<([A-Za-z]+)>", "".join(examples), re.MULTILINE):
        assert f"{name}`" in text or f"{name}`" in PAGES["common.md"]
    assert found.meaning in text
    assert f"States: {catalogue().objects[found.business_object].states}." in text


def test_every_link_leads_somewhere() -> None:
    for name, text in PAGES.items():
        for target, anchor in re.findall(r"\]\(([\w.]+)(?:#([\w-]+))?\)", text):
            assert target in PAGES, (name, target)
            heads = {line[3:].lower() for line in PAGES[target].splitlines() if line.startswith("## ")}
            assert not anchor or anchor in heads, (name, target, anchor)


def test_the_index_tells_what_is_exact_and_what_is_inferred() -> None:
    index = PAGES["README.md"]
    rows = [line for line in index.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == 87
    assert sum("| exact |" in row for row in rows) == 49
    assert "**extension**" in index


def test_every_code_is_in_the_code_lists() -> None:
    for name, table in code_tables().items():
        section = PAGES["codes.md"].split(f"## {name.replace('_', '-')}\n", 1)[1].split("\n## ")[0]
        for code in table.codes:
            assert f"| {code.code} | {code.name} |" in section


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    assert len(write(tmp_path)) == len(PAGES)
    (tmp_path / "old.md").write_text("gone")
    (tmp_path / "codes.md").write_text("changed")
    assert [path.name for path in write(tmp_path)] == ["codes.md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PAGES)
